//! What `ffmpeg -bsf:v trace_headers` says of streams, to compare with.
//!
//! A directory, named by the environment variable `DMAFLOW_STREAMS`, holds streams and beside each
//! its trace: `ffmpeg -i NAME -c copy -bsf:v trace_headers -f null - 2>NAME.trace`.

use std::fs;
use std::path::{Path, PathBuf};

/// One structure of a trace, such as a frame's header.
#[derive(Debug, Default)]
pub(crate) struct Section {
    /// What the trace calls it.
    pub(crate) name: String,
    fields: Vec<(String, i64)>,
}

impl Section {
    /// The value of a field, where it was coded.
    pub(crate) fn coded(&self, field: &str) -> Option<i64> {
        let mut fields = self.fields.iter();
        fields
            .find(|(name, _)| name == field)
            .map(|(_, value)| *value)
    }

    /// The value of a field, zero where it was not coded.
    pub(crate) fn value(&self, field: &str) -> i64 {
        self.coded(field).unwrap_or(0)
    }

    /// Whether a field was coded, and is not zero.
    pub(crate) fn is(&self, field: &str) -> bool {
        self.value(field) != 0
    }
}

/// What was traced of one packet.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    /// Its structures.
    pub(crate) sections: Vec<Section>,
}

/// The streams of the directory with one of these endings, with their traces. None, and a line
/// that says so, without the environment variable.
pub(crate) fn streams(prefix: &str) -> Vec<(PathBuf, Vec<Packet>)> {
    let Some(directory) = std::env::var_os("DMAFLOW_STREAMS") else {
        println!("skipped: DMAFLOW_STREAMS names no directory of streams and traces");
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with(prefix) || name.ends_with(".trace") {
            continue;
        }
        let trace = path.with_file_name(format!("{name}.trace"));
        found.push((path, packets(&trace)));
    }
    assert!(
        !found.is_empty(),
        "no streams of {prefix} in DMAFLOW_STREAMS"
    );
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

/// The packets of a trace.
pub(crate) fn packets(trace: &Path) -> Vec<Packet> {
    let text = fs::read(trace).unwrap();
    let text = String::from_utf8_lossy(&text);
    let mut packets: Vec<Packet> = Vec::new();
    // Extra data before the first packet, which has it again.
    let mut extra = true;
    for line in text.split(['\n', '\r']) {
        let Some((_, said)) = line.split_once("[trace_headers @ ") else {
            continue;
        };
        let said = said.split_once("] ").map_or("", |(_, said)| said);
        if said.starts_with("Packet:") {
            packets.push(Packet::default());
            extra = false;
        } else if !extra && let Some(packet) = packets.last_mut() {
            match field(said) {
                Some(field) => {
                    if let Some(section) = packet.sections.last_mut() {
                        section.fields.push(field);
                    }
                }
                None => packet.sections.push(Section {
                    name: said.to_owned(),
                    fields: Vec::new(),
                }),
            }
        }
    }
    packets
}

/// `POSITION NAME BITS = VALUE`.
fn field(said: &str) -> Option<(String, i64)> {
    let (before, value) = said.rsplit_once(" = ")?;
    let mut words = before.split_whitespace();
    words.next()?.parse::<u64>().ok()?;
    let name = words.next()?.to_owned();
    Some((name, value.trim().parse().ok()?))
}
