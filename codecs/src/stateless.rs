//! A stateless decoder: the stream is read here, and the device is told of each picture what it
//! has to know, in requests.
//!
//! ```text
//!   the stage's thread                                             the outlet's thread
//!   read the unit ──▶ controls, data, a frame ──▶ the device ──▶ poll, DQBUF both ──▶ links
//!     (sequencer)           (a request)
//! ```
//!
//! Frames are taken from the pool here, and queued only when there is something to decode into
//! them: a frame that pictures refer to stays in use, however often it was shown, and is written
//! again when nobody refers to it and nobody shows it. Requests are done in the order in which
//! they were given, and pictures go out in the order that the sequencer says.
//!
//! The device reads what it decodes from the beginning of a buffer: V4L2 has a way to say where
//! else data begin, and drivers do not look at it. Where the data lie so in the unit's own frame,
//! that is imported and read. Otherwise, behind headers as of FWHT or parameter sets as of H.264,
//! the CPU carries the compressed bytes to a buffer of the stage's own, one a request, from the
//! heap that the input's frames come from. It does not shift them in the unit's frame: others may
//! have that, too. What it reads and carries is counted ([`CpuUse::Stream`]); of pixels it sees
//! none.
//!
//! The sequence of calls is that of
//! `Documentation/userspace-api/media/v4l/dev-stateless-decoder.rst`.
//!
//! [`CpuUse::Stream`]: dmaflow_core::dma_buf::CpuUse::Stream

mod ability;
mod error;
mod flow;
mod formats;
mod reading;
mod setup;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Bed, Choice, Controls, Counter, DeviceKey, Outlet, SourcePlan, StageError, Stopper, Transform,
    WakeOnRelease,
};
use dmaflow_v4l2::{
    Completion, ControlValue, Fill, Function, Intake, RequestPool, V4l2Error, VideoDevice,
    candidates,
};

pub use error::StatelessError;
use formats::sequencer;

use crate::converter::V4l2ConverterConfig;
use crate::error::V4l2ConverterError;
use crate::info::ConverterInfo;
use crate::m2m::M2mDevice;
use flow::{Came, Counts, Flow, Halt};
use reading::Reading;
use setup::Agreed;

/// Requests: one at work, one to go on with, one that is being filled.
const REQUESTS: usize = 3;

/// Which stateless decoder, and what it is to make; what is left out, it or its driver chooses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct V4l2StatelessConfig {
    /// Which device: a path, or the name of a driver, card or bus; otherwise the first.
    pub device: Option<String>,
    /// The format of what it makes; otherwise the best that the other end takes.
    pub format: Option<Format>,
    /// Controls to set, by name: the decode mode and the start code among them, which are
    /// otherwise whole pictures with start codes, where the driver takes those.
    pub controls: Vec<(String, ControlValue)>,
}

/// A stateless hardware decoder as a stage, which keeps frames and gives its own at an outlet.
///
/// It takes a unit a frame: an access unit, a frame, a temporal unit. Pictures that the driver
/// marks as damaged, and those that build on them or on what could not be read, are not sent and
/// counted, until one comes that builds on none. After an error it must be stopped before it can
/// be started again.
#[derive(Debug)]
pub struct V4l2StatelessDecoder {
    device: M2mDevice,
    requests: Arc<RequestPool>,
    agreed: Option<Agreed>,
    fill: Option<Arc<Fill>>,
    /// Where data are brought to.
    own: Option<FramePool>,
    bed: Arc<Bed>,
    flow: Option<Arc<Flow>>,
    reading: Option<Reading>,
    counts: Arc<Counts>,
}

