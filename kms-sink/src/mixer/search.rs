//! The search for a way to show all inputs together.

use super::arranged::{Arranged, Ground, Picture, Shown, Way};
use super::assign::{assign, suffice};
use super::config::{Arrangement, KmsMixerConfig};
use super::places::{cell, is_within, places};
use crate::attach::planes_for;
use crate::choice::{Rect, Size, modes_in_order};
use crate::error::KmsSinkError;
use crate::output::Output;
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
    check_places(output, config)?;
    let mut search = Search {
        output,
        config,
        pictures,
        planes: planes(output, config, pictures)?,
        tests: TESTS,
        refusals: Refusals::default(),
    };
    for &outlet in Outlet::of(output) {
        // Cut pictures and memory of our own are for where nothing else will do.
        for (crop, backdrop) in [(false, false), (false, true), (true, false), (true, true)] {
            for mode in modes_in_order(&output.mode_infos, config.mode) {
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

/// Whether there is a mode that each input's own place lies in.
fn check_places(output: &Output, config: &KmsMixerConfig) -> Result<(), KmsSinkError> {
    let modes = modes_in_order(&output.mode_infos, config.mode);
    let is_in = |at: Rect| move |&mode: &usize| is_within(at, output.mode_infos[mode].size());
    for input in &config.inputs {
        let wrong = match input.at {
            None if config.arrangement == Arrangement::Custom => KmsSinkError::NoPlace,
            Some(at) if !modes.iter().any(is_in(at)) => KmsSinkError::Outside {
                at,
                mode: config.mode.to_string(),
            },
            _ => continue,
        };
        return Err(wrong.of_input(&input.name));
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
    let mut planes = Vec::with_capacity(pictures.len());
    for picture in pictures {
        let found = planes_for(output, picture.config.plane, verify, picture.layout);
        planes.push(found.map_err(|error| error.of_input(&picture.config.name))?);
    }
    if suffice(&planes) {
        return Ok(planes);
    }
    let inputs = pictures.iter().zip(&planes).map(|(picture, planes)| {
        let names = planes.iter().map(|&plane| output.planes[plane].to_string());
        let names: Vec<_> = names.collect();
        format!("{} goes on {}", describe(picture), names.join(", "))
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

    /// Where each input is to lie; `None` where a place is not on the screen.
    fn cells(&self, screen: Size) -> Option<Vec<Rect>> {
        let inputs = &self.config.inputs;
        let one = |index: usize| match inputs[index].at {
            Some(at) => is_within(at, screen).then_some(at),
            None => cell(self.config.arrangement, index, inputs.len(), screen),
        };
        (0..inputs.len()).map(one).collect()
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
