//! What was found: the mode, and for each input a plane and a place.

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::layout::{Layout, Modifier};
use dmaflow_core::stage::Choice;

use super::config::KmsInputConfig;
use super::stack::{Height, stack};
use crate::canvas::Canvas;
use crate::choice::{Place, Rect, Size};
use crate::error::KmsSinkError;
use crate::output::Output;
use crate::plane::{Plane, PlaneKind};
use crate::props::{Blob, Target};
use crate::scene::{Layer, Outlet, Scene};

/// A plane, by its index, and the place of a picture on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) plane: usize,
    pub(super) place: Place,
}

/// An input, by its number, and how to show it.
pub(super) type Shown = (usize, Way);

/// A picture of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture<'p> {
    pub(super) config: &'p KmsInputConfig,
    pub(super) layout: &'p Layout,
    pub(super) framebuffer: u64,
}

/// What the inputs' planes lie on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) outlet: Outlet,
    /// The mode's index.
    pub(super) mode: usize,
    mode_blob: Blob,
    /// A black picture on the primary plane, for drivers that want it to cover the screen.
    pub(super) backdrop: Option<(usize, Canvas)>,
}

impl Ground {
    pub(super) fn new(output: &Output, outlet: Outlet, mode: usize) -> Result<Self, KmsSinkError> {
        Ok(Self {
            outlet,
            mode,
            mode_blob: Blob::from_mode(&output.card, &output.modes[mode])?,
            backdrop: None,
        })
    }

    /// Puts a black picture beneath, where there is a plane for it.
    pub(super) fn with_backdrop(mut self, output: &Output) -> Result<Option<Self>, Errno> {
        let Some(plane) = backdrop_plane(output) else {
            return Ok(None);
        };
        let canvas = Canvas::new(&output.card, output.mode_infos[self.mode].size());
        self.backdrop = Some((plane, canvas.map_err(|(_what, errno)| errno)?));
        Ok(Some(self))
    }

    /// The commit that shows these of all pictures.
    pub(super) fn scene(
        &self,
        output: &Output,
        pictures: &[Picture<'_>],
        shown: &[Shown],
    ) -> Result<Scene, KmsSinkError> {
        let mut upwards = shown.to_vec();
        upwards.sort_by_key(|(input, _way)| pictures[*input].config.rank(*input));
        let backdrop = self.backdrop.iter().map(|(plane, canvas)| Layer {
            plane: *plane,
            layout: canvas.layout(),
            framebuffer: canvas.framebuffer(),
            place: all_of(Size::of(canvas.layout())),
            zpos: None,
        });
        let pictures = upwards.iter().map(|(input, way)| Layer {
            plane: way.plane,
            layout: pictures[*input].layout,
            framebuffer: pictures[*input].framebuffer,
            place: way.place,
            zpos: None,
        });
        let mut layers: Vec<_> = backdrop.chain(pictures).collect();
        let heights: Vec<_> = layers
            .iter()
            .map(|layer| (height(output, layer.plane), layer.place.at))
            .collect();
        let stacked = stack(&heights).ok_or(KmsSinkError::PlaneOrder)?;
        for (layer, zpos) in layers.iter_mut().zip(stacked) {
            layer.zpos = zpos;
        }
        Scene::new(output, self.outlet, self.mode_blob.id(), &layers)
    }
}

/// A way to show all inputs together, which the driver takes.
#[derive(Debug)]
pub(super) struct Arranged {
    pub(super) ground: Ground,
    /// By input.
    pub(super) ways: Vec<Way>,
    /// Where each input's framebuffer is set.
    pub(super) targets: Vec<Target>,
}

impl Arranged {
    /// The places of those inputs that lie above another one.
    pub(super) fn above<'s>(
        &'s self,
        inputs: &'s [KmsInputConfig],
        lower: usize,
        is_on: impl Fn(usize) -> bool + 's,
    ) -> impl Iterator<Item = Rect> + 's {
        let rank = move |input: usize| inputs[input].rank(input);
        (0..inputs.len())
            .filter(move |&input| is_on(input) && rank(input) > rank(lower))
            .map(|input| self.ways[input].place.at)
    }

    /// What was chosen, for people.
    pub(super) fn choices(&self, output: &Output, pictures: &[Picture<'_>]) -> Vec<Choice> {
        let Ground { mode, outlet, .. } = self.ground;
        let mut choices = vec![output.mode_infos[mode].choice()];
        for (picture, way) in pictures.iter().zip(&self.ways) {
            let (name, plane) = (&picture.config.name, &output.planes[way.plane]);
            let place = way.place.describe(Size::of(picture.layout));
            choices.push(Choice {
                what: "plane",
                chosen: format!("`{name}` on {plane}, {place}"),
            });
        }
        choices.extend(self.ground.backdrop.iter().map(|(plane, _canvas)| Choice {
            what: "backdrop",
            chosen: format!("black, on {}", output.planes[*plane]),
        }));
        choices.extend(outlet.choice());
        choices
    }
}

fn all_of(size: Size) -> Place {
    Place::of_whole(size, Rect::whole(size))
}

/// The plane that can have a black picture of the card's own.
pub(super) fn backdrop_plane(output: &Output) -> Option<usize> {
    let able = |plane: &Plane| {
        plane.kind == PlaneKind::Primary && plane.takes(Format::XRGB8888, Modifier::LINEAR)
    };
    output.planes.iter().position(able)
}

/// How far up a plane lies.
fn height(output: &Output, plane: usize) -> Height {
    let properties = &output.planes[plane].properties;
    if let Some((_target, (lowest, highest))) = properties.ranged("zpos") {
        return Height::Settable(lowest, highest);
    }
    // Planes stand in the order of their kinds, then in the kernel's.
    let in_order = u64::try_from(plane).unwrap_or(u64::MAX);
    Height::Fixed(properties.value("zpos").unwrap_or(in_order))
}
