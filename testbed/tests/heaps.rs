//! Every heap of the board keeps the promises of a heap.

use std::path::Path;

use dmaflow_core::dma_buf::Access;
use dmaflow_core::heap::Contiguity;
use dmaflow_testbed::{Board, DmaBufs, conformance, open_files};

#[test]
fn every_heap_conforms_and_leaves_nothing_behind() {
    let Some(_board) = Board::for_test("every_heap_conforms_and_leaves_nothing_behind") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let registry = dmaflow_heaps::registry();
    let names: Vec<_> = registry
        .heaps()
        .map(|heap| heap.name().to_owned())
        .collect();
    for heap in registry.heaps() {
        conformance::conforms(heap, Path::new(env!("CARGO_BIN_EXE_heap-peer")));
    }
    for wanted in ["system", "udmabuf", "memfd"] {
        assert!(names.iter().any(|name| name == wanted), "{names:?}");
    }
    drop(registry);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn the_cma_is_one_heap_by_any_of_its_names() {
    let Some(_board) = Board::for_test("the_cma_is_one_heap_by_any_of_its_names") else {
        return;
    };
    let registry = dmaflow_heaps::registry();
    let contiguous = registry
        .heaps()
        .filter(|heap| heap.info().contiguity == Contiguity::Contiguous);
    assert_eq!(contiguous.count(), 1);
    let heap = registry.open("default_cma_region").unwrap();
    for name in ["reserved", "linux,cma", "default-pool"] {
        assert_eq!(registry.open(name).unwrap().name(), heap.name());
    }
    assert!(heap.info().total.unwrap() >= 64 << 20);
    let first = registry.open_first(["nowhere", "reserved"]).unwrap();
    assert_eq!(first.name(), heap.name());
    assert!(registry.open_first(["nowhere"]).is_err());
}

#[test]
fn names_and_sync_files_reach_the_kernel() {
    let Some(_board) = Board::for_test("names_and_sync_files_reach_the_kernel") else {
        return;
    };
    let heap = dmaflow_heaps::registry().open("system").unwrap();
    let buffer = heap.allocate(4096).unwrap();
    buffer.set_name("dmaflow conformance").unwrap();
    let listing = std::fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo").unwrap();
    assert!(listing.contains("dmaflow conformance"), "{listing}");
    assert!(buffer.set_name(&"x".repeat(64)).is_err());
    let fence = buffer.export_sync_file(Access::Write).unwrap();
    let other = heap.allocate(4096).unwrap();
    other
        .import_sync_file(Access::Write, std::os::fd::AsFd::as_fd(&fence))
        .unwrap();
}
