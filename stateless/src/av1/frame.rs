//! A frame from its header to its last tile.

use dmaflow_bitstream::av1::{FrameHeader, FrameSize, FrameType, TileGroup};
use dmaflow_bitstream::obu::{Obu, ObuType};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::Av1;
use super::controls;
use super::pictures::Candidate;
use crate::steps::{Decode, Step, Steps, Visible};
use crate::uapi::av1::{
    Av1TileGroupEntry, MAX_TILE_COUNT, STATELESS_AV1_FILM_GRAIN, STATELESS_AV1_FRAME,
    STATELESS_AV1_SEQUENCE, STATELESS_AV1_TILE_GROUP_ENTRY,
};

/// What has come of a frame whose tiles have not all come.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    begun: bool,
    /// Where its pieces begin in the steps.
    mark: usize,
    /// Bytes of its pieces.
    bytes: usize,
    tiles: Vec<Av1TileGroupEntry>,
}

impl Gathered {
    pub(super) const fn is_begun(&self) -> bool {
        self.begun
    }

    pub(super) fn clear(&mut self) {
        (self.begun, self.bytes) = (false, 0);
        self.tiles.clear();
    }

    /// What begins something else must not come between the tiles of a frame.
    pub(super) fn must_not_be_begun(&self) -> Result<(), StreamError> {
        if self.begun {
            let found = self.tiles.len().try_into().unwrap_or(i64::MAX);
            let trouble = Trouble::NotAllowed { found };
            return Err(BitReader::wrong(0, "TileNum", trouble));
        }
        Ok(())
    }

    fn begin(&mut self, steps: &Steps) {
        self.clear();
        (self.begun, self.mark) = (true, steps.pieces_mark());
    }

    fn piece(&mut self, obu: &Obu<'_>, steps: &mut Steps) {
        let begin = obu.payload_offset;
        steps.piece(begin..begin + obu.payload.len());
        self.bytes += obu.payload.len();
    }
}

impl Av1 {
    /// A frame header, with tiles behind it in a frame OBU.
    pub(super) fn begin_frame(
        &mut self,
        obu: &Obu<'_>,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        self.gathered.must_not_be_begun()?;
        let Some(sequence) = &self.sequence else {
            let trouble = Trouble::Unknown { found: 0 };
            return Err(BitReader::wrong(0, "sequence_header_obu", trouble));
        };
        let mut bits = BitReader::new(obu.payload);
        let layer = obu.header.layers.unwrap_or_default();
        let whole = obu.header.obu_type == ObuType::Frame;
        let header = &mut self.header;
        if let Some(shown) = header.read(&mut bits, sequence, &self.references, layer)? {
            if whole {
                let trouble = Trouble::NotAllowed { found: 1 };
                return Err(BitReader::wrong(0, "show_existing_frame", trouble));
            }
            self.show_existing(shown.slot, steps);
            return Ok(());
        }
        self.gathered.begin(steps);
        check_tiles(&self.header, bits.position())?;
        if whole {
            self.read_tiles(obu, &mut bits, steps)
        } else {
            self.gathered.piece(obu, steps);
            Ok(())
        }
    }

