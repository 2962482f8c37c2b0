//! Heaps that are lent to other processes, by their nodes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "remote/activated.rs"]
mod activated;
#[path = "remote/client.rs"]
mod client;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use activated::Activated;
use client::Client;
use dmaflow_core::heap::{Account, Budget, Contiguity, Heap};
use dmaflow_heaps::server::Quotas;
use dmaflow_heaps::{Memfd, OpenHeap};
use dmaflow_testbed::{
    Board, DmaBufs, Run, Serving, VIVID_ON_VKMS, conformance, dmaflow, eventually, hostile,
    open_files,
};

/// Open files and dma-bufs are counted, so that tests wait for each other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lent(name: &str) -> Heap {
    let (mut info, exporter) = dmaflow_heaps::exporter(name).unwrap();
    info.name = "camera".to_owned();
    info.aliases.clear();
    Heap::new(info, exporter)
}

fn conforms(node: &Path) {
    let heap = Heap::open(node).unwrap();
    conformance::conforms(&heap, Path::new(env!("CARGO_BIN_EXE_heap-peer")));
}

fn buffers(most: u64) -> Quotas {
    Quotas {
        user: Budget {
            bytes: None,
            buffers: Some(most),
        },
        client: Budget::default(),
    }
}

#[test]
fn a_memfd_heap_conforms_from_afar() {
    let _alone = alone();
    let files = open_files();
    let serving = Serving::start(lent("memfd"), Quotas::default(), 0o600);
    conforms(&serving.node);
    eventually("every buffer back", || serving.live() == 0);
    drop(serving);
    assert_eq!(open_files(), files);
}

#[test]
fn a_heap_conforms_by_its_node_whoever_is_behind_it() {
    let Some(_board) = Board::for_test("a_heap_conforms_by_its_node_whoever_is_behind_it") else {
        return;
    };
    let _alone = alone();
    let (bufs, files) = (DmaBufs::now(), open_files());
    conforms(Path::new("/dev/dma_heap/system"));
    for name in ["system", "default_cma_region", "udmabuf"] {
        let serving = Serving::start(lent(name), Quotas::default(), 0o600);
        conforms(&serving.node);
        let remote = Heap::open(&serving.node).unwrap();
        let local = dmaflow_heaps::registry().open(name).unwrap();
        assert_eq!(remote.info().contiguity, local.info().contiguity);
        eventually("every buffer back", || serving.live() == 0);
    }
    assert_eq!(open_files(), files);
    bufs.assert_none_since();
}

#[test]
fn a_displays_memory_that_was_lent_comes_back() {
    let Some(_board) = Board::for_test("a_displays_memory_that_was_lent_comes_back") else {
        return;
    };
    let _alone = alone();
    let bufs = DmaBufs::now();
    let mut cards = dmaflow_kms_sink::heaps::of_cards().into_iter();
    let (info, exporter) = cards.find(|(info, _)| info.name == "dumb:vkms").unwrap();
    drop(cards);
    let serving = Serving::start(Heap::new(info, exporter.unwrap()), Quotas::default(), 0o600);
    // Nobody can tell whether the driver has it still, so it is not waited for.
    let buffer = Heap::open(&serving.node)
        .unwrap()
        .allocate(1 << 20)
        .unwrap();
    assert!(buffer.is_importable());
    assert_eq!(serving.live(), 1);
    drop(buffer);
    eventually("buffer back", || serving.live() == 0);
    drop(serving);
    bufs.assert_none_since();
}

#[test]
fn a_pipeline_streams_from_a_served_heap() {
    let Some(board) = Board::for_test("a_pipeline_streams_from_a_served_heap") else {
        return;
    };
    let _alone = alone();
    let bufs = DmaBufs::now();
    let from = if board.is(&["ti"]) {
        "default_cma_region"
    } else {
        "system"
    };
    let heap = lent(from);
    let serving = Serving::start(heap.clone(), Quotas::default(), 0o600);
    let camera_heap = format!("--set=camera.heap={}", serving.node.display());
    let few = [&camera_heap, "--frames=15", "--json"];
    let run = Run::of(&mut dmaflow(&[&["run"], VIVID_ON_VKMS, &few].concat()));
    run.assert_went_well();
    assert!(heap.stats().usage.total >= 2, "{:?}", heap.stats());
    assert_eq!(
        heap.info().contiguity == Contiguity::Contiguous,
        board.is(&["ti"])
    );
    eventually("every buffer back", || serving.live() == 0);
    drop(serving);
    bufs.assert_none_since();
}

#[test]
fn a_node_keeps_out_whom_its_mode_keeps_out() {
    let Some(_board) = Board::for_test("a_node_keeps_out_whom_its_mode_keeps_out") else {
        return;
    };
    let _alone = alone();
    let serving = Serving::start(lent("system"), Quotas::default(), 0o660);
    let refused = Client::refused(1000, &serving.node, 4096, 1);
    for word in ["permission denied", "0660", "group", "camera"] {
        assert!(refused.contains(word), "{word} in {refused}");
    }
    drop(serving);
    let serving = Serving::start(lent("system"), Quotas::default(), 0o666);
    let client = Client::start(1000, &serving.node, 4096, 1);
    assert_eq!(serving.of_user(1000), (1, 0));
    client.ends();
    eventually("its buffer back", || serving.live() == 0);
}

