//! Pools on a display: their framebuffers, and the way their frames are shown.

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, StageError};

use crate::choice::{Candidate, Size, first_accepted, placements};
use crate::config::KmsSinkConfig;
use crate::error::KmsSinkError;
use crate::framebuffer::check;
use crate::imported::{Imported, Pools};
use crate::mode::ModeInfo;
use crate::output::Output;
use crate::plane::Plane;
use crate::props::Blob;
use crate::rgb::RgbBytes;
use crate::scene::{Outlet, Scene, alike, look};
use crate::writeback::{Verifier, WritebackTargets, pixels};

/// Pools' framebuffers and the way they are shown, which is one for all of them.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) pools: Pools,
    pub(crate) scene: Scene,
    pub(crate) verifier: Option<Verifier>,
    /// The screen's mode.
    pub(crate) mode: ModeInfo,
    /// Named by the scene's commits.
    _mode_blob: Blob,
    /// The first pool's layout, which the way was chosen for, and the chosen plane's index.
    layout: Layout,
    plane: usize,
    choices: Vec<Choice>,
}

impl Attached {
    /// Imports every frame of a pool and finds a way to show them.
    pub(crate) fn new(
        output: &Output,
        config: &KmsSinkConfig,
        pool: &FramePool,
    ) -> Result<Self, StageError> {
        let layout = pool.layout();
        check(&output.card, layout)?;
        let watch = match (config.verify, &output.writeback) {
            (Some(every), Some(connector)) => {
                let targets = WritebackTargets::of(output, connector)?;
                Some((every, targets, pixels(layout)?))
            }
            _ => None,
        };
        let planes = planes_for(output, config, layout)?;
        let imported = Imported::new(&output.card, output.label(), pool)?;
        let chosen = choose(output, config, layout, &planes, imported.sample())?;
        let verifier = watch.map(|(every, targets, pixels)| {
            let placement = &chosen.way.placement;
            Verifier::new(output, every, targets, pixels, placement)
        });
        let mut pools = Pools::default();
        pools.add(imported);
        Ok(Self {
            pools,
            verifier: verifier.transpose()?,
            mode: output.mode_infos[chosen.way.placement.mode],
            layout: layout.clone(),
            plane: chosen.way.plane,
            choices: chosen.choices(output, size(layout)),
            scene: chosen.scene,
            _mode_blob: chosen.mode,
        })
    }

    /// Imports every frame of one more pool, to be shown the way that was chosen.
    pub(crate) fn add(&mut self, output: &Output, pool: &FramePool) -> Result<(), StageError> {
        if self.pools.has(pool) {
            return Ok(());
        }
        let (card, layout) = (&output.card, pool.layout());
        check(card, layout)?;
        let plane = &output.planes[self.plane];
        if !alike(layout, &self.layout) || !plane.takes(layout.format(), layout.modifier()) {
            return Err(KmsSinkError::Unlike {
                device: output.label(),
                asked: look(layout),
                shown: look(&self.layout),
            }
            .into());
        }
        let imported = Imported::new(card, output.label(), pool)?;
        self.scene
            .test_with(output, imported.sample())
            .map_err(|error| KmsSinkError::NoWay {
                card: card.label(),
                picture: layout.to_string(),
                attempts: 1,
                refusals: vec![format!("as frames of {}: {}", self.layout, reason(&error))],
            })?;
        self.pools.add(imported);
        Ok(())
    }

    /// What was chosen, for people.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        self.choices.clone()
    }
}

/// The formats that a configuration lets an output show, RGB first.
pub(crate) fn formats(output: &Output, config: &KmsSinkConfig) -> Vec<Format> {
    let planes = output.planes.iter();
    let planes = planes.filter(|plane| plane.answers_to(config.plane));
    let taken: Vec<_> = planes.flat_map(Plane::formats).collect();
    Format::all()
        .filter(|format| taken.contains(format))
        .filter(|&format| config.verify.is_none() || RgbBytes::of(format).is_some())
        .collect()
}

/// The planes that may show such frames, by index, best first.
fn planes_for(
    output: &Output,
    config: &KmsSinkConfig,
    layout: &Layout,
) -> Result<Vec<usize>, KmsSinkError> {
    let takes = |&index: &usize| {
        let plane = &output.planes[index];
        plane.answers_to(config.plane) && plane.takes(layout.format(), layout.modifier())
    };
    let found: Vec<_> = (0..output.planes.len()).filter(takes).collect();
    if found.is_empty() {
        return Err(KmsSinkError::NoPlane {
            card: output.card.label(),
            format: layout.format(),
            modifier: layout.modifier().to_string(),
            taken: formats(output, config)
                .iter()
                .map(Format::to_string)
                .collect(),
        });
    }
    Ok(found)
}

