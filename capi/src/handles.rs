//! Handles: what C holds in place of a pointer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::failure::Failure;

/// Odd, so that no handle is NULL or the address of anything aligned; and far too many to come
/// round while one is held on a machine of 64 bits.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// What is open, by handle. No handle is another table's too.
pub(crate) struct Handles<T> {
    /// What it holds, for messages.
    what: &'static str,
    open: RwLock<BTreeMap<usize, Arc<T>>>,
}

impl<T> Handles<T> {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self {
            what,
            open: RwLock::new(BTreeMap::new()),
        }
    }

    /// Keeps something, and gives its handle.
    pub(crate) fn put(&self, value: T) -> usize {
        let handle = NEXT.fetch_add(2, Ordering::Relaxed);
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(handle, Arc::new(value));
        handle
    }

    /// What a handle stands for; it stays while the caller holds it, whoever frees the handle.
    pub(crate) fn get(&self, handle: usize) -> Result<Arc<T>, Failure> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(&handle).cloned();
        found.ok_or_else(|| self.unknown(handle))
    }

    /// Takes what a handle stands for, which is no handle any more.
    pub(crate) fn take(&self, handle: usize) -> Result<Arc<T>, Failure> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let found = open.remove(&handle);
        found.ok_or_else(|| self.unknown(handle))
    }

    fn unknown(&self, handle: usize) -> Failure {
        let what = self.what;
        match handle {
            0 => Failure::Null { what },
            _ => Failure::Handle { what },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_handle_leads_to_its_own_value_until_it_is_freed() {
        let (numbers, others) = (Handles::new("number"), Handles::new("other"));
        let [one, two] = [1, 2].map(|number| numbers.put(number));
        let other = others.put(());
        assert_eq!(*numbers.get(one).unwrap(), 1);
        assert_eq!(*numbers.take(two).unwrap(), 2);
        for wrong in [two, other, usize::MAX] {
            assert!(matches!(numbers.take(wrong), Err(Failure::Handle { .. })));
            assert!(matches!(numbers.get(wrong), Err(Failure::Handle { .. })));
        }
        assert!(matches!(numbers.get(0), Err(Failure::Null { .. })));
        assert!([one, two, other].iter().all(|handle| handle % 2 == 1));
    }

    #[test]
    fn one_of_many_threads_frees_a_handle() {
        let numbers = Handles::new("number");
        for number in 0..50 {
            let handle = numbers.put(number);
            let freed: usize = thread::scope(|scope| {
                let free = || scope.spawn(|| usize::from(numbers.take(handle).is_ok()));
                let threads = [free(), free(), free()];
                threads.map(|thread| thread.join().unwrap()).iter().sum()
            });
            assert_eq!(freed, 1);
        }
    }
}
