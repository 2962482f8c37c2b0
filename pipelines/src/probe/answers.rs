//! What devices answered before, so that they need not be asked again.
//!
//! An answer holds for one device, heap, layout and number of buffers, and for the kernel that
//! runs now. It saves asking and decides nothing: a heap that is to be used is imported for
//! real, whatever was answered before.

mod file;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dmaflow_core::Errno;
use dmaflow_core::heap::{Heap, HeapInfo};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, DeviceKey, ImportRefused, StageError};

use super::attempt::will_last;
use super::{Importer, Refused, Wanted};
use file::{Entry, No, Question};

/// The most answers that are kept; older ones are forgotten first.
const MOST: usize = 512;

/// How long an answer is kept: drivers can be set up otherwise without a change that we see, by
/// parameters of their modules for one.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long the same answer is not written again: each start of a pipeline has answers.
const FRESH_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What devices answered before.
///
/// Saved in a file, it outlives the process: no more than a few hundred answers, written
/// anew in one go, and ignored with a word in the log where it is damaged or of another kernel.
#[derive(Debug)]
pub struct Answers {
    file: Option<PathBuf>,
    kernel: String,
    entries: Vec<Entry>,
    /// Whether what is known is not to be asked again.
    trusted: bool,
    changed: bool,
}

impl Default for Answers {
    fn default() -> Self {
        Self::none()
    }
}

impl Answers {
    /// No answers, and none are saved.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            file: None,
            kernel: String::new(),
            entries: Vec::new(),
            trusted: true,
            changed: false,
        }
    }

    /// The answers that this user's programs got: `heap-answers.json` in the directory
    /// `$DMAFLOW_CACHE`, or else in `dmaflow` below `$XDG_CACHE_HOME` or `~/.cache`. With an
    /// empty `DMAFLOW_CACHE`, or where there is no such directory to be had, nothing is saved.
    #[must_use]
    pub fn of_user() -> Self {
        file::of_user().map_or_else(Self::none, Self::at)
    }

    /// The answers in a file, which is made when there is something to save.
    #[must_use]
    pub fn at(file: impl Into<PathBuf>) -> Self {
        let (file, kernel) = (file.into(), file::kernel());
        let mut entries = file::load(&file, &kernel);
        let now = now();
        // A clock that was set back makes nothing old.
        entries.retain(|entry| now.saturating_sub(entry.at) < KEPT_FOR.as_secs());
        Self {
            file: Some(file),
            kernel,
            entries,
            trusted: true,
            changed: false,
        }
    }

    /// Has everybody asked afresh; what they answer is kept as ever.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.trusted = false;
        self
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets what these devices answered.
    pub(crate) fn forget(&mut self, devices: &[DeviceKey]) {
        let before = self.entries.len();
        self.entries
            .retain(|entry| !devices.iter().any(|key| entry.question.is_to(key)));
        self.changed |= self.entries.len() < before;
    }

    /// What is known of these importers about a heap.
    pub(crate) fn on(
        &self,
        heap: &Heap,
        importers: &[&mut dyn Importer],
        wanted: &Wanted,
    ) -> Known {
        let mut known = Known {
            allocation: None,
            refused: Vec::new(),
            unasked: 0,
        };
        for importer in importers {
            let question = importer.key().map(|key| question(&key, heap, wanted));
            let same = |entry: &&Entry| Some(&entry.question) == question.as_ref();
            let Some(entry) = self.entries.iter().find(same).filter(|_| self.trusted) else {
                known.unasked += 1;
                continue;
            };
            known.allocation = Some(Duration::from_nanos(entry.allocation_ns));
            known.refused.extend(entry.no.as_ref().map(|no| {
                let device = importer.device();
                Refused {
                    reason: again(no, &device, heap).into(),
                    device,
                }
            }));
        }
        known
    }

    /// Remembers an answer that will be the same tomorrow.
    pub(crate) fn note(
        &mut self,
        heap: &Heap,
        importer: &dyn Importer,
        wanted: &Wanted,
        allocation: Duration,
        answer: &Result<Vec<Choice>, StageError>,
    ) {
        let no = match answer {
            Ok(_choices) => None,
            Err(StageError::Refused(refused)) if will_last(refused.errno) => Some(No {
                call: refused.call.to_string(),
                errno: refused.errno as i32,
                meaning: refused.meaning.clone(),
                remedy: refused.remedy.clone(),
            }),
            Err(_passing) => return,
        };
        let Some(key) = importer.key() else { return };
        let (question, now) = (question(&key, heap, wanted), now());
        let is_fresh = |at: u64| {
            let age = now.checked_sub(at);
            age.is_some_and(|age| age < FRESH_FOR.as_secs())
        };
        let mut same = self.entries.iter();
        if same.any(|entry| entry.question == question && entry.no == no && is_fresh(entry.at)) {
            return;
        }
        self.entries.retain(|entry| entry.question != question);
        self.entries.push(Entry {
            question,
            no,
            allocation_ns: u64::try_from(allocation.as_nanos()).unwrap_or(u64::MAX),
            at: now,
        });
        let surplus = self.entries.len().saturating_sub(MOST);
        self.entries.drain(..surplus);
        self.changed = true;
    }

    /// Writes the file where there is one and something is new. What cannot be written is no
    /// more than asked again.
    pub(crate) fn save(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_file| self.changed) else {
            return;
        };
        match file::save(file, &self.kernel, &self.entries) {
            Ok(()) => self.changed = false,
            Err(error) => tracing::debug!(
                %error,
                file = %file.display(),
                "what devices answered is not kept"
            ),
        }
    }
}

