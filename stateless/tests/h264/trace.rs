//! What `ffmpeg -bsf:v trace_headers` says of H.264 streams, in order and bit by bit: packets tell
//! where access units end, bits what headers measure.

use std::fs;
use std::path::{Path, PathBuf};

/// One field of a structure.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: i64,
    /// Bits before it in its structure.
    pub(crate) at: u64,
    /// Its bits.
    pub(crate) bits: u64,
}

/// One NAL unit.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

impl Section {
    /// The value of a field, where it was coded.
    pub(crate) fn coded(&self, name: &str) -> Option<i64> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(field.value)
    }

    /// The value of a field, 0 where it was not coded.
    pub(crate) fn value(&self, name: &str) -> i64 {
        self.coded(name).unwrap_or(0)
    }

    /// All bits of fields of which a name begins so.
    pub(crate) fn bits_of(&self, names: &[&str]) -> u64 {
        let fields = self.fields.iter();
        fields
            .filter(|field| names.iter().any(|name| field.name.starts_with(name)))
            .map(|field| field.bits)
            .sum()
    }

    /// Bits of `dec_ref_pic_marking()`.
    pub(crate) fn marking_bits(&self) -> u64 {
        let begins = |field: &&Field| {
            let name = field.name.as_str();
            name == "no_output_of_prior_pics_flag" || name == "adaptive_ref_pic_marking_mode_flag"
        };
        let operation = "memory_management_control_operation";
        let ends = |field: &&Field| {
            let name = field.name.as_str();
            name == "long_term_reference_flag"
                || begins(field) && name.starts_with("adaptive") && field.value == 0
                || name.starts_with(operation) && field.value == 0
        };
        let Some(first) = self.fields.iter().find(begins) else {
            return 0;
        };
        let last = self.fields.iter().find(ends).unwrap();
        last.at + last.bits - first.at
    }

    /// Bits before the first that is no header's.
    pub(crate) fn header_bits(&self) -> u64 {
        let mut fields = self.fields.iter().rev();
        let last = fields.find(|field| field.name != "cabac_alignment_one_bit");
        last.map_or(0, |field| field.at + field.bits)
    }
}

/// One packet: an access unit.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) bytes: usize,
    pub(crate) sections: Vec<Section>,
}

/// A stream, its trace, and which of its pictures, counted as they were decoded, goes out when.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) data: Vec<u8>,
    pub(crate) packets: Vec<Packet>,
    pub(crate) output: Vec<u64>,
}

/// The streams of the directory that `DMAFLOW_STREAMS` names, whose names begin with `h264_`, have
/// `NAME.trace` beside them, and the output of
/// `ffprobe -show_entries frame=coded_picture_number -of csv=p=0` in `NAME.order`. None, and a line
/// that says so, without the environment variable.
pub(crate) fn streams() -> Vec<Stream> {
    let Some(directory) = std::env::var_os("DMAFLOW_STREAMS") else {
        println!("skipped: DMAFLOW_STREAMS names no directory of streams and traces");
        return Vec::new();
    };
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("h264_") && name.ends_with(".h264")
    });
    paths.sort();
    assert!(!paths.is_empty(), "no stream of h264_ in DMAFLOW_STREAMS");
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Stream {
    let beside = |ending: &str| {
        let mut name = path.file_name().unwrap().to_os_string();
        name.push(ending);
        let text = fs::read(path.with_file_name(name)).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    let numbers = beside(".order");
    let numbers = numbers.lines().map(|line| line.trim_end_matches(','));
    Stream {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        data: fs::read(path).unwrap(),
        packets: packets(&beside(".trace")),
        output: numbers
            .filter(|line| !line.is_empty())
            .map(|line| line.parse().unwrap())
            .collect(),
    }
}

fn packets(trace: &str) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    for line in trace.split(['\n', '\r']) {
        let Some((_before, said)) = line.split_once("[trace_headers @ ") else {
            continue;
        };
        let said = said.split_once("] ").map_or("", |(_address, said)| said);
        if let Some(packet) = said.strip_prefix("Packet: ") {
            let bytes = packet.split(' ').next().unwrap().parse().unwrap();
            let sections = Vec::new();
            packets.push(Packet { bytes, sections });
        }
        // Before the first packet stands what it has, too.
        let Some(packet) = packets.last_mut() else {
            continue;
        };
        match field(said) {
            Some(field) => packet.sections.last_mut().unwrap().fields.push(field),
            None => packet.sections.push(Section {
                name: said.to_owned(),
                fields: Vec::new(),
            }),
        }
    }
    packets
}

/// `POSITION NAME BITS = VALUE`.
fn field(said: &str) -> Option<Field> {
    let (before, value) = said.rsplit_once(" = ")?;
    let mut words = before.split_whitespace();
    let at = words.next()?.parse().ok()?;
    let name = words.next()?.to_owned();
    let bits = words.next()?.len() as u64;
    let value = value.trim().parse().ok()?;
    Some(Field {
        name,
        value,
        at,
        bits,
    })
}