#[test]
fn a_quota_is_for_all_clients_of_a_user() {
    let Some(_board) = Board::for_test("a_quota_is_for_all_clients_of_a_user") else {
        return;
    };
    let _alone = alone();
    let bufs = DmaBufs::now();
    let serving = Serving::start(lent("system"), buffers(3), 0o666);
    let first = Client::start(1000, &serving.node, 8192, 2);
    let second = Client::start(1000, &serving.node, 8192, 1);
    let refused = Client::refused(1000, &serving.node, 8192, 1);
    for word in ["`user 1000`", "3 buffers", "free some"] {
        assert!(refused.contains(word), "{word} in {refused}");
    }
    let other = Client::start(1001, &serving.node, 8192, 3);
    assert_eq!(serving.of_user(1000), (3, 0));
    first.ends();
    eventually("room again", || serving.of_user(1000).0 == 1);
    Client::start(1000, &serving.node, 8192, 2).ends();
    second.ends();
    other.ends();
    eventually("every buffer back", || serving.live() == 0);
    drop(serving);
    bufs.assert_none_since();
}

#[test]
fn the_killed_give_back_what_nobody_else_holds() {
    let Some(_board) = Board::for_test("the_killed_give_back_what_nobody_else_holds") else {
        return;
    };
    let _alone = alone();
    let (bufs, files) = (DmaBufs::now(), open_files());
    let serving = Serving::start(lent("system"), buffers(4), 0o666);
    let client = Client::start(1000, &serving.node, 1 << 20, 4);
    assert_eq!(serving.of_user(1000), (4, 0));
    let kept = client.steal_a_buffer();
    client.kill();
    eventually("three of four back", || {
        serving.of_user(1000) == (1, 1 << 20)
    });
    let heir = Client::start(1000, &serving.node, 1 << 20, 3);
    let refused = Client::refused(1000, &serving.node, 1 << 20, 1);
    assert!(
        refused.contains("`user 1000`"),
        "what lingers is charged: {refused}"
    );
    heir.kill();
    eventually("only what is kept", || {
        serving.of_user(1000) == (1, 1 << 20)
    });
    drop(kept);
    eventually("nothing", || serving.of_user(1000) == (0, 0));
    bufs.assert_none_since();
    drop(serving);
    assert_eq!(open_files(), files);
}

#[test]
fn statistics_are_roots_and_the_servers() {
    let Some(_board) = Board::for_test("statistics_are_roots_and_the_servers") else {
        return;
    };
    let _alone = alone();
    let serving = Serving::start(lent("system"), Quotas::default(), 0o666);
    let client = Client::start(1000, &serving.node, 4096, 2);
    let figures = format!("{:?}", serving.figures());
    for word in ["Pipeline", "heap-client", "1000"] {
        assert!(figures.contains(word), "{word} in {figures}");
    }
    client.ends();
}

#[test]
fn systemd_starts_the_server_for_the_first_client() {
    let Some(_board) = Board::for_test("systemd_starts_the_server_for_the_first_client") else {
        return;
    };
    let _alone = alone();
    let bufs = DmaBufs::now();
    let activated = Activated::start();
    assert!(activated.program().starts_with("systemd"));
    let heap = Heap::open(activated.node()).unwrap();
    assert_eq!(activated.program(), "dmaflow");
    let held = heap.allocate(1 << 20).unwrap();
    assert!(held.is_importable());
    drop(activated);
    assert!(heap.allocate(1).is_err(), "the server is killed");
    drop(held);
    bufs.assert_none_since();
}

/// An honest client allocates all the time while others do their worst.
fn stands_its_ground(heap: Heap) {
    // What the hostile may have, so that something is left for others.
    let serving = Serving::start(heap.clone(), buffers(64), 0o600);
    let node = &serving.node;
    let honest = Heap::open(node)
        .unwrap()
        .for_account(&Account::new("honest"));
    let is_over = AtomicBool::new(false);
    let rounds = |heap: &Heap| heap.stats().usage.total;
    let sees_progress = || {
        let before = rounds(&honest);
        eventually("more buffers for the honest", || rounds(&honest) > before);
    };
    thread::scope(|scope| {
        let allocating = scope.spawn(|| {
            let mut failures = 0;
            while !is_over.load(Ordering::Relaxed) {
                // The hostile are of the same user here and can use its quota up.
                match honest.allocate(64 << 10) {
                    Ok(buffer) => drop(buffer),
                    Err(error) if error.to_string().contains("`user") => failures += 1,
                    Err(error) => return Err(error),
                }
                thread::yield_now();
            }
            Ok(failures)
        });
        sees_progress();
        hostile::garbage(node);
        sees_progress();
        hostile::descriptors(node);
        sees_progress();
        let silent = hostile::never_reads(node);
        drop(silent);
        sees_progress();
        assert!(hostile::crowd(node) > 0);
        sees_progress();
        is_over.store(true, Ordering::Relaxed);
        let refused = allocating.join().unwrap().unwrap();
        assert!(rounds(&honest) > 0, "refused {refused} times");
    });
    eventually("every buffer back", || serving.live() == 0);
    eventually("nobody but the honest", || serving.clients() == 1);
}

#[test]
fn hostile_clients_harm_nobody() {
    let _alone = alone();
    let files = open_files();
    stands_its_ground(Heap::new(Memfd::info(), Memfd));
    assert_eq!(open_files(), files);
}

#[test]
fn hostile_clients_harm_nobody_on_a_kernel_heap() {
    let Some(_board) = Board::for_test("hostile_clients_harm_nobody_on_a_kernel_heap") else {
        return;
    };
    let _alone = alone();
    let (bufs, files) = (DmaBufs::now(), open_files());
    stands_its_ground(lent("system"));
    assert_eq!(open_files(), files);
    bufs.assert_none_since();
}
