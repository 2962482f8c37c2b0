//! The search for a way to show all inputs together.

use dmaflow_core::format::Format;
use dmaflow_core::layout::Modifier;

use super::arranged::{Arranged, Ground, Picture, Shown, Way, backdrop_plane};
use super::assign::{assign, suffice};
use super::config::KmsMixerConfig;
use super::places::{cell, is_within, own_place, places};
use crate::attach::{formats, planes_for};
use crate::choice::{Rect, Size, modes_in_order};
use crate::error::KmsSinkError;
use crate::output::Output;
use crate::plane::PlaneRequest;
use crate::refusals::Refusals;
use crate::scene::{Outlet, look};

/// How many ways to share the planes are tested at most.
const TESTS: usize = 4096;

/// Finds a mode and for each input a plane and a place, by asking the driver.
///
/// A screen that shows some inputs before others have sent anything must be taken as well, so
/// each input is tried alone and then with others.
pub(super) fn search(
    output: &Output,
    config: &KmsMixerConfig,
    pictures: &[Picture<'_>],
) -> Result<Arranged, KmsSinkError> {
    let modes = modes_in_order(&output.mode_infos, config.mode);
    let mut search = Search {
        output,
        config,
        pictures,
        planes: planes(output, config, pictures)?,
        tests: TESTS,
        refusals: Refusals::default(),
    };
    check_places(&search, &modes)?;
    for &outlet in Outlet::of(output) {
        // Cut pictures and memory of our own are for where nothing else will do.
        let wishes = [(false, false), (false, true), (true, false), (true, true)];
        for (crop, backdrop) in wishes {
            if config.backdrop && !backdrop {
                continue;
            }
            for &mode in &modes {
                let ground = Ground::new(output, outlet, mode)?;
                let ground = if backdrop {
                    search.with_backdrop(ground)
                } else {
                    Some(ground)
                };
                if let Some(ground) = ground
                    && let Some(arranged) = search.on(ground, crop)?
                {
                    return Ok(arranged);
                }
            }
        }
    }
    let told: Vec<_> = pictures.iter().map(describe).collect();
    Err(KmsSinkError::NoWay {
        card: output.card.label(),
        picture: told.join(" with "),
        attempts: search.refusals.attempts(),
        refusals: search.refusals.in_short(),
    })
}

/// Whether each input says enough of its place, and there is a mode that it lies in.
fn check_places(search: &Search<'_>, modes: &[usize]) -> Result<(), KmsSinkError> {
    for (input, picture) in search.pictures.iter().enumerate() {
        let mut place = Err(KmsSinkError::NoPlace);
        for &mode in modes {
            let screen = search.output.mode_infos[mode].size();
            place = match search.place(input, screen) {
                None => break,
                Some(at) if is_within(at, screen) => Ok(()),
                Some(at) => Err(KmsSinkError::Outside {
                    at,
                    mode: search.config.mode.to_string(),
                }),
            };
            if place.is_ok() {
                break;
            }
        }
        place.map_err(|error| error.of_input(&picture.config.name))?;
    }
    Ok(())
}

/// The planes that each input may have by their own word: enough for all of them.
fn planes(
    output: &Output,
    config: &KmsMixerConfig,
    pictures: &[Picture<'_>],
) -> Result<Vec<Vec<usize>>, KmsSinkError> {
    let verify = config.verify.is_some();
    let beneath = backdrop_plane(output).filter(|_plane| config.backdrop);
    if config.backdrop && beneath.is_none() {
        let taken = formats(output, Some(PlaneRequest::Primary), false);
        return Err(KmsSinkError::NoPlane {
            card: output.card.label(),
            format: Format::XRGB8888,
            modifier: Modifier::LINEAR.to_string(),
            taken: taken.iter().map(Format::to_string).collect(),
        });
    }
    let mut planes = Vec::with_capacity(pictures.len());
    for picture in pictures {
        let found = planes_for(output, picture.config.plane, verify, picture.layout);
        let mut found = found.map_err(|error| error.of_input(&picture.config.name))?;
        found.retain(|plane| Some(*plane) != beneath);
        planes.push(found);
    }
    if suffice(&planes) {
        return Ok(planes);
    }
    let inputs = pictures.iter().zip(&planes).map(|(picture, planes)| {
        let names = planes.iter().map(|&plane| output.planes[plane].to_string());
        let names = names.collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() {
            "none that is free"
        } else {
            &names
        };
        format!("{} goes on {names}", describe(picture))
    });
    Err(KmsSinkError::TooFewPlanes {
        device: output.label(),
        inputs: inputs.collect(),
        planes: output.planes.iter().map(ToString::to_string).collect(),
    })
}

fn describe(picture: &Picture<'_>) -> String {
    format!("`{}` ({})", picture.config.name, look(picture.layout))
}

struct Search<'s> {
    output: &'s Output,
    config: &'s KmsMixerConfig,
    pictures: &'s [Picture<'s>],
    /// By input.
    planes: Vec<Vec<usize>>,
    tests: usize,
    refusals: Refusals,
}

