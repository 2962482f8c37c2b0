//! What lies between the thread that reads the stream and the one that waits for pictures.
//!
//! ```text
//!   reads: QBUF both, queue ──▶ deeds, in order ──▶ waits: poll, DQBUF both ──▶ links
//!      ▲                        decode, output,              │
//!      │                        forget, lost                 │
//!      └───── requests that are free, frames let go ◀────────┘
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::frame::{Frame, FrameMeta};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Bed, StageError, Stopper};
use dmaflow_stateless::PictureId;
use dmaflow_v4l2::{Completion, Dequeued, Fill, Intake, MediaRequest, Queue, RequestPool};
use dmaflow_v4l2::{VideoDevice, Waited};

use super::error::StatelessError;

/// Deeds that wait to be done before no more of the stream is read.
const MOST_DEEDS: usize = 64;

/// How long a request that is with the driver when all is stopped may take.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// How long a frame may take to come when its request is done.
const COMES_WITHIN: Duration = Duration::from_secs(20);

/// What was counted since the last start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Pictures that the driver could not decode.
    pub(super) damaged: AtomicU64,
    /// Pictures that build on what is missing.
    pub(super) spoiled: AtomicU64,
    /// Units that cannot be read.
    pub(super) unreadable: AtomicU64,
    /// Pictures that the driver did not take.
    pub(super) refused: AtomicU64,
    /// Requests that were decoded.
    pub(super) decoded: AtomicU64,
    /// Bytes that were carried to the beginning of a buffer.
    pub(super) moved: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        for counter in [
            &self.damaged,
            &self.spoiled,
            &self.unreadable,
            &self.refused,
            &self.decoded,
            &self.moved,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

/// A picture from its first request to when it is forgotten.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) id: PictureId,
    /// `None` where there never was one.
    pub(super) frame: Option<Frame>,
    /// What its unit knew.
    pub(super) meta: FrameMeta,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Whole,
    /// The driver could not decode it, or did not take it.
    Damaged,
    /// What it builds on is missing.
    Spoiled,
}

/// A request that the driver has.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: usize,
    pub(super) picture: PictureId,
    /// The frame's slot.
    pub(super) slot: usize,
    pub(super) more: bool,
    pub(super) key: bool,
    /// What goes in, where it is read from the unit's own frame.
    pub(super) input: Option<Frame>,
    pub(super) unit: u64,
}

/// What is to be done once all before it is.
#[derive(Debug)]
pub(super) enum Deed {
    /// To wait for a request.
    Decode(Job),
    /// To send a picture on, with what is known of another unit where that shows it.
    Output(PictureId, Option<FrameMeta>),
    /// To let go of a picture.
    Forget(PictureId),
    /// A part of the stream could not be read.
    Lost,
    /// To go on in frames of another pool, which lie so.
    Change(Box<Layout>),
}

/// What comes out.
#[derive(Debug)]
pub(super) enum Came {
    Picture(Frame),
    /// Those that follow lie so, in frames that are still to come.
    Change(Box<Layout>),
    /// Nothing any more.
    End,
}

/// What both threads share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The frames that are filled.
    fill: Arc<Fill>,
    /// The stream has changed, and others are to be filled.
    changing: bool,
    pub(super) deeds: VecDeque<Deed>,
    pub(super) pictures: Vec<Picture>,
    /// Requests that nobody has.
    free: Vec<usize>,
    /// Requests that the driver has, or is through with.
    in_work: usize,
    /// Nothing follows.
    ended: bool,
    /// Something is missing that pictures build on, until one does not.
    broken: bool,
}

impl Shared {
    pub(super) fn picture(&mut self, id: PictureId) -> Option<&mut Picture> {
        self.pictures.iter_mut().find(|picture| picture.id == id)
    }

    fn forget(&mut self, id: PictureId) -> Option<Picture> {
        let place = self.pictures.iter().position(|picture| picture.id == id)?;
        Some(self.pictures.swap_remove(place))
    }
}

