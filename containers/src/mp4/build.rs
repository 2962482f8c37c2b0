//! Boxes to write.

use super::boxes::Kind;
use crate::coded::record::Statement;
use crate::packet::{Codec, Track};

/// The one track.
pub(super) const TRACK_ID: u32 = 1;
/// Rows of a transformation that changes nothing.
const UNITY: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// Adds a box, whose content is added by a function.
pub(super) fn boxed(out: &mut Vec<u8>, kind: &Kind, content: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0; 4]);
    out.extend(kind);
    content(out);
    let size = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

/// A box that begins with version and flags.
pub(super) fn versioned(
    out: &mut Vec<u8>,
    kind: &Kind,
    version: u8,
    flags: u32,
    content: impl FnOnce(&mut Vec<u8>),
) {
    boxed(out, kind, |out| {
        u32s(out, &[u32::from(version) << 24 | flags]);
        content(out);
    });
}

pub(super) fn u32s(out: &mut Vec<u8>, numbers: &[u32]) {
    out.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
}

fn u16s(out: &mut Vec<u8>, numbers: &[u16]) {
    out.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
}

/// `ftyp` and `moov` of a file in fragments, and where in them the total duration can be put once
/// it is known: 20 bytes.
///
/// The track is shown from `lead` on, in its units: pictures are decoded before they are shown, and
/// times in a file cannot be negative.
pub(super) fn movie(track: &Track, said: &Statement, lead: u32) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    boxed(&mut out, b"ftyp", |out| {
        out.extend(b"iso6\0\0\x02\0iso6cmfcmp41");
    });
    let mut room = 0;
    boxed(&mut out, b"moov", |out| {
        versioned(out, b"mvhd", 0, 0, |out| {
            // Created, changed, timescale, duration; speed, volume.
            u32s(out, &[0, 0, track.timescale, 0, 0x1_0000, 0x100_0000, 0, 0]);
            u32s(out, &UNITY);
            u32s(out, &[0, 0, 0, 0, 0, 0, TRACK_ID + 1]);
        });
        boxed(out, b"trak", |out| trak(out, track, said, lead));
        boxed(out, b"mvex", |out| {
            room = out.len();
            boxed(out, b"free", |out| out.extend([0; 12]));
            versioned(out, b"trex", 0, 0, |out| {
                u32s(out, &[TRACK_ID, 1, 0, 0, 0]);
            });
        });
    });
    (out, room)
}

/// What is put into the room that [`movie`] leaves, for a duration in the track's units.
pub(super) fn duration(duration: u64) -> Vec<u8> {
    let mut out = Vec::new();
    versioned(&mut out, b"mehd", 1, 0, |out| {
        out.extend(duration.to_be_bytes());
    });
    out
}

fn trak(out: &mut Vec<u8>, track: &Track, said: &Statement, lead: u32) {
    let (width, height) = said.size;
    // Enabled, in the movie.
    versioned(out, b"tkhd", 0, 3, |out| {
        u32s(out, &[0, 0, TRACK_ID, 0, 0, 0, 0, 0, 0]);
        u32s(out, &UNITY);
        let shown = shown_width(width, track.pixel_aspect);
        u32s(out, &[shown, height.min(0xffff) << 16]);
    });
    if lead > 0 {
        boxed(out, b"edts", |out| {
            versioned(out, b"elst", 0, 0, |out| u32s(out, &[1, 0, lead, 0x1_0000]));
        });
    }
    boxed(out, b"mdia", |out| {
        // "und": no language.
        versioned(out, b"mdhd", 0, 0, |out| {
            u32s(out, &[0, 0, track.timescale, 0, 0x55c4_0000]);
        });
        versioned(out, b"hdlr", 0, 0, |out| {
            out.extend(b"\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0video\0");
        });
        boxed(out, b"minf", |out| {
            versioned(out, b"vmhd", 0, 1, |out| u32s(out, &[0, 0]));
            boxed(out, b"dinf", |out| {
                versioned(out, b"dref", 0, 0, |out| {
                    u32s(out, &[1]);
                    // In this file.
                    versioned(out, b"url ", 0, 1, |_out| {});
                });
            });
            boxed(out, b"stbl", |out| {
                versioned(out, b"stsd", 0, 0, |out| {
                    u32s(out, &[1]);
                    sample_entry(out, track, said);
                });
                versioned(out, b"stts", 0, 0, |out| u32s(out, &[0]));
                versioned(out, b"stsc", 0, 0, |out| u32s(out, &[0]));
                versioned(out, b"stsz", 0, 0, |out| u32s(out, &[0, 0]));
                versioned(out, b"stco", 0, 0, |out| u32s(out, &[0]));
            });
        });
    });
}

