//! A memory-to-memory device with both of its queues: what converters and codecs have in common.

use std::sync::Arc;

use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, SourcePlan, StageError};
use dmaflow_v4l2::{Feed, Function, Intake, V4l2Error, VideoDevice};

use crate::converter::V4l2ConverterConfig;
use crate::error::V4l2ConverterError;
use crate::info::{Choose, ConverterInfo};
use crate::setup::{self, Setup};

/// An open device, what it was asked for, and what it was given. Whoever has it ends the flow
/// before it changes any of that.
#[derive(Debug)]
pub(crate) struct M2mDevice {
    pub(crate) video: Arc<VideoDevice>,
    pub(crate) info: ConverterInfo,
    function: Function,
    pub(crate) asked: V4l2ConverterConfig,
    setup: Option<Setup>,
    pub(crate) intake: Option<Arc<Intake>>,
    pub(crate) feed: Option<Arc<Feed>>,
}

/// Both of a device's queues, whose drivers know every frame.
pub(crate) struct Queues<'d> {
    pub(crate) intake: &'d Arc<Intake>,
    pub(crate) feed: &'d Arc<Feed>,
}

impl M2mDevice {
    /// Opens the device of a function that is asked for, and asks it what it makes of what: of
    /// the formats that `from` and `to` choose.
    pub(crate) fn open(
        function: Function,
        asked: V4l2ConverterConfig,
        from: Choose,
        to: Choose,
    ) -> Result<Self, V4l2ConverterError> {
        let video = VideoDevice::open_matching(asked.device.as_deref(), function)?;
        tracing::debug!(device = %video, "opened");
        Ok(Self {
            info: ConverterInfo::ask(&video, from, to)?,
            video: Arc::new(video),
            function,
            asked,
            setup: None,
            intake: None,
            feed: None,
        })
    }

    pub(crate) fn phase(&self, missing: &'static str) -> StageError {
        let device = self.video.to_string();
        V4l2Error::Phase { device, missing }.into()
    }

    pub(crate) fn setup(&self) -> Result<&Setup, StageError> {
        self.setup
            .as_ref()
            .ok_or_else(|| self.phase("configure it"))
    }

    pub(crate) fn queues(&self) -> Result<Queues<'_>, StageError> {
        let intake = self.intake.as_ref();
        let feed = self.feed.as_ref();
        Ok(Queues {
            intake: intake.ok_or_else(|| self.phase("attach the input's pool"))?,
            feed: feed.ok_or_else(|| self.phase("attach the output's pool"))?,
        })
    }

    pub(crate) fn input_formats(&self) -> Vec<Format> {
        let conversions = self.info.conversions.iter();
        conversions.map(|of| of.input.format).collect()
    }

    pub(crate) fn output_formats(&self, input: Format) -> Vec<Format> {
        let outputs = self.info.of(input).map(|conversion| &conversion.outputs);
        let outputs = outputs.into_iter().flatten().map(|output| output.format);
        let asked = self.asked.format;
        outputs
            .filter(|format| asked.is_none_or(|asked| asked == *format))
            .collect()
    }

    /// Sets it up to make frames of a format of frames that lie so, and lets go of those it had.
    pub(crate) fn configure(
        &mut self,
        input: &Layout,
        output: Format,
    ) -> Result<SourcePlan, StageError> {
        self.let_go();
        let setup = setup::configure(&self.video, &self.info, &self.asked, input, output)?;
        Ok(self.set_up(setup))
    }

    /// Lets go of all frames: a driver keeps its formats while it has buffers.
    pub(crate) fn let_go(&mut self) {
        self.intake = None;
        self.feed = None;
        self.setup = None;
    }

    /// Takes note of how what comes out lies by now.
    pub(crate) fn renewed(&mut self, writes: Layout) {
        if let Some(setup) = &mut self.setup {
            setup.writes = writes;
        }
    }

    /// Remembers how it is set up, and tells it.
    pub(crate) fn set_up(&mut self, setup: Setup) -> SourcePlan {
        tracing::debug!(
            device = %self.video, reads = %setup.reads, writes = %setup.writes, "configured"
        );
        let named = self.asked.device.is_some();
        let chosen = (!named).then(|| Choice {
            what: self.function.name(),
            chosen: self.video.to_string(),
        });
        let plan = SourcePlan {
            layout: setup.writes.clone(),
            rate: None,
            min_buffers: setup.min_buffers,
            choices: chosen.into_iter().collect(),
        };
        self.setup = Some(setup);
        plan
    }

    pub(crate) fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        let reads = self.setup()?.reads.clone();
        Intake::add(&mut self.intake, &self.video, &reads, pool)?;
        Ok(Vec::new())
    }

    pub(crate) fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.feed = None;
        let setup = self.setup()?;
        let feed = Feed::attach(&self.video, &setup.writes, setup.min_buffers, pool)?;
        self.feed = Some(feed);
        Ok(Vec::new())
    }
}
