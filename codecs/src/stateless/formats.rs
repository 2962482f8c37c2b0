//! The formats of streams, what drivers of stateless decoders call them, and who reads them.

use dmaflow_core::format::Format;
use dmaflow_stateless::fwht::FwhtSequencer;
use dmaflow_stateless::{Ability, Sequencer};
use dmaflow_v4l2::{Candidate, FormatInfo};

/// A compressed format that stateless decoders have.
#[derive(Debug)]
pub(super) struct Coded {
    /// What a stream is called.
    stream: &'static str,
    /// The same, as it goes into a stateless decoder.
    driver: &'static str,
    /// The most pictures that a stream keeps at once, by its specification.
    pub(super) kept: usize,
    /// What coded widths and heights are a multiple of.
    pub(super) block: u32,
}

const fn coded(names: [&'static str; 2], kept: usize, block: u32) -> Coded {
    let [stream, driver] = names;
    Coded {
        stream,
        driver,
        kept,
        block,
    }
}

static CODED: [Coded; 7] = [
    coded(["H264", "H264_SLICE"], 16, 16),
    coded(["HEVC", "HEVC_SLICE"], 16, 8),
    coded(["VP8", "VP8_FRAME"], 3, 1),
    coded(["VP9", "VP9_FRAME"], 8, 1),
    coded(["AV1", "AV1_FRAME"], 8, 1),
    coded(["MPEG2", "MPEG2_SLICE"], 3, 16),
    coded(["FWHT", "FWHT_STATELESS"], 1, 1),
];

/// Who reads streams of a format for a driver that wants to be told so; `None` where nobody can.
#[must_use]
pub fn sequencer(stream: Format, ability: &Ability) -> Option<Box<dyn Sequencer>> {
    let _told = ability;
    match stream.name() {
        "FWHT" => Some(Box::new(FwhtSequencer::new())),
        _ => None,
    }
}

impl Coded {
    /// What is known of a stream's format.
    pub(super) fn of(stream: Format) -> Option<&'static Self> {
        CODED.iter().find(|coded| coded.stream == stream.name())
    }

    fn of_driver(format: Format) -> Option<&'static Self> {
        CODED.iter().find(|coded| coded.driver == format.name())
    }

    /// A size in whole blocks.
    pub(super) fn blocks(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let whole = |pixels: u32| {
            pixels
                .checked_next_multiple_of(self.block)
                .unwrap_or(pixels)
        };
        (whole(width), whole(height))
    }
}

/// The streams that a stateless decoder takes and that can be read, in the driver's order: the
/// formats are the streams', the codes the driver's.
pub(super) fn streams(formats: &[FormatInfo]) -> Vec<Candidate> {
    let readable = formats.iter().filter_map(|info| {
        let coded = Coded::of_driver(info.format?)?;
        let format: Format = coded.stream.parse().ok()?;
        sequencer(format, &Ability::default())?;
        let code = info.code;
        Some(Candidate { format, code })
    });
    readable.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_of_a_stateless_decoder_is_one_of_a_stream() {
        let stateless: Vec<_> = Format::all().filter(|it| it.is_stateless()).collect();
        assert_eq!(stateless.len(), CODED.len());
        for driver in stateless {
            let coded = Coded::of_driver(driver).unwrap();
            let stream: Format = coded.stream.parse().unwrap();
            assert!(!stream.is_stateless() && stream.planes().is_empty());
            assert_eq!(Coded::of(stream).map(|of| of.driver), Some(driver.name()));
        }
    }

    #[test]
    fn a_driver_is_known_by_the_streams_that_can_be_read() {
        let infos: Vec<_> = ["SFWH", "NV12", "FWHT"]
            .into_iter()
            .map(|code| {
                let code = code.parse().unwrap();
                FormatInfo {
                    code,
                    format: Format::from_v4l2(code),
                    description: String::new(),
                    compressed: true,
                }
            })
            .collect();
        let found = streams(&infos);
        let [found] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(found.format.name(), "FWHT");
        assert_eq!(found.code.to_string(), "SFWH");
    }

    #[test]
    fn sizes_are_in_whole_blocks() {
        let of = |name: &str| Coded::of(name.parse().unwrap()).unwrap();
        assert_eq!(of("H264").blocks((1920, 1080)), (1920, 1088));
        assert_eq!(of("FWHT").blocks((1279, 719)), (1279, 719));
    }
}