/// Both queues, and what is on its way through them.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) device: Arc<VideoDevice>,
    pub(super) intake: Arc<Intake>,
    pub(super) requests: Arc<RequestPool>,
    completion: Completion,
    /// Where who reads waits for a free frame; stopped as all is.
    pub(super) bed: Arc<Bed>,
    pub(super) counts: Arc<Counts>,
    shared: Mutex<Shared>,
    changed: Condvar,
}

impl Flow {
    pub(super) fn new(
        (device, completion): (&Arc<VideoDevice>, Completion),
        (intake, fill): (&Arc<Intake>, &Arc<Fill>),
        requests: &Arc<RequestPool>,
        (bed, counts): (&Arc<Bed>, &Arc<Counts>),
    ) -> Self {
        Self {
            device: Arc::clone(device),
            intake: Arc::clone(intake),
            requests: Arc::clone(requests),
            completion,
            bed: Arc::clone(bed),
            counts: Arc::clone(counts),
            shared: Mutex::new(Shared {
                fill: Arc::clone(fill),
                changing: false,
                deeds: VecDeque::with_capacity(2 * MOST_DEEDS),
                pictures: Vec::with_capacity(fill.pool().len()),
                free: (0..requests.len()).collect(),
                in_work: 0,
                ended: false,
                broken: false,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.bed.is_stopped()
    }

    /// What `found` finds, as soon as it does; `None` once all is stopped.
    fn wait<T>(&self, mut found: impl FnMut(&mut Shared) -> Option<T>) -> Option<T> {
        let mut shared = self.lock();
        loop {
            if self.is_stopped() {
                return None;
            }
            if let Some(found) = found(&mut shared) {
                return Some(found);
            }
            let woken = self.changed.wait(shared);
            shared = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Changes what is shared, and wakes who waits for that.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }

    /// Waits until there is room for what a unit brings.
    pub(super) fn room(&self) -> Option<()> {
        self.wait(|shared| (shared.deeds.len() < MOST_DEEDS).then_some(()))
    }

    /// Waits for a free request.
    pub(super) fn free_request(&self) -> Option<usize> {
        self.wait(|shared| shared.free.pop())
    }

    /// Waits until the driver has no request.
    pub(super) fn idle(&self) -> Option<()> {
        self.wait(|shared| (shared.in_work == 0).then_some(()))
    }

    /// The frames that are filled, for who keeps them while nothing changes.
    pub(super) fn fill(&self) -> Arc<Fill> {
        Arc::clone(&self.lock().fill)
    }

    /// Has what comes out wait for other frames, which lie so. Nothing that was decoded before is
    /// referred to from here on.
    pub(super) fn change_frames(&self, writes: Layout) {
        self.change(|shared| {
            shared.changing = true;
            shared.deeds.push_back(Deed::Change(Box::new(writes)));
        });
    }

    /// The other frames are there.
    pub(super) fn attached(&self, fill: Arc<Fill>) {
        self.change(|shared| {
            shared.fill = fill;
            shared.changing = false;
        });
    }

    /// Waits for the other frames.
    pub(super) fn other_frames(&self) -> Option<Arc<Fill>> {
        self.wait(|shared| (!shared.changing).then(|| Arc::clone(&shared.fill)))
    }

    /// Gives a request back that the driver was not given.
    pub(super) fn give_back(&self, number: usize) {
        if let Some(request) = self.requests.get(number)
            && let Err(errno) = request.reinit()
        {
            tracing::debug!(device = %self.device, %errno, "cannot empty a request");
        }
        self.change(|shared| shared.free.push(number));
    }

    /// The driver has a request; a frame that it fills for the first time comes with it.
    pub(super) fn given(&self, job: Job, begun: Option<Picture>) {
        self.change(|shared| {
            shared.pictures.extend(begun);
            shared.in_work += 1;
            shared.deeds.push_back(Deed::Decode(job));
        });
    }

    pub(super) fn push(&self, deed: Deed) {
        self.change(|shared| shared.deeds.push_back(deed));
    }

    /// Nothing follows.
    pub(super) fn end(&self) {
        self.change(|shared| shared.ended = true);
    }

    /// Does what there is to be done until a picture goes out, or cannot in these frames.
    pub(super) fn next(&self, fill: &Fill) -> Result<Came, StageError> {
        loop {
            let deed = self.wait(|shared| match shared.deeds.pop_front() {
                None if shared.ended => Some(None),
                None => None,
                deed => Some(deed),
            });
            // Who reads may wait for room.
            self.changed.notify_all();
            match deed.flatten() {
                None => return Ok(Came::End),
                Some(Deed::Decode(job)) => {
                    if !self.collect(job, fill)? {
                        return Ok(Came::End);
                    }
                }
                Some(Deed::Output(id, shown)) => {
                    if let Some(frame) = self.output(id, shown) {
                        return Ok(Came::Picture(frame));
                    }
                }
                Some(Deed::Change(writes)) => {
                    self.forget_all();
                    return Ok(Came::Change(writes));
                }
                // Let go of without the lock: that may wake who reads.
                Some(Deed::Forget(id)) => drop(self.lock().forget(id)),
                Some(Deed::Lost) => self.lock().broken = true,
            }
        }
    }

    /// Lets go of what is kept; what would build on that, builds on nothing.
    fn forget_all(&self) {
        let mut shared = self.lock();
        shared.broken |= !shared.pictures.is_empty();
        let pictures = std::mem::take(&mut shared.pictures);
        drop(shared);
        drop(pictures);
    }

    fn output(&self, id: PictureId, shown: Option<FrameMeta>) -> Option<Frame> {
        let mut shared = self.lock();
        let Some(picture) = shared.picture(id) else {
            // It went when the stream changed.
            Counts::add(&self.counts.spoiled, 1);
            return None;
        };
        let counter = match (picture.state, &picture.frame) {
            (State::Whole, Some(frame)) => {
                let mut frame = frame.clone();
                frame.set_meta(FrameMeta {
                    flags: picture.meta.flags,
                    bytes_used: None,
                    ..shown.unwrap_or(picture.meta)
                });
                return Some(frame);
            }
            (State::Spoiled, _) => &self.counts.spoiled,
            _ => &self.counts.damaged,
        };
        Counts::add(counter, 1);
        None
    }

    /// Waits for a request and takes its frames back; whether it is done, and nobody stopped it.
    fn collect(&self, job: Job, fill: &Fill) -> Result<bool, StageError> {
        let finished = self.finished(&job, fill);
        if let Ok(Some(damaged)) = finished {
            self.done(job, damaged);
            return Ok(true);
        }
        // What the driver reads is kept until it has stopped.
        self.lock().deeds.push_front(Deed::Decode(job));
        finished.map(|_stopped| false)
    }

    /// Whether the driver marks what it made of a request as damaged; `None` once all is stopped.
    fn finished(&self, job: &Job, fill: &Fill) -> Result<Option<bool>, StageError> {
        let device = || self.device.to_string();
        let unit = job.unit;
        let Some(request) = self.requests.get(job.request) else {
            return Ok(None);
        };
        match self.completion.wait(request) {
            Waited::Done => {}
            Waited::CalledOff => return Ok(None),
            Waited::Gone => return Err(StageError::Gone { device: device() }),
            Waited::Silent => {
                let device = device();
                return Err(StatelessError::Silent { device, unit }.into());
            }
        }
        let Some(read) = self.take(self.intake.queue(), unit)? else {
            return Ok(None);
        };
        let made = match job.more {
            true => Some(false),
            false => self.made(job, fill)?,
        };
        Ok(made.map(|damaged| read.damaged || damaged))
    }

    /// Takes the frame that was filled; whether the driver marks it as damaged.
    fn made(&self, job: &Job, fill: &Fill) -> Result<Option<bool>, StageError> {
        loop {
            let made = self.take(fill.queue(), job.unit)?;
            match made {
                Some(made) if made.slot != job.slot => self.left_open(job, made.slot)?,
                made => return Ok(made.map(|made| made.damaged)),
            }
        }
    }

    /// A frame came that was kept for more of a picture, of which nothing came.
    #[cold]
    fn left_open(&self, job: &Job, slot: usize) -> Result<(), StageError> {
        let mut shared = self.lock();
        let pictures = shared.pictures.iter_mut();
        let is_it = |picture: &&mut Picture| {
            let frame = picture.frame.as_ref();
            picture.id != job.picture && frame.is_some_and(|frame| frame.slot() == slot)
        };
        match pictures.into_iter().find(is_it) {
            Some(picture) => {
                picture.state = State::Damaged;
                Ok(())
            }
            None => Err(StatelessError::OtherFrame {
                device: self.device.to_string(),
                expected: job.slot,
                found: slot,
            }
            .into()),
        }
    }

    fn done(&self, job: Job, damaged: bool) {
        let Job {
            request: number,
            picture,
            key,
            input,
            ..
        } = job;
        // The source's again.
        drop(input);
        let emptied = self.requests.get(number).map(MediaRequest::reinit);
        if let Some(Err(errno)) = emptied {
            tracing::warn!(device = %self.device, %errno, "cannot empty a request that is done");
        }
        Counts::add(&self.counts.decoded, 1);
        self.change(|shared| {
            shared.broken &= !key;
            let broken = shared.broken;
            if let Some(picture) = shared.picture(picture) {
                picture.state = match picture.state {
                    _ if damaged => State::Damaged,
                    State::Whole if broken => State::Spoiled,
                    state => state,
                };
            }
            shared.broken |= damaged;
            shared.free.push(number);
            shared.in_work -= 1;
        });
    }

    /// Takes a frame that the driver is done with, which may come a moment after its request is;
    /// `None` once all is stopped.
    fn take(&self, queue: &Queue, unit: u64) -> Result<Option<Dequeued>, StageError> {
        let device = || self.device.to_string();
        let patience = Instant::now() + COMES_WITHIN;
        loop {
            let source = match queue.try_dequeue() {
                Ok(taken) => return Ok(Some(taken)),
                Err(errno) => errno,
            };
            let waited = match source {
                _ if self.is_stopped() => return Ok(None),
                Errno::EAGAIN if Instant::now() < patience => self.completion.wait_for_frame(),
                _ if self.device.is_gone() => Waited::Gone,
                source => {
                    return Err(StatelessError::Request {
                        device: device(),
                        unit,
                        doing: "take the frames",
                        call: "VIDIOC_DQBUF",
                        source,
                    }
                    .into());
                }
            };
            match waited {
                Waited::Gone => return Err(StageError::Gone { device: device() }),
                Waited::CalledOff => return Ok(None),
                Waited::Done | Waited::Silent => {}
            }
        }
    }

    /// Has the driver stop, once it is through with what it has; for who has ended both threads.
    pub(super) fn settle(&self) -> Result<(), StageError> {
        // A driver that is stopped with requests in its hands is no good one (see `mc-request.c`).
        let until = Instant::now() + SETTLES_WITHIN;
        let free = std::mem::take(&mut self.lock().free);
        let busy = (0..self.requests.len()).filter(|number| !free.contains(number));
        for request in busy.clone().filter_map(|number| self.requests.get(number)) {
            self.completion.settle(request, until);
        }
        let mut outcome = Ok(());
        for ended in [self.intake.halt(), self.fill().queue().stream_off()] {
            match ended {
                // What is gone has stopped.
                Err(error) if !error.is_gone() => outcome = outcome.and(Err(error.into())),
                _ => {}
            }
        }
        for request in busy.filter_map(|number| self.requests.get(number)) {
            if let Err(errno) = request.reinit() {
                tracing::debug!(device = %self.device, %errno, "cannot empty a request");
            }
        }
        let mut shared = self.lock();
        let (deeds, pictures) = (
            std::mem::take(&mut shared.deeds),
            std::mem::take(&mut shared.pictures),
        );
        drop(shared);
        drop((deeds, pictures));
        outcome
    }
}

impl Stopper for Flow {
    fn stop(&self) {
        self.bed.stop();
        self.completion.call_off();
        // Whoever has looked already waits by now.
        self.change(|_shared| ());
    }
}

/// Stops a flow that there still is, from any thread.
#[derive(Debug)]
pub(super) struct Halt(pub(super) Weak<Flow>);

impl Stopper for Halt {
    fn stop(&self) {
        if let Some(flow) = self.0.upgrade() {
            flow.stop();
        }
    }
}
