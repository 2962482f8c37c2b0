//! Structures as visl prints them, and what differs from them.
//!
//! Numbers are decimal, arrays hexadecimal (`__print_array`), arrays of arrays tables of bytes
//! (`__print_hex_dump`), and flags names, with what has no name as one number behind them
//! (`__print_flags`).

use std::fmt::{Display, LowerHex};

use dmaflow_testbed::TracedControl;

/// The most differences that are told.
const TOLD: usize = 10;

/// What was compared of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Pictures that the driver decoded.
    pub(crate) pictures: usize,
    pub(crate) controls: usize,
    pub(crate) fields: usize,
    /// The most pictures that one was told to be decoded from.
    pub(crate) references: usize,
}

/// Names of a structure's fields and their values, as the kernel prints them.
pub(crate) type Fields = Vec<(&'static str, String)>;

/// What was told, beside what should have been.
#[derive(Debug)]
pub(crate) struct Comparison<'t> {
    told: std::slice::Iter<'t, TracedControl>,
    compared: Compared,
    differences: Vec<String>,
}

impl<'t> Comparison<'t> {
    pub(crate) fn new(told: &'t [TracedControl]) -> Self {
        Self {
            told: told.iter(),
            compared: Compared::default(),
            differences: Vec::new(),
        }
    }

    /// The next picture; its number, from 0.
    pub(crate) fn picture(&mut self) -> usize {
        self.compared.pictures += 1;
        self.compared.pictures - 1
    }

    /// The next control that was told has this name and these fields, and no others.
    pub(crate) fn control(&mut self, name: &str, expected: &Fields) {
        let place = format!("picture {}, {name}", self.compared.pictures - 1);
        let Some(found) = self.told.next().filter(|found| found.name == name) else {
            // From here on, nothing is where it should be.
            self.told = [].iter();
            self.differences.push(format!("{place}: not there"));
            return;
        };
        self.compared.controls += 1;
        if found.fields.len() != expected.len() {
            let (expected, found) = (expected.len(), found.fields.len());
            self.differences
                .push(format!("{place}: {found} fields, not {expected}"));
        }
        for ((field, value), (found, found_value)) in expected.iter().zip(&found.fields) {
            self.compared.fields += 1;
            if (field, value) != (&found.as_str(), found_value) {
                self.differences.push(format!(
                    "{place}: {field} should be {value}, and {found} is {found_value}"
                ));
            }
        }
    }

    /// A picture is decoded from no more others than there may be.
    pub(crate) fn references(&mut self, count: usize, most: usize) {
        self.compared.references = self.compared.references.max(count);
        if count > most {
            let picture = self.compared.pictures - 1;
            self.differences
                .push(format!("picture {picture}: {count} references of {most}"));
        }
    }

    /// All was told: what was compared, and what differs.
    pub(crate) fn end(mut self) -> (Compared, Vec<String>) {
        for left in self.told {
            self.differences.push(format!("one more: {}", left.name));
        }
        if self.compared.pictures == 0 {
            self.differences.push("no pictures".to_owned());
        }
        (self.compared, self.differences)
    }
}

/// Gives what was compared, once nothing differs.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub(crate) fn same(stream: &str, (compared, differences): (Compared, Vec<String>)) -> Compared {
    if differences.is_empty() {
        return compared;
    }
    let count = differences.len();
    let first = differences.get(..TOLD).unwrap_or(&differences).join("\n");
    panic!("{stream}: {count} differences in {compared:?}:\n{first}");
}

/// A value as visl prints it.
pub(crate) trait Printed {
    fn printed(&self) -> String;
}

/// A number; in an array it is printed as its bits.
pub(crate) trait Number: Display + LowerHex {}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Number for $number {}

        impl Printed for $number {
            fn printed(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64, i8, i32);

impl<N: Number, const LEN: usize> Printed for [N; LEN] {
    fn printed(&self) -> String {
        let numbers: Vec<String> = self.iter().map(|number| format!("{number:#x}")).collect();
        format!("{{{}}}", numbers.join(","))
    }
}

/// Of bytes alone: the kernel dumps the memory.
impl<N: Number, const ROW: usize, const LEN: usize> Printed for [[N; ROW]; LEN] {
    fn printed(&self) -> String {
        const { assert!(size_of::<N>() == 1, "others would be of an order of bytes") };
        let bytes = self.iter().flatten();
        bytes.map(|byte| format!(" {byte:02x}")).collect()
    }
}

/// Flags, of which each bit from the lowest has a name, or an empty one where it has none.
pub(crate) fn flags(value: impl Into<u64>, names: &[&str]) -> String {
    let value = value.into();
    let mut nameless = value;
    let mut set = Vec::new();
    for (bit, name) in names.iter().enumerate() {
        if value >> bit & 1 == 1 && !name.is_empty() {
            set.push((*name).to_owned());
            nameless &= !(1 << bit);
        }
    }
    if nameless != 0 {
        set.push(format!("{nameless:#x}"));
    }
    set.join("|")
}

/// Fields of a structure, in the order in which they are printed, with what comes before their
/// names; behind a colon the names of a field's flags.
macro_rules! fields {
    (@ $value:expr) => {
        $crate::reference::Printed::printed(&$value)
    };
    (@ $value:expr, $flags:expr) => {
        $crate::reference::flags($value, $flags)
    };
    ($before:literal, $of:expr; $($field:ident $(: $flags:expr)?),+ $(,)?) => {
        [$((
            concat!($before, stringify!($field)),
            $crate::reference::fields!(@ $of.$field $(, $flags)?),
        )),+]
    };
}

pub(crate) use fields;
