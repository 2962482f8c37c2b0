//! One output's links: each of its frames goes over all of them.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmaflow_core::frame::Frame;

use super::{Disconnected, Outlet};

/// What is to become of an output's links, while its stage runs.
pub(crate) enum Order {
    /// A link more, by its number.
    Add(usize, Outlet),
    /// No more frames over this link.
    Drop(usize),
    /// The frames of this link go over another one, which has its number.
    Replace(usize, Outlet),
}

/// How many orders may wait for a stage that sends nothing.
pub(crate) const MOST_ORDERS: usize = 64;

/// Why an order was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Nobody sends any more.
    Gone,
    /// Those before it were not obeyed yet.
    TooMany,
}

/// Where others leave orders for an output. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Looked at for every frame, so that the list need not be.
    pending: AtomicBool,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    orders: Vec<Order>,
    /// Nobody obeys any more.
    closed: bool,
}

impl List {
    const fn check(&self) -> Result<(), NotTaken> {
        if self.closed {
            Err(NotTaken::Gone)
        } else if self.orders.len() >= MOST_ORDERS {
            Err(NotTaken::TooMany)
        } else {
            Ok(())
        }
    }
}

impl Orders {
    /// Whether an order would be taken. Where one thread alone gives orders there is room for its
    /// next one then; who obeys may be gone all the same.
    pub(crate) fn check(&self) -> Result<(), NotTaken> {
        self.list().check()
    }

    /// Leaves an order, which is obeyed before the next frame is sent.
    pub(crate) fn give(&self, order: Order) -> Result<(), NotTaken> {
        let mut list = self.list();
        list.check()?;
        list.orders.push(order);
        self.0.pending.store(true, Ordering::Release);
        Ok(())
    }

    #[inline]
    fn are_pending(&self) -> bool {
        self.0.pending.load(Ordering::Relaxed)
    }

    fn take(&self) -> Vec<Order> {
        // Before the list: an order that comes meanwhile is pending again.
        self.0.pending.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.list().orders)
    }

    fn close(&self) {
        let left = {
            let mut list = self.list();
            list.closed = true;
            mem::take(&mut list.orders)
        };
        // Links that nobody will send over have ended; they do so without the lock.
        drop(left);
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The links that begin at one output of a stage.
#[derive(Default)]
pub(crate) struct Outputs {
    links: Vec<(usize, Outlet)>,
    orders: Orders,
}

impl Outputs {
    pub(crate) const fn new(links: Vec<(usize, Outlet)>, orders: Orders) -> Self {
        Self { links, orders }
    }

    /// Sends a frame over each link; it fails where nobody takes frames any more.
    #[inline]
    pub(crate) fn send(&mut self, frame: Frame) -> Result<(), Disconnected> {
        if self.orders.are_pending() {
            self.obey();
        }
        let Some(((_, last), others)) = self.links.split_last() else {
            return Err(Disconnected);
        };
        let mut gone = false;
        for (_, outlet) in others {
            gone |= outlet.send(frame.clone()).is_err();
        }
        gone |= last.send(frame).is_err();
        if gone { self.forget_gone() } else { Ok(()) }
    }

    #[cold]
    fn forget_gone(&mut self) -> Result<(), Disconnected> {
        self.links.retain(|(_, outlet)| !outlet.is_closed());
        if self.links.is_empty() {
            Err(Disconnected)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn obey(&mut self) {
        for order in self.orders.take() {
            match order {
                Order::Add(number, outlet) => self.links.push((number, outlet)),
                Order::Drop(number) => self.links.retain(|(known, _)| *known != number),
                Order::Replace(number, outlet) => {
                    let known = self.links.iter_mut().find(|(known, _)| *known == number);
                    if let Some((_, old)) = known {
                        *old = outlet;
                    }
                }
            }
        }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        self.orders.close();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_is_taken() {
        let orders = Orders::default();
        for number in 0..MOST_ORDERS {
            assert_eq!(orders.check(), Ok(()));
            assert_eq!(orders.give(Order::Drop(number)), Ok(()));
        }
        assert_eq!(orders.check(), Err(NotTaken::TooMany));
        assert_eq!(orders.give(Order::Drop(0)), Err(NotTaken::TooMany));
        assert_eq!(orders.take().len(), MOST_ORDERS);
        assert_eq!(orders.check(), Ok(()));
        orders.close();
        assert_eq!(orders.check(), Err(NotTaken::Gone));
    }
}
