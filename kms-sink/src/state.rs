//! What a card showed before us, to be put back.

use std::sync::Arc;

use dmaflow_core::Errno;

use crate::card::Card;
use crate::error::KmsSinkError;
use crate::output::Output;
use crate::props::{Blob, Properties, Request, Target, flags};

/// The properties that a commit of ours changes, by kind of object.
const CRTC_BLOBS: [&str; 4] = ["MODE_ID", "DEGAMMA_LUT", "CTM", "GAMMA_LUT"];
const PLANE: [&str; 15] = [
    "FB_ID",
    "CRTC_ID",
    "SRC_X",
    "SRC_Y",
    "SRC_W",
    "SRC_H",
    "CRTC_X",
    "CRTC_Y",
    "CRTC_W",
    "CRTC_H",
    "rotation",
    "alpha",
    "zpos",
    "COLOR_ENCODING",
    "COLOR_RANGE",
];

/// A CRTC, its connectors and its planes as they were found.
#[derive(Debug)]
pub(crate) struct Snapshot {
    active: (Target, u64),
    mode: Target,
    /// The kernel frees blobs that nobody uses, so that their bytes must be kept.
    blobs: Vec<(Target, Option<Vec<u8>>)>,
    connectors: Vec<(Target, u64)>,
    planes: Vec<(Target, u64)>,
    /// What to set to 0 for every plane to be off.
    planes_off: Vec<Target>,
}

/// How much of a snapshot to put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    All,
    /// All but the pictures, whose owner may be gone.
    WithoutPlanes,
    /// Nothing: everything is switched off.
    Off,
}

impl Snapshot {
    /// Reads what is shown now.
    pub(crate) fn take(output: &Output) -> Result<Self, KmsSinkError> {
        let card = &output.card;
        let set = |object: &Properties, name: &'static str| -> Result<_, KmsSinkError> {
            Ok((object.target(card, name)?, object.value(name).unwrap_or(0)))
        };
        let blobs = CRTC_BLOBS.iter().filter_map(|name| {
            let target = output.crtc.optional(name)?;
            Some((target, output.crtc.blob(card, name)))
        });
        let connectors = std::iter::once(&output.connector).chain(&output.others);
        let mut planes = Vec::new();
        let mut planes_off = Vec::new();
        for plane in &output.planes {
            for name in PLANE {
                if let Some(target) = plane.properties.optional(name) {
                    planes.push((target, plane.properties.value(name).unwrap_or(0)));
                }
            }
            for name in ["FB_ID", "CRTC_ID"] {
                planes_off.push(plane.properties.target(card, name)?);
            }
        }
        Ok(Self {
            active: set(&output.crtc, "ACTIVE")?,
            mode: output.crtc.target(card, "MODE_ID")?,
            blobs: blobs.collect(),
            connectors: connectors
                .filter(|connector| concerns(connector, output))
                .map(|connector| set(connector, "CRTC_ID"))
                .collect::<Result<_, _>>()?,
            planes,
            planes_off,
        })
    }

    /// Puts it back; where its pictures are gone, without them, and in the worst case dark.
    pub(crate) fn restore(&self, card: &Arc<Card>) -> Result<(), KmsSinkError> {
        let mut refused = Errno::EINVAL;
        for extent in [Extent::All, Extent::WithoutPlanes, Extent::Off] {
            match self.try_restore(card, extent) {
                Ok(()) => {
                    tracing::debug!(?extent, "the display is as it was");
                    return Ok(());
                }
                Err(errno) => {
                    tracing::debug!(?extent, %errno, "the display cannot be put back so");
                    refused = errno;
                }
            }
        }
        Err(card.refused("to be put back as it was", refused))
    }

    fn try_restore(&self, card: &Arc<Card>, extent: Extent) -> Result<(), Errno> {
        let mut request = Request::default();
        let mut made = Vec::new();
        let (active, was_active) = self.active;
        if extent == Extent::Off {
            request.set(active, 0);
            request.set(self.mode, 0);
        } else {
            request.set(active, was_active);
            for (target, bytes) in &self.blobs {
                let id = match bytes {
                    Some(bytes) => {
                        let blob = Blob::from_bytes(card, bytes)?;
                        let id = blob.id();
                        made.push(blob);
                        id
                    }
                    None => 0,
                };
                request.set(*target, id);
            }
        }
        for &(target, crtc) in &self.connectors {
            request.set(target, if extent == Extent::Off { 0 } else { crtc });
        }
        if extent == Extent::All {
            for &(target, value) in &self.planes {
                request.set(target, value);
            }
        } else {
            for &target in &self.planes_off {
                request.set(target, 0);
            }
        }
        request.commit(card, flags::MODESET)
    }
}

/// Whether a commit of ours changes a connector: the screen's, the writeback one, and those
/// that share the CRTC.
fn concerns(connector: &Properties, output: &Output) -> bool {
    let writeback = output.writeback.as_ref().map(Properties::object);
    connector.object() == output.connector.object()
        || Some(connector.object()) == writeback
        || connector.value("CRTC_ID") == Some(output.crtc.object().into())
}
