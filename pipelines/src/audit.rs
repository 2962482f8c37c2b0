//! The proof that a run kept what zero-copy promises: whose memory went where, by the kernel's
//! numbers, and what the CPU had of it.
//!
//! | promised | told by |
//! |--|--|
//! | displays see the buffers that cameras filled, and no others | our own record of what passed each link, by inode |
//! | a display has imported those | the card, of its framebuffers |
//! | all buffers of a pool are attached to the same devices | debugfs, `dma_buf/bufinfo` |
//! | no CPU opens or maps frames | counters of the buffers and of the threads, `/proc/self/maps` |
//! | nothing is copied by us | counters of the buffers and of the threads |
//! | of compressed frames the CPU sees what a stage reads of a stream, and no pixels | the same |
//! | nor by the kernel, for devices that do not reach memory | debugfs, `swiotlb` |
//! | no stage meets as many new pages as a frame has, and 256 at least | minor faults of the threads |
//!
//! Of what a camera filled there is our own record only: the kernel's word on a camera is the
//! list of devices that are attached to its buffers, where its driver attaches.
//!
//! A stage that draws and a sink that writes a file do so by their nature: that is known
//! beforehand, and told. Whatever else opens a buffer in a stage's thread is held against the
//! stage, whosever the buffer is. A conversion by the CPU is a copy. Whoever copies by other
//! means than the guards of `DmaBuf` is seen by a mapping that is there when the run has ended;
//! one that is gone again by then is not. Nor is a copy of frames of fewer than 256 pages (1 MiB)
//! told from what a thread meets by itself.
//!
//! Stages that come while a run goes on, and pictures of it, are not looked at, which is told.
//! What cannot be told is [`Verdict::Unknown`], and breaks no promise.

mod findings;
mod join;
pub(crate) mod kernel;

use std::fmt;

use dmaflow_core::dma_buf::{CpuCounts, CpuUse};
use dmaflow_core::stage::Untold;

pub(crate) use findings::findings;

/// What was promised of a run, and what was found.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    /// What passed each link.
    pub links: Vec<LinkAudit>,
    /// The pools, in the order of the agreement.
    pub pools: Vec<PoolAudit>,
    /// The stages where frames of a pool end.
    pub ends: Vec<EndAudit>,
    /// What each stage's thread did.
    pub stages: Vec<StageAudit>,
    /// The kernel's bounce buffers before the pipeline was made; where it was made anew, before
    /// the part of the run that had the worst of it.
    pub bounce_before: BounceUse,
    /// The same after it.
    pub bounce_after: BounceUse,
    /// Pages of the smallest frame.
    pub frame_pages: u64,
    /// How often the program has the pools' buffers mapped after the run, beyond what their own
    /// guards mapped; `None` where the kernel does not tell.
    pub mapped_unseen: Option<usize>,
    /// All of it, judged.
    pub findings: Vec<Finding>,
}

impl AuditReport {
    /// Whether nothing was found that breaks a promise.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.verdict != Verdict::Broken)
    }
}

/// The buffers that passed a link, by inode, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkAudit {
    /// The stage where it begins.
    pub from: String,
    /// The stage where it ends.
    pub to: String,
    /// At which input of it.
    pub input: usize,
    /// Those that were sent.
    pub sent: Vec<u64>,
    /// Those that were taken.
    pub taken: Vec<u64>,
    /// Frames that were sent and lie in no pool of the pipeline.
    pub strange: u64,
}

/// A pool's buffers, by inode, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolAudit {
    /// The stage that makes its frames.
    pub stage: String,
    /// The heap's name.
    pub heap: String,
    /// Whether its frames are compressed, and no pixels.
    pub compressed: bool,
    /// All of them.
    pub buffers: Vec<u64>,
    /// Those that the stage filled and sent.
    pub filled: Vec<u64>,
    /// What the CPU was shown of them in the run.
    pub cpu: CpuCounts,
    /// Whether devices can import them, so that the kernel lists them.
    pub importable: bool,
    /// What the kernel's listing says, where it can be read (`dma_buf/bufinfo` in debugfs).
    pub listed: Option<Listed>,
}

/// A pool in the kernel's listing of dma-bufs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// How many of its buffers are there.
    pub buffers: usize,
    /// The devices attached to every one of them. Drivers that take pages or a mapping instead,
    /// as vivid's by default, are not among them.
    pub devices: Vec<String>,
    /// Devices attached to some of them only.
    pub some: Vec<String>,
}

/// A stage that uses frames of other stages' pools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndAudit {
    /// Its name.
    pub stage: String,
    /// The inodes of the buffers whose frames it took.
    pub seen: Vec<u64>,
    /// Those that the stages filled whose frames come here.
    pub filled: Vec<u64>,
    /// All that their pools have.
    pub buffers: Vec<u64>,
    /// Whether every frame that was made came here.
    pub whole: bool,
    /// What the device of a display has imported, by the kernel's word, or why that is not
    /// told; `None` where no such device imports the frames.
    pub imported: Option<Result<Vec<u64>, Untold>>,
}

/// What a stage's thread did in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageAudit {
    /// Its name.
    pub stage: String,
    /// What it does with pixels by its nature, as was known beforehand: a test picture is
    /// drawn, a file is written, a stream is read. No other stage may, and nothing on the way
    /// may copy.
    pub by_cpu: Option<CpuUse>,
    /// Whether it came while the run went on, so that nothing was promised of it.
    pub added: bool,
    /// How many threads it had: one after the other, and of a codec two at a time.
    pub threads: u64,
    /// What it opened of buffers, whosever they are.
    pub cpu: CpuCounts,
    /// Pages that it met for the first time (minor faults), where the kernel tells: the most
    /// that one of its threads met.
    pub minor_faults: Option<u64>,
}

/// Use of the kernel's bounce buffers (SWIOTLB), of all devices of the system together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BounceUse {
    /// It cannot be read: debugfs is root's, and must be mounted.
    #[default]
    Unreadable,
    /// The kernel has none.
    Absent,
    /// In slots of 2 KiB.
    Slots {
        /// In use now.
        now: u64,
        /// In use at most since the start, where the kernel counts that.
        most: Option<u64>,
    },
}

impl fmt::Display for BounceUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("not readable"),
            Self::Absent => f.write_str("none there"),
            Self::Slots { now, most: None } => write!(f, "{now} slots"),
            Self::Slots {
                now,
                most: Some(most),
            } => write!(f, "{now} slots, at most {most}"),
        }
    }
}

/// What came of a promise, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It was kept.
    Kept,
    /// It cannot be told here.
    Unknown,
    /// It was not kept.
    Broken,
}

impl Verdict {
    /// A word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }
}

/// A promise, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub what: String,
    /// What was promised.
    pub promised: String,
    /// What was found.
    pub found: String,
    /// Whether that is the same.
    pub verdict: Verdict,
}
