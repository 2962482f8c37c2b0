//! Pools on a display: their framebuffers, and the way their frames are shown.

use dmaflow_core::caps::{Cap, Caps, MemoryNeeds, Set, Strides};
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, StageError};

use crate::choice::{Candidate, Place, Size, first_accepted, placements};
use crate::config::KmsSinkConfig;
use crate::error::KmsSinkError;
use crate::framebuffer::check;
use crate::imported::{Imported, Pools};
use crate::mode::ModeInfo;
use crate::output::Output;
use crate::plane::{Plane, PlaneRequest};
use crate::props::{Blob, Target};
use crate::refusals::{Refusals, reason};
use crate::scene::{Layer, Outlet, Scene, alike, look};
use crate::writeback::{Verifier, WritebackTargets, pixels};
use dmaflow_core::pixels::RgbBytes;

/// Pools' framebuffers and the way they are shown, which is one for all of them.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) pools: Pools,
    pub(crate) scene: Scene,
    /// Where the framebuffer is set, also alone.
    pub(crate) framebuffer: Target,
    pub(crate) verifier: Option<Verifier>,
    /// The screen's mode.
    pub(crate) mode: ModeInfo,
    /// Named by the scene's commits.
    _mode_blob: Blob,
    /// The first pool's layout, which the way was chosen for.
    layout: Layout,
    /// The chosen plane's index.
    plane: usize,
    pub(crate) place: Place,
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
                // Whether frames can be compared at all.
                pixels(layout)?;
                Some((every, targets))
            }
            _ => None,
        };
        let planes = planes_for(output, config.plane, config.verify.is_some(), layout)?;
        let imported = Imported::new(&output.card, output.label(), pool)?;
        let chosen = choose(output, config, layout, &planes, imported.sample())?;
        let (mode, plane) = (chosen.way.placement.mode, chosen.way.plane);
        let verifier = watch.map(|(every, targets)| Verifier::new(output, every, targets, mode));
        let mut pools = Pools::default();
        pools.add(imported);
        Ok(Self {
            pools,
            verifier: verifier.transpose()?,
            mode: output.mode_infos[mode],
            layout: layout.clone(),
            plane,
            place: chosen.way.place(Size::of(layout)),
            framebuffer: output.planes[plane].framebuffer(&output.card)?,
            choices: chosen.choices(output, Size::of(layout)),
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
            .test_with(output, self.framebuffer, imported.sample())
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

/// The formats that an output shows on planes that are meant, RGB first; `verify` leaves those
/// that can be compared.
pub(crate) fn formats(output: &Output, plane: Option<PlaneRequest>, verify: bool) -> Vec<Format> {
    let planes = output.planes.iter();
    let planes = planes.filter(|known| known.answers_to(plane));
    let taken: Vec<_> = planes.flat_map(Plane::formats).collect();
    Format::all()
        .filter(|format| taken.contains(format))
        .filter(|&format| !verify || RgbBytes::of(format).is_some())
        .collect()
}

/// What an output shows on planes that are meant. Displays divide strides or round them up
/// without looking: see [`check`].
pub(crate) fn caps(output: &Output, plane: Option<PlaneRequest>, verify: bool) -> Caps {
    Caps(vec![Cap {
        formats: Set::Of(formats(output, plane, verify)),
        strides: Strides::padded(4, u32::MAX),
        whole_pixels: true,
        memory: MemoryNeeds::of(true),
        ..Cap::any()
    }])
}

/// The planes that may show such frames, by index, best first.
pub(crate) fn planes_for(
    output: &Output,
    request: Option<PlaneRequest>,
    verify: bool,
    layout: &Layout,
) -> Result<Vec<usize>, KmsSinkError> {
    let takes = |&index: &usize| {
        let plane = &output.planes[index];
        plane.answers_to(request) && plane.takes(layout.format(), layout.modifier())
    };
    let found: Vec<_> = (0..output.planes.len()).filter(takes).collect();
    if found.is_empty() {
        return Err(KmsSinkError::NoPlane {
            card: output.card.label(),
            format: layout.format(),
            modifier: layout.modifier().to_string(),
            taken: formats(output, request, verify)
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
        let plane = &output.planes[self.way.plane];
        let mut choices = vec![
            output.mode_infos[placement.mode].choice(),
            Choice {
                what: "plane",
                chosen: format!("{plane}, {}", placement.at.describe(picture)),
            },
        ];
        choices.extend(self.outlet.choice());
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
    let picture = Size::of(layout);
    let scaling = config.verify.is_none();
    let ways = placements(&output.mode_infos, config.mode, picture, scaling);
    if ways.is_empty() {
        return Err(KmsSinkError::NoRoom {
            picture: picture.to_string(),
            mode: config.mode.to_string(),
        });
    }
    let mut refusals = Refusals::default();
    for &outlet in Outlet::of(output) {
        let test = |way: &Candidate| {
            let mode = Blob::from_mode(&output.card, &output.modes[way.placement.mode])?;
            let layer = Layer {
                plane: way.plane,
                layout,
                framebuffer,
                place: way.place(picture),
                zpos: None,
            };
            let mut scene = Scene::new(output, outlet, mode.id(), &[layer])?;
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
        attempts: refusals.attempts(),
        refusals: refusals.in_short(),
    })
}
