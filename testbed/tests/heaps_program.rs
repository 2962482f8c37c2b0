//! `dmaflow heaps` tells what the kernel has and holds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::heap::Account;
use dmaflow_testbed::{
    Board, DmaBufs, HugePages, NodeMode, Run, Running, VIVID_ON_VKMS, dmaflow, dmaflow_as,
    eventually,
};
use serde_json::Value;

const NOBODY: u32 = 65_534;

/// A run that must go well.
fn told(run: &Run) -> &Value {
    assert_eq!(run.status, Some(0), "{}\n{}", run.json, run.messages);
    &run.json
}

/// The one of a list that has this value.
fn find<'v>(list: &'v Value, key: &str, wanted: impl Into<Value>) -> &'v Value {
    let wanted = wanted.into();
    let mut entries = list.as_array().unwrap().iter();
    let found = entries.find(|entry| entry[key] == wanted);
    assert!(found.is_some(), "no {key} {wanted} in {list}");
    found.unwrap()
}

#[test]
fn heaps_tell_what_they_can_give_now() {
    let Some(_board) = Board::for_test("heaps_tell_what_they_can_give_now") else {
        return;
    };
    let before = DmaBufs::now();
    let heaps = dmaflow_heaps::registry();
    let cma = heaps.open("default_cma_region").unwrap();
    let look = || Run::of(&mut dmaflow(&["heaps", "--json"]));
    // A board that is slow for a moment has no time to try enough.
    let mut run = look();
    eventually("time to find the longest", || {
        let cma = find(&told(&run)["heaps"], "name", cma.name());
        let exact = cma["largest_now"]["exact"] == true;
        if !exact {
            run = look();
        }
        exact
    });
    let value = told(&run);
    let total = value["memory"]["cma_total"].as_u64().unwrap();
    assert_eq!(cma.info().total, Some(total));
    let listed = find(&value["heaps"], "name", cma.name());
    assert_eq!(listed["contiguity"], "contiguous");
    assert_eq!(listed["total"], total);
    assert_eq!(listed["largest_now"]["how"], "tried", "{listed}");
    let largest = listed["largest_now"]["bytes"].as_u64().unwrap();
    assert!(largest > total / 4 && largest <= total, "{listed}");
    before.assert_none_since();

    // It was true, and with that much gone there is less.
    let held = cma.allocate(usize::try_from(largest).unwrap()).unwrap();
    let run = look();
    let left = find(&told(&run)["heaps"], "name", cma.name());
    let less = left["largest_now"]["bytes"].as_u64().unwrap();
    assert!(less <= total - largest, "{left}");
    let free = run.json["memory"]["cma_free"].as_u64().unwrap();
    // Each processor counts up to 125 pages by itself before it tells (`mm/vmstat.c`).
    assert!(free <= total - largest + (2 << 20), "{}", run.json);
    drop(held);

    let system = find(&run.json["heaps"], "name", "system");
    assert_eq!(system["largest_now"]["how"], "estimate");
    let about = system["largest_now"]["bytes"].as_u64().unwrap();
    assert!(about > 0 && about <= run.json["memory"]["total"].as_u64().unwrap());
    let untried = Run::of(&mut dmaflow(&["heaps", "--no-try", "--json"]));
    let untried = find(&told(&untried)["heaps"], "name", cma.name());
    assert_eq!(untried["largest_now"]["how"], "unknown");
    before.assert_none_since();
}

#[test]
fn permissions_are_those_of_the_user() {
    let Some(_board) = Board::for_test("permissions_are_those_of_the_user") else {
        return;
    };
    let node = "/dev/dma_heap/system";
    let run = Run::of(&mut dmaflow(&["heaps", "--json"]));
    let ours = find(&told(&run)["heaps"], "name", "system");
    assert_eq!(ours["node"]["path"], node);
    assert_eq!(ours["node"]["may_open"], true);
    assert_eq!(ours["refused"], Value::Null);

    let arguments = ["heaps", "--json"];
    let node_mode = NodeMode::set(Path::new(node), 0o600);
    for (mode, open) in [(0o600, false), (0o644, true)] {
        node_mode.change(mode);
        let run = Run::of(&mut dmaflow_as(NOBODY, &arguments));
        let theirs = find(&told(&run)["heaps"], "name", "system");
        assert_eq!(theirs["node"]["mode"], format!("{mode:04o}"));
        assert_eq!(theirs["node"]["owner"], "root");
        assert_eq!(theirs["node"]["may_open"], open, "{theirs}");
        assert_eq!(theirs["refused"].is_null(), open, "{theirs}");
        assert_eq!(theirs["largest_now"].is_null(), !open, "{theirs}");
    }
}

