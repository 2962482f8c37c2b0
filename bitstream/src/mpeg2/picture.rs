//! Pictures (6.2.3, 6.2.3.1).

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// `picture_coding_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodingType {
    /// Needs no other picture.
    I,
    /// Predicted from one before it.
    P,
    /// Predicted from one before it and one after it, which was decoded before.
    B,
}

/// `picture_structure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// The upper rows, every other.
    TopField,
    /// The lower ones.
    BottomField,
    /// All.
    Frame,
}

/// A picture header, and what its coding extension adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct PictureHeader {
    pub temporal_reference: u16,
    pub coding_type: CodingType,
    pub f_code: [[u8; 2]; 2],
    pub intra_dc_precision: u8,
    pub structure: Structure,
    pub top_field_first: bool,
    pub frame_pred_frame_dct: bool,
    pub concealment_motion_vectors: bool,
    pub q_scale_type: bool,
    pub intra_vlc_format: bool,
    pub alternate_scan: bool,
    pub repeat_first_field: bool,
    pub progressive_frame: bool,
}

impl PictureHeader {
    /// Reads `picture_header()` behind its start code. What its extension has to say is zero until
    /// that is read.
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for a type that MPEG-2 does not have.
    pub fn read(payload: &[u8]) -> Result<Self, StreamError> {
        let bits = &mut BitReader::new(payload);
        let temporal_reference = bits.bits(10, "temporal_reference")?;
        let at = bits.position();
        let coding_type = match bits.bits(3, "picture_coding_type")? {
            1 => CodingType::I,
            2 => CodingType::P,
            3 => CodingType::B,
            other => {
                let found = i64::from(other);
                let trouble = Trouble::NotAllowed { found };
                return Err(BitReader::wrong(at, "picture_coding_type", trouble));
            }
        };
        Ok(Self {
            temporal_reference: u16::try_from(temporal_reference).unwrap_or_default(),
            coding_type,
            f_code: [[0; 2]; 2],
            intra_dc_precision: 0,
            structure: Structure::Frame,
            top_field_first: false,
            frame_pred_frame_dct: false,
            concealment_motion_vectors: false,
            q_scale_type: false,
            intra_vlc_format: false,
            alternate_scan: false,
            repeat_first_field: false,
            progressive_frame: false,
        })
    }

    /// Adds what `picture_coding_extension()` says, of which `bits` stand behind the identifier.
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for a structure that is reserved.
    pub fn extend(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        for code in self.f_code.as_flattened_mut() {
            *code = u8::try_from(bits.bits(4, "f_code")?).unwrap_or_default();
        }
        let precision = bits.bits(2, "intra_dc_precision")?;
        self.intra_dc_precision = u8::try_from(precision).unwrap_or_default();
        let at = bits.position();
        self.structure = match bits.bits(2, "picture_structure")? {
            1 => Structure::TopField,
            2 => Structure::BottomField,
            3 => Structure::Frame,
            _ => {
                let trouble = Trouble::NotAllowed { found: 0 };
                return Err(BitReader::wrong(at, "picture_structure", trouble));
            }
        };
        self.top_field_first = bits.flag("top_field_first")?;
        self.frame_pred_frame_dct = bits.flag("frame_pred_frame_dct")?;
        self.concealment_motion_vectors = bits.flag("concealment_motion_vectors")?;
        self.q_scale_type = bits.flag("q_scale_type")?;
        self.intra_vlc_format = bits.flag("intra_vlc_format")?;
        self.alternate_scan = bits.flag("alternate_scan")?;
        self.repeat_first_field = bits.flag("repeat_first_field")?;
        bits.skip(1, "chroma_420_type")?;
        self.progressive_frame = bits.flag("progressive_frame")?;
        Ok(())
    }
}
