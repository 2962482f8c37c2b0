//! Reading a stream and handing its pictures to the driver.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dmaflow_bitstream::StreamError;
use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{CpuRead, CpuUse, DmaBufError};
use dmaflow_core::frame::{Frame, FrameFlags, FrameMeta, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;
use dmaflow_stateless::{Control, Decode, PictureId, Sequence, Sequencer, Step, Steps};
use dmaflow_v4l2::{ControlValues, ControlsRefused, Entry, Fill, MediaRequest};

use super::error::StatelessError;
use super::flow::{Counts, Deed, Flow, Job, Picture, State};
use super::setup::{Agreed, FILLED, Writes};
use crate::error::V4l2ConverterError;

/// Who reads the stream, from start to stop.
#[derive(Debug)]
pub(super) struct Reading {
    flow: Arc<Flow>,
    /// The frames that are filled.
    fill: Arc<Fill>,
    agreed: Agreed,
    sequencer: Box<dyn Sequencer>,
    steps: Steps,
    values: ControlValues,
    /// By request: where what does not lie at the beginning of a unit is brought.
    own: Vec<Frame>,
    /// Units that were taken.
    units: u64,
    /// The first that could not be read.
    unreadable: Option<(u64, StreamError)>,
    streams: bool,
    /// Pictures that were begun and not forgotten.
    kept: usize,
    /// The picture that more is to come of, and its slot.
    open: Option<(PictureId, usize)>,
}

/// A unit while its steps are followed.
struct Unit<'f> {
    frame: &'f Frame,
    meta: FrameMeta,
    len: usize,
    /// Ended before a device reads the frame, and begun again where the CPU has to.
    bytes: Option<CpuRead<'f>>,
}

impl<'f> Unit<'f> {
    fn of(frame: &'f Frame) -> Self {
        let meta = frame.meta();
        let used = meta
            .bytes_used
            .and_then(|bytes| usize::try_from(bytes).ok());
        let len = frame.buffers().first().map_or(0, |buffer| buffer.len());
        Self {
            frame,
            meta,
            len: used.map_or(len, |used| used.min(len)),
            bytes: None,
        }
    }

    fn bytes(&mut self) -> Result<&[u8], DmaBufError> {
        let buffer = self.frame.buffers().first().ok_or(DmaBufError::Busy)?;
        let bytes = match self.bytes.take() {
            Some(bytes) => bytes,
            None => buffer.read(CpuUse::Stream)?,
        };
        let bytes = self.bytes.insert(bytes);
        Ok(bytes.get(..self.len).unwrap_or_default())
    }
}

/// Whether to go on.
enum Next {
    On,
    Stopped,
}

impl Reading {
    pub(super) fn new(
        (flow, fill): (&Arc<Flow>, &Arc<Fill>),
        agreed: Agreed,
        sequencer: Box<dyn Sequencer>,
        own: &FramePool,
    ) -> Self {
        let own = (0..own.len()).filter_map(|slot| own.acquire_slot(slot));
        Self {
            flow: Arc::clone(flow),
            fill: Arc::clone(fill),
            agreed,
            sequencer,
            steps: Steps::new(),
            values: ControlValues::new(),
            own: own.collect(),
            units: 0,
            unreadable: None,
            streams: false,
            kept: 0,
            open: None,
        }
    }

    /// What the device is set to.
    pub(super) fn into_agreed(self) -> Agreed {
        self.agreed
    }

    fn device(&self) -> String {
        self.flow.device.to_string()
    }

    /// Reads a unit and hands over what is to be decoded of it.
    pub(super) fn read(&mut self, frame: &Frame) -> Result<(), StageError> {
        if self.flow.room().is_none() {
            return Ok(());
        }
        self.units += 1;
        let mut unit = Unit::of(frame);
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        let bytes = unit.bytes().map_err(|source| self.access("read", source))?;
        let read = self.sequencer.read(bytes, &mut steps);
        let followed = self.follow(&steps, Some(&mut unit));
        self.steps = steps;
        followed?;
        if let Err(error) = read {
            self.cannot_read(error);
        }
        Ok(())
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self) -> Result<(), StageError> {
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        self.sequencer.finish(&mut steps);
        let followed = self.follow(&steps, None);
        self.steps = steps;
        followed?;
        self.close();
        self.flow.end();
        match self.unreadable {
            // Whatever was read, nothing of it could be decoded.
            Some((unit, source)) if !self.streams && !self.flow.is_stopped() => {
                Err(StatelessError::Nothing {
                    device: self.device(),
                    units: self.units,
                    unit,
                    source,
                }
                .into())
            }
            _ => Ok(()),
        }
    }