#[test]
fn a_held_buffer_is_told_with_its_name_and_process() {
    let Some(_board) = Board::for_test("a_held_buffer_is_told_with_its_name_and_process") else {
        return;
    };
    const LEN: usize = 1 << 20;
    let heap = dmaflow_heaps::registry().open("system").unwrap();
    let ours = heap.for_account(&Account::new("left -> right"));
    let buffers: Vec<_> = (0..3).map(|_| ours.allocate(LEN).unwrap()).collect();
    buffers[0].write(CpuUse::Draw).unwrap().fill(1);

    let run = Run::of(&mut dmaflow(&["heaps", "stat", "--json"]));
    let value = told(&run);
    assert_eq!(value["source"], "debugfs");
    let named = &value["by_name"]["dmaflow left -> right"];
    assert_eq!(named["buffers"], 3, "{value}");
    assert_eq!(named["bytes"], 3 * LEN);
    assert!(value["by_exporter"]["system"]["bytes"].as_u64().unwrap() >= 3 * LEN as u64);
    for (index, buffer) in buffers.iter().enumerate() {
        let listed = find(&value["buffers"], "inode", buffer.id().inode());
        assert_eq!(listed["bytes"], LEN);
        assert_eq!(listed["exporter"], "system");
        assert_eq!(listed["devices"], Value::Array(Vec::new()));
        let holder = find(&listed["holders"], "pid", std::process::id());
        assert_eq!(holder["descriptors"], 1);
        let mapped = if index == 0 { LEN } else { 0 };
        assert_eq!(holder["mapped_bytes"], mapped, "{listed}");
    }
    let text = dmaflow(&["heaps", "stat"]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("dmaflow left -> right"), "{text}");
    assert!(
        text.contains(&format!(" {} ", std::process::id())),
        "{text}"
    );

    // Another user sees a buffer of its own, and no other: here, one on its standard input.
    let given = buffers[1].as_fd().try_clone_to_owned().unwrap();
    let mut theirs = dmaflow_as(NOBODY, &["heaps", "stat", "--json"]);
    let run = Run::of(theirs.stdin(Stdio::from(given)));
    let value = told(&run);
    assert_eq!(value["source"], "proc");
    assert_eq!(value["buffers"].as_array().unwrap().len(), 1, "{value}");
    let listed = find(&value["buffers"], "inode", buffers[1].id().inode());
    assert_eq!(listed["name"], "dmaflow left -> right");
    assert_eq!(
        (&listed["bytes"], &listed["devices"]),
        (&LEN.into(), &Value::Null)
    );
    assert_eq!(listed["holders"][0]["process"], "dmaflow");
    assert!(value["processes_not_seen"].as_u64().unwrap() > 0);
}

#[test]
fn the_devices_of_a_running_pipeline_are_told() {
    let Some(_board) = Board::for_test("the_devices_of_a_running_pipeline_are_told") else {
        return;
    };
    let run = [&["run"], VIVID_ON_VKMS, &["--quiet"]].concat();
    let running = Running::start(&mut dmaflow(&run));
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let run = Run::of(&mut dmaflow(&["heaps", "stat", "--json"]));
        let value = told(&run);
        let buffers = value["by_name"]["dmaflow camera -> screen"]["buffers"].as_u64();
        // vivid maps buffers for the CPU, which is no attachment, unless it wants contiguous ones.
        let shown = &value["by_device"]["vkms"]["buffers"];
        if buffers.is_some() && shown.as_u64() == buffers {
            assert!(buffers >= Some(3), "{value}");
            let holder = format!("dmaflow {}", running.pid());
            assert_eq!(
                value["by_process"][holder]["buffers"].as_u64(),
                buffers,
                "{value}"
            );
            break;
        }
        assert!(Instant::now() < patience, "{value}");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn every_contender_is_measured_and_leaves_nothing() {
    let Some(_board) = Board::for_test("every_contender_is_measured_and_leaves_nothing") else {
        return;
    };
    // For the carve-out on huge pages.
    let _pages = HugePages::reserve(32);
    let before = DmaBufs::now();
    let arguments = [
        "heaps", "bench", "--size", "4K", "--size", "1M", "--count", "40", "--rounds", "8",
        "--json", "--quiet",
    ];
    let run = Run::of(&mut dmaflow(&arguments));
    let value = told(&run);
    assert_eq!(run.messages, "");
    assert_eq!(value["buffers"], 40);
    let sizes = value["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 2);
    for size in sizes {
        assert_eq!(
            (&size["rounds"], &size["buffers_a_round"]),
            (&8.into(), &5.into())
        );
        let contenders = size["contenders"].as_object().unwrap();
        let mut names: Vec<_> = contenders.keys().map(String::as_str).collect();
        names.sort_unstable();
        let all = "carve-out carve-out-cleared carve-out-huge heap pool pool-cleared raw";
        assert_eq!(names.join(" "), all);
        for (name, figures) in contenders {
            let figure = |path| figures.pointer(path).and_then(Value::as_f64);
            let [min, median, p90] = ["/us/min", "/us/median", "/us/p90"].map(figure);
            assert!(
                min > Some(0.0) && min <= median && median <= p90,
                "{name}: {figures}"
            );
            assert!(
                figure("/ratio_to_raw/median") > Some(0.0),
                "{name}: {figures}"
            );
        }
        assert_eq!(contenders["raw"]["ratio_to_raw"]["median"], 1.0);
    }
    before.assert_none_since();
    let theirs = Run::of(&mut dmaflow_as(NOBODY, &arguments));
    let refused = &told(&theirs)["sizes"][0]["contenders"]["raw"]["refused"];
    assert!(
        refused.as_str().unwrap().contains("ermission denied"),
        "{refused}"
    );
}
