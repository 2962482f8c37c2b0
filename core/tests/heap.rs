//! A heap's promises on charges, loans and figures, over memory that needs no device.

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{
    Account, AllocError, Budget, ExportError, Exporter, Heap, HeapInfo, Request, page_size,
};
use dmaflow_heaps::Memfd;

fn memfd() -> Heap {
    Heap::new(Memfd::info(), Memfd)
}

/// Has no memory.
struct Full;

impl Exporter for Full {
    fn allocate(&self, _request: &Request) -> Result<DmaBuf, ExportError> {
        Err(ExportError::Os {
            call: "full",
            source: Errno::ENOMEM,
        })
    }
}

#[test]
fn accounts_that_have_nothing_yet_are_remembered() {
    let heap = memfd();
    let [one, two] = ["one", "two"].map(|name| heap.for_account(&Account::new(name)));
    let _buffer = one.allocate(1).unwrap();
    let loans = heap.loans();
    assert!(loans.to_string().contains("one"), "{loans}");
    assert!(!loans.to_string().contains("without an account"), "{loans}");
    drop(two);
}

#[test]
fn budgets_are_of_whole_pages() {
    let heap = memfd();
    let account = Account::new("thrifty");
    account.set_budget(Budget {
        bytes: Some(page_size() as u64),
        buffers: None,
    });
    let thrifty = heap.for_account(&account);
    let one = thrifty.allocate(1).unwrap();
    assert_eq!(one.len(), page_size());
    let error = thrifty.allocate(1).unwrap_err();
    assert!(matches!(error, AllocError::OverBudget { .. }), "{error}");
    drop(one);
    assert_eq!(thrifty.allocate(1).unwrap().len(), page_size());
}

#[test]
fn what_no_address_reaches_is_too_large() {
    let heap = Heap::new(HeapInfo::new("endless"), Memfd);
    let asked = usize::MAX;
    let error = heap.allocate(asked).unwrap_err();
    assert!(
        matches!(error, AllocError::TooLarge { asked: told, .. } if told == asked),
        "{error}"
    );
}

#[test]
fn what_was_refused_leaves_no_figures_but_that() {
    let heap = Heap::new(HeapInfo::new("full"), Full);
    let account = Account::new("hungry");
    let hungry = heap.for_account(&account);
    for _request in 0..100 {
        hungry.allocate(4096).unwrap_err();
    }
    let stats = heap.stats();
    assert_eq!(stats.times.count(), 0);
    for usage in [stats.usage, account.usage()] {
        assert_eq!((usage.peak, usage.peak_bytes, usage.total), (0, 0, 0));
        assert_eq!(usage.failed, 100);
    }
}
