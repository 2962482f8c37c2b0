//! Setting a camera up: size, format, rate and controls.

use dmaflow_core::format::Format;
use dmaflow_core::layout::{Layout, MAX_PLANES};
use dmaflow_core::stage::Choice;
use dmaflow_core::time::Rate;
use dmaflow_v4l2::media::{MediaCamera, MediaSetup};
use dmaflow_v4l2::{
    Candidate, Direction, FormatInfo, FormatRequest, FrameSizes, Timings, V4l2Error, VideoDevice,
    candidates as ranked, needed_bytes,
};

use super::V4l2SrcConfig;
use crate::error::V4l2SrcError;

const CAPTURE: Direction = Direction::Capture;

/// Buffers to queue where the driver does not say: one to be filled, and one to go on with.
const MIN_BUFFERS: usize = 2;

/// How many sizes an error names.
const NEAREST: usize = 4;

/// How a camera is set up.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) layout: Layout,
    pub(super) rate: Option<Rate>,
    pub(super) min_buffers: usize,
    /// The bytes of each buffer that a whole picture fills at least.
    pub(super) needed: [u32; MAX_PLANES],
}

/// The camera's formats that have pixels, best first.
pub(super) fn usable(device: &VideoDevice) -> Result<Vec<Candidate>, V4l2SrcError> {
    let formats = device.formats(CAPTURE)?;
    let usable = ranked(&formats);
    if usable.is_empty() {
        let name = |info: &FormatInfo| format!("{} ({})", info.code, info.description);
        return Err(V4l2SrcError::NoPixels {
            device: device.to_string(),
            has: formats.iter().map(name).collect(),
        });
    }
    Ok(usable)
}

fn no_format(device: &VideoDevice, asked: Format, usable: &[Candidate]) -> V4l2SrcError {
    let names = usable.iter().map(|candidate| candidate.format.name());
    V4l2SrcError::NoFormat {
        device: device.to_string(),
        asked: asked.name(),
        has: names.map(str::to_owned).collect(),
    }
}

/// The one of `usable` with this format.
pub(super) fn candidate(
    device: &VideoDevice,
    usable: &[Candidate],
    format: Format,
) -> Result<Candidate, V4l2SrcError> {
    let found = usable.iter().find(|candidate| candidate.format == format);
    found
        .copied()
        .ok_or_else(|| no_format(device, format, usable))
}

