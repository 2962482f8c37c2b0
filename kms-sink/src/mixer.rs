//! A display of several inputs as a stage.

mod arranged;
mod assign;
mod config;
mod input;
mod places;
mod search;
mod stack;

use std::mem;
use std::time::Duration;

use dmaflow_core::caps::Caps;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Choice, Counter, DeviceKey, Mixer, StageError, Untold};
use dmaflow_core::time::{Clock, Timestamp};

use crate::attach::{caps, formats};
use crate::error::KmsSinkError;
use crate::imported::{Pools, untold};
use crate::output::Wanted;
use crate::props::Request;
use crate::screen::{OnPlane, Screen};
use crate::writeback::{Expected, Verified, Verifier, WritebackTargets};
use arranged::Arranged;
pub use config::{Arrangement, KmsInputConfig, KmsMixerConfig, NotAnArrangement};
use input::Input;
use search::search;

/// A screen that shows the frames of several inputs together, each on a plane of its own.
///
/// All new frames go into one commit: planes of one screen cannot be changed one by one, since
/// the kernel takes no commit while the one before is on its way. What the screen showed before
/// is put back by [`Mixer::stop`] and when the mixer is dropped, also by a panic.
///
/// The plane of an input that has sent no frame yet is off; the first frame of each waits for the
/// screen to be set anew.
///
/// *Needs:* a card with atomic mode setting that no other program controls, and a plane for each
/// input.
///
/// # Invariants
/// The screen is as it was found while no frame is on a plane.
#[derive(Debug)]
pub struct KmsMixer {
    config: KmsMixerConfig,
    /// By input.
    inputs: Vec<Option<Input>>,
    /// What each input shows.
    planes: Vec<OnPlane>,
    arranged: Option<Arranged>,
    /// The commit of every frame; reused.
    request: Request,
    verifier: Option<Verifier>,
    /// Whether the frames committed last are to be compared with what is written back.
    watched: bool,
    verified: Verified,
    screen: Screen,
}

impl KmsMixer {
    /// Takes control of a display; nothing is shown yet.
    ///
    /// # Errors
    /// [`KmsSinkError`], with what to do about it.
    pub fn open(config: KmsMixerConfig) -> Result<Self, KmsSinkError> {
        let inputs = config.inputs.len();
        if inputs == 0 {
            return Err(KmsSinkError::NoInputs);
        }
        let planes: Vec<_> = config.inputs.iter().filter_map(|it| it.plane).collect();
        let screen = Screen::open(Wanted {
            card: config.card.as_deref(),
            connector: config.connector.as_deref(),
            mode: config.mode,
            planes: &planes,
            writeback: config.verify.is_some(),
        })?;
        Ok(Self {
            inputs: (0..inputs).map(|_input| None).collect(),
            planes: (0..inputs).map(|_input| OnPlane::default()).collect(),
            arranged: None,
            // A framebuffer for each, and where to write what is shown.
            request: Request::with_capacity(inputs + 2),
            verifier: None,
            watched: false,
            verified: Verified::default(),
            config,
            screen,
        })
    }

    fn is_idle(&self) -> bool {
        self.planes.iter().all(OnPlane::is_empty)
    }

    /// Waits until what was committed last is in view, lets go of what it replaced, and compares
    /// where due.
    #[cold]
    fn settle(&mut self) -> Result<(), KmsSinkError> {
        self.screen.settle(&mut self.planes)?;
        if mem::take(&mut self.watched)
            && let Some(verifier) = &mut self.verifier
            && let Some(arranged) = &self.arranged
        {
            let inputs = &self.config.inputs;
            let is_on = |input: usize| !self.planes[input].is_empty();
            let expected = self.planes.iter().enumerate().filter_map(|(input, plane)| {
                Some(Expected {
                    frame: plane.shown()?,
                    place: arranged.ways[input].place,
                    covered: arranged.above(inputs, input, is_on).collect(),
                    input: Some(&inputs[input].name),
                })
            });
            let expected: Vec<_> = expected.collect();
            let card = &self.screen.output.card;
            verifier.verify(card, &expected, &mut self.verified)?;
        }
        Ok(())
    }

