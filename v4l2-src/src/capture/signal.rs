//! The signal on a receiver's input: following it, and noticing that it changed.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};

use dmaflow_core::stage::Stopper;
use dmaflow_v4l2::{Event, Events, Input, Timings, V4l2Error, VideoDevice};

use super::V4l2SrcConfig;
use crate::error::V4l2SrcError;

/// Nothing was told since the start.
const NOTHING: u8 = 0;
const CHANGED: u8 = 1;
const ENDED: u8 = 2;

/// What ended a flow, as far as the device told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Changed,
    Ended,
}

/// Chooses the input that is asked for; `None` where the device has none.
pub(super) fn choose_input(
    device: &VideoDevice,
    config: &V4l2SrcConfig,
) -> Result<Option<Input>, V4l2Error> {
    match &config.input {
        Some(asked) => device.set_input(asked).map(Some),
        None => device.input(),
    }
}

/// The signal that a receiver is set to, watched while frames flow.
///
/// The watching thread sleeps beside the one that waits for frames. When the device tells of a
/// change, it ends the flow, which wakes the other.
#[derive(Debug)]
pub(super) struct Signal {
    input: Input,
    timings: Option<Timings>,
    events: Option<Arc<Events>>,
    told: Arc<AtomicU8>,
    thread: Option<JoinHandle<()>>,
}

impl Signal {
    /// Sets a receiver to the signal on its input; what changes from here on is noticed.
    pub(super) fn follow(device: &Arc<VideoDevice>, input: Input) -> Result<Self, V4l2Error> {
        // Before the timings are asked for, so that no change falls between.
        let events = Events::subscribe(device, input.index)?;
        let timings = device.follow_signal(&input)?;
        Ok(Self {
            input,
            timings,
            events: events.map(Arc::new),
            told: Arc::default(),
            thread: None,
        })
    }

    pub(super) const fn timings(&self) -> Option<&Timings> {
        self.timings.as_ref()
    }

    /// Watches a flow from now on, and ends it when the signal changes.
    pub(super) fn watch(
        &mut self,
        device: &VideoDevice,
        flow: Arc<dyn Stopper>,
    ) -> Result<(), V4l2SrcError> {
        self.call_off();
        self.told.store(NOTHING, Ordering::Release);
        let Some(events) = &self.events else {
            return Ok(());
        };
        events.resume();
        let (events, told) = (Arc::clone(events), Arc::clone(&self.told));
        let watch = move || {
            let heard = match events.wait() {
                Some(Event::SourceChange) => CHANGED,
                Some(Event::EndOfStream) => ENDED,
                // Who waits for frames hears of that as well.
                Some(Event::Gone) | None => return,
            };
            told.store(heard, Ordering::Release);
            flow.stop();
        };
        let thread = thread::Builder::new()
            .name("signal".to_owned())
            .stack_size(64 * 1024)
            .spawn(watch)
            .map_err(|source| V4l2SrcError::Watch {
                device: device.to_string(),
                source,
            })?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Ends the watch, if there is one.
    pub(super) fn call_off(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        if let Some(events) = &self.events {
            events.call_off();
        }
        if thread.join().is_err() {
            tracing::error!("the thread that watches the signal panicked");
        }
    }

    pub(super) fn told(&self) -> Told {
        match self.told.load(Ordering::Acquire) {
            CHANGED => Told::Changed,
            ENDED => Told::Ended,
            _ => Told::Nothing,
        }
    }

    /// From what to what it changed, in words; `None` where it is as it was.
    pub(super) fn change(&self, device: &VideoDevice) -> Option<String> {
        let before = self.timings.as_ref().map_or_else(String::new, words);
        let now = match device.signal(&self.input) {
            Ok(now) if now == self.timings => return None,
            Ok(Some(now)) => words(&now),
            Ok(None) => "unknown".to_owned(),
            Err(V4l2Error::NoSignal { signal, .. }) => signal.name().to_owned(),
            Err(_gone) => return None,
        };
        Some(format!("{before} → {now}"))
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.call_off();
    }
}

/// "1920×1080 at 60".
fn words(timings: &Timings) -> String {
    let (width, height) = timings.size;
    let mut text = format!("{width}×{height}");
    if timings.interlaced {
        text.push_str(" interlaced");
    }
    if let Some(rate) = timings.rate {
        // Writing to a string does not fail.
        write!(text, " at {rate}").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::time::Rate;

    #[test]
    fn signals_are_told_in_words() {
        let timings = Timings {
            size: (1280, 720),
            interlaced: false,
            rate: Rate::new(50, 1),
        };
        assert_eq!(words(&timings), "1280×720 at 50");
    }
}
