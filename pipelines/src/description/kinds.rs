//! The kinds of stages, and the keys that each reads.

mod read;
mod streams;

use std::ops::Range;

use dmaflow_kms_sink::KmsSinkConfig;

use super::reader::{Reader, keys};
use super::shape::Key;
use super::{Place, RestartPolicy, StageKind};
use crate::QueuePolicy;

pub(super) use read::queue;

/// What a stage does with frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Source,
    /// Passes on what comes over one link.
    Filter,
    /// Passes on what comes over several links.
    Router,
    Sink,
    /// A sink of several links.
    Mixer,
}

impl Role {
    pub(super) const fn takes(self) -> bool {
        !matches!(self, Self::Source)
    }

    pub(super) const fn gives(self) -> bool {
        !matches!(self, Self::Sink | Self::Mixer)
    }

    pub(super) const fn takes_several(self) -> bool {
        matches!(self, Self::Router | Self::Mixer)
    }
}

/// A stage's set-up as it was read; what names its inputs waits until links are known.
pub(super) enum Setup {
    Done(StageKind),
    /// The input that is selected, by its name.
    Selector(Option<Named<()>>),
    /// A display, and where its inputs are shown, by their names.
    Display {
        config: KmsSinkConfig,
        /// Where `plane` is set.
        plane: Range<usize>,
        places: Vec<Named<Place>>,
    },
}

/// Something that the description says of an input.
pub(super) struct Named<T> {
    pub(super) what: T,
    pub(super) name: String,
    /// Where the input is named.
    pub(super) at: Range<usize>,
}

/// What was read of a stage.
pub(super) struct Read {
    /// `None` where something that is needed was missing.
    pub(super) setup: Option<Setup>,
    pub(super) queue: Option<QueuePolicy>,
    pub(super) restart: RestartPolicy,
}

/// A kind of stage.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) role: Role,
    /// What it is, in a line.
    pub(super) doc: &'static str,
    /// The fewest buffers that a pipeline with such a stage runs with, and why.
    pub(super) min_buffers: Option<(usize, &'static str)>,
    read: fn(&mut Reader<'_, '_>) -> Option<Setup>,
}

const fn kind(
    name: &'static str,
    role: Role,
    read: fn(&mut Reader<'_, '_>) -> Option<Setup>,
    doc: &'static str,
) -> Kind {
    Kind {
        name,
        role,
        doc,
        min_buffers: None,
        read,
    }
}

/// Every kind there is.
pub(super) static KINDS: [Kind; 13] = [
    kind(
        "v4l2-src",
        Role::Source,
        read::v4l2_src,
        "A V4L2 camera, or another device that captures.",
    ),
    kind(
        "test-src",
        Role::Source,
        read::test_src,
        "The built-in camera, which draws a moving pattern with the CPU.",
    ),
    kind(
        "file-src",
        Role::Source,
        streams::file_src,
        "A stream or pictures in a file, which the CPU reads into frames.",
    ),
    kind(
        "decimate",
        Role::Filter,
        read::decimate,
        "Passes one of so many frames.",
    ),
    kind(
        "rate-limit",
        Role::Filter,
        read::rate_limit,
        "Passes so many frames a second at most, by when they were captured.",
    ),
    kind(
        "selector",
        Role::Router,
        read::selector,
        "Takes several links, and passes on what comes over one of them.",
    ),
    kind(
        "v4l2-convert",
        Role::Filter,
        read::v4l2_convert,
        "A V4L2 memory-to-memory converter or scaler. Its frames lie in a pool of its own.",
    ),
    kind(
        "v4l2-decode",
        Role::Filter,
        streams::v4l2_decode,
        "A V4L2 decoder of a stream, stateful or stateless. Its frames lie in a pool of its own.",
    ),
    kind(
        "v4l2-encode",
        Role::Filter,
        streams::v4l2_encode,
        "A V4L2 encoder, which makes a stream. Its frames lie in a pool of its own.",
    ),
    Kind {
        min_buffers: Some((3, "one in view, one waiting for its flip, one being filled")),
        ..kind(
            "kms-sink",
            Role::Mixer,
            read::kms_sink,
            "A KMS display. Several links may lead there: each gets a plane of its own.",
        )
    },
    kind(
        "picture-sink",
        Role::Sink,
        read::picture_sink,
        "Writes frames as PNG files; the CPU reads them.",
    ),
    kind(
        "file-sink",
        Role::Sink,
        streams::file_sink,
        "Writes a stream or pictures into a file; the CPU reads the frames.",
    ),
    kind(
        "null-sink",
        Role::Sink,
        read::null_sink,
        "Lets every frame go.",
    ),
];

impl Kind {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// Reads the keys of this kind, and reports those it does not have.
    pub(super) fn read(&self, mut reader: Reader<'_, '_>) -> Read {
        reader.rename(format!("a {}", self.name));
        let read = self.keys(&mut reader);
        reader.finish(|key| {
            if super::document::described()
                .iter()
                .any(|top| top.name == key)
            {
                return Some(format!("`{key}` stands above the first stage"));
            }
            if !self.role.takes() && ["queue", "depth"].contains(&key) {
                return Some("a source takes no frames from links".to_owned());
            }
            let others = KINDS.iter().filter(|kind| kind.has(key));
            let names: Vec<&str> = others.map(|kind| kind.name).collect();
            (!names.is_empty()).then(|| format!("this is a key of {}", names.join(" and ")))
        });
        read
    }

    /// Its own keys, and those that every stage has.
    fn keys(&self, reader: &mut Reader<'_, '_>) -> Read {
        let setup = (self.read)(reader);
        let queue = self.role.takes().then(|| queue(reader)).flatten();
        let restart = read::restart(reader);
        Read {
            setup,
            queue,
            restart,
        }
    }

    fn has(&self, key: &str) -> bool {
        self.key_names().contains(&key)
    }

    /// Its keys but for `kind`.
    pub(super) fn key_names(&self) -> Vec<&'static str> {
        self.described().iter().map(|key| key.name).collect()
    }

    /// The same with what each is.
    pub(super) fn described(&self) -> Vec<Key> {
        keys(|reader| self.keys(reader))
    }
}