    /// Commits frames with all that goes with them: an input's first one with its plane, the
    /// first of all with the mode, and those that are to be compared with an order to write back
    /// what is shown.
    #[cold]
    fn commit(&mut self, frames: &[Option<Frame>]) -> Result<Timestamp, KmsSinkError> {
        self.settle()?;
        if self.is_idle() {
            self.verified = Verified::default();
            self.verifier.iter_mut().for_each(Verifier::restart);
        }
        let lit = self.begins(frames);
        let mut request = if lit {
            self.scene(frames)?
        } else {
            self.set_framebuffers(frames)?;
            mem::take(&mut self.request)
        };
        let verifier = self.verifier.as_mut();
        let watched = verifier.is_some_and(|verifier| verifier.watch(&mut request));
        let committed = if lit {
            self.screen.light(&mut request)
        } else {
            let commit = |card: &_, how| request.commit(card, how);
            let committed = self.screen.flip(&mut self.planes, commit);
            self.request = request;
            committed
        };
        self.watched = watched && committed.is_ok();
        committed
    }

    /// The commit that shows what is shown, with these frames in its place where they are.
    fn scene(&self, frames: &[Option<Frame>]) -> Result<Request, KmsSinkError> {
        let arranged = self.arranged.as_ref().ok_or(KmsSinkError::NotArranged)?;
        let mut pictures = self.pictures()?;
        let mut shown = Vec::with_capacity(frames.len());
        for (input, frame) in frames.iter().enumerate() {
            let frame = frame.as_ref().or_else(|| self.planes[input].shown());
            if let Some(frame) = frame {
                pictures[input].framebuffer = self.framebuffer(input, frame)?;
                shown.push((input, arranged.ways[input]));
            }
        }
        let scene = arranged
            .ground
            .scene(&self.screen.output, &pictures, &shown)?;
        Ok(scene.modeset)
    }

    /// Whether an input's plane is to be set for the first time.
    fn begins(&self, frames: &[Option<Frame>]) -> bool {
        let mut planes = frames.iter().zip(&self.planes);
        planes.any(|(frame, plane)| frame.is_some() && plane.is_empty())
    }

    /// Has the reused request set the frames' framebuffers. Allocates nothing.
    fn set_framebuffers(&mut self, frames: &[Option<Frame>]) -> Result<(), KmsSinkError> {
        let arranged = self.arranged.as_ref().ok_or(KmsSinkError::NotArranged)?;
        let mut request = mem::take(&mut self.request);
        request.clear();
        let mut all_found = Ok(());
        for (input, frame) in frames.iter().enumerate() {
            if let Some(frame) = frame {
                match self.framebuffer(input, frame) {
                    Ok(framebuffer) => request.set(arranged.targets[input], framebuffer),
                    Err(error) => all_found = Err(error),
                }
            }
        }
        self.request = request;
        all_found
    }

    /// Commits frames in the place of those before. Allocates nothing.
    fn flip(&mut self, frames: &[Option<Frame>]) -> Result<Timestamp, KmsSinkError> {
        self.set_framebuffers(frames)?;
        let request = &mut self.request;
        self.screen
            .flip(&mut self.planes, |card, how| request.commit(card, how))
    }
}

impl Mixer for KmsMixer {
    fn device(&self) -> String {
        self.screen.output.label()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.screen.output.key()
    }

    fn inputs(&self) -> usize {
        self.inputs.len()
    }

    fn formats(&mut self, input: usize) -> Result<Vec<Format>, StageError> {
        let plane = self.input(input)?.plane;
        let verify = self.config.verify.is_some();
        Ok(formats(&self.screen.output, plane, verify))
    }

