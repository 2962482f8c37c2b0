//! A place for one shared value, exchanged without locks.

use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use crate::sync::{AtomicPtr, Ordering};

/// Holds an `Arc` or nothing. A pointer stays one, as it would not in an atomic number.
///
/// # Invariants
/// The pointer is null, or `Arc::into_raw` gave it for an `Arc` that nobody else has meanwhile.
pub(crate) struct ArcPlace<T>(AtomicPtr<T>, PhantomData<Arc<T>>);

impl<T> Default for ArcPlace<T> {
    fn default() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }
}

impl<T> ArcPlace<T> {
    /// Puts something in, and gives back what was there. Whoever gets it sees what was done
    /// before it was put there.
    #[inline]
    pub(crate) fn swap(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        let new = value.map_or(ptr::null_mut(), |arc| Arc::into_raw(arc).cast_mut());
        let old = self.0.swap(new, Ordering::AcqRel);
        // SAFETY: by the invariant an `Arc` was turned into this pointer, and it was exchanged
        // for another, so that nobody else will find it.
        (!old.is_null()).then(|| unsafe { Arc::from_raw(old) })
    }
}

impl<T> Drop for ArcPlace<T> {
    fn drop(&mut self) {
        drop(self.swap(None));
    }
}