/// The formats of `usable` that fit what was asked, best first.
pub(super) fn candidates(
    device: &VideoDevice,
    usable: &[Candidate],
    behind: Option<&MediaCamera>,
    config: &V4l2SrcConfig,
) -> Result<Vec<Candidate>, V4l2SrcError> {
    let mut fitting = usable.to_vec();
    if let Some(behind) = behind {
        // A node lists what it could write, whatever its sensor gives.
        let delivered = behind.pixel_formats(config.size)?;
        fitting.retain(|candidate| delivered.contains(&candidate.code));
    }
    if let Some(asked) = config.format {
        let wanted = fitting.iter().find(|candidate| candidate.format == asked);
        fitting = vec![*wanted.ok_or_else(|| no_format(device, asked, &fitting))?];
    }
    let Some(asked) = config.size else {
        return Ok(fitting);
    };
    let mut nearest = FrameSizes::Unknown;
    let mut failed = None;
    fitting.retain(|candidate| match device.frame_sizes(candidate.code) {
        Ok(sizes) => {
            let has = sizes.contain(asked) != Some(false);
            if nearest == FrameSizes::Unknown {
                nearest = sizes;
            }
            has
        }
        Err(error) => {
            failed.get_or_insert(error);
            false
        }
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    if fitting.is_empty() {
        return Err(V4l2SrcError::NoSize {
            device: device.to_string(),
            format: config.format.map(Format::name),
            asked,
            nearest: nearest.nearest(asked, NEAREST),
        });
    }
    Ok(fitting)
}

/// Sets up what is between the sensor and the camera's node, where that is something, and says
/// how.
pub(super) fn media(
    behind: Option<&MediaCamera>,
    config: &V4l2SrcConfig,
    candidate: Candidate,
) -> Result<Option<(MediaSetup, Choice)>, V4l2SrcError> {
    let Some(behind) = behind else {
        return Ok(None);
    };
    let plan = behind.plan(candidate.code, config.size)?;
    let setup = behind.apply(plan)?;
    let choice = Choice {
        what: "media",
        chosen: setup.describe(),
    };
    Ok(Some((setup, choice)))
}

/// Sets the camera up for a format.
pub(super) fn configure(
    device: &VideoDevice,
    mut media: Option<&mut MediaSetup>,
    config: &V4l2SrcConfig,
    candidate: Candidate,
    signal: Option<&Timings>,
) -> Result<(Setup, Vec<Choice>), V4l2SrcError> {
    let mut choices = Vec::new();
    let (size, reason) = match (config.size, signal, &media) {
        (Some(size), ..) => (size, None),
        (None, Some(signal), _) => (signal.size, Some("as its signal is")),
        (None, None, Some(media)) => (media.plan().size, Some("as the camera was set")),
        (None, None, None) => (device.size(CAPTURE)?, Some("as the camera was set")),
    };
    set_format(device, candidate, size)?;
    if let Some(reason) = reason {
        choices.push(Choice {
            what: "size",
            chosen: format!("{}×{}, {reason}", size.0, size.1),
        });
    }
    let (rate, choice) = set_rate(device, media.as_deref_mut(), config.rate, candidate, size)?;
    let rate = rate.or_else(|| signal.and_then(|signal| signal.rate));
    choices.extend(choice);
    for (name, value) in &config.controls {
        match (device.set_control(name, value), &mut media) {
            // Cameras of several devices have few controls on their node.
            (Err(V4l2Error::UnknownControl { .. }), Some(media)) => {
                media.set_control(name, value)?;
            }
            (set, _) => set?,
        }
    }
    // What a control may have changed counts, not what was answered before.
    let layout = device.layout(CAPTURE)?;
    check(device, candidate, size, &layout)?;
    let setup = Setup {
        needed: needed_bytes(&layout),
        layout,
        rate,
        min_buffers: device.min_buffers(CAPTURE).unwrap_or(MIN_BUFFERS),
    };
    Ok((setup, choices))
}

/// Asks for a format with strides that every display takes; the driver may have others.
fn set_format(
    device: &VideoDevice,
    Candidate { format, code }: Candidate,
    (width, height): (u32, u32),
) -> Result<(), V4l2SrcError> {
    let request = FormatRequest::aligned(format, code, (width, height));
    let layout = device.set_format(CAPTURE, &request)?;
    check(device, Candidate { format, code }, (width, height), &layout)
}

/// Checks that the driver chose what was asked.
fn check(
    device: &VideoDevice,
    Candidate { format, code }: Candidate,
    asked: (u32, u32),
    layout: &Layout,
) -> Result<(), V4l2SrcError> {
    if layout.format() != format {
        return Err(no_format(device, format, &usable(device)?));
    }
    let proposed = (layout.width(), layout.height());
    if proposed == asked {
        return Ok(());
    }
    let mut nearest = device.frame_sizes(code)?.nearest(asked, NEAREST);
    if nearest.is_empty() {
        nearest.push(proposed);
    }
    Err(V4l2SrcError::NoSize {
        device: device.to_string(),
        format: Some(format.name()),
        asked,
        nearest,
    })
}

/// Sets the rate if one is asked for; returns the rate and what there is to say about it.
fn set_rate(
    device: &VideoDevice,
    media: Option<&mut MediaSetup>,
    asked: Option<Rate>,
    candidate: Candidate,
    size: (u32, u32),
) -> Result<(Option<Rate>, Option<Choice>), V4l2SrcError> {
    let choice = |chosen| {
        Some(Choice {
            what: "rate",
            chosen,
        })
    };
    let Some(asked) = asked else {
        let rate = device.rate(CAPTURE)?;
        let chosen =
            rate.map(|rate| choice(format!("{rate} frames a second, as the camera was set")));
        return Ok((rate, chosen.flatten()));
    };
    let given = match (device.set_rate(CAPTURE, asked)?, media) {
        (None, Some(media)) => media.set_rate(asked)?,
        (given, _) => given,
    };
    match given {
        Some(given) if given.interval() == asked.interval() => Ok((Some(given), None)),
        Some(given) if is_near(given, asked) => Ok((
            Some(given),
            choice(format!(
                "{given} frames a second, the camera's nearest to {asked}"
            )),
        )),
        Some(given) => Err(V4l2SrcError::NoRate {
            device: device.to_string(),
            asked,
            given,
            size,
            has: device.frame_rates(candidate.code, size)?,
        }),
        None => Ok((
            None,
            choice("the camera's own: its driver does not let it be set".to_owned()),
        )),
    }
}

/// Whether one rate is the other's name on paper: 29.97 for 30.
fn is_near(given: Rate, asked: Rate) -> bool {
    (given.per_second() / asked.per_second() - 1.0).abs() < 0.01
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_standards_are_near_their_names() {
        let rate = |frames, seconds| Rate::new(frames, seconds).unwrap();
        assert!(is_near(rate(30_000, 1001), rate(30, 1)));
        assert!(is_near(rate(24_000, 1001), rate(24, 1)));
        assert!(!is_near(rate(25, 1), rate(24, 1)));
    }
}
