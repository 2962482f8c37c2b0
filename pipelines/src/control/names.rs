//! How links and queues are written on a command line and in the protocol.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::QueuePolicy;

const ARROW: &str = "->";

/// Which link is meant: `camera->screen`, or `camera->screen.1` for what leads into the stage's
/// second input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkName {
    /// The stage where it begins.
    pub from: String,
    /// The stage where it ends.
    pub to: String,
    /// Into which of its inputs, counted from 0.
    pub input: Option<usize>,
}

/// A text that names no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no link: write the stages where it begins and ends, as in `camera->screen`, or \
     `camera->screen.1` for what leads into its second input"
)]
pub struct NotALink(String);

impl LinkName {
    /// The link between two stages.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            input: None,
        }
    }
}

impl FromStr for LinkName {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let wrong = || NotALink(text.to_owned());
        let (from, to) = text.split_once(ARROW).ok_or_else(wrong)?;
        let (from, to) = (from.trim(), to.trim());
        let (to, input) = match to.rsplit_once('.') {
            Some((to, input)) => (to, Some(input.parse().map_err(|_error| wrong())?)),
            None => (to, None),
        };
        if from.is_empty() || to.is_empty() || to.contains(ARROW) {
            return Err(wrong());
        }
        Ok(Self {
            input,
            ..Self::new(from, to)
        })
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{ARROW}{}", self.from, self.to)?;
        self.input.map_or(Ok(()), |input| write!(f, ".{input}"))
    }
}

impl Serialize for LinkName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LinkName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A text that means no queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no queue: write `latest`, `fifo`, `fifo:3` where three frames may wait, or \
     `block:3` where the sender waits for room"
)]
pub struct NotAQueue(String);

impl FromStr for QueuePolicy {
    type Err = NotAQueue;

    fn from_str(text: &str) -> Result<Self, NotAQueue> {
        let wrong = || NotAQueue(text.to_owned());
        let (order, depth) = match text.split_once(':') {
            Some((order, depth)) => {
                let depth: NonZeroUsize = depth.parse().map_err(|_error| wrong())?;
                // More frames than that no pool has.
                let depth = Some(depth).filter(|depth| depth.get() <= MOST_WAIT);
                (order, Some(depth.ok_or_else(wrong)?))
            }
            None => (text, None),
        };
        match (order, depth) {
            ("latest", None) => Ok(Self::Latest),
            ("fifo", depth) => Ok(Self::Fifo { depth }),
            ("block", depth) => Ok(Self::Block {
                depth: depth.unwrap_or(NonZeroUsize::MIN),
            }),
            _ => Err(wrong()),
        }
    }
}

const MOST_WAIT: usize = 1024;

/// A queue in the form that [`FromStr`] reads, for serde.
pub(super) mod queue {
    use super::*;

    /// As it is written.
    pub(in crate::control) fn spelled(queue: QueuePolicy) -> String {
        match queue {
            QueuePolicy::Latest => "latest".to_owned(),
            QueuePolicy::Fifo { depth: None } => "fifo".to_owned(),
            QueuePolicy::Fifo { depth: Some(depth) } => format!("fifo:{depth}"),
            QueuePolicy::Block { depth } => format!("block:{depth}"),
        }
    }

    pub(in crate::control) fn serialize<S: Serializer>(
        queue: &QueuePolicy,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&spelled(*queue))
    }

    pub(in crate::control) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<QueuePolicy, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_as_they_are_written() {
        for text in ["camera->screen", "a->b.1"] {
            assert_eq!(text.parse::<LinkName>().unwrap().to_string(), text);
        }
        let spaced: LinkName = " camera -> screen ".parse().unwrap();
        assert_eq!(spaced, LinkName::new("camera", "screen"));
        for wrong in [
            "", "camera", "->", "a->", "->b", "a->b->c", "a->b.x", "a->.1",
        ] {
            assert!(wrong.parse::<LinkName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn queues_are_read_as_they_are_written() {
        for text in ["latest", "fifo", "fifo:3", "block:2"] {
            assert_eq!(queue::spelled(text.parse().unwrap()), text);
        }
        assert_eq!(queue::spelled("block".parse().unwrap()), "block:1");
        for wrong in [
            "",
            "latest:2",
            "fifo:0",
            "fifo:x",
            "lifo",
            "fifo:9999999999",
        ] {
            let error = wrong.parse::<QueuePolicy>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{wrong}`")));
        }
    }
}