impl Search<'_> {
    /// Puts a black picture beneath, where there are planes left for the inputs.
    fn with_backdrop(&self, ground: Ground) -> Option<Ground> {
        let ground = ground.with_backdrop(self.output);
        let ground = ground.unwrap_or_else(|error| {
            tracing::debug!(%error, "no memory for a black picture");
            None
        })?;
        let left = self.planes.iter();
        let left: Vec<_> = left.map(|planes| free(planes, &ground).collect()).collect();
        suffice(&left).then_some(ground)
    }

    /// Shares the planes among the inputs.
    fn on(&mut self, ground: Ground, crop: bool) -> Result<Option<Arranged>, KmsSinkError> {
        let Some(cells) = self.cells(self.output.mode_infos[ground.mode].size()) else {
            return Ok(None);
        };
        let mut options = Vec::with_capacity(cells.len());
        for (input, cell) in cells.into_iter().enumerate() {
            let alone = self.alone(&ground, input, cell, crop);
            if alone.is_empty() {
                return Ok(None);
            }
            options.push(alone);
        }
        let mut tests = self.tests;
        let found = assign(
            &options,
            |(_input, way)| way.plane,
            &mut tests,
            // Each was tested alone.
            |shown| shown.len() < 2 || self.test(&ground, shown),
        );
        self.tests = tests;
        let Some(found) = found else {
            return Ok(None);
        };
        let ways: Vec<_> = found.into_iter().map(|(_input, way)| way).collect();
        let targets = ways.iter().map(|way| {
            let plane = &self.output.planes[way.plane];
            plane.framebuffer(&self.output.card)
        });
        Ok(Some(Arranged {
            targets: targets.collect::<Result<_, _>>()?,
            ways,
            ground,
        }))
    }

    /// Where an input is to lie on a screen of this size; `None` where nothing says so.
    fn place(&self, input: usize, screen: Size) -> Option<Rect> {
        let Picture { config, layout, .. } = self.pictures[input];
        let inputs = self.pictures.len();
        let cell = cell(self.config.arrangement, input, inputs, screen);
        own_place(config, Size::of(layout), cell)
    }

    /// Where each input is to lie; `None` where a place is not on the screen.
    fn cells(&self, screen: Size) -> Option<Vec<Rect>> {
        let place = |input| self.place(input, screen);
        (0..self.pictures.len())
            .map(|input| place(input).filter(|at| is_within(*at, screen)))
            .collect()
    }

    /// The ways to show an input alone that the driver takes, best first.
    fn alone(&mut self, ground: &Ground, input: usize, cell: Rect, crop: bool) -> Vec<Shown> {
        let picture = Size::of(self.pictures[input].layout);
        let mut taken = Vec::new();
        for place in places(picture, cell, self.config.verify.is_none(), crop) {
            for plane in free(&self.planes[input], ground).collect::<Vec<_>>() {
                let shown = (input, Way { plane, place });
                if self.test(ground, &[shown]) {
                    taken.push(shown);
                }
            }
        }
        taken
    }

    /// Whether the driver takes some inputs together.
    fn test(&mut self, ground: &Ground, shown: &[Shown]) -> bool {
        let tested = ground
            .scene(self.output, self.pictures, shown)
            .and_then(|mut scene| scene.test(self.output));
        if let Err(error) = &tested {
            let one = |(input, way): &Shown| {
                let picture = &self.pictures[*input];
                let place = way.place.describe(Size::of(picture.layout));
                format!("`{}` {place}", picture.config.name)
            };
            let ways: Vec<_> = shown.iter().map(one).collect();
            let mode = self.output.mode_infos[ground.mode];
            let way = format!("{} in mode {mode}", ways.join(" with "));
            self.refusals.add(way, error);
        }
        tested.is_ok()
    }
}

/// Those of some planes that nothing beneath needs.
fn free<'p>(planes: &'p [usize], ground: &Ground) -> impl Iterator<Item = usize> + use<'p> {
    let taken = ground.backdrop.as_ref().map(|(plane, _canvas)| *plane);
    planes
        .iter()
        .copied()
        .filter(move |plane| Some(*plane) != taken)
}
