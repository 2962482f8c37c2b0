//! Scenes: all that must be set on a card for a picture to be shown in a chosen way.

use dmaflow_core::format::{Colour, Encoding, Family, Range};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Choice;

use crate::choice::Place;
use crate::error::KmsSinkError;
use crate::output::Output;
use crate::plane::Plane;
use crate::props::{Properties, Request, Target, flags};

/// The commit that shows pictures on planes, from whatever there was before.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) modeset: Request,
}

/// One plane's picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'l> {
    /// The plane's index.
    pub(crate) plane: usize,
    pub(crate) layout: &'l Layout,
    pub(crate) framebuffer: u64,
    pub(crate) place: Place,
    /// How far up it lies, where that is to be set.
    pub(crate) zpos: Option<u64>,
}

/// Where a CRTC's picture goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlet {
    /// To the screen, and to the writeback connector where verification was asked for.
    Screen,
    /// To the writeback connector alone, for drivers that cannot feed both: vkms in Linux 6.12
    /// has a writeback connector and does not say that it can be used beside the screen.
    Writeback,
}

impl Outlet {
    /// Those to try, best first.
    pub(crate) fn of(output: &Output) -> &'static [Self] {
        match output.writeback {
            Some(_) => &[Self::Screen, Self::Writeback],
            None => &[Self::Screen],
        }
    }

    /// What there is to say of it.
    pub(crate) fn choice(self) -> Option<Choice> {
        (self == Self::Writeback).then(|| Choice {
            what: "verification",
            chosen: "with the screen dark, as the driver cannot do both".to_owned(),
        })
    }
}

impl Scene {
    pub(crate) fn new(
        output: &Output,
        outlet: Outlet,
        mode_blob: u64,
        layers: &[Layer<'_>],
    ) -> Result<Self, KmsSinkError> {
        let card = &output.card;
        let crtc = u64::from(output.crtc.object());
        let mut modeset = Request::default();

        for other in on_crtc(&output.others, crtc) {
            modeset.set(other.target(card, "CRTC_ID")?, 0);
        }
        let used = |index: &usize| layers.iter().any(|layer| layer.plane == *index);
        let unused = (0..output.planes.len()).filter(|index| !used(index));
        for other in on_crtc(unused.map(|index| &output.planes[index].properties), crtc) {
            switch_off(&mut modeset, output, other)?;
        }
        modeset.set(output.crtc.target(card, "MODE_ID")?, mode_blob);
        modeset.set(output.crtc.target(card, "ACTIVE")?, 1);
        for colours in ["DEGAMMA_LUT", "CTM", "GAMMA_LUT"] {
            if let Some(target) = output.crtc.optional(colours) {
                modeset.set(target, 0);
            }
        }
        let screen = if outlet == Outlet::Screen { crtc } else { 0 };
        modeset.set(output.connector.target(card, "CRTC_ID")?, screen);
        if let Some(writeback) = &output.writeback {
            modeset.set(writeback.target(card, "CRTC_ID")?, crtc);
        }
        for layer in layers {
            put(&mut modeset, output, crtc, layer)?;
        }
        Ok(Self { modeset })
    }

    /// Whether the driver takes it.
    pub(crate) fn test(&mut self, output: &Output) -> Result<(), KmsSinkError> {
        self.modeset
            .commit(&output.card, flags::TEST | flags::MODESET)
            .map_err(|errno| output.card.refused("a test", errno))
    }

    /// Whether the driver takes it with another framebuffer, which changes nothing here.
    pub(crate) fn test_with(
        &self,
        output: &Output,
        target: Target,
        framebuffer: u64,
    ) -> Result<(), KmsSinkError> {
        let mut other = self.clone();
        other.modeset.set(target, framebuffer);
        other.test(output)
    }
}

/// Whether frames of two layouts can be shown in one way: all is the same but where their
/// pixels lie.
pub(crate) fn alike(one: &Layout, other: &Layout) -> bool {
    let seen = |layout: &Layout| {
        let colours =
            (layout.format().family() == Family::Yuv).then(|| colour_names(layout.colour()));
        (layout.format(), layout.width(), layout.height(), colours)
    };
    seen(one) == seen(other)
}

/// What [`alike`] compares, and the modifier, for people.
pub(crate) fn look(layout: &Layout) -> String {
    let (width, height) = (layout.width(), layout.height());
    let mut text = format!("{width}×{height} {} {}", layout.format(), layout.modifier());
    if layout.format().family() == Family::Yuv {
        let (encoding, range) = colour_names(layout.colour());
        text.push_str(&format!(" ({encoding}, {range})"));
    }
    text
}

/// Those of some objects that a CRTC uses now.
fn on_crtc<'p>(
    objects: impl IntoIterator<Item = &'p Properties>,
    crtc: u64,
) -> impl Iterator<Item = &'p Properties> {
    objects
        .into_iter()
        .filter(move |object| object.value("CRTC_ID") == Some(crtc))
}

