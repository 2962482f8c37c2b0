//! Streams that fuzzing begins with: units of a stream, each behind its length in two bytes.

use std::fs;
use std::path::PathBuf;

use dmaflow_stateless::{Ability, Mpeg2, Sequencer, Vp8, Vp9, uapi};

/// The codecs whose streams are stored so, by the directory they are in.
pub(crate) const CODECS: [&str; 3] = ["vp8", "vp9", "mpeg2"];

/// Reads streams of a codec.
pub(crate) fn sequencer(codec: &str) -> Box<dyn Sequencer> {
    let controls = vec![uapi::vp9::STATELESS_VP9_COMPRESSED_HDR];
    let ability = Ability {
        controls,
        ..Ability::default()
    };
    match codec {
        "vp8" => Box::new(Vp8::new(&ability)),
        "vp9" => Box::new(Vp9::new(&ability)),
        _ => Box::new(Mpeg2::new(&ability)),
    }
}

/// The streams of a codec, in units.
pub(crate) fn streams(codec: &str) -> Vec<Vec<Vec<u8>>> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut streams = Vec::new();
    for entry in fs::read_dir(corpus.join(codec)).unwrap() {
        let data = fs::read(entry.unwrap().path()).unwrap();
        let mut rest = &data[..];
        let mut units = Vec::new();
        while let Some((length, more)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes(*length));
            let (unit, more) = more.split_at(length.min(more.len()));
            units.push(unit.to_vec());
            rest = more;
        }
        streams.push(units);
    }
    assert!(streams.len() > 3, "the streams are missing");
    streams
}