/// What is known of some importers about a heap.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) allocation: Option<Duration>,
    pub(crate) refused: Vec<Refused>,
    /// How many of them have not answered.
    unasked: usize,
}

impl Known {
    /// All there is to know, or nothing.
    pub(super) fn whole(self) -> Option<Self> {
        (self.unasked == 0).then_some(self)
    }

    /// Whether all of them accepted it.
    pub(crate) const fn is_accepted(&self) -> bool {
        self.unasked == 0 && self.refused.is_empty()
    }
}

fn question(key: &DeviceKey, heap: &Heap, wanted: &Wanted) -> Question {
    Question {
        driver: key.driver.clone(),
        bus: key.bus.clone(),
        name: key.name.clone(),
        heap: memory(heap.info()),
        layout: place(&wanted.layout),
        buffers: wanted.buffers,
    }
}

/// What a heap says of its memory. How much there is of it changes and changes no answer.
fn memory(info: &HeapInfo) -> String {
    let mut text = format!("{}, {}", info.name, info.contiguity);
    for (word, holds) in [
        ("cached", info.cached == Some(true)),
        ("uncached", info.cached == Some(false)),
        ("protected", info.protected),
        ("importable", info.importable),
    ] {
        if holds {
            text.push_str(", ");
            text.push_str(word);
        }
    }
    text
}

/// All that a driver is told of a layout.
fn place(layout: &Layout) -> String {
    let planes: Vec<_> = layout
        .planes()
        .iter()
        .map(|plane| format!("{}:{}+{}", plane.buffer, plane.offset, plane.stride))
        .collect();
    format!(
        "{} {} {}x{} planes {} of {:?}",
        layout.format(),
        layout.modifier(),
        layout.width(),
        layout.height(),
        planes.join(" "),
        layout.buffer_lens()
    )
}

/// A refusal as it was; the device's node may have another number today.
fn again(no: &No, device: &str, heap: &Heap) -> ImportRefused {
    ImportRefused {
        device: device.to_owned(),
        heap: heap.name().to_owned(),
        call: no.call.clone().into(),
        errno: Errno::from_raw(no.errno),
        meaning: no.meaning.clone(),
        remedy: no.remedy.clone(),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
