//! What every heap promises, as functions over any of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::os::fd::AsFd;

use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_core::heap::{AllocError, Heap};

/// Runs the whole suite on a heap.
///
/// # Panics
/// At the first promise that is broken.
pub fn conforms(heap: &Heap) {
    let before = heap.stats();
    lengths_are_whole_pages(heap);
    memory_is_zeroed_even_after_use(heap);
    identities_are_distinct_and_shared_by_duplicates(heap);
    what_one_descriptor_writes_another_reads(heap);
    a_writer_is_alone(heap);
    wrong_requests_are_refused(heap);
    let after = heap.stats();
    assert_eq!(after.live, before.live, "{heap:?} has buffers out");
    assert_eq!(after.live_bytes, before.live_bytes);
    assert!(after.total > before.total && after.failed > before.failed);
    assert!(after.peak >= 2 && after.peak_bytes >= after.live_bytes);
}

fn page() -> usize {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).unwrap();
    usize::try_from(size.unwrap()).unwrap()
}

fn lengths_are_whole_pages(heap: &Heap) {
    let page = page();
    for asked in [1, page - 1, page, page + 1, 640 * 480 * 3 / 2, 1 << 20] {
        let buffer = heap.allocate(asked).unwrap();
        assert!(
            buffer.len() >= asked,
            "{heap:?}: {} for {asked}",
            buffer.len()
        );
        assert!(
            buffer.len().is_multiple_of(page),
            "{heap:?}: {}",
            buffer.len()
        );
    }
}

fn memory_is_zeroed_even_after_use(heap: &Heap) {
    for _again in 0..3 {
        let buffer = heap.allocate(64 << 10).unwrap();
        let mut bytes = buffer.write(CpuUse::Draw).unwrap();
        assert!(
            bytes.iter().all(|&byte| byte == 0),
            "{heap:?} gives used memory"
        );
        bytes.fill(0xa5);
    }
}

fn identities_are_distinct_and_shared_by_duplicates(heap: &Heap) {
    let buffers: Vec<_> = (0..4).map(|_| heap.allocate(4096).unwrap()).collect();
    let ids: HashSet<_> = buffers.iter().map(|buffer| buffer.id()).collect();
    assert_eq!(ids.len(), buffers.len());
    assert_eq!(duplicate(&buffers[0]).id(), buffers[0].id());
}

fn duplicate(buffer: &DmaBuf) -> DmaBuf {
    let fd = buffer.as_fd().try_clone_to_owned().unwrap();
    if buffer.is_importable() {
        DmaBuf::new(fd).unwrap()
    } else {
        DmaBuf::from_memory(fd).unwrap()
    }
}

fn what_one_descriptor_writes_another_reads(heap: &Heap) {
    let buffer = heap.allocate(100_000).unwrap();
    let other = duplicate(&buffer);
    for round in 1..=3 {
        buffer.write(CpuUse::Draw).unwrap()[99_999] = round;
        assert_eq!(other.read(CpuUse::Inspect).unwrap()[99_999], round);
    }
    assert_eq!(buffer.cpu_counts().drawn, 3 * buffer.len() as u64);
    assert_eq!(buffer.cpu_counts().copied, 0);
}

fn a_writer_is_alone(heap: &Heap) {
    let buffer = heap.allocate(4096).unwrap();
    let reader = buffer.read(CpuUse::Inspect).unwrap();
    let second = buffer.read(CpuUse::Inspect).unwrap();
    assert!(buffer.write(CpuUse::Draw).is_err());
    drop((reader, second));
    let writer = buffer.write(CpuUse::Draw).unwrap();
    assert!(buffer.read(CpuUse::Inspect).is_err());
    assert!(buffer.write(CpuUse::Draw).is_err());
    drop(writer);
    assert!(buffer.read(CpuUse::Inspect).is_ok());
}

fn wrong_requests_are_refused(heap: &Heap) {
    assert!(matches!(heap.allocate(0), Err(AllocError::Empty { .. })));
    for huge in [1 << 50, usize::MAX] {
        let error = heap.allocate(huge).unwrap_err();
        assert!(error.to_string().contains(heap.name()), "{error}");
    }
}
