//! AV1: what a stateless decoder is told of each frame.

mod controls;
mod frame;
mod pictures;

use dmaflow_bitstream::av1::{FrameHeader, References, SequenceHeader};
use dmaflow_bitstream::obu::{Obu, ObuType, Obus};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use self::frame::Gathered;
use self::pictures::Pictures;
use crate::ability::Ability;
use crate::steps::{Chroma, Sequence, Sequencer, Step, Steps, Visible};
use crate::uapi::av1::{STATELESS_AV1_FILM_GRAIN, STATELESS_AV1_SEQUENCE};

/// The state of an AV1 stream.
///
/// A unit is a temporal unit in the low-overhead format (AV1 bitstream specification, 5.2), of
/// which the last OBU may be without a size. Each frame of it is a [`Step::Decode`], hidden ones
/// too; `show_existing_frame` is a [`Step::Output`] alone. Of the operating points it is the first
/// that is decoded; with several spatial layers, the highest frame of a unit goes out, at its end.
///
/// **Data.** The device gets the payloads of the frame's OBUs, without their headers: of a frame
/// OBU, or of a frame header OBU and its tile group OBUs, one behind the other. `tile_offset`
/// counts from the first byte of that, which is the first of the device's buffer.
///
/// **Sizes.** [`Sequence::coded`] is the largest that the sequence header allows, so that frames
/// of other sizes (`frame_size_override_flag`, superres, layers) fit into the same buffers, and
/// refer to one another. A [`Step::Sequence`] with a new sequence header comes before its first
/// frame; by then, all pictures are forgotten. Where pictures that go out have another size than
/// those before, a [`Step::Sequence`] comes before the [`Step::Output`] that differs in
/// [`Sequence::visible`] alone: there, everything stays as it is, pictures too. What is to be seen
/// is the render size where it lies within the frame, as encoders use it that code whole
/// blocks only, and otherwise the whole (upscaled) frame.
#[derive(Clone, Debug)]
pub struct Av1 {
    film_grain: bool,
    sequence: Option<SequenceHeader>,
    /// What was told last, while it holds.
    told: Option<Visible>,
    references: References,
    pictures: Pictures,
    header: FrameHeader,
    gathered: Gathered,
}

/// Reference slots. They are what is kept.
const SLOTS: usize = 8;

impl Av1 {
    /// For a driver with these abilities.
    #[must_use]
    pub fn new(ability: &Ability) -> Self {
        Self {
            film_grain: ability.has(STATELESS_AV1_FILM_GRAIN),
            sequence: None,
            told: None,
            references: References::default(),
            pictures: Pictures::default(),
            header: FrameHeader::default(),
            gathered: Gathered::default(),
        }
    }

    fn read_obus(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        for obu in Obus::new(unit) {
            let obu = obu?;
            let inside = |error: StreamError| error.after(obu.payload_offset as u64);
            self.read_obu(&obu, steps).map_err(inside)?;
        }
        if self.gathered.is_begun() {
            let bit = unit.len() as u64 * 8;
            return Err(BitReader::wrong(bit, "tile_group_obu", Trouble::Ends));
        }
        Ok(())
    }

    /// Reads an OBU. Errors count from its payload.
    fn read_obu(&mut self, obu: &Obu<'_>, steps: &mut Steps) -> Result<(), StreamError> {
        if self.is_dropped(obu) {
            return Ok(());
        }
        match obu.header.obu_type {
            ObuType::TemporalDelimiter => {
                self.gathered.must_not_be_begun()?;
                self.output_candidate(steps);
                Ok(())
            }
            ObuType::SequenceHeader => self.read_sequence(obu, steps),
            ObuType::FrameHeader | ObuType::Frame => self.begin_frame(obu, steps),
            ObuType::TileGroup => self.read_tile_group(obu, steps),
            ObuType::TileList => {
                // large_scale_tile, Annex D.
                let trouble = Trouble::Unsupported { found: 8 };
                Err(BitReader::wrong(0, "obu_type", trouble))
            }
            // A redundant header is the same as the one before it.
            ObuType::RedundantFrameHeader
            | ObuType::Metadata
            | ObuType::Padding
            | ObuType::Reserved(_) => Ok(()),
        }
    }

    /// `drop_obu()` (5.3.1): it is of a layer that is not decoded.
    fn is_dropped(&self, obu: &Obu<'_>) -> bool {
        let general = matches!(
            obu.header.obu_type,
            ObuType::SequenceHeader | ObuType::TemporalDelimiter
        );
        match (&self.sequence, obu.header.layers) {
            (Some(sequence), Some((temporal_id, spatial_id))) if !general => {
                let point = sequence.operating_point();
                !point.contains(temporal_id, spatial_id)
            }
            _ => false,
        }
    }

    /// A header as the one before changes nothing; another begins a coded video sequence.
    fn read_sequence(&mut self, obu: &Obu<'_>, steps: &mut Steps) -> Result<(), StreamError> {
        let header = SequenceHeader::read(&mut BitReader::new(obu.payload))?;
        if self.sequence.as_ref() == Some(&header) {
            return Ok(());
        }
        self.gathered.must_not_be_begun()?;
        self.output_candidate(steps);
        self.references.clear();
        self.pictures.clear(steps);
        (self.sequence, self.told) = (Some(header), None);
        Ok(())
    }

    /// Tells what pictures are like, unless it was told.
    fn tell_sequence(&mut self, visible: Visible, steps: &mut Steps) {
        let Some(sequence) = &self.sequence else {
            return;
        };
        if self.told == Some(visible) {
            return;
        }
        self.told = Some(visible);
        let color = &sequence.color_config;
        let mark = steps.controls_mark();
        steps.control(STATELESS_AV1_SEQUENCE, &controls::sequence(sequence));
        let chroma = match (color.mono_chrome, color.subsampling_x, color.subsampling_y) {
            (true, ..) => Chroma::Monochrome,
            (false, true, true) => Chroma::Yuv420,
            (false, true, false) => Chroma::Yuv422,
            (false, false, _) => Chroma::Yuv444,
        };
        let waiting = usize::from(sequence.operating_point().is_spatial());
        let step = Sequence {
            coded: (sequence.max_frame_width, sequence.max_frame_height),
            visible,
            depth: color.bit_depth,
            chroma,
            kept: SLOTS + waiting,
            controls: steps.controls_since(mark),
        };
        steps.push(Step::Sequence(step));
    }

    /// Puts out what waited for the end of its unit.
    fn output_candidate(&mut self, steps: &mut Steps) {
        if let Some(candidate) = self.pictures.take_candidate() {
            self.tell_sequence(candidate.visible, steps);
            steps.push(Step::Output {
                picture: candidate.picture,
                shown_again: candidate.shown_again,
            });
            self.pictures.forget_unneeded(candidate.picture, steps);
        }
    }

    /// Nothing may refer to what the frame at work would have been.
    fn lose_frame(&mut self, steps: &mut Steps) {
        if self.gathered.is_begun() {
            self.gathered.clear();
            let slots = self.header.refresh_frame_flags;
            self.references.invalidate(slots);
            self.pictures.put(None, slots, steps);
        }
    }
}

impl Sequencer for Av1 {
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError> {
        let read = self.read_obus(unit, steps);
        self.lose_frame(steps);
        self.output_candidate(steps);
        read
    }

    fn finish(&mut self, steps: &mut Steps) {
        self.seek(steps);
        (self.sequence, self.told) = (None, None);
    }

    fn seek(&mut self, steps: &mut Steps) {
        self.gathered.clear();
        self.references.clear();
        self.pictures.clear(steps);
    }
}

#[cfg(test)]
mod tests;
