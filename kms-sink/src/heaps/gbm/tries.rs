//! The ways to ask Mesa for memory, one after the other.

use std::fmt;
use std::os::fd::AsFd;

use dmaflow_core::Errno;
use dmaflow_core::layout::Modifier;
use drm::buffer::DrmFourcc;

use super::sys::{Device, Object, usage};
use crate::heaps::picture::{PictureError, PictureRequest, Sheet};

/// The widest and highest picture that is asked for where bytes are: GPUs take so much.
pub(super) const SIDE: u32 = 16_384;

/// What a try is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Picture,
    Sheet,
}

/// One way to ask Mesa.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) what: What,
    format: DrmFourcc,
    width: u32,
    height: u32,
    usage: u32,
    pub(super) modifiers: Vec<Modifier>,
}

impl Try {
    #[doc(alias = "gbm_bo_create")]
    pub(super) fn make<'d>(&self, device: &'d mut Device<impl AsFd>) -> Result<Object<'d>, Errno> {
        let modifiers: Vec<_> = self.modifiers.iter().map(|modifier| modifier.0).collect();
        let size = (self.width, self.height);
        device.object(size, self.format as u32, &modifiers, self.usage)
    }
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}×{}", self.format, self.width, self.height)?;
        for modifier in &self.modifiers {
            write!(f, " {modifier}")?;
        }
        for (usage, word) in [(usage::LINEAR, " linear"), (usage::SCANOUT, " for scanout")] {
            if self.usage & usage != 0 {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}

/// The ways to ask for a picture, in the order of [`Gbm`](super::Gbm).
pub(super) fn tries(request: &PictureRequest) -> Result<Vec<Try>, PictureError> {
    let PictureRequest {
        format,
        width,
        height,
        ..
    } = *request;
    let scanout = if request.scanout { usage::SCANOUT } else { 0 };
    let sheet = Sheet::of(format, width, height)?;
    let mut tries = Vec::new();
    let code = format
        .drm()
        .and_then(|code| DrmFourcc::try_from(code.to_u32()).ok());
    let picture = |format, usage, modifiers| Try {
        what: What::Picture,
        format,
        width,
        height,
        usage,
        modifiers,
    };
    if let Some(code) = code
        && !request.modifiers.is_empty()
    {
        tries.push(picture(code, scanout, request.modifiers.clone()));
    }
    if request.takes_linear() {
        let linear = scanout | usage::LINEAR;
        tries.extend(code.map(|code| picture(code, linear, Vec::new())));
        let usages = [linear, usage::LINEAR];
        tries.extend(sheets(sheet, &usages[..1 + usize::from(request.scanout)]));
    }
    Ok(tries)
}

/// The ways to ask for a sheet of bytes: R8, XRGB8888, then R8 with the other uses.
pub(super) fn sheets(sheet: Sheet, usages: &[u32]) -> Vec<Try> {
    let attempt = |format, width, usage| Try {
        what: What::Sheet,
        format,
        width,
        height: sheet.rows,
        usage,
        modifiers: Vec::new(),
    };
    let mut tries = Vec::new();
    for (index, &usage) in usages.iter().enumerate() {
        tries.push(attempt(DrmFourcc::R8, sheet.row(), usage));
        if index == 0 {
            tries.push(attempt(DrmFourcc::Xrgb8888, sheet.row().div_ceil(4), usage));
        }
    }
    tries
}

/// A sheet of at least so many bytes, no wider and no higher than it must be.
pub(super) fn bytes_sheet(len: u64) -> Sheet {
    let mut columns = 4096;
    while columns < SIDE && len.div_ceil(columns.into()) > u64::from(SIDE / 2) {
        columns *= 2;
    }
    Sheet {
        columns,
        rows: u32::try_from(len.div_ceil(columns.into())).unwrap_or(u32::MAX),
        bits: 8,
    }
}

#[cfg(test)]
mod tests {
    use dmaflow_core::format::Format;

    use super::*;

    fn said(request: &PictureRequest) -> Vec<String> {
        let tries = tries(request).unwrap();
        tries.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_picture_is_asked_for_in_this_order() {
        let mut request = PictureRequest::new(Format::NV12, 1280, 720);
        let linear = [
            "NV12 1280×720 linear for scanout",
            "R8   1280×1080 linear for scanout",
            "XR24 320×1080 linear for scanout",
            "R8   1280×1080 linear",
        ];
        assert_eq!(said(&request), linear);
        request.modifiers = vec![Modifier(7), Modifier::LINEAR];
        let all = said(&request);
        assert_eq!(all[1..], linear);
        assert!(all[0].starts_with("NV12 1280×720 modifier 0x"), "{all:?}");
        request.modifiers.pop();
        assert_eq!(
            said(&request),
            all[..1]
                .iter()
                .map(|first| first.replace(" linear for", " for"))
                .collect::<Vec<_>>()
        );
        request.modifiers.clear();
        request.scanout = false;
        let unseen = [
            "NV12 1280×720 linear",
            "R8   1280×1080 linear",
            "XR24 320×1080 linear",
        ];
        assert_eq!(said(&request), unseen);
    }

    #[test]
    fn bytes_fit_into_what_gpus_take() {
        let sides = |len| {
            let sheet = bytes_sheet(len);
            assert!(u64::from(sheet.columns) * u64::from(sheet.rows) >= len);
            (sheet.columns, sheet.rows)
        };
        assert_eq!(sides(1), (4096, 1));
        assert_eq!(sides(32 << 20), (4096, 8192));
        assert_eq!(sides(48 << 20), (8192, 6144));
        assert_eq!(sides(256 << 20), (16_384, 16_384));
    }
}