    fn caps(&mut self, input: usize) -> Result<Caps, StageError> {
        let plane = self.input(input)?.plane;
        let verify = self.config.verify.is_some();
        Ok(caps(&self.screen.output, plane, verify))
    }

    fn attach(&mut self, input: usize, pool: &FramePool) -> Result<(), StageError> {
        let known = self.inputs.get(input).and_then(Option::as_ref);
        if known.is_some_and(|known| known.pools.has(pool)) {
            return Ok(());
        }
        let imported = self.import(input, pool)?;
        let input = self.inputs[input].get_or_insert_with(|| Input {
            layout: pool.layout().clone(),
            pools: Pools::default(),
        });
        input.pools.add(imported);
        Ok(())
    }

    fn arrange(&mut self) -> Result<Vec<Choice>, StageError> {
        self.stop()?;
        let output = &self.screen.output;
        let pictures = self.pictures()?;
        let arranged = search(output, &self.config, &pictures)?;
        let choices = arranged.choices(output, &pictures);
        let verifier = match (self.config.verify, &output.writeback) {
            (Some(every), Some(writeback)) => {
                let targets = WritebackTargets::of(output, writeback)?;
                Some(Verifier::new(output, every, targets, arranged.ground.mode)?)
            }
            _ => None,
        };
        (self.arranged, self.verifier) = (Some(arranged), verifier);
        Ok(choices)
    }

    fn detach(&mut self, input: usize) {
        if self.inputs.get(input).is_none_or(Option::is_none) {
            return;
        }
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "the display was not stopped well");
        }
        (self.arranged, self.verifier) = (None, None);
        self.inputs[input] = None;
    }

    /// The frame in view, and the one that was committed.
    fn frames_held(&self) -> usize {
        2
    }

    /// As for [`KmsSink`](crate::KmsSink).
    fn settles_within(&self) -> Option<Duration> {
        let mode = self.arranged.as_ref()?.ground.mode;
        let interval = self.screen.output.mode_infos[mode].interval();
        (self.screen.is_monotonic() && self.verifier.is_none()).then(|| interval * 5 / 4)
    }

    fn ready(&mut self) -> Result<(), StageError> {
        Ok(self.settle()?)
    }

    fn show(&mut self, frames: &mut [Option<Frame>]) -> Result<Timestamp, StageError> {
        let committed = match frames.get(self.inputs.len()) {
            Some(_too_many) => self
                .input(self.inputs.len())
                .map(|_none| Clock::Monotonic.now()),
            None if frames.iter().all(Option::is_none) => return Ok(Clock::Monotonic.now()),
            None if self.verifier.is_some() || self.begins(frames) => self.commit(frames),
            None => self.flip(frames),
        };
        // That the kernel took it says that what was committed before is in view.
        if committed.is_ok() {
            self.planes.iter_mut().for_each(OnPlane::in_view);
        }
        for (frame, plane) in frames.iter_mut().zip(&mut self.planes) {
            if let Some(frame) = frame.take_if(|_| committed.is_ok()) {
                plane.committed(frame);
            }
        }
        frames.iter_mut().for_each(|frame| *frame = None);
        Ok(committed?)
    }

    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        self.screen.flips(flipped)
    }

    fn imported(&self) -> Result<Vec<u64>, Untold> {
        let inputs = self.inputs.iter().flatten();
        let each: Result<Vec<_>, _> = inputs.map(|input| input.pools.inodes()).collect();
        each.map(|found| found.concat()).map_err(untold)
    }

    fn stop(&mut self) -> Result<(), StageError> {
        if self.is_idle() {
            return Ok(());
        }
        let settled = self.settle();
        self.screen.put_back(&mut self.planes)?;
        settled?;
        Ok(())
    }

    fn counters(&self) -> Vec<Counter> {
        match self.config.verify {
            Some(_every) => self.verified.counters(),
            None => Vec::new(),
        }
    }
}

impl Drop for KmsMixer {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "the display could not be left as it was found");
        }
    }
}
