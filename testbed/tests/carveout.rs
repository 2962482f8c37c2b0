//! Carve-outs and buffers of huge pages on the board.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;
use std::path::Path;

use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_core::heap::{Account, AllocOptions, Heap, page_size as page};
use dmaflow_heaps::carveout::CarveOutFigures;
use dmaflow_heaps::{CarveOut, CarveOutConfig, Clearing, HugeUdmabuf, Pages};
use dmaflow_testbed::memory::{fill, is_all, the_rest};
use dmaflow_testbed::{Board, DmaBufs, HugePages, conformance, open_files};

const MIB: u64 = 1 << 20;
const PEER: &str = env!("CARGO_BIN_EXE_heap-peer");

fn carve_out(size: u64, pages: Pages, clearing: Clearing) -> (CarveOut, Heap) {
    let config = CarveOutConfig {
        size,
        pages,
        clearing,
    };
    let carve_out = CarveOut::new(config).unwrap();
    let heap = Heap::new(carve_out.info("carve-out"), carve_out.clone());
    (carve_out, heap)
}

/// The kernel's listing of dma-bufs.
fn listing() -> String {
    std::fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo").unwrap()
}

#[test]
fn carve_outs_conform_and_leave_nothing_behind() {
    let Some(_board) = Board::for_test("carve_outs_conform_and_leave_nothing_behind") else {
        return;
    };
    let _huge = HugePages::reserve(16);
    let (buffers, files) = (DmaBufs::now(), open_files());
    for pages in [Pages::Normal, Pages::Huge] {
        let (carve_out, heap) = carve_out(32 * MIB, pages, Clearing::Always);
        assert!(listing().contains("dmaflow carve-out"), "{}", listing());
        assert_eq!(heap.available(), Some(32 * MIB));
        conformance::conforms(&heap, Path::new(PEER));
        assert_eq!(heap.available(), Some(32 * MIB), "{carve_out:?}");
        let CarveOutFigures {
            free,
            free_pieces,
            waiting,
            ready,
            fragmentation,
            ..
        } = carve_out.figures();
        assert_eq!((free, free_pieces, waiting), (32 * MIB, 1, 0));
        assert!(ready > 0 && fragmentation < f64::EPSILON);
        assert_eq!(heap.stats().idle.cached, ready);
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn huge_udmabufs_conform_and_leave_nothing_behind() {
    let Some(_board) = Board::for_test("huge_udmabufs_conform_and_leave_nothing_behind") else {
        return;
    };
    let _huge = HugePages::reserve(16);
    let (buffers, files) = (DmaBufs::now(), open_files());
    let heap = dmaflow_heaps::registry().open(HugeUdmabuf::NAME).unwrap();
    assert_eq!(heap.available(), Some(32 * MIB));
    assert_eq!(heap.info().alignment, 2 << 20);
    conformance::conforms(&heap, Path::new(PEER));
    let held = heap.allocate(1).unwrap();
    assert_eq!((held.len(), heap.available()), (2 << 20, Some(30 * MIB)));
    drop((held, heap));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn without_huge_pages_the_errors_tell_how_to_have_some() {
    let Some(_board) = Board::for_test("without_huge_pages_the_errors_tell_how_to_have_some")
    else {
        return;
    };
    let none = dmaflow_heaps::registry()
        .open(HugeUdmabuf::NAME)
        .unwrap_err();
    assert!(none.to_string().contains("vm.nr_hugepages=1`"), "{none}");
    let _huge = HugePages::reserve(3);
    let heap = Heap::new(HugeUdmabuf::info(), HugeUdmabuf::open().unwrap());
    let error = heap.allocate(8 << 20).unwrap_err();
    assert_eq!(error.errno(), dmaflow_core::Errno::ENOMEM);
    assert!(error.to_string().contains("3 of 3 are free"), "{error}");
    assert!(error.to_string().contains("vm.nr_hugepages=4`"), "{error}");
    let error = CarveOut::new(CarveOutConfig {
        size: 64 * MIB,
        pages: Pages::Huge,
        clearing: Clearing::Always,
    });
    let error = error.unwrap_err();
    assert!(error.to_string().contains("takes 32 huge"), "{error}");
    assert_eq!(HugePages::free(), 3, "nothing was taken in vain");
    let error = CarveOut::new(CarveOutConfig {
        size: 1 << 40,
        pages: Pages::Normal,
        clearing: Clearing::Always,
    });
    let error = error.unwrap_err();
    assert!(error.to_string().contains("are available"), "{error}");
}

#[test]
fn a_full_carve_out_is_told_from_a_fragmented_one() {
    let Some(_board) = Board::for_test("a_full_carve_out_is_told_from_a_fragmented_one") else {
        return;
    };
    let size = 16 * page() as u64;
    let (carve_out, heap) = carve_out(size, Pages::Normal, Clearing::Always);
    let mut all = the_rest(&heap, 1);
    assert_eq!((all.len(), heap.available()), (16, Some(0)));
    let full = heap.allocate(1).unwrap_err().to_string();
    assert!(full.contains("it is full: 0 of its 65536 bytes"), "{full}");
    let mut index = 0;
    all.retain(|_buffer| {
        index += 1;
        index % 2 == 0
    });
    assert_eq!(heap.available(), Some(page() as u64));
    let fragmented = heap.allocate(2 * page()).unwrap_err().to_string();
    for part in ["it is fragmented", "32768 of its 65536", "at most 4096"] {
        assert!(fragmented.contains(part), "{fragmented}");
    }
    let figures = carve_out.figures();
    // The first of the test, and the one that ended `the_rest`.
    assert_eq!((figures.refused_full, figures.refused_fragmented), (2, 1));
    assert!((figures.fragmentation - 0.875).abs() < 1e-9, "{figures:?}");
    drop(all);
    assert_eq!(heap.allocate(16 * page()).unwrap().len(), 16 * page());
}

#[test]
fn memory_that_was_never_lent_is_zero() {
    let Some(_board) = Board::for_test("memory_that_was_never_lent_is_zero") else {
        return;
    };
    let _huge = HugePages::reserve(16);
    // Leave something in the pages that the kernel gives next: in more than it will take.
    let system = dmaflow_heaps::registry().open("memfd").unwrap();
    let used: Vec<_> = (0..8).map(|_| system.allocate(32 << 20).unwrap()).collect();
    for buffer in &used {
        fill(buffer, 0xa5);
    }
    drop(used);
    for pages in [Pages::Normal, Pages::Huge] {
        let (_, heap) = carve_out(32 * MIB, pages, Clearing::BetweenClients);
        let whole = heap.allocate(32 << 20).unwrap();
        assert!(is_all(&whole, 0), "{pages:?}");
    }
}

#[test]
fn memory_is_cleared_between_clients_and_kept_for_one() {
    let Some(_board) = Board::for_test("memory_is_cleared_between_clients_and_kept_for_one") else {
        return;
    };
    let (len, clients) = (8 * page(), [Account::new("one"), Account::new("other")]);
    for clearing in [Clearing::Always, Clearing::BetweenClients] {
        let (_, heap) = carve_out(len as u64, Pages::Normal, clearing);
        assert_eq!(heap.info().zeroed, clearing == Clearing::Always);
        let [one, other] = clients.each_ref().map(|client| heap.for_account(client));
        let first = one.allocate(len).unwrap();
        let id = first.id();
        fill(&first, 0xa5);
        assert!(listing().contains("dmaflow one"), "{}", listing());
        drop(first);
        assert!(!listing().contains("dmaflow one"), "{}", listing());
        let again = one.allocate(len).unwrap();
        assert_eq!(again.id(), id, "its dma-buf was kept");
        let kept = clearing == Clearing::BetweenClients;
        assert!(is_all(&again, if kept { 0xa5 } else { 0 }));
        // Whoever writes through another descriptor is seen no less.
        let duplicate = DmaBuf::new(again.as_fd().try_clone_to_owned().unwrap()).unwrap();
        fill(&duplicate, 0x5a);
        drop((duplicate, again));
        // At another length, so by another dma-buf over the same memory.
        let theirs = other.allocate(len - page()).unwrap();
        assert!(is_all(&theirs, 0), "{clearing:?} shows another's memory");
        drop(theirs);
        let back = one.allocate(len).unwrap();
        let last = back.read(CpuUse::Inspect).unwrap()[len - 1];
        assert_eq!(last, if kept { 0x5a } else { 0 });
    }
}

#[test]
fn pieces_of_huge_pages_cross_no_more_of_them_than_they_must() {
    let name = "pieces_of_huge_pages_cross_no_more_of_them_than_they_must";
    let Some(board) = Board::for_test(name) else {
        return;
    };
    let _huge = HugePages::reserve(8);
    let (carve_out, heap) = carve_out(16 * MIB, Pages::Huge, Clearing::Always);
    let held: Vec<_> = [300 << 10, 4096, 3 << 20, 1200 << 10, 700 << 10]
        .into_iter()
        .map(|len| heap.allocate(len).unwrap())
        .collect();
    // 3 MiB begin a huge page; the others fit beside each other in two.
    let free = if board.kernel >= (6, 16) {
        10 * MIB - (1200 << 10)
    } else {
        // Each has its own.
        4 * MIB
    };
    assert_eq!(carve_out.figures().largest_free, free);
    let options = AllocOptions {
        align: 2 << 20,
        flags: 0,
    };
    let aligned = heap.allocate_with(4096, options).unwrap();
    drop((held, aligned));
    assert_eq!(heap.available(), Some(16 * MIB));
}