impl V4l2StatelessDecoder {
    /// Opens the decoder and asks it what it makes of what.
    ///
    /// *Needs:* read and write permission for its node and its media device's, which the group
    /// `video` has.
    ///
    /// # Errors
    /// [`V4l2ConverterError::Device`] when there is no such decoder or it cannot be opened;
    /// [`V4l2ConverterError::NothingKnown`], also where no stream that it takes can be read;
    /// [`V4l2ConverterError::Media`] without requests.
    pub fn open(config: V4l2StatelessConfig) -> Result<Self, V4l2ConverterError> {
        let V4l2StatelessConfig {
            device,
            format,
            controls,
        } = config;
        let asked = V4l2ConverterConfig {
            device,
            format,
            size: None,
            controls,
        };
        let function = Function::StatelessDecoder;
        let device = M2mDevice::open(function, asked, formats::streams, candidates)?;
        let requests = RequestPool::of(&device.video, REQUESTS);
        let requests = requests.map_err(|source| V4l2ConverterError::Media {
            device: device.video.to_string(),
            source: Box::new(source),
        })?;
        Ok(Self {
            device,
            requests: Arc::new(requests),
            agreed: None,
            fill: None,
            own: None,
            bed: Arc::default(),
            flow: None,
            reading: None,
            counts: Arc::default(),
        })
    }

    /// What it can do.
    #[must_use]
    pub const fn info(&self) -> &ConverterInfo {
        &self.device.info
    }

    /// Lets go of a side's frames, which needs the flow to have ended.
    fn end(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "cannot end the flow before letting go of the frames");
        }
    }

    fn begin(&mut self) -> Result<Arc<Flow>, StageError> {
        let agreed = self.agreed.clone();
        let agreed = agreed.ok_or_else(|| self.device.phase("configure it"))?;
        let no_input = || self.device.phase("attach the input's pool");
        let intake = self.device.intake.as_ref().ok_or_else(no_input)?;
        let own = self.own.as_ref().ok_or_else(no_input)?;
        let fill = self.fill.as_ref();
        let fill = fill.ok_or_else(|| self.device.phase("attach the output's pool"))?;
        let sequencer = sequencer(agreed.stream, &agreed.ability);
        let sequencer = sequencer.ok_or_else(|| self.device.phase("configure it"))?;
        let video = &self.device.video;
        self.bed.clear();
        let flow = Arc::new(Flow::new(
            (video, Completion::new(video)?),
            (intake, fill),
            &self.requests,
            (&self.bed, &self.counts),
        ));
        self.reading = Some(Reading::new((&flow, fill), agreed, sequencer, own));
        Ok(flow)
    }

    /// Has buffers to bring data to, where the input's frames lie.
    fn attach_own(&mut self, input: &FramePool) -> Result<(), StageError> {
        let layout = self.device.setup()?.reads.clone();
        if self.own.is_none() {
            let own = FramePool::allocate(input.heap(), &layout, REQUESTS);
            let own = own.map_err(|source| V4l2Error::Pool {
                device: self.device.video.to_string(),
                source,
            })?;
            self.own = Some(own);
        }
        if let Some(own) = self.own.clone() {
            Intake::add(&mut self.device.intake, &self.device.video, &layout, &own)?;
        }
        Ok(())
    }
}

impl Transform for V4l2StatelessDecoder {
    fn device(&self) -> String {
        self.device.video.to_string()
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(self.device.video.capabilities().key())
    }

    fn reads_stream(&self) -> bool {
        true
    }

