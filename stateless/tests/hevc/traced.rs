//! NAL units of a trace, with the place of every field: fields of one name follow one another.

use std::fs;
use std::path::Path;

/// One field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Bits of the payload before it.
    pub(crate) bit: u64,
    pub(crate) name: String,
    pub(crate) value: i64,
}

/// A NAL unit, or a message in one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

impl Unit {
    pub(crate) fn coded(&self, name: &str) -> Option<i64> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value)
    }

    pub(crate) fn value(&self, name: &str) -> i64 {
        self.coded(name).unwrap_or(0)
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.value(name) != 0
    }

    pub(crate) fn at(&self, name: &str, index: usize) -> i64 {
        self.value(&format!("{name}[{index}]"))
    }

    /// Which field is the first of these names.
    pub(crate) fn position(&self, names: &[&str]) -> Option<usize> {
        let named = |field: &Field| names.iter().any(|name| field.name.starts_with(name));
        self.fields.iter().position(named)
    }
}

/// The NAL units of each packet.
pub(crate) fn packets(trace: &Path) -> Vec<Vec<Unit>> {
    let text = fs::read(trace).unwrap();
    let text = String::from_utf8_lossy(&text);
    let mut packets: Vec<Vec<Unit>> = Vec::new();
    for line in text.split(['\n', '\r']) {
        let Some((_, said)) = line.split_once("[trace_headers @ ") else {
            continue;
        };
        let said = said.split_once("] ").map_or("", |(_, said)| said);
        if said.starts_with("Packet:") {
            packets.push(Vec::new());
        } else if let Some(packet) = packets.last_mut() {
            match field(said) {
                Some(field) => packet.last_mut().unwrap().fields.push(field),
                None => packet.push(Unit {
                    name: said.to_owned(),
                    fields: Vec::new(),
                }),
            }
        }
    }
    packets
}

/// `POSITION NAME BITS = VALUE`.
fn field(said: &str) -> Option<Field> {
    let (before, value) = said.rsplit_once(" = ")?;
    let mut words = before.split_whitespace();
    Some(Field {
        bit: words.next()?.parse().ok()?,
        name: words.next()?.to_owned(),
        value: value.trim().parse().ok()?,
    })
}