    #[cold]
    fn cannot_read(&mut self, error: StreamError) {
        let (device, unit) = (&self.flow.device, self.units);
        if self.unreadable.is_none() {
            tracing::warn!(%device, unit, %error, "a unit of the stream cannot be read");
            self.unreadable = Some((unit, error));
        } else {
            tracing::debug!(%device, unit, %error, "a unit of the stream cannot be read");
        }
        Counts::add(&self.flow.counts.unreadable, 1);
        self.flow.push(Deed::Lost);
    }

    fn access(&self, doing: &'static str, source: DmaBufError) -> StageError {
        StageError::from(StatelessError::Access {
            device: self.device(),
            unit: self.units,
            doing,
            source,
        })
    }

    fn follow(&mut self, steps: &Steps, mut unit: Option<&mut Unit<'_>>) -> Result<(), StageError> {
        for step in steps.steps() {
            let next = match step {
                Step::Sequence(sequence) => self.begin(steps, sequence)?,
                Step::Decode(decode) => match &mut unit {
                    Some(unit) => self.decode(steps, decode, unit)?,
                    None => Next::On,
                },
                Step::Output {
                    picture,
                    shown_again,
                } => {
                    let meta = unit.as_ref().map(|unit| unit.meta);
                    let shown = meta.filter(|_meta| *shown_again);
                    self.flow.push(Deed::Output(*picture, shown));
                    Next::On
                }
                Step::Forget(picture) => {
                    self.kept = self.kept.saturating_sub(1);
                    self.flow.push(Deed::Forget(*picture));
                    Next::On
                }
            };
            if matches!(next, Next::Stopped) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Nothing more comes of a picture that is kept open.
    fn close(&mut self) {
        if let Some((picture, _slot)) = self.open.take() {
            self.flow.change(|shared| {
                if let Some(picture) = shared.picture(picture) {
                    picture.state = State::Damaged;
                }
            });
        }
    }

    /// Pictures are different from here on: the driver is told, and asked for its formats. Where
    /// they do not fit into the frames any more, they go on in others.
    fn begin(&mut self, steps: &Steps, sequence: &Sequence) -> Result<Next, StageError> {
        if self.flow.idle().is_none() {
            return Ok(Next::Stopped);
        }
        self.check(sequence)?;
        self.close();
        let flow = Arc::clone(&self.flow);
        let fill = Arc::clone(&self.fill);
        let (output, capture) = (flow.intake.queue(), fill.queue());
        if self.streams {
            output.stream_off()?;
            capture.stream_off()?;
            self.streams = false;
        }
        let mut told = Ok(None);
        // A driver takes no other size of the stream while it knows frames for its pictures.
        capture.renew(|| {
            if self.agreed.is_other_output(sequence) {
                output.renew(|| self.agreed.set_output(&flow.device, sequence))?;
            }
            told = self.tell(steps, sequence);
            Ok(())
        })?;
        if let Some(writes) = told? {
            flow.change_frames(writes.clone());
            let Some(fill) = flow.other_frames() else {
                return Ok(Next::Stopped);
            };
            self.fill = fill;
            self.agreed.writes = writes;
            self.kept = 0;
        }
        output.stream_on()?;
        self.fill.queue().stream_on()?;
        self.streams = true;
        Ok(Next::On)
    }

    /// Tells the driver what its pictures are like; how they lie, if that is not as before.
    fn tell(&mut self, steps: &Steps, sequence: &Sequence) -> Result<Option<Layout>, StageError> {
        let flow = Arc::clone(&self.flow);
        self.collect_values(steps, steps.controls(&sequence.controls));
        if !self.values.is_empty()
            && let Err(refused) = self.values.set(&flow.device, None)
        {
            return Err(self.refused(refused));
        }
        let found = match self.agreed.set_capture(&flow.device, sequence)? {
            Writes::AsBefore => return Ok(None),
            Writes::Changed(writes) => return Ok(Some(writes)),
            Writes::Other(found) => found,
        };
        Err(StageError::from(StatelessError::OtherPicture {
            device: self.device(),
            unit: self.units,
            agreed: Box::new(self.agreed.writes.clone()),
            found: Box::new(found),
        }))
    }

    /// Whether all pictures that are kept have frames, and what is to be seen of them can be
    /// said.
    fn check(&self, sequence: &Sequence) -> Result<(), StageError> {
        let (device, unit) = (self.device(), self.units);
        let seen = &sequence.visible;
        let begins = (seen.left, seen.top);
        if begins != (0, 0) {
            return Err(StageError::from(StatelessError::NotInTheCorner {
                device,
                unit,
                begins,
            }));
        }
        let (agreed, found) = (self.agreed.size(), (seen.width, seen.height));
        if found != agreed && !self.agreed.is_other_output(sequence) && self.kept > 0 {
            return Err(StageError::from(StatelessError::OtherPart {
                device,
                unit,
                agreed,
                found,
            }));
        }
        let (needs, has) = (sequence.kept + FILLED, self.fill.pool().len());
        if needs > has {
            return Err(StageError::from(StatelessError::TooFewPictures {
                device,
                unit,
                needs,
                has,
            }));
        }
        Ok(())
    }

    fn collect_values(&mut self, steps: &Steps, controls: &[Control]) {
        self.values.clear();
        for control in controls {
            self.values.add(control.id, steps.bytes_of(control));
        }
    }

    #[cold]
    fn refused(&self, refused: ControlsRefused) -> StageError {
        let known = self.flow.device.controls().unwrap_or_default();
        let control = refused.control.map(|id| {
            let name = known.into_iter().find(|control| control.id == id);
            let name = name.map_or_else(String::new, |control| control.name);
            format!("\"{name}\" ({id:#x})")
        });
        StageError::from(StatelessError::Refused {
            device: self.device(),
            unit: self.units,
            control: control.unwrap_or_else(|| "one of those that were set".to_owned()),
            source: refused.errno,
        })
    }

    /// Hands a picture, or a part of one, to the driver.
    fn decode(
        &mut self,
        steps: &Steps,
        decode: &Decode,
        unit: &mut Unit<'_>,
    ) -> Result<Next, StageError> {
        let flow = Arc::clone(&self.flow);
        if !self.streams {
            // Nothing said what it is like.
            flow.push(Deed::Lost);
            return Ok(Next::On);
        }
        if decode.more && !flow.intake.queue().can_hold() {
            let (device, unit) = (self.device(), self.units);
            return Err(StageError::from(StatelessError::NoHold { device, unit }));
        }
        let begun = match self.open {
            Some((picture, slot)) if picture == decode.picture => Err(slot),
            _ => {
                self.close();
                match self.free_frame() {
                    Some(frame) => Ok(frame),
                    None => return Ok(Next::Stopped),
                }
            }
        };
        let Some(number) = flow.free_request() else {
            return Ok(Next::Stopped);
        };
        let slot = begun.as_ref().map_or_else(|slot| *slot, Frame::slot);
        let begun = begun.ok().map(|frame| Picture {
            id: decode.picture,
            frame: Some(frame),
            meta: FrameMeta {
                flags: FrameFlags {
                    key: decode.key,
                    last: false,
                },
                ..unit.meta
            },
            state: State::Whole,
        });
        let is_begun = begun.is_some();
        self.kept += usize::from(is_begun);
        let given = self.give(steps, decode, unit, (number, is_begun.then_some(slot)));
        let (input, begun) = match given {
            Ok(input) => (input, begun),
            Err(Withheld::Refused(refused)) => {
                flow.give_back(number);
                self.withheld(refused, decode, begun)?;
                return Ok(Next::On);
            }
            Err(Withheld::Failed(error)) => {
                flow.give_back(number);
                return if flow.is_stopped() {
                    Ok(Next::Stopped)
                } else {
                    Err(error)
                };
            }
        };
        self.open = decode.more.then_some((decode.picture, slot));
        let job = Job {
            request: number,
            picture: decode.picture,
            slot,
            more: decode.more,
            key: decode.key,
            input,
            unit: self.units,
        };
        flow.given(job, begun);
        Ok(Next::On)
    }

    /// Waits for a frame that nobody refers to and nobody shows.
    fn free_frame(&self) -> Option<Frame> {
        let (flow, pool) = (&self.flow, self.fill.pool());
        loop {
            if flow.is_stopped() {
                return None;
            }
            let free = pool.acquire();
            if let Some(frame) = free.or_else(|| flow.bed.sleep_until(|| pool.acquire())) {
                return Some(frame);
            }
        }
    }

    /// The driver did not take what the stream says of a picture: the first time that tells of a
    /// driver that never will, otherwise of a stream that is damaged.
    #[cold]
    fn withheld(
        &mut self,
        refused: ControlsRefused,
        decode: &Decode,
        begun: Option<Picture>,
    ) -> Result<(), StageError> {
        let flow = &self.flow;
        let gone = matches!(refused.errno, Errno::ENODEV | Errno::ENXIO);
        let decoded = || flow.counts.decoded.load(Ordering::Relaxed);
        // Those that are at work may be the first that it takes.
        if !gone && decoded() == 0 && flow.idle().is_none() {
            return Ok(());
        }
        if gone || decoded() == 0 {
            return Err(self.refused(refused));
        }
        let (device, unit) = (&flow.device, self.units);
        tracing::debug!(%device, unit, ?refused, "the driver does not take a picture");
        Counts::add(&flow.counts.refused, 1);
        flow.change(|shared| {
            match begun {
                // It is known, and has no frame.
                Some(picture) => shared.pictures.push(Picture {
                    frame: None,
                    state: State::Damaged,
                    ..picture
                }),
                None => {
                    if let Some(picture) = shared.picture(decode.picture) {
                        picture.state = State::Damaged;
                    }
                }
            }
            shared.deeds.push_back(Deed::Lost);
        });
        Ok(())
    }

    /// Fills a request and queues it; the unit's frame, where the driver reads that.
    fn give(
        &mut self,
        steps: &Steps,
        decode: &Decode,
        unit: &mut Unit<'_>,
        (number, begun): (usize, Option<usize>),
    ) -> Result<Option<Frame>, Withheld> {
        let flow = Arc::clone(&self.flow);
        let units = self.units;
        let failed = |doing, call, source| {
            Withheld::Failed(StageError::from(StatelessError::Request {
                device: flow.device.to_string(),
                unit: units,
                doing,
                call,
                source,
            }))
        };
        let request: &MediaRequest = (flow.requests.get(number))
            .ok_or_else(|| failed("find a request", "MEDIA_IOC_REQUEST_ALLOC", Errno::EINVAL))?;
        self.collect_values(steps, steps.controls(&decode.controls));
        self.values
            .set(&flow.device, Some(request))
            .map_err(Withheld::Refused)?;
        let brought = self.bring(steps.pieces(&decode.pieces), unit, number)?;
        let entry = Entry {
            request,
            bytes_used: u32::try_from(brought.len).unwrap_or(u32::MAX),
            stamp: decode.picture.0,
            more: decode.more,
        };
        let output = flow.intake.queue();
        output
            .put(brought.slot, entry)
            .map_err(|errno| failed("put the data", "VIDIOC_QBUF", errno))?;
        if let Some(slot) = begun {
            let filled = self.fill.queue().enqueue(slot);
            filled.map_err(|errno| failed("hand a frame over", "VIDIOC_QBUF", errno))?;
        }
        request
            .queue()
            .map_err(|errno| failed("decode what is", "MEDIA_REQUEST_IOC_QUEUE", errno))?;
        Ok(brought.input)
    }

    /// Has pieces of a unit lie at the beginning of a buffer, one behind the other: where they do
    /// so in the unit's own frame, that is it; otherwise their bytes are carried over.
    fn bring(
        &self,
        pieces: &[std::ops::Range<usize>],
        unit: &mut Unit<'_>,
        number: usize,
    ) -> Result<Brought, Withheld> {
        let flow = &self.flow;
        let foreign = || {
            let device = flow.device.to_string();
            Withheld::Failed(V4l2ConverterError::ForeignFrame { device }.into())
        };
        let end = pieces.iter().try_fold(0, |end, piece| {
            (piece.start == end && piece.end <= unit.len).then_some(piece.end)
        });
        if let Some(len) = end.filter(|len| *len > 0) {
            // The device reads it next.
            unit.bytes = None;
            return Ok(Brought {
                slot: flow.intake.slot(unit.frame).ok_or_else(foreign)?,
                len,
                input: Some(unit.frame.clone()),
            });
        }
        let own = self.own.get(number).ok_or_else(foreign)?;
        let buffer = own.buffers().first().ok_or_else(foreign)?;
        let access = |doing, source| Withheld::Failed(self.access(doing, source));
        let bytes = unit.bytes().map_err(|source| access("read", source))?;
        let mut to = buffer
            .write(CpuUse::Stream)
            .map_err(|source| access("bring the data", source))?;
        let mut len = 0;
        for piece in pieces {
            let piece = bytes.get(piece.clone()).unwrap_or_default();
            let Some(room) = to.get_mut(len..len + piece.len()) else {
                break;
            };
            room.copy_from_slice(piece);
            len += piece.len();
        }
        Counts::add(&flow.counts.moved, len as u64);
        Ok(Brought {
            slot: flow.intake.slot(own).ok_or_else(foreign)?,
            len,
            input: None,
        })
    }
}

/// Why the driver was not given a picture.
enum Withheld {
    /// It does not take what the stream says of it.
    Refused(ControlsRefused),
    Failed(StageError),
}

/// Where the data of a picture lie.
struct Brought {
    /// The slot of the queue.
    slot: usize,
    len: usize,
    /// The unit's frame, where it is that.
    input: Option<Frame>,
}