/// In 16.16, with pixels made square.
fn shown_width(width: u32, aspect: Option<(u32, u32)>) -> u32 {
    let (across, down) = aspect.unwrap_or((1, 1));
    let wide = (u128::from(width) << 16) * u128::from(across) / u128::from(down.max(1));
    u32::try_from(wide).unwrap_or(u32::MAX)
}

fn sample_entry(out: &mut Vec<u8>, track: &Track, said: &Statement) {
    let (kind, record): (&Kind, Option<&Kind>) = match track.codec {
        Codec::H264 => (b"avc1", Some(b"avcC")),
        Codec::Hevc => (b"hvc1", Some(b"hvcC")),
        Codec::Vp8 => (b"vp08", Some(b"vpcC")),
        Codec::Vp9 => (b"vp09", Some(b"vpcC")),
        Codec::Av1 => (b"av01", Some(b"av1C")),
        _ => (b"mp4v", None),
    };
    let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
    boxed(out, kind, |out| {
        u16s(out, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        u16s(out, &[side(said.size.0), side(said.size.1)]);
        // 72 pixels an inch, one frame a sample, no name, 24 bits, no palette.
        u32s(out, &[0x48_0000, 0x48_0000, 0]);
        u16s(out, &[1]);
        out.extend([0; 32]);
        u16s(out, &[24, 0xffff]);
        match record {
            Some(kind) => boxed(out, kind, |out| out.extend_from_slice(&said.record)),
            None => elementary_stream(out, track.codec, &said.record),
        }
        if let Some((across, down)) = track.pixel_aspect {
            boxed(out, b"pasp", |out| u32s(out, &[across, down]));
        }
        if let Some(colour) = track.colour {
            boxed(out, b"colr", |out| {
                out.extend(b"nclx");
                let numbers = [colour.primaries, colour.transfer, colour.matrix];
                u16s(out, &numbers.map(u16::from));
                out.push(u8::from(colour.full_range == Some(true)) << 7);
            });
        }
    });
}

/// `esds` (ISO/IEC 14496-1, 7.2.6): MPEG-2 Main profile or JPEG.
fn elementary_stream(out: &mut Vec<u8>, codec: Codec, specific: &[u8]) {
    let object_type = if codec == Codec::Mpeg2 { 0x61 } else { 0x6c };
    versioned(out, b"esds", 0, 0, |out| {
        descriptor(out, 3, |out| {
            u16s(out, &[0]);
            out.push(0);
            descriptor(out, 4, |out| {
                // A stream of pictures; its buffer and rates are not told.
                out.extend([object_type, 0x11, 0, 0, 0]);
                u32s(out, &[0, 0]);
                if !specific.is_empty() {
                    descriptor(out, 5, |out| out.extend_from_slice(specific));
                }
            });
            descriptor(out, 6, |out| out.push(2));
        });
    });
}

fn descriptor(out: &mut Vec<u8>, tag: u8, content: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.extend([0x80, 0x80, 0x80, 0]);
    content(out);
    let mut length = out.len() - at - 4;
    for place in out.iter_mut().skip(at).take(4).rev() {
        *place |= u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
    }
}
