//! Configuration records: what MP4 and Matroska keep of a stream beside its packets.

use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::nal::{self, START_CODE};
use super::{av1, h264, hevc, mpeg2, still, vpx};
use crate::error::ContainerError;
use crate::format::Format;
use crate::packet::{Codec, Track};

/// What a record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// What a decoder is to have first, in the form of packets.
    pub(crate) header: Vec<u8>,
    /// Bytes of the lengths before NAL units, where packets have them.
    pub(crate) length_size: Option<u8>,
}

/// Reads a record: of `avcC`, `hvcC` and `av1C` their content, of others what is to be given to
/// the decoder as it is.
///
/// # Errors
/// Where it is cut, or of a version that is not known.
pub(crate) fn read(codec: Codec, record: &[u8]) -> Result<Record, StreamError> {
    match codec {
        Codec::H264 => read_avc(record),
        Codec::Hevc => read_hevc(record),
        Codec::Av1 => Ok(Record {
            header: record.get(4..).unwrap_or_default().to_vec(),
            length_size: None,
        }),
        Codec::Mpeg2 => Ok(Record {
            header: record.to_vec(),
            length_size: None,
        }),
        _ => Ok(Record::default()),
    }
}

fn read_avc(record: &[u8]) -> Result<Record, StreamError> {
    let mut bits = version(record)?;
    bits.skip(24 + 6, "lengthSizeMinusOne")?;
    let length_size = h264::byte(bits.bits(2, "lengthSizeMinusOne")?) + 1;
    let mut header = Vec::new();
    bits.skip(3, "numOfSequenceParameterSets")?;
    let sequences = bits.bits(5, "numOfSequenceParameterSets")?;
    nal_units(record, &mut bits, sequences, &mut header)?;
    let pictures = bits.bits(8, "numOfPictureParameterSets")?;
    nal_units(record, &mut bits, pictures, &mut header)?;
    // Extensions may follow, which only pictures of several layers need.
    Ok(Record {
        header,
        length_size: Some(length_size),
    })
}

fn read_hevc(record: &[u8]) -> Result<Record, StreamError> {
    let mut bits = version(record)?;
    bits.skip(20 * 8 + 6, "lengthSizeMinusOne")?;
    let length_size = h264::byte(bits.bits(2, "lengthSizeMinusOne")?) + 1;
    let mut header = Vec::new();
    for _array in 0..bits.bits(8, "numOfArrays")? {
        bits.skip(8, "NAL_unit_type")?;
        let count = bits.bits(16, "numNalus")?;
        nal_units(record, &mut bits, count, &mut header)?;
    }
    Ok(Record {
        header,
        length_size: Some(length_size),
    })
}

fn version(record: &[u8]) -> Result<BitReader<'_>, StreamError> {
    let mut bits = BitReader::new(record);
    let version = bits.bits(8, "configurationVersion")?;
    // Writers of drafts left the version at 0.
    if version > 1 {
        let found = version.into();
        let trouble = Trouble::Unsupported { found };
        return Err(BitReader::wrong(0, "configurationVersion", trouble));
    }
    Ok(bits)
}

/// NAL units behind lengths of two bytes, put behind start codes.
fn nal_units(
    record: &[u8],
    bits: &mut BitReader<'_>,
    count: u32,
    header: &mut Vec<u8>,
) -> Result<(), StreamError> {
    for _nal in 0..count {
        let length = bits.bits(16, "nalUnitLength")?;
        let begin = usize::try_from(bits.position() / 8).unwrap_or(usize::MAX);
        let end = begin.saturating_add(length as usize);
        let Some(nal) = record.get(begin..end) else {
            let trouble = Trouble::Ends;
            return Err(BitReader::wrong(bits.position(), "nalUnit", trouble));
        };
        header.extend_from_slice(&START_CODE);
        header.extend_from_slice(nal);
        bits.skip(length * 8, "nalUnit")?;
    }
    Ok(())
}

/// What a file states of a stream in front of its packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) size: (u32, u32),
    /// The content of `avcC`, `hvcC`, `vpcC` or `av1C`, or of MPEG-2 its sequence header.
    pub(crate) record: Vec<u8>,
    /// Parameter sets in the record, each without a start code.
    pub(crate) sets: Vec<Vec<u8>>,
}

