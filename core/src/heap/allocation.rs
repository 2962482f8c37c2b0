//! How a heap comes by a buffer: checks, charges, and errors.
//!
//! On a small buffer, a heap may cost a fiftieth of the kernel's ioctl (`dmaflow heaps bench`).
//! So the way of a request that is granted is short, and all else stands apart from it.

use std::num::NonZeroUsize;

use super::stats::Times;
use super::{
    Account, AllocError, AllocOptions, ExportError, Heap, HeapBuffer, OverBudget, Registered,
    Request, whole_pages,
};
use crate::dma_buf::DmaBuf;
use crate::time::Clock;

impl Heap {
    /// Gives a buffer of at least `len` bytes, zeroed unless
    /// [`HeapInfo::zeroed`](super::HeapInfo::zeroed) says otherwise.
    ///
    /// # Errors
    /// [`AllocError`], each case counted in [`Usage::failed`](super::Usage::failed).
    #[inline]
    pub fn allocate(&self, len: usize) -> Result<HeapBuffer, AllocError> {
        self.allocate_with(len, AllocOptions::default())
    }

    /// Gives a buffer as [`Heap::allocate`] does, with options.
    ///
    /// # Errors
    /// [`AllocError`], each case counted in [`Usage::failed`](super::Usage::failed).
    #[inline]
    pub fn allocate_with(
        &self,
        len: usize,
        options: AllocOptions,
    ) -> Result<HeapBuffer, AllocError> {
        match self.attempt(len, options) {
            Ok(buffer) => Ok(buffer),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Gives a buffer as [`Heap::allocate_with`] does. Where there is none, `make_room` is told
    /// why, and if it says that there may be one now, it is tried once more: one request, which
    /// succeeds or fails.
    ///
    /// # Errors
    /// [`AllocError`], counted in [`Usage::failed`](super::Usage::failed).
    pub fn allocate_after(
        &self,
        len: usize,
        options: AllocOptions,
        make_room: impl FnOnce(&AllocError) -> bool,
    ) -> Result<HeapBuffer, AllocError> {
        let mut outcome = self.attempt(len, options);
        if outcome.as_ref().is_err_and(make_room) {
            outcome = self.attempt(len, options);
        }
        outcome.map_err(|error| self.failed(error))
    }

    /// Allocates, and counts success only.
    #[inline]
    fn attempt(&self, len: usize, options: AllocOptions) -> Result<HeapBuffer, AllocError> {
        // Whole pages, so that what is charged is what most exporters give.
        match NonZeroUsize::new(len).and_then(whole_pages) {
            Some(len) if self.takes(len, options) => self.export(&Request {
                len,
                align: options.align,
                client: self.0.client,
            }),
            _ => Err(self.wrong(len, options)),
        }
    }

    #[inline]
    fn takes(&self, len: NonZeroUsize, options: AllocOptions) -> bool {
        let info = self.info();
        info.largest
            .is_none_or(|largest| len.get() as u64 <= largest)
            && (options.align == 1
                || options.align.is_power_of_two() && options.align <= info.alignment)
            && options.flags == 0
    }

    #[inline]
    fn export(&self, request: &Request) -> Result<HeapBuffer, AllocError> {
        match &self.0.account {
            None => self.charged(request, None),
            Some(account) => self.lent(request, account),
        }
    }

    /// Charges the request before it is made, so that budgets hold whoever asks at once.
    #[inline]
    fn charged(
        &self,
        request: &Request,
        account: Option<&Account>,
    ) -> Result<HeapBuffer, AllocError> {
        let registered = &*self.0.registered;
        let asked = request.len.get();
        let Some(serial) = registered.counters.take(asked) else {
            return Err(self.over_budget(asked));
        };
        let outcome = match Times::weight(asked, serial) {
            None => registered.ask(request, account),
            Some(weight) => registered.timed(request, account, weight),
        };
        let buffer = match outcome {
            Ok(buffer) => buffer,
            Err(error) => return Err(self.refused(request, error)),
        };
        if buffer.len() != asked {
            return self.other_len(request, buffer);
        }
        registered.counters.grant(0);
        Ok(HeapBuffer {
            heap: self.clone(),
            loan: 0,
            buffer: Some(buffer),
        })
    }

    /// Charges the request to an account too, and enters the buffer there.
    #[inline(never)]
    fn lent(&self, request: &Request, account: &Account) -> Result<HeapBuffer, AllocError> {
        let asked = request.len.get();
        if let Err(over) = account.take(asked) {
            return Err(self.over(asked, over));
        }
        let mut buffer = match self.charged(request, Some(account)) {
            Ok(buffer) => buffer,
            Err(error) => {
                account.undo(asked);
                return Err(error);
            }
        };
        account.grant(buffer.len() - asked);
        buffer.try_set_name(account.buffer_name());
        buffer.loan = account.hold(&self.0.registered.name, &buffer);
        Ok(buffer)
    }

    #[inline(never)]
    fn other_len(&self, request: &Request, buffer: DmaBuf) -> Result<HeapBuffer, AllocError> {
        let (registered, asked) = (&*self.0.registered, request.len.get());
        let Some(longer) = buffer.len().checked_sub(asked) else {
            return Err(self.short(request, buffer));
        };
        registered.counters.grant(longer);
        Ok(HeapBuffer {
            heap: self.clone(),
            loan: 0,
            buffer: Some(buffer),
        })
    }

    // What follows is for requests that come to nothing. It stands apart so that the way of
    // those that do is short: on a small buffer, a heap may cost a fiftieth of the ioctl.

    #[cold]
    fn failed(&self, error: AllocError) -> AllocError {
        self.0.registered.counters.fail();
        if let Some(account) = &self.0.account {
            account.fail();
        }
        error
    }

    #[cold]
    fn wrong(&self, asked: usize, options: AllocOptions) -> AllocError {
        let (heap, info) = (self.name().to_owned(), self.info());
        let Some(len) = NonZeroUsize::new(asked) else {
            return AllocError::Empty { heap };
        };
        // Without whole pages it is longer than any address.
        let whole = whole_pages(len).map_or(u64::MAX, |len| len.get() as u64);
        let largest = info.largest.unwrap_or(isize::MAX as u64);
        match options {
            _ if whole > largest => AllocError::TooLarge {
                heap,
                asked,
                largest,
            },
            _ if options.flags != 0 => AllocError::Flags {
                heap,
                flags: options.flags,
            },
            _ => AllocError::Alignment {
                heap,
                asked: options.align,
                most: info.alignment,
            },
        }
    }

    #[cold]
    fn over_budget(&self, asked: usize) -> AllocError {
        let over = OverBudget {
            whose: "it".to_owned(),
            budget: self.budget(),
            usage: self.0.registered.counters.usage(),
        };
        self.over(asked, over)
    }

    #[cold]
    fn over(&self, asked: usize, over: OverBudget) -> AllocError {
        AllocError::OverBudget {
            heap: self.name().to_owned(),
            asked,
            over: Box::new(over),
        }
    }

    #[cold]
    fn refused(&self, request: &Request, source: ExportError) -> AllocError {
        let asked = request.len.get();
        self.0.registered.counters.undo(asked);
        AllocError::Exporter {
            heap: self.name().to_owned(),
            asked,
            source,
        }
    }

    #[cold]
    fn short(&self, request: &Request, buffer: DmaBuf) -> AllocError {
        let (registered, asked) = (&*self.0.registered, request.len.get());
        let given = buffer.len();
        registered.exporter.release(buffer, request.client);
        registered.counters.undo(asked);
        AllocError::Short {
            heap: self.name().to_owned(),
            asked,
            given,
        }
    }
}

impl Registered {
    #[inline]
    fn ask(&self, request: &Request, account: Option<&Account>) -> Result<DmaBuf, ExportError> {
        match account {
            None => self.exporter.allocate(request),
            Some(account) => self.exporter.allocate_named(request, account.name()),
        }
    }

    /// Has the exporter allocate, and counts how long that took for so many allocations.
    #[inline(never)]
    fn timed(
        &self,
        request: &Request,
        account: Option<&Account>,
        weight: u64,
    ) -> Result<DmaBuf, ExportError> {
        let started = Clock::Monotonic.now();
        let buffer = self.ask(request, account)?;
        let took = Clock::Monotonic.now().as_nanos() - started.as_nanos();
        self.times.record(took, weight);
        Ok(buffer)
    }
}
