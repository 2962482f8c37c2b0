//! Which of a device's formats is best.

use dmaflow_core::format::Format;
use dmaflow_core::fourcc::FourCc;

use crate::modes::FormatInfo;

/// A format of a device that dmaflow can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The format.
    pub format: Format,
    /// The code that the device knows it by.
    pub code: FourCc,
}

/// The formats that have pixels, best first: 32-bit RGB, then YUV, those with fewer bytes a
/// pixel before others.
///
/// Where a device has a format in one buffer and in several, the one buffer is taken: every
/// display and codec imports that.
#[must_use]
pub fn candidates(formats: &[FormatInfo]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for info in formats {
        let Some(format) = info.format.filter(|format| !format.planes().is_empty()) else {
            continue;
        };
        let code = info.code;
        match candidates.iter_mut().find(|known| known.format == format) {
            Some(known) if format.v4l2() == Some(code) => known.code = code,
            Some(_known) => {}
            None => candidates.push(Candidate { format, code }),
        }
    }
    candidates.sort_by_key(|candidate| candidate.format.cost());
    candidates
}

/// The compressed formats, in the driver's order, but for those of stateless decoders.
#[must_use]
pub fn compressed(formats: &[FormatInfo]) -> Vec<Candidate> {
    let known = formats.iter().filter_map(|info| {
        let format = info.format.filter(|format| format.planes().is_empty())?;
        let code = info.code;
        (!format.is_stateless()).then_some(Candidate { format, code })
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(codes: &[&str]) -> Vec<String> {
        let infos: Vec<_> = codes
            .iter()
            .map(|code| {
                let code = code.parse().unwrap();
                FormatInfo {
                    code,
                    format: Format::from_v4l2(code),
                    description: String::new(),
                    compressed: false,
                }
            })
            .collect();
        let best = candidates(&infos);
        let names = best
            .iter()
            .map(|best| format!("{} {}", best.format, best.code));
        names.collect()
    }

    #[test]
    fn rgb_first_then_yuv_by_size() {
        let found = names(&[
            "YUYV", "GREY", "NV12", "BA81", "RGBP", "MJPG", "HSV3", "RGB3", "AR24", "XR24", "NV16",
        ]);
        assert_eq!(
            found,
            [
                "XRGB8888 XR24",
                "ARGB8888 AR24",
                "BGR888 RGB3",
                "NV12 NV12",
                "YUYV YUYV",
                "NV16 NV16",
                "RGB565 RGBP",
                "GREY GREY",
                "SBGGR8 BA81",
            ]
        );
    }

    #[test]
    fn one_buffer_before_several() {
        assert_eq!(names(&["NM12", "NV12"]), ["NV12 NV12"]);
        assert_eq!(names(&["NV12", "NM12"]), ["NV12 NV12"]);
        assert_eq!(names(&["NM12"]), ["NV12 NM12"]);
    }
}
