//! Who may look at memory: any number of readers, or one writer.

use crate::sync::{AtomicU32, Ordering};

/// The word while a writer is at work.
const WRITER: u32 = u32::MAX;

/// Claims on memory, in one word: [`WRITER`], otherwise the number of readers.
///
/// Whoever gets a claim sees what those did who ended theirs before.
#[derive(Debug)]
pub(super) struct Claims(AtomicU32);

impl Default for Claims {
    fn default() -> Self {
        Self(AtomicU32::new(0))
    }
}

impl Claims {
    /// Claims it for reading, unless there is a writer. Then [`Claims::end_read`] is owed.
    pub(super) fn try_read(&self) -> bool {
        let one_more = |users| (users < WRITER - 1).then(|| users + 1);
        let before = self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more);
        before.is_ok()
    }

    /// Claims it for writing, unless anybody else has it. Then [`Claims::end_write`] is owed.
    pub(super) fn try_write(&self) -> bool {
        let before = self
            .0
            .compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed);
        before.is_ok()
    }

    pub(super) fn end_read(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }

    pub(super) fn end_write(&self) {
        self.0.store(0, Ordering::Release);
    }
}

/// Every order in which threads can meet at a buffer.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    /// Memory that loom watches: it fails when a writer is not alone, or unseen.
    #[derive(Default)]
    struct Memory {
        claims: Claims,
        bytes: UnsafeCell<u64>,
    }

    impl Memory {
        fn write(&self) -> bool {
            let claimed = self.claims.try_write();
            if claimed {
                // SAFETY: a writer is alone, which is what loom is asked.
                self.bytes.with_mut(|bytes| unsafe { *bytes += 1 });
                self.claims.end_write();
            }
            claimed
        }

        fn read(&self) -> Option<u64> {
            self.claims.try_read().then(|| {
                // SAFETY: readers meet no writer, which is what loom is asked.
                let seen = self.bytes.with(|bytes| unsafe { *bytes });
                self.claims.end_read();
                seen
            })
        }
    }

    #[test]
    fn loom_a_writer_is_alone_and_later_users_see_what_it_wrote() {
        loom::model(|| {
            let memory = Arc::new(Memory::default());
            let writers = [0, 1].map(|_writer| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || u64::from(memory.write()))
            });
            let seen = memory.read();
            let written: u64 = writers.map(|writer| writer.join().unwrap()).iter().sum();
            assert!(seen.is_none_or(|seen| seen <= written));
            assert_eq!(memory.read(), Some(written), "all claims were given back");
        });
    }

    #[test]
    fn loom_readers_share_and_keep_a_writer_out() {
        loom::model(|| {
            let memory = Arc::new(Memory::default());
            let readers = [0, 1].map(|_reader| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || memory.read())
            });
            let written = u64::from(memory.write());
            for reader in readers {
                assert!(reader.join().unwrap().is_none_or(|seen| seen <= written));
            }
            assert!(memory.write(), "nobody has it any more");
        });
    }
}
