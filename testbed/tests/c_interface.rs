//! A program in C on the board's heaps.
//!
//! It is compiled on the board, against the library that was built along with this test.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use dmaflow_testbed::{Board, DmaBufs};

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("a program that is installed");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn a_program_in_c_uses_any_heap() {
    let Some(_board) = Board::for_test("a_program_in_c_uses_any_heap") else {
        return;
    };
    let buffers = DmaBufs::now();
    let capi = Path::new(env!("CARGO_MANIFEST_DIR")).join("../capi");
    let test = std::env::current_exe().unwrap();
    let library = test.with_file_name("libdmaflow.so");
    let directory = std::env::temp_dir().join("c-interface");
    std::fs::create_dir_all(&directory).unwrap();
    // The loader looks for the name that the library has in programs.
    symlink(&library, directory.join("libdmaflow.so.0")).unwrap();
    let program = directory.join("checks");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"]);
    cc.arg(capi.join("include"))
        .arg(capi.join("tests/checks.c"));
    run(cc.arg(&library).arg("-o").arg(&program));
    let heaps = [
        "system",
        "default_cma_region",
        "reserved",
        "udmabuf",
        "memfd",
    ];
    for heap in heaps {
        let mut checks = Command::new(&program);
        checks.arg(heap).env("LD_LIBRARY_PATH", &directory);
        let output = run(&mut checks);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.ends_with("checks passed\n"), "{heap}: {said}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
    buffers.assert_none_since();
}
