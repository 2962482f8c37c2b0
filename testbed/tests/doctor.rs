//! `dmaflow doctor` finds what is wrong, and nothing where nothing is.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::fs;

use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_testbed::{Board, DmaBufs, Run, VIVID_ON_VKMS, dmaflow, dmaflow_as, world_readable};
use serde_json::Value;

const NOBODY: u32 = 65_534;

fn of_pipeline() -> Vec<&'static str> {
    [&["doctor"], VIVID_ON_VKMS, &["--json"]].concat()
}

/// What was found with this verdict, as text.
fn with_verdict<'r>(run: &'r Run, verdict: &str) -> Vec<&'r Value> {
    let findings = run.json["findings"].as_array();
    let findings = findings.unwrap_or_else(|| panic!("{}\n{}", run.json, run.messages));
    let of_verdict = findings
        .iter()
        .filter(|finding| finding["verdict"] == verdict);
    of_verdict.collect()
}

fn text<'v>(finding: &'v Value, key: &str) -> &'v str {
    finding[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {finding}"))
}

#[test]
fn a_healthy_board_has_no_problem() {
    let Some(_board) = Board::for_test("a_healthy_board_has_no_problem") else {
        return;
    };
    let before = DmaBufs::now();
    for arguments in [&["doctor", "--json"][..], &of_pipeline()] {
        let run = Run::of(&mut dmaflow(arguments));
        assert_eq!(with_verdict(&run, "problem"), Vec::<&Value>::new());
        assert_eq!((run.status, &run.json["healthy"]), (Some(0), &true.into()));
        assert!(with_verdict(&run, "unknown").is_empty(), "{}", run.json);
    }
    let run = Run::of(&mut dmaflow(&of_pipeline()));
    let well = with_verdict(&run, "ok");
    let about = |about: &str| {
        let found = well.iter().find(|finding| finding["about"] == about);
        found.unwrap_or_else(|| panic!("{}", run.json))
    };
    assert!(text(about("kernel options"), "found").contains("all are set"));
    assert!(text(about("kernel heaps"), "found").contains("/dev/dma_heap/system"));
    assert!(text(about("pipeline"), "found").contains("frames of 1.1 MiB each"));
    before.assert_none_since();
}

#[test]
fn the_holder_of_a_display_is_named() {
    let Some(_board) = Board::for_test("the_holder_of_a_display_is_named") else {
        return;
    };
    let held = KmsSink::open(KmsSinkConfig {
        card: Some("vkms".to_owned()),
        ..KmsSinkConfig::default()
    });
    let held = held.unwrap();
    for arguments in [&["doctor", "--json"][..], &of_pipeline()] {
        let run = Run::of(&mut dmaflow(arguments));
        assert_eq!(run.status, Some(1), "{}", run.json);
        let problems = with_verdict(&run, "problem");
        let display = problems
            .iter()
            .find(|finding| finding["about"] == "display");
        let display = display.unwrap_or_else(|| panic!("{}", run.json));
        let found = text(display, "found");
        assert!(found.contains("vkms"), "{found}");
        assert!(
            found.ends_with(&format!(" {}", std::process::id())),
            "{found}"
        );
        assert!(text(display, "remedy").contains("stop it"));
    }
    drop(held);
    let run = Run::of(&mut dmaflow(&of_pipeline()));
    assert_eq!(run.status, Some(0), "{}", run.json);
}

#[test]
fn a_cma_that_is_too_small_is_told_with_a_larger_one() {
    let Some(_board) = Board::for_test("a_cma_that_is_too_small_is_told_with_a_larger_one") else {
        return;
    };
    let before = DmaBufs::now();
    let file = std::env::temp_dir().join(format!("dmaflow-doctor-{}.toml", std::process::id()));
    let description = "links = [\"pattern -> nothing\"]\n\
        [stage.pattern]\nkind = \"test-src\"\nwidth = 4096\nheight = 2160\nbuffers = 8\n\
        heap = \"default_cma_region\"\n[stage.nothing]\nkind = \"null-sink\"\n";
    fs::write(&file, description).unwrap();
    let look = |more: &[&str]| {
        let mut command = dmaflow(&["doctor", file.to_str().unwrap(), "--json"]);
        Run::of(command.args(more))
    };
    let run = look(&[]);
    assert_eq!(run.status, Some(1), "{}", run.json);
    let problems = with_verdict(&run, "problem");
    let cma = problems
        .iter()
        .find(|finding| finding["about"] == "contiguous memory");
    let cma = cma.unwrap_or_else(|| panic!("{}", run.json));
    // 8 × 4096 × 2160 × 4 bytes are 270 MiB, and half as much again in whole 32 MiB are 416.
    assert!(
        text(cma, "found").contains("8 buffers take 270 MiB"),
        "{cma}"
    );
    assert!(text(cma, "remedy").contains("`cma=416M`"), "{cma}");
    let run = look(&["--set=pattern.buffers=2"]);
    assert_eq!(run.status, Some(0), "{}", run.json);
    fs::remove_file(file).unwrap();
    before.assert_none_since();
}

#[test]
fn another_user_is_told_what_is_closed() {
    let Some(_board) = Board::for_test("another_user_is_told_what_is_closed") else {
        return;
    };
    let mut pipeline = of_pipeline();
    let description = world_readable(pipeline[1]);
    pipeline[1] = &description;
    for arguments in [&["doctor", "--json"][..], &pipeline] {
        let run = Run::of(&mut dmaflow_as(NOBODY, arguments));
        assert_eq!(run.status, Some(1), "{}", run.json);
        let problems = with_verdict(&run, "problem");
        for (about, node) in [
            ("kernel heaps", "/dev/dma_heap/system"),
            ("cameras", "/dev/video"),
            ("displays", "/dev/dri/card"),
        ] {
            let closed = problems.iter().find(|finding| {
                finding["about"] == about && text(finding, "found").starts_with(node)
            });
            let closed = closed.unwrap_or_else(|| panic!("{about} in {}", run.json));
            assert!(
                text(closed, "found").contains("rw------- root root"),
                "{closed}"
            );
            assert!(text(closed, "remedy").contains("udev rule"), "{closed}");
        }
    }
    // A pipeline that opens none of them is not concerned.
    let description = world_readable("examples/built-in.toml");
    let arguments = ["doctor", &description, "--json"];
    let mut theirs = dmaflow_as(NOBODY, &arguments);
    // It would write its pictures where it runs.
    let run = Run::of(theirs.current_dir(std::env::temp_dir()));
    assert_eq!(run.status, Some(0), "{}", run.json);
    assert!(!with_verdict(&run, "warning").is_empty());
}