/// The way that was taken to show frames.
struct Chosen {
    way: Candidate,
    outlet: Outlet,
    scene: Scene,
    mode: Blob,
}

impl Chosen {
    /// What was chosen, for people.
    fn choices(&self, output: &Output, picture: Size) -> Vec<Choice> {
        let placement = self.way.placement;
        let mode = output.mode_infos[placement.mode];
        let preferred = if mode.preferred { " (preferred)" } else { "" };
        let plane = &output.planes[self.way.plane];
        let mut choices = vec![
            Choice {
                what: "mode",
                chosen: format!("{mode}{preferred}"),
            },
            Choice {
                what: "plane",
                chosen: format!("{plane}, {}", placement.at.describe(picture)),
            },
        ];
        if self.outlet == Outlet::Writeback {
            choices.push(Choice {
                what: "verification",
                chosen: "with the screen dark, as the driver cannot do both".to_owned(),
            });
        }
        choices
    }
}

/// Tries the ways to show frames of a layout, with a real framebuffer, until one is taken.
fn choose(
    output: &Output,
    config: &KmsSinkConfig,
    layout: &Layout,
    planes: &[usize],
    framebuffer: u64,
) -> Result<Chosen, KmsSinkError> {
    let picture = size(layout);
    let scaling = config.verify.is_none();
    let ways = placements(&output.mode_infos, config.mode, picture, scaling);
    if ways.is_empty() {
        return Err(KmsSinkError::NoRoom {
            picture: picture.to_string(),
            mode: config.mode.to_string(),
        });
    }
    let outlets: &[_] = match output.writeback {
        Some(_) => &[Outlet::Screen, Outlet::Writeback],
        None => &[Outlet::Screen],
    };
    let mut refusals = Refusals::default();
    for &outlet in outlets {
        let test = |way: &Candidate| {
            let mode = Blob::from_mode(&output.card, &output.modes[way.placement.mode])?;
            let mut scene = Scene::new(output, outlet, way, layout, mode.id(), framebuffer)?;
            scene.test(output).map(|()| (scene, mode))
        };
        let refused = match first_accepted(&ways, planes, test) {
            Ok((way, (scene, mode))) => {
                return Ok(Chosen {
                    way,
                    outlet,
                    scene,
                    mode,
                });
            }
            Err(refused) => refused,
        };
        for (way, error) in &refused {
            let mode = output.mode_infos[way.placement.mode];
            let at = way.placement.at.describe(picture);
            refusals.add(format!("{at} in mode {mode}"), error);
        }
    }
    Err(KmsSinkError::NoWay {
        card: output.card.label(),
        picture: layout.to_string(),
        attempts: refusals.attempts,
        refusals: refusals.in_short(),
    })
}

/// Why a test was refused, in short.
fn reason(error: &KmsSinkError) -> String {
    match error {
        KmsSinkError::Commit {
            source: Errno::ERANGE,
            ..
        } => "cannot scale so".to_owned(),
        KmsSinkError::Commit { source, .. } => format!("{source:?}"),
        other => other.to_string(),
    }
}

/// Refusals in the order they came, those for the same reason as one.
#[derive(Debug, Default)]
struct Refusals {
    attempts: usize,
    /// The way, the reason, and how many planes gave it.
    reasons: Vec<(String, String, usize)>,
}

impl Refusals {
    fn add(&mut self, way: String, error: &KmsSinkError) {
        let reason = reason(error);
        self.attempts += 1;
        match self.reasons.last_mut() {
            Some((last, same, planes)) if *last == way && *same == reason => *planes += 1,
            _ => self.reasons.push((way, reason, 1)),
        }
    }

    /// The first few, for people.
    fn in_short(&self) -> Vec<String> {
        let short = |(way, reason, planes): &(String, String, usize)| match planes {
            1 => format!("{way}: {reason}"),
            planes => format!("{way}: {reason}, {planes} planes"),
        };
        self.reasons.iter().take(4).map(short).collect()
    }
}

fn size(layout: &Layout) -> Size {
    Size {
        width: layout.width(),
        height: layout.height(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_that_refuse_alike_are_told_once() {
        let refused = |source| KmsSinkError::Commit {
            card: String::new(),
            what: "a test",
            source,
        };
        let mut refusals = Refusals::default();
        for _plane in 0..9 {
            refusals.add("scaled".to_owned(), &refused(Errno::ERANGE));
        }
        refusals.add("centred".to_owned(), &refused(Errno::EINVAL));
        assert_eq!(refusals.attempts, 10);
        let expected = ["scaled: cannot scale so, 9 planes", "centred: EINVAL"];
        assert_eq!(refusals.in_short(), expected);
    }
}