impl Statement {
    /// Of a track and its first packet.
    ///
    /// # Errors
    /// [`ContainerError::Stream`] where the stream says what it may not;
    /// [`ContainerError::Packet`] where it does not say what is needed.
    pub(crate) fn of(track: &Track, first: &[u8], format: Format) -> Result<Self, ContainerError> {
        let failed = |source| ContainerError::Stream {
            format,
            offset: 0,
            source,
        };
        let mut statement = match track.codec {
            Codec::H264 | Codec::Hevc => {
                return Self::of_nal_units(track, first, format);
            }
            Codec::Vp8 => {
                let frame = vpx::vp8_key_frame(first).map_err(failed)?;
                let record = vpx::record(&frame);
                Self::new(frame.size, record)
            }
            Codec::Vp9 => {
                let frame = vpx::vp9_key_frame(first).map_err(failed)?;
                let record = vpx::record(&frame);
                Self::new(frame.size, record)
            }
            Codec::Av1 => {
                let found = av1::sequence_header(&track.header).or(av1::sequence_header(first));
                let Some((obu, payload)) = found else {
                    let what = "to begin with has no sequence header";
                    return Err(ContainerError::Packet { format, what });
                };
                let sequence = av1::sequence(payload).map_err(failed)?;
                Self::new(sequence.size, av1::record(&sequence, obu))
            }
            Codec::Mpeg2 => {
                let mut header = mpeg2::header(&track.header);
                if header.is_empty() {
                    header = mpeg2::header(first);
                }
                let size = mpeg2::size(header).map_err(failed)?;
                Self::new(size, header.to_vec())
            }
            Codec::Mjpeg => {
                let size = still::size(first).map_err(failed)?;
                Self::new(size, Vec::new())
            }
            Codec::Fwht | Codec::Raw(_) => return Err(cannot_hold(track.codec, format)),
        };
        statement.size = track.size.unwrap_or(statement.size);
        Ok(statement)
    }

    fn new(size: (u32, u32), record: Vec<u8>) -> Self {
        Self {
            size,
            record,
            sets: Vec::new(),
        }
    }

    fn of_nal_units(track: &Track, first: &[u8], format: Format) -> Result<Self, ContainerError> {
        let failed = |source| ContainerError::Stream {
            format,
            offset: 0,
            source,
        };
        let mut nals = Vec::new();
        let mut sets: Vec<Vec<u8>> = Vec::new();
        for data in [track.header.as_slice(), first] {
            nal::split(&[data], &mut nals);
            for found in &nals {
                let Some(set) = data.get(found.range.clone()) else {
                    continue;
                };
                if set_number(track.codec, found.first).is_some()
                    && !sets.iter().any(|known| known == set)
                {
                    sets.push(set.to_vec());
                }
            }
        }
        let of = |number| -> Vec<&[u8]> {
            let has = |set: &&Vec<u8>| {
                let first = set.first().copied();
                first.and_then(|first| set_number(track.codec, first)) == Some(number)
            };
            sets.iter().filter(has).map(Vec::as_slice).collect()
        };
        let (record, size) = if track.codec == Codec::H264 {
            let record = h264::record(&of(1), &of(2), &of(3)).map_err(failed)?;
            let sequence = of(1).first().map(|set| h264::sequence(set));
            (
                record,
                sequence.transpose().map_err(failed)?.map(|s| s.size),
            )
        } else {
            let record = hevc::record(&of(0), &of(1), &of(2)).map_err(failed)?;
            let sequence = of(1).first().map(|set| hevc::sequence(set));
            (
                record,
                sequence.transpose().map_err(failed)?.map(|s| s.size),
            )
        };
        let (Some(record), Some(size)) = (record, size) else {
            let what = "to begin with has no sequence parameter set";
            return Err(ContainerError::Packet { format, what });
        };
        Ok(Self {
            size: track.size.unwrap_or(size),
            record,
            sets,
        })
    }
}

/// Which of a stream's parameter sets a NAL unit is, by its first byte: 0 of the video, 1 of
/// sequences, 2 of pictures, 3 an extension; none of other NAL units.
pub(crate) fn set_number(codec: Codec, first: u8) -> Option<u8> {
    match codec {
        Codec::H264 => match h264::nal_unit_type(first) {
            h264::SEQUENCE_PARAMETER_SET => Some(1),
            h264::PICTURE_PARAMETER_SET => Some(2),
            h264::SEQUENCE_PARAMETER_SET_EXTENSION => Some(3),
            _ => None,
        },
        Codec::Hevc => match hevc::nal_unit_type(first) {
            hevc::VIDEO_PARAMETER_SET => Some(0),
            hevc::SEQUENCE_PARAMETER_SET => Some(1),
            hevc::PICTURE_PARAMETER_SET => Some(2),
            _ => None,
        },
        _ => None,
    }
}

/// The error of a codec that a format does not have.
pub(crate) fn cannot_hold(codec: Codec, format: Format) -> ContainerError {
    let what = match codec {
        Codec::Fwht => "FWHT".to_owned(),
        Codec::Raw(_) => "pictures that are not coded".to_owned(),
        other => format!("{other:?}"),
    };
    ContainerError::CannotHold { format, what }
}
