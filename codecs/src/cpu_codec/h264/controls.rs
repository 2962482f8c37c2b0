//! What may be set of an encoder, by the names that V4L2's encoders have.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use dmaflow_core::stage::{ControlValue, Controls, StageError};

use super::encoder::NAME;
use crate::cpu_codec::error::CpuCodecError;

/// The names, and what they take.
const KNOWN: [(&str, &str); 3] = [
    ("video_bitrate", "bits a second from 10000 to 288000000"),
    (
        "video_gop_size",
        "pictures from 0 to 65535, 0 for one key frame at the beginning",
    ),
    ("force_key_frame", "`true`"),
];

/// What is asked of an encoder, set by any thread and looked at before each picture.
#[derive(Debug)]
pub(in crate::cpu_codec) struct EncoderControls {
    bitrate: AtomicU32,
    interval: AtomicU32,
    key: AtomicBool,
    /// Something was set since it was looked at.
    changed: AtomicBool,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Bits a second.
    pub(super) bitrate: u32,
    /// Pictures from a key frame to the next.
    pub(super) interval: u32,
    /// Whether the next picture is to be a key frame.
    pub(super) key: bool,
}

impl EncoderControls {
    pub(in crate::cpu_codec) const fn new() -> Self {
        Self {
            bitrate: AtomicU32::new(4_000_000),
            interval: AtomicU32::new(60),
            key: AtomicBool::new(false),
            changed: AtomicBool::new(false),
        }
    }

    pub(super) fn force_key(&self) {
        self.key.store(true, Ordering::Relaxed);
        self.changed.store(true, Ordering::Release);
    }

    /// What is asked now.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            bitrate: self.bitrate.load(Ordering::Relaxed),
            interval: self.interval.load(Ordering::Relaxed),
            key: self.key.swap(false, Ordering::Relaxed),
        }
    }

    /// What is asked, if something was set since the last look.
    #[inline]
    pub(super) fn changed(&self) -> Option<Asked> {
        (self.changed.load(Ordering::Relaxed) && self.changed.swap(false, Ordering::Acquire))
            .then(|| self.asked())
    }

    fn take(&self, name: &str, value: &ControlValue) -> Result<(), CpuCodecError> {
        let Some((_name, takes)) = KNOWN.iter().find(|(known, _takes)| *known == name) else {
            return Err(CpuCodecError::UnknownControl {
                codec: NAME,
                asked: name.to_owned(),
                known: KNOWN.map(|(known, _takes)| known).join(", "),
            });
        };
        let number = |range: std::ops::RangeInclusive<u32>| match value {
            ControlValue::Integer(number) => {
                let number = u32::try_from(*number).ok();
                number.filter(|number| range.contains(number))
            }
            _ => None,
        };
        let taken = match name {
            "video_bitrate" => number(10_000..=288_000_000).map(|n| (&self.bitrate, n)),
            "video_gop_size" => number(0..=65_535).map(|n| (&self.interval, n)),
            _ if *value == ControlValue::Boolean(true) => {
                self.force_key();
                return Ok(());
            }
            _ => None,
        };
        let Some((place, number)) = taken else {
            return Err(CpuCodecError::ControlValue {
                codec: NAME,
                control: name.to_owned(),
                takes,
                value: value.to_string(),
            });
        };
        place.store(number, Ordering::Relaxed);
        self.changed.store(true, Ordering::Release);
        Ok(())
    }
}

impl Controls for EncoderControls {
    fn set(&self, name: &str, value: &ControlValue) -> Result<(), StageError> {
        Ok(self.take(name, value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_seen_once() {
        let controls = EncoderControls::new();
        assert_eq!(controls.changed(), None);
        let set = |name: &str, value| controls.take(name, &value);
        set("video_bitrate", ControlValue::Integer(500_000)).unwrap();
        set("force_key_frame", ControlValue::Boolean(true)).unwrap();
        let asked = Asked {
            bitrate: 500_000,
            interval: 60,
            key: true,
        };
        assert_eq!(controls.changed(), Some(asked));
        assert_eq!(controls.changed(), None);
        assert!(!controls.asked().key);
    }

    #[test]
    fn wrong_names_and_values_say_what_is_right() {
        let controls = EncoderControls::new();
        let why = |name: &str, value| controls.take(name, &value).unwrap_err().to_string();
        assert_eq!(
            why("bitrate", ControlValue::Integer(1)),
            "the CPU H.264 encoder has no control called `bitrate`; it has: video_bitrate, \
             video_gop_size, force_key_frame"
        );
        assert_eq!(
            why("video_bitrate", ControlValue::Boolean(true)),
            "the CPU H.264 encoder: control `video_bitrate` takes bits a second from 10000 to \
             288000000, and not true"
        );
        why("video_gop_size", ControlValue::Integer(-1));
        why("force_key_frame", ControlValue::Boolean(false));
        assert_eq!(controls.changed(), None);
    }
}
