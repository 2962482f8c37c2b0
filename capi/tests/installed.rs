//! C programs, compiled as their authors would against an installed library, and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command to its end; what it printed.
fn run(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Where the library is installed, once for all tests.
fn prefix() -> Result<&'static Path> {
    static PREFIX: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let installed = PREFIX.get_or_init(|| install().map_err(|error| format!("{error:#}")));
    let prefix = installed
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"));
    Ok(prefix?)
}

fn install() -> Result<PathBuf> {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
    if prefix.exists() {
        std::fs::remove_dir_all(&prefix)?;
    }
    let mut install = Command::new(env!("CARGO"));
    install
        .current_dir(here())
        .args(["run", "--package", "xtask", "--quiet", "--"]);
    run(install
        .args(["install-capi", "--debug", "--prefix"])
        .arg(&prefix))?;
    Ok(prefix)
}

/// What pkg-config says of the installed library.
fn pkg_config(arguments: &[&str]) -> Result<Vec<String>> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix()?.join("lib/pkgconfig"));
    let flags = run(command.args(arguments).arg("dmaflow"))?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}

/// Compiles a program of `source`, linked as `libraries` say.
fn compile(source: &str, name: &str, libraries: &[String]) -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut cc = Command::new("cc");
    cc.arg("-std=c11").args(STRICT).arg(here().join(source));
    cc.args(pkg_config(&["--cflags"])?).arg("-o").arg(&program);
    run(cc.args(libraries))?;
    Ok(program)
}

fn run_with_library(program: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", prefix()?.join("lib"));
    run(command.args(arguments))
}

#[test]
fn the_shared_library_keeps_its_promises() -> Result<()> {
    let program = compile("tests/checks.c", "checks-shared", &pkg_config(&["--libs"])?)?;
    let output = run_with_library(&program, &["memfd", "memfd"])?;
    assert!(output.ends_with("checks passed\n"), "{output}");
    let needed = run(Command::new("readelf").arg("-d").arg(&program))?;
    assert!(needed.contains("[libdmaflow.so.0]"), "{needed}");
    Ok(())
}

#[test]
fn the_static_library_keeps_its_promises() -> Result<()> {
    let mut libraries = vec!["-l:libdmaflow.a".to_owned()];
    let flags = pkg_config(&["--static", "--libs"])?;
    libraries.extend(flags.into_iter().filter(|flag| flag != "-ldmaflow"));
    let program = compile("tests/checks.c", "checks-static", &libraries)?;
    let output = run(Command::new(&program).arg("memfd"))?;
    assert!(output.ends_with("checks passed\n"), "{output}");
    Ok(())
}

#[test]
fn the_example_runs_and_says_what_is_wrong() -> Result<()> {
    let program = compile("examples/heap.c", "example", &pkg_config(&["--libs"])?)?;
    let output = run_with_library(&program, &["memfd"])?;
    assert!(
        output.starts_with("memfd: 8294400 bytes in descriptor "),
        "{output}"
    );
    let error = run_with_library(&program, &["nowhere"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("open: there is no heap called `nowhere`"),
        "{error}"
    );
    Ok(())
}

#[test]
fn the_header_is_for_cxx_too() -> Result<()> {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header.cc");
    let text = "#include <dmaflow.h>\n\
                int main() { return dmaflow_heap_close(dmaflow_heap_open(\"memfd\", nullptr)); }\n";
    std::fs::write(&source, text)?;
    let program = source.with_extension("");
    let mut cxx = Command::new("c++");
    cxx.arg("-std=c++11").args(STRICT).arg(&source);
    cxx.args(pkg_config(&["--cflags"])?).arg("-o").arg(&program);
    run(cxx.args(pkg_config(&["--libs"])?))?;
    run_with_library(&program, &[])?;
    Ok(())
}

#[test]
fn pkg_config_knows_the_version() -> Result<()> {
    assert_eq!(pkg_config(&["--modversion"])?, [env!("CARGO_PKG_VERSION")]);
    Ok(())
}
