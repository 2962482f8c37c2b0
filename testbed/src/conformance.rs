//! What every heap promises, as functions over any of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dmaflow_core::dma_buf::{BufferId, CpuUse, DmaBuf};
use dmaflow_core::heap::{
    Account, AllocError, AllocOptions, Budget, Heap, ReleaseObserver, page_size as page,
};

use crate::peer::shows_to;

/// Releases seen of a heap: begun, ended.
#[derive(Default)]
struct Releases(Mutex<Vec<(BufferId, &'static str)>>);

struct Watch(Arc<Releases>);

impl ReleaseObserver for Watch {
    fn before_release(&self, buffer: &DmaBuf) {
        self.0.0.lock().unwrap().push((buffer.id(), "before"));
    }

    fn after_release(&self, id: BufferId, _len: usize) {
        self.0.0.lock().unwrap().push((id, "after"));
    }
}

/// Runs the whole suite on a heap that nobody else uses meanwhile; `peer` is the program
/// `heap-peer`.
///
/// # Panics
/// At the first promise that is broken.
pub fn conforms(heap: &Heap, peer: &Path) {
    let releases = Arc::new(Releases::default());
    heap.observe(Watch(Arc::clone(&releases))).unwrap();
    let before = heap.stats().usage;
    lengths_are_whole_pages(heap);
    alignments_are_kept_or_refused(heap);
    memory_is_zeroed_even_after_use(heap);
    identities_are_distinct_and_shared_by_duplicates(heap);
    what_one_descriptor_writes_another_reads(heap);
    another_process_sees_the_same_memory(heap, peer);
    a_writer_is_alone(heap);
    what_another_holds_is_not_given_again(heap);
    a_buffer_is_released_once(heap, &releases);
    loans_are_told_by_account(heap);
    budgets_hold(heap);
    wrong_requests_are_refused(heap);
    let stats = heap.stats();
    let after = stats.usage;
    assert_eq!(after.live, before.live, "{heap:?} has buffers out");
    assert_eq!(after.live_bytes, before.live_bytes);
    assert!(after.total > before.total && after.failed > before.failed);
    assert!(after.peak >= 2 && after.peak_bytes >= after.live_bytes);
    assert!(stats.times.count() >= after.total, "{stats:?}");
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

fn alignments_are_kept_or_refused(heap: &Heap) {
    let most = heap.info().alignment;
    assert!(most >= page() && most.is_power_of_two());
    let with = |align, flags| heap.allocate_with(1, AllocOptions { align, flags });
    for align in [1, 64, page(), most] {
        assert!(
            with(align, 0).is_ok(),
            "{heap:?} refuses to align to {align}"
        );
    }
    for wrong in [0, 3, page() + 1, usize::MAX, most * 2] {
        let error = with(wrong, 0).unwrap_err();
        assert!(matches!(error, AllocError::Alignment { .. }), "{error}");
    }
    for flags in [1, 1 << 63, u64::MAX] {
        let error = with(1, flags).unwrap_err();
        assert!(matches!(error, AllocError::Flags { .. }), "{error}");
    }
}

/// Where buffers are not zeroed, they are so for whoever never had one.
fn memory_is_zeroed_even_after_use(heap: &Heap) {
    for _again in 0..3 {
        let client = Account::new("a new client");
        let heap = if heap.info().zeroed {
            heap.clone()
        } else {
            heap.for_account(&client)
        };
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

fn another_process_sees_the_same_memory(heap: &Heap, peer: &Path) {
    let buffer = heap.allocate(100_000).unwrap();
    shows_to(peer, &buffer);
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

fn what_another_holds_is_not_given_again(heap: &Heap) {
    let buffer = heap.allocate(8192).unwrap();
    let kept = duplicate(&buffer);
    kept.write(CpuUse::Draw).unwrap().fill(0x77);
    drop(buffer);
    let others: Vec<_> = (0..4).map(|_| heap.allocate(8192).unwrap()).collect();
    for other in &others {
        assert_ne!(
            other.id(),
            kept.id(),
            "{heap:?} gives a buffer that is in use"
        );
        other.write(CpuUse::Draw).unwrap().fill(0x11);
    }
    let bytes = kept.read(CpuUse::Inspect).unwrap();
    assert!(
        bytes.iter().all(|&byte| byte == 0x77),
        "{heap:?} gives memory that is in use"
    );
}

fn a_buffer_is_released_once(heap: &Heap, releases: &Releases) {
    let buffer = heap.allocate(4096).unwrap();
    let id = buffer.id();
    releases.0.lock().unwrap().clear();
    let other = duplicate(&buffer);
    drop(other);
    assert!(releases.0.lock().unwrap().is_empty());
    drop(buffer);
    let seen = releases.0.lock().unwrap().clone();
    assert_eq!(seen, [(id, "before"), (id, "after")]);
}

fn loans_are_told_by_account(heap: &Heap) {
    let client = Account::new("conformance");
    let pipeline = client.member("a pipeline");
    let ours = heap.for_account(&pipeline);
    assert!(heap.loans().is_empty());
    let named = ours.allocate(4096).unwrap();
    let unnamed = heap.allocate(4096).unwrap();
    let loans = heap.loans();
    assert_eq!(loans.named.len(), 1, "{loans}");
    assert_eq!(loans.named[0].account, "a pipeline");
    assert_eq!(loans.named[0].id, named.id());
    assert_eq!(loans.unnamed[0].1, 1, "{loans}");
    for account in [&client, &pipeline] {
        assert_eq!(account.usage().live, 1);
        assert_eq!(account.usage().live_bytes, named.len() as u64);
    }
    drop((named, unnamed));
    assert!(heap.loans().is_empty());
    assert_eq!((client.usage().live, client.usage().total), (0, 1));
    assert_eq!(client.usage().live_bytes, 0);
}

fn budgets_hold(heap: &Heap) {
    // Some heaps give no less than a huge page, or a picture of their device.
    let least = heap.allocate(1).unwrap().len();
    let client = Account::new("on a budget");
    client.set_budget(Budget {
        bytes: Some(3 * least as u64),
        buffers: Some(2),
    });
    let ours = heap.for_account(&client);
    let error = ours.allocate(4 * least).unwrap_err();
    assert!(error.to_string().contains("on a budget"), "{error}");
    let held = [ours.allocate(1).unwrap(), ours.allocate(1).unwrap()];
    assert!(matches!(
        ours.allocate(1),
        Err(AllocError::OverBudget { .. })
    ));
    drop(held);
    assert!(ours.allocate(1).is_ok());
    assert_eq!(client.usage().failed, 2);
}

fn wrong_requests_are_refused(heap: &Heap) {
    assert!(matches!(heap.allocate(0), Err(AllocError::Empty { .. })));
    for huge in [1 << 50, usize::MAX] {
        let error = heap.allocate(huge).unwrap_err();
        assert!(error.to_string().contains(heap.name()), "{error}");
    }
}
