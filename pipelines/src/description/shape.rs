//! What values look like: for the schema that editors read, and for the tables in the docs.

use std::ops::{Bound, RangeBounds};

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Not told: whoever reads the key knows.
    Other,
    Bool,
    /// A whole number between these.
    Integer(Option<i128>, Option<i128>),
    /// Any number.
    Number,
    /// A text; the words say which.
    Text(&'static str),
    /// One of these texts.
    Words(Vec<&'static str>),
    List(Box<Shape>),
    /// A table whose keys are the user's.
    Map(Box<Shape>),
    /// A table with these keys.
    Table(Vec<Key>),
    /// Tables with these keys, by names that are the user's.
    Tables(Vec<Key>),
    OneOf(Vec<Shape>),
}

/// A key, as people and editors are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) is_required: bool,
    /// What it does, in a line.
    pub(super) doc: &'static str,
}

impl Shape {
    /// A whole number of a range.
    pub(super) fn integer<T: Copy + TryInto<i128>>(range: &impl RangeBounds<T>) -> Self {
        let bound = |bound: Bound<&T>| match bound {
            Bound::Included(number) => (*number).try_into().ok(),
            Bound::Excluded(_) | Bound::Unbounded => None,
        };
        Self::Integer(bound(range.start_bound()), bound(range.end_bound()))
    }

    /// The words that `one_of` knows.
    pub(super) fn words<T>(words: &[(&'static str, T)]) -> Self {
        Self::Words(words.iter().map(|(word, _)| *word).collect())
    }

    /// This or another, where a key is read in two ways.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Other, shape) | (shape, Self::Other) => shape,
            (Self::OneOf(mut all), shape) => {
                all.push(shape);
                Self::OneOf(all)
            }
            (one, other) => Self::OneOf(vec![one, other]),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Other => "a value".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Integer(Some(least), Some(most)) if least == most => format!("`{least}`"),
            Self::Integer(Some(least), Some(most)) => format!("whole number, {least} to {most}"),
            Self::Integer(Some(least), None) => format!("whole number from {least} on"),
            Self::Integer(None, _) => "whole number".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Text(what) => (*what).to_owned(),
            Self::Words(words) => {
                let words = words.iter().map(|word| format!("`\"{word}\"`"));
                words.collect::<Vec<_>>().join(", ")
            }
            Self::List(shape) => format!("list of: {}", shape.text()),
            Self::Map(shape) => format!("table by name: {}", shape.text()),
            Self::Table(keys) => format!("table with {}", names(keys)),
            Self::Tables(keys) => format!("tables by name, with {}", names(keys)),
            Self::OneOf(shapes) => {
                let shapes: Vec<_> = shapes.iter().map(Self::text).collect();
                shapes.join("; or ")
            }
        }
    }
}

fn names(keys: &[Key]) -> String {
    let names = keys.iter().map(|key| format!("`{}`", key.name));
    names.collect::<Vec<_>>().join(", ")
}
