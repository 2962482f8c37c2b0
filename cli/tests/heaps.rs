//! `dmaflow heaps` and `dmaflow doctor` on whatever machine this is.

mod support;

use support::{json, output};

#[test]
fn help_teaches() {
    for (arguments, words) in [
        (
            &["heaps", "--help"][..],
            &["stat", "bench", "--no-try", "Examples:"][..],
        ),
        (
            &["heaps", "stat", "--help"],
            &["--watch", "debugfs", "Examples:"],
        ),
        (
            &["heaps", "bench", "--help"],
            &["--rounds", "--quick", "--only", "ratio"],
        ),
        (
            &["doctor", "--help"],
            &["warning", "problem", "Exit status:", "[FILE|PIPELINE]"],
        ),
    ] {
        let (status, help, _) = output(arguments);
        assert_eq!(status, 0);
        for word in words {
            assert!(help.contains(word), "{word} is not in\n{help}");
        }
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &["heaps", "lost"][..],
        &["heaps", "--json", "stat"],
        &["heaps", "stat", "--times", "2"],
        &["heaps", "bench", "--size", "0"],
        &["heaps", "bench", "--size", "4X"],
        &["heaps", "bench", "--quick", "--count", "9"],
        &["heaps", "bench", "--only", "raw"],
        &["doctor", "--set", "a.b=c"],
        &["doctor", "nowhere/pipeline.toml"],
    ] {
        let (status, stdout, stderr) = output(arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn heaps_are_listed_with_what_they_can_give() {
    let (status, text, stderr) = output(&["heaps"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    for word in [
        "longest buffer now",
        "memfd",
        "estimated",
        "not importable",
        "CMA: ",
    ] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    let (status, text, _) = output(&["heaps", "list", "--no-try", "--json"]);
    assert_eq!(status, 0);
    let value = json(&text);
    let heaps = value["heaps"].as_array().expect("a list");
    let memfd = heaps.iter().find(|heap| heap["name"] == "memfd");
    let memfd = memfd.expect("memfd");
    assert_eq!(memfd["zeroed"], true);
    assert_eq!(memfd["largest_now"]["how"], "estimate");
    let available = value["memory"]["available"].as_u64().expect("a number");
    let bytes = memfd["largest_now"]["bytes"].as_u64().expect("a number");
    assert!(bytes > 0 && bytes <= available, "{text}");
    assert!(
        heaps
            .iter()
            .all(|heap| heap["largest_now"]["how"] != "tried"),
        "{text}"
    );
}

#[test]
fn dma_bufs_are_told_once_or_again_and_again() {
    let (status, text, _) = output(&["heaps", "stat"]);
    assert_eq!(status, 0);
    assert!(text.contains("dma-buf"), "{text}");
    let (status, text, _) = output(&["heaps", "stat", "--watch", "--times", "2", "--json"]);
    assert_eq!(status, 0);
    let lines: Vec<_> = text.lines().map(json).collect();
    assert_eq!(lines.len(), 2, "{text}");
    for value in lines {
        let buffers = value["buffers"].as_array().expect("a list");
        let bytes: u64 = buffers
            .iter()
            .filter_map(|buffer| buffer["bytes"].as_u64())
            .sum();
        assert_eq!(value["bytes"], bytes);
        assert!(value["memory"]["total"].as_u64() > Some(0));
    }
    let (status, text, _) = output(&["heaps", "stat", "--watch", "--times", "2"]);
    assert_eq!((status, text.lines().count()), (0, 2), "{text}");
}

#[test]
fn a_heap_that_the_kernel_does_not_have_cannot_be_measured() {
    let (status, stdout, stderr) = output(&["heaps", "bench", "--heap", "hoard"]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("`hoard`") || stderr.contains("CONFIG_DMABUF_HEAPS"),
        "{stderr}"
    );
    let (status, stdout, _) = output(&["heaps", "bench", "--heap", "hoard", "--json"]);
    assert_eq!(status, 1);
    assert!(json(&stdout)["error"].is_string(), "{stdout}");
}

#[test]
fn the_doctors_verdict_is_its_exit_status() {
    let (status, text, stderr) = output(&["doctor", "--json"]);
    assert_eq!(stderr, "");
    let value = json(&text);
    let findings = value["findings"].as_array().expect("a list");
    let problems = findings
        .iter()
        .filter(|finding| finding["verdict"] == "problem");
    let problems = problems.count();
    assert_eq!(status, i32::from(problems > 0), "{text}");
    assert_eq!(value["healthy"], problems == 0);
    for about in [
        "kernel heaps",
        "cameras",
        "kernel",
        "hidden copies",
        "open files",
    ] {
        assert!(
            findings.iter().any(|finding| finding["about"] == about),
            "{about}: {text}"
        );
    }
    for finding in findings {
        let verdict = finding["verdict"].as_str().expect("a word");
        assert!(finding["found"].is_string(), "{finding}");
        assert_eq!(finding["remedy"].is_null(), verdict == "ok", "{finding}");
    }
}

#[test]
fn a_pipeline_of_built_in_stages_needs_no_devices() {
    let (status, text, stderr) = output(&["doctor", "examples/built-in.toml"]);
    assert_eq!((status, stderr.as_str()), (0, ""), "{text}");
    assert!(
        text.contains("frames of 1.1 MiB each lie in heap `memfd`"),
        "{text}"
    );
    let arguments = [
        "doctor",
        "examples/built-in.toml",
        "--set",
        "pattern.heap=hoard",
    ];
    let (status, text, _) = output(&arguments);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("problem") && text.contains("`hoard`"),
        "{text}"
    );
}