    /// A tile group OBU.
    pub(super) fn read_tile_group(
        &mut self,
        obu: &Obu<'_>,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        if !self.gathered.is_begun() {
            let trouble = Trouble::NotAllowed { found: 4 };
            return Err(BitReader::wrong(0, "obu_type", trouble));
        }
        self.read_tiles(obu, &mut BitReader::new(obu.payload), steps)
    }

    /// `tile_group_obu()`, from where `bits` stand; with the last tile the frame is whole.
    fn read_tiles(
        &mut self,
        obu: &Obu<'_>,
        bits: &mut BitReader<'_>,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        let info = &self.header.tile_info;
        let next = u32::try_from(self.gathered.tiles.len()).unwrap_or(u32::MAX);
        let whole = obu.header.obu_type == ObuType::Frame;
        let group = TileGroup::read(bits, info, next, whole)?;
        for tile in group.tiles(obu.payload, info) {
            let tile = tile?;
            let far = |_far| {
                let trouble = Trouble::Unsupported { found: i64::MAX };
                BitReader::wrong(tile.offset as u64 * 8, "tile_offset", trouble)
            };
            self.gathered.tiles.push(Av1TileGroupEntry {
                tile_offset: u32::try_from(self.gathered.bytes + tile.offset).map_err(far)?,
                tile_size: u32::try_from(tile.size).map_err(far)?,
                tile_row: tile.row,
                tile_col: tile.column,
            });
        }
        self.gathered.piece(obu, steps);
        if group.end + 1 == info.tiles() {
            self.decode(steps);
        }
        Ok(())
    }

    /// All of the frame is there.
    fn decode(&mut self, steps: &mut Steps) {
        let visible = visible(&self.header.size);
        if self.told.is_none() {
            self.tell_sequence(self.first_visible(visible), steps);
        }
        let Some(sequence) = &self.sequence else {
            return;
        };
        let header = &self.header;
        let picture = self.pictures.next();
        let mark = steps.controls_mark();
        let frame = controls::frame(header, self.pictures.reference_ts());
        steps.control(STATELESS_AV1_SEQUENCE, &controls::sequence(sequence));
        steps.control(STATELESS_AV1_FRAME, &frame);
        steps.control(STATELESS_AV1_TILE_GROUP_ENTRY, &*self.gathered.tiles);
        if self.film_grain {
            let grain = controls::film_grain(&header.film_grain);
            steps.control(STATELESS_AV1_FILM_GRAIN, &grain);
        }
        steps.push(Step::Decode(Decode {
            picture,
            pieces: steps.pieces_since(self.gathered.mark),
            controls: steps.controls_since(mark),
            more: false,
            key: header.frame_type == FrameType::Key,
        }));
        self.references.update(header, sequence);
        let (shown, slots) = (header.show_frame, header.refresh_frame_flags);
        self.gathered.clear();
        if shown {
            let candidate = Candidate {
                picture,
                visible,
                shown_again: false,
            };
            self.pictures.wait(candidate, steps);
        }
        self.pictures.put(Some(picture), slots, steps);
        if shown {
            self.output_if_alone(steps);
        } else if slots == 0 {
            steps.push(Step::Forget(picture));
        }
    }

    /// `show_existing_frame`: the frame of a slot goes out.
    fn show_existing(&mut self, slot: u8, steps: &mut Steps) {
        let Some(picture) = self.pictures.in_slot(slot) else {
            return;
        };
        let candidate = Candidate {
            picture,
            visible: visible(&self.references.slot(slot).size),
            shown_again: true,
        };
        self.pictures.wait(candidate, steps);
        if self.references.show_existing(slot) {
            self.pictures.put(Some(picture), u8::MAX, steps);
        }
        self.output_if_alone(steps);
    }

    /// Without spatial layers, what is shown goes out at once.
    fn output_if_alone(&mut self, steps: &mut Steps) {
        let sequence = self.sequence.as_ref();
        if sequence.is_none_or(|sequence| !sequence.operating_point().is_spatial()) {
            self.output_candidate(steps);
        }
    }

    /// What is to be seen at first. Of layers, the highest is as large as the sequence has it.
    fn first_visible(&self, visible: Visible) -> Visible {
        match &self.sequence {
            Some(sequence) if sequence.operating_point().is_spatial() => Visible {
                left: 0,
                top: 0,
                width: sequence.max_frame_width,
                height: sequence.max_frame_height,
            },
            _ => visible,
        }
    }
}

/// What the kernel's controls have no room for.
fn check_tiles(header: &FrameHeader, bit: u64) -> Result<(), StreamError> {
    let info = &header.tile_info;
    let tiles = info.tiles();
    if usize::try_from(tiles).is_ok_and(|tiles| tiles > MAX_TILE_COUNT) {
        let found = i64::from(tiles);
        let trouble = Trouble::Unsupported { found };
        return Err(BitReader::wrong(bit, "NumTiles", trouble));
    }
    if info.context_update_tile_id > 255 {
        let found = i64::from(info.context_update_tile_id);
        let trouble = Trouble::Unsupported { found };
        return Err(BitReader::wrong(bit, "context_update_tile_id", trouble));
    }
    Ok(())
}

/// What of a frame is to be seen.
fn visible(size: &FrameSize) -> Visible {
    let within =
        size.render_width <= size.upscaled_width && size.render_height <= size.frame_height;
    let (width, height) = if within {
        (size.render_width, size.render_height)
    } else {
        (size.upscaled_width, size.frame_height)
    };
    Visible {
        left: 0,
        top: 0,
        width,
        height,
    }
}