    fn controls(&self) -> Option<Arc<dyn Controls>> {
        Some(Arc::<VideoDevice>::clone(&self.device.video))
    }

    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(self.device.input_formats())
    }

    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        Ok(self.device.output_formats(input))
    }

    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError> {
        self.end();
        self.device.let_go();
        (self.fill, self.own, self.agreed) = (None, None, None);
        let M2mDevice {
            video, info, asked, ..
        } = &self.device;
        let (setup, agreed) = setup::configure(video, info, asked, input, output)?;
        self.agreed = Some(agreed);
        Ok(self.device.set_up(setup))
    }

    fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.stop()?;
        let chosen = self.device.attach_input(pool)?;
        self.attach_own(pool)?;
        Ok(chosen)
    }

    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.end();
        self.fill = None;
        let (setup, video) = (self.device.setup()?, &self.device.video);
        let fill = fill(video, &setup.writes, setup.min_buffers, pool, &self.bed)?;
        self.fill = Some(fill);
        Ok(Vec::new())
    }

    fn detach_input(&mut self) {
        self.end();
        self.device.intake = None;
        self.own = None;
    }

    fn detach_output(&mut self) {
        self.end();
        self.fill = None;
    }

    fn frames_held(&self) -> usize {
        REQUESTS
    }

    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.stop()?;
        self.counts.clear();
        let flow = self.begin()?;
        let halt = Halt(Arc::downgrade(&flow));
        self.flow = Some(flow);
        Ok(Arc::new(halt))
    }

    /// Reads a unit and hands over what is to be decoded of it; waits for a request, and for free
    /// frames.
    fn transform(&mut self, frame: Frame, _send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        match &mut self.reading {
            Some(reading) => reading.read(&frame),
            None => Err(self.device.phase("start it")),
        }
    }

    fn outlet(&mut self) -> Option<Box<dyn Outlet>> {
        let flow = Arc::clone(self.flow.as_ref()?);
        let fill = flow.fill();
        Some(Box::new(StatelessOutlet {
            flow,
            fill,
            told: None,
        }))
    }

    fn finish(&mut self) -> Result<(), StageError> {
        match &mut self.reading {
            Some(reading) => reading.finish(),
            None => Ok(()),
        }
    }

    fn stop(&mut self) -> Result<(), StageError> {
        if let Some(reading) = self.reading.take() {
            // What comes next begins with what this one ended with.
            let agreed = reading.into_agreed();
            self.device.renewed(agreed.writes.clone());
            self.agreed = Some(agreed);
        }
        let Some(flow) = self.flow.take() else {
            return Ok(());
        };
        flow.stop();
        self.fill = Some(flow.fill());
        flow.settle()
    }

    /// `damaged`: pictures that the driver could not decode. `spoiled`: those that build on what
    /// is missing. `unreadable`: units that cannot be read. `refused`: pictures of which the
    /// driver did not take what the stream says. None of them was sent. `requests`: how many were
    /// decoded. `moved_bytes`: compressed bytes that were brought to the beginning of a buffer.
    fn counters(&self) -> Vec<Counter> {
        let counts = &self.counts;
        [
            ("damaged", &counts.damaged),
            ("spoiled", &counts.spoiled),
            ("unreadable", &counts.unreadable),
            ("refused", &counts.refused),
            ("requests", &counts.decoded),
            ("moved_bytes", &counts.moved),
        ]
        .map(|(name, count)| Counter {
            name,
            count: count.load(Ordering::Relaxed),
        })
        .to_vec()
    }
}

impl Drop for V4l2StatelessDecoder {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where pictures come out.
struct StatelessOutlet {
    flow: Arc<Flow>,
    /// The frames that are filled.
    fill: Arc<Fill>,
    /// How those are to lie that come next.
    told: Option<Box<Layout>>,
}

impl Outlet for StatelessOutlet {
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        match self.flow.next(&self.fill)? {
            Came::Picture(frame) => Ok(Some(frame)),
            Came::Change(writes) => {
                self.told = Some(writes);
                Ok(None)
            }
            Came::End => Ok(None),
        }
    }

    fn changed(&mut self) -> Result<Option<Layout>, StageError> {
        Ok(self.told.as_deref().cloned())
    }

    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        let Some(writes) = self.told.take() else {
            return Ok(());
        };
        self.fill.queue().forget()?;
        let fill = fill(&self.flow.device, &writes, 1, pool, &self.flow.bed)?;
        self.fill = Arc::clone(&fill);
        self.flow.attached(fill);
        Ok(())
    }
}

/// Has a device import a pool's frames, and who waits for a free one woken.
fn fill(
    video: &Arc<VideoDevice>,
    writes: &Layout,
    least: usize,
    pool: &FramePool,
    bed: &Arc<Bed>,
) -> Result<Arc<Fill>, StageError> {
    let fill = Fill::attach(video, writes, least, pool)?;
    let wake = WakeOnRelease(Arc::downgrade(bed));
    pool.on_release(wake).map_err(|source| V4l2Error::Pool {
        device: video.to_string(),
        source,
    })?;
    Ok(Arc::new(fill))
}
