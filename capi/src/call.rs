//! A call from C: no panic leaves it, and its failure is remembered for the thread.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use dmaflow_core::{Errno, with_causes};

use crate::failure::Failure;

thread_local! {
    /// The last failure of this thread: its `errno` and text.
    static LAST: RefCell<Option<(Errno, CString)>> = const { RefCell::new(None) };
}

/// Does what was called for; where that fails, returns `failed` and remembers why.
pub(crate) fn call<T>(failed: T, what: impl FnOnce() -> Result<T, Failure>) -> T {
    // Nothing is shared with what panicked but tables, whose changes are whole.
    let outcome = catch_unwind(AssertUnwindSafe(what));
    let outcome = outcome.unwrap_or_else(|panic| {
        Err(Failure::Panicked {
            words: words(&*panic),
        })
    });
    outcome.unwrap_or_else(|failure| {
        remember(&failure);
        failed
    })
}

/// A text as C has it. No NUL can lie within; none of ours has one.
pub(crate) fn for_c(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no words were given".to_owned())
}

fn remember(failure: &Failure) {
    let text = for_c(&with_causes(failure));
    let errno = failure.errno();
    // A thread that is ending has no place for it any more, and nobody to read it.
    LAST.try_with(|last| last.replace(Some((errno, text)))).ok();
    // Last, for nothing after it may set it anew.
    errno.set();
}

/// The text of this thread's last failure; empty when there was none. It stays until the next.
pub(crate) fn last_error() -> *const c_char {
    let text = LAST.try_with(|last| last.borrow().as_ref().map(|(_, text)| text.as_ptr()));
    text.ok().flatten().unwrap_or(c"".as_ptr())
}

/// The number of this thread's last failure; 0 when there was none.
pub(crate) fn last_errno() -> c_int {
    let errno = LAST.try_with(|last| last.borrow().as_ref().map(|(errno, _)| *errno as c_int));
    errno.ok().flatten().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn last_text() -> String {
        LAST.with_borrow(|last| last.as_ref().unwrap().1.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_panic_is_a_failure_like_others() {
        assert_eq!(call(-1, || Ok(7)), 7);
        assert_eq!(last_errno(), 0);
        assert_eq!(call(-1, || panic!("a {} word", "last")), -1);
        assert_eq!(last_errno(), Errno::EIO as c_int);
        assert_eq!(Errno::last(), Errno::EIO);
        assert!(last_text().ends_with("a last word"), "{}", last_text());
    }

    #[test]
    fn each_thread_has_its_own_failure() {
        let null = || Err(Failure::Null { what: "heap" });
        thread::spawn(move || assert_eq!(call(-1, null), -1))
            .join()
            .unwrap();
        assert_eq!(last_errno(), 0);
        assert_eq!(call(-1, null), -1);
        assert_eq!(last_errno(), Errno::EINVAL as c_int);
        assert_eq!(last_text(), "the heap is NULL");
        assert_eq!(call(1, || Ok(1)), 1, "a success leaves it");
        assert_eq!(last_errno(), Errno::EINVAL as c_int);
    }
}
