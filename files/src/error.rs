//! Why a file cannot be read or written.

use std::io;
use std::path::PathBuf;

use dmaflow_containers::rotate::PatternError;
use dmaflow_containers::{ContainerError, Format as FileFormat};
use dmaflow_core::dma_buf::DmaBufError;
use dmaflow_core::format::Format;
use dmaflow_core::frame::PoolError;
use dmaflow_core::layout::LayoutError;
use dmaflow_core::stage::StageError;

use crate::sink::KeptBefore;

/// Why a file cannot be read into frames or written from them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be written anew.
    #[error("cannot create {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system says: ENOENT without the folder, EACCES without permission.
        source: io::Error,
    },
    /// What is in the file, or is to be, is wrong.
    #[error("{}", path.display())]
    Container {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        source: ContainerError,
    },
    /// The file's name does not say what it is to be.
    #[error(
        "{} does not say by its name what it is to be: end it in .mp4, .mkv, .ivf, .h264 or the \
         like, or state `format`",
        path.display()
    )]
    NoFormat {
        /// The file.
        path: PathBuf,
    },
    /// Files of this format have no fragments.
    #[error(
        "{} is to be {format}, which has no fragments: leave `fragment` out, or end its name in \
         .mp4",
        path.display()
    )]
    NoFragments {
        /// The file.
        path: PathBuf,
        /// What it is to be.
        format: FileFormat,
    },
    /// Names of files cannot be made of a path.
    #[error("no names of files can be made of {}", path.display())]
    Names {
        /// The path.
        path: PathBuf,
        /// Why.
        source: PatternError,
    },
    /// Several files are to be written, where one thing is that is no file.
    #[error(
        "{} is no file, and several are to be written: leave `rotate` and `before` out",
        path.display()
    )]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// More is to be kept than is sensible.
    #[error(
        "{bytes} bytes are too many to be kept before a recording: {} are the most",
        KeptBefore::MOST_BYTES
    )]
    TooMuchKept {
        /// How many.
        bytes: usize,
    },
    /// A file sink has no such control.
    #[error("a file sink does not know {asked}: it has `record`, which is true or false")]
    Control {
        /// What was asked for.
        asked: String,
    },
    /// The file holds something else than was asked for.
    #[error("{} holds {found}, not {asked}", path.display())]
    OtherCodec {
        /// The file.
        path: PathBuf,
        /// What it is to hold.
        asked: Format,
        /// What it holds.
        found: String,
    },
    /// Neither the file nor who asked says how large its pictures are.
    #[error(
        "{} does not say how large its pictures are: state `width` and `height`",
        path.display()
    )]
    NoSize {
        /// The file.
        path: PathBuf,
    },
    /// Pictures cannot lie so in memory.
    #[error("the pictures of {} cannot lie so in memory", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Why.
        source: LayoutError,
    },
    /// A packet is longer than any of such pictures should be.
    #[error(
        "{}, byte {offset}: a packet of {len} bytes does not fit into a buffer of {room}; state \
         the pictures' true `width` and `height`",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Where the packet begins.
        offset: u64,
        /// Its bytes.
        len: usize,
        /// The buffer's.
        room: usize,
    },
    /// Files do not hold such frames.
    #[error("no file holds frames of {0}")]
    NotInFiles(Format),
    /// The CPU cannot reach a frame.
    #[error("cannot reach frame {slot} by the CPU")]
    Reach {
        /// Which frame.
        slot: usize,
        /// Why.
        source: DmaBufError,
    },
    /// The pool cannot be watched.
    #[error("the file source cannot be told when a frame is free")]
    Pool(#[from] PoolError),
    /// A phase was left out.
    #[error("the file stage has no frames: attach a pool first")]
    NotAttached,
}

impl From<FileError> for StageError {
    fn from(error: FileError) -> Self {
        Self::failed(error)
    }
}
