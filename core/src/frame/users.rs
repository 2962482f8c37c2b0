//! How many use a frame: the count that frees it.

use crate::sync::{AtomicU32, Ordering};

/// Users of a frame; none is free.
#[derive(Debug)]
pub(super) struct Users(AtomicU32);

impl Default for Users {
    fn default() -> Self {
        Self(AtomicU32::new(0))
    }
}

impl Users {
    /// Makes the caller the only user, if there was none. It then sees all that earlier users did.
    #[inline]
    pub(super) fn acquire(&self) -> bool {
        // Acquire pairs with the Release of the last user, whose reads are then over.
        let free = self
            .0
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        free.is_ok()
    }

    /// Counts one more user; the caller is one, so the frame cannot be free.
    #[inline]
    pub(super) fn share(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one user less, and says whether it was the last: then the frame is free.
    #[inline]
    pub(super) fn let_go(&self) -> bool {
        // AcqRel: the last user must see what the others did before the owner hands it out.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether there are none; old as soon as it is read.
    pub(super) fn are_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Every order in which threads can meet at a frame. Its pixels are a cell that loom watches.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::Cell;
    use loom::sync::Arc;
    use loom::thread;

    #[derive(Default)]
    struct Picture {
        users: Users,
        pixels: Cell<u64>,
    }

    impl Picture {
        /// Draws one more, if nobody uses the frame.
        fn draw(&self) -> u64 {
            if !self.users.acquire() {
                return 0;
            }
            self.pixels.set(self.pixels.get() + 1);
            assert!(self.users.let_go(), "the only user is the last");
            1
        }
    }

    #[test]
    fn loom_a_frame_is_given_to_one() {
        loom::model(|| {
            let picture = Arc::new(Picture::default());
            let drawing = [0, 1].map(|_thread| {
                let picture = Arc::clone(&picture);
                thread::spawn(move || picture.draw())
            });
            let here = picture.draw();
            let there = drawing.map(|thread| thread.join().unwrap());
            let drawn = here + there.iter().sum::<u64>();
            assert!(drawn >= 1 && picture.users.acquire());
            assert_eq!(picture.pixels.get(), drawn);
        });
    }

    #[test]
    fn loom_the_last_of_many_users_frees_it_and_nobody_looks_any_more() {
        loom::model(|| {
            let picture = Arc::new(Picture::default());
            assert!(picture.users.acquire());
            picture.pixels.set(7);
            let looking = [0, 1].map(|_thread| {
                picture.users.share();
                let picture = Arc::clone(&picture);
                thread::spawn(move || {
                    assert_eq!(picture.pixels.get(), 7);
                    u64::from(picture.users.let_go())
                })
            });
            let here = u64::from(picture.users.let_go());
            // The pixels race if this comes in while anybody still looks.
            let drawn = picture.draw();
            let there = looking.map(|thread| thread.join().unwrap());
            assert_eq!(here + there.iter().sum::<u64>(), 1, "it was freed once");
            assert!(picture.users.are_none());
            assert_eq!(picture.pixels.get(), 7 + drawn);
        });
    }
}