/// Takes a plane off its CRTC.
fn switch_off(
    request: &mut Request,
    output: &Output,
    plane: &Properties,
) -> Result<(), KmsSinkError> {
    request.set(plane.target(&output.card, "FB_ID")?, 0);
    request.set(plane.target(&output.card, "CRTC_ID")?, 0);
    Ok(())
}

/// Puts a picture on its plane.
fn put(
    request: &mut Request,
    output: &Output,
    crtc: u64,
    layer: &Layer<'_>,
) -> Result<(), KmsSinkError> {
    // The source is counted in 1/65536 of a pixel.
    let fixed = |pixels: u32| u64::from(pixels) << 16;
    let plane = &output.planes[layer.plane];
    let Place { source, at } = layer.place;
    let values = [
        ("FB_ID", layer.framebuffer),
        ("CRTC_ID", crtc),
        ("SRC_X", fixed(source.x)),
        ("SRC_Y", fixed(source.y)),
        ("SRC_W", fixed(source.width)),
        ("SRC_H", fixed(source.height)),
        ("CRTC_X", at.x.into()),
        ("CRTC_Y", at.y.into()),
        ("CRTC_W", at.width.into()),
        ("CRTC_H", at.height.into()),
    ];
    for (name, value) in values {
        request.set(plane.properties.target(&output.card, name)?, value);
    }
    if let (Some(zpos), Some(target)) = (layer.zpos, plane.properties.optional("zpos")) {
        request.set(target, zpos);
    }
    set_look(request, plane, layer.layout);
    Ok(())
}

/// Undoes what another program may have left on the plane, and says how colours are meant.
fn set_look(request: &mut Request, plane: &Plane, layout: &Layout) {
    /// `DRM_MODE_ROTATE_0`.
    const UPRIGHT: u64 = 1;
    const OPAQUE: u64 = 0xffff;
    for (name, value) in [("rotation", UPRIGHT), ("alpha", OPAQUE)] {
        if let Some(target) = plane.properties.optional(name) {
            request.set(target, value);
        }
    }
    if layout.format().family() == Family::Yuv {
        let (encoding, range) = colour_names(layout.colour());
        for (name, value) in [("COLOR_ENCODING", encoding), ("COLOR_RANGE", range)] {
            if let Some((target, number)) = plane.properties.named(name, value) {
                request.set(target, number);
            }
        }
    }
}

/// The kernel's names of encoding and range (`drm_color_mgmt.c`); what a source leaves open is
/// taken as a webcam would mean it.
fn colour_names(colour: Colour) -> (&'static str, &'static str) {
    let encoding = match colour.encoding {
        Some(Encoding::Bt601) | None => "ITU-R BT.601 YCbCr",
        Some(Encoding::Bt709) => "ITU-R BT.709 YCbCr",
        Some(Encoding::Bt2020) => "ITU-R BT.2020 YCbCr",
    };
    let range = match colour.range {
        Some(Range::Limited) | None => "YCbCr limited range",
        Some(Range::Full) => "YCbCr full range",
    };
    (encoding, range)
}
