//! How each type is written in a description.

mod devices;

pub(super) use devices::{Codec, Container, Input};

use std::borrow::Cow;
use std::fmt::Display;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::ops::{Bound, RangeBounds};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use dmaflow_core::time::Rate;
use toml::de::DeValue;

use super::diagnostic::{Finding, did_you_mean, listed};
use super::duration;
use super::reader::Value;
use super::shape::Shape;
use super::{RestartPolicy, ZeroCopy};

/// A type that a description holds.
pub(super) trait FromToml: Sized {
    /// Reads the value of a key.
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding>;

    /// What the value may be, for editors and people.
    fn shape() -> Shape {
        Shape::Other
    }
}

/// The finding that a value is of another type than was wanted.
pub(super) fn wrong_type(key: &str, value: &Value<'_>, wanted: &str) -> Finding {
    let is = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Finding::at(value.span(), format!("`{key}` must be {wanted}")).label(format!("this is {is}"))
}

/// The finding that a value of the right type means nothing.
pub(super) fn not_understood(key: &str, value: &Value<'_>, why: impl Display) -> Finding {
    Finding::at(value.span(), format!("`{key}` is not understood")).label(why.to_string())
}

pub(super) fn empty(key: &str, value: &Value<'_>) -> Finding {
    Finding::at(value.span(), format!("`{key}` is empty")).label("nothing is in here")
}

/// A whole number of a range.
pub(super) fn integer<T>(
    key: &str,
    value: &Value<'_>,
    range: impl RangeBounds<T>,
) -> Result<T, Finding>
where
    T: TryFrom<i128> + PartialOrd + Display,
{
    let Some(integer) = value.get_ref().as_integer() else {
        let finding = wrong_type(key, value, "a whole number");
        return Err(match value.get_ref().as_str().map(str::trim) {
            Some(digits) if digits.parse::<i128>().is_ok() => {
                finding.help(format!("leave the quotes out: `{key} = {digits}`"))
            }
            _ => finding,
        });
    };
    i128::from_str_radix(integer.as_str(), integer.radix())
        .ok()
        .and_then(|number| T::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let label = match (range.start_bound(), range.end_bound()) {
                (Bound::Included(least), Bound::Included(most)) => {
                    format!("must be {least} to {most}")
                }
                (Bound::Included(least), _) => format!("must be at least {least}"),
                _ => "too large".to_owned(),
            };
            Finding::at(value.span(), format!("`{key}` is out of range")).label(label)
        })
}

pub(super) fn text<'v>(key: &str, value: &'v Value<'_>, wanted: &str) -> Result<&'v str, Finding> {
    value
        .get_ref()
        .as_str()
        .ok_or_else(|| wrong_type(key, value, wanted))
}

/// A string or a number as its text, for types that read themselves from text.
pub(super) fn parsed<T>(key: &str, value: &Value<'_>, wanted: &str) -> Result<T, Finding>
where
    T: FromStr<Err: Display>,
{
    let text: Cow<'_, str> = match value.get_ref() {
        DeValue::String(text) => Cow::Borrowed(text),
        DeValue::Integer(number) => Cow::Owned(number.to_string()),
        DeValue::Float(number) => Cow::Borrowed(number.as_str()),
        _ => return Err(wrong_type(key, value, wanted)),
    };
    text.parse()
        .map_err(|error| not_understood(key, value, error))
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    key: &str,
    value: &Value<'_>,
    words: &[(&str, T)],
) -> Result<T, Finding> {
    let all = || words.iter().map(|(word, _)| *word);
    let choice = format!("one of: {}", listed(all()));
    let text = text(key, value, &choice)?;
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, meant)) => Ok(*meant),
        None => Err(
            not_understood(key, value, did_you_mean(text, all(), || choice.clone()))
                .help(format!("`{key}` is {choice}")),
        ),
    }
}

impl FromToml for String {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        match text(key, value, "a string")? {
            "" => Err(empty(key, value)),
            text => Ok(text.to_owned()),
        }
    }

    fn shape() -> Shape {
        Shape::Text("text")
    }
}

impl FromToml for bool {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        match value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(wrong_type(key, value, "true or false")),
        }
    }

    fn shape() -> Shape {
        Shape::Bool
    }
}

impl FromToml for NonZeroU32 {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let number = integer(key, value, 1..)?;
        Ok(Self::new(number).unwrap_or(Self::MIN))
    }

    fn shape() -> Shape {
        Shape::integer(&(1_u64..))
    }
}

impl FromToml for NonZeroU64 {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let number = integer(key, value, 1..)?;
        Ok(Self::new(number).unwrap_or(Self::MIN))
    }

    fn shape() -> Shape {
        Shape::integer(&(1_u64..))
    }
}

impl FromToml for NonZeroUsize {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let number = integer(key, value, 1..)?;
        Ok(Self::new(number).unwrap_or(Self::MIN))
    }

    fn shape() -> Shape {
        Shape::integer(&(1_u64..))
    }
}

/// Which frames wait on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Latest,
    Fifo,
    Block,
}

const ORDERS: [(&str, Order); 3] = [
    ("latest", Order::Latest),
    ("fifo", Order::Fifo),
    ("block", Order::Block),
];

impl FromToml for Order {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        one_of(key, value, &ORDERS)
    }

    fn shape() -> Shape {
        Shape::words(&ORDERS)
    }
}

const RESTARTS: [(&str, RestartPolicy); 2] = [
    ("never", RestartPolicy::Never),
    ("on-failure", RestartPolicy::ON_FAILURE),
];

/// The words; as a table it is read where stages are.
impl FromToml for RestartPolicy {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        one_of(key, value, &RESTARTS)
    }

    fn shape() -> Shape {
        Shape::words(&RESTARTS)
    }
}

const ZERO_COPY: [(&str, ZeroCopy); 2] =
    [("require", ZeroCopy::Require), ("allow", ZeroCopy::Allow)];

impl FromToml for ZeroCopy {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        one_of(key, value, &ZERO_COPY)
    }

    fn shape() -> Shape {
        Shape::words(&ZERO_COPY)
    }
}

impl FromToml for Rate {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        parsed(
            key,
            value,
            "frames a second, as in `30` or `\"30000/1001\"`",
        )
    }

    fn shape() -> Shape {
        Shape::Number.or(Shape::Text("text, as `\"30000/1001\"`"))
    }
}

impl FromToml for Duration {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        if let Some(seconds) = value.get_ref().as_integer() {
            return Err(wrong_type(key, value, "a time with its unit")
                .help(format!("for seconds write `{key} = \"{seconds}s\"`")));
        }
        let text = text(key, value, "a time, as in `\"10s\"`")?;
        duration::parse(text).map_err(|error| not_understood(key, value, error))
    }

    fn shape() -> Shape {
        Shape::Text("time, as `\"10s\"`, `\"1.5m\"`")
    }
}

/// An input of a device, by its name or its number.
pub(super) struct InputName(pub(super) String);

impl FromToml for InputName {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        match value.get_ref() {
            DeValue::Integer(_) => {
                integer::<u32>(key, value, ..).map(|number| Self(number.to_string()))
            }
            DeValue::String(_) => String::from_toml(key, value).map(Self),
            _ => Err(wrong_type(key, value, "an input's name or number")),
        }
    }

    fn shape() -> Shape {
        Shape::integer(&(0_u32..)).or(Shape::Text("name"))
    }
}

/// Where a socket is made.
pub(super) struct Socket(pub(super) PathBuf);

/// The longest path that `struct sockaddr_un` holds, with the zero behind it.
const LONGEST_SOCKET: usize = 107;

impl FromToml for Socket {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let path = PathBuf::from(String::from_toml(key, value)?);
        if path.as_os_str().len() > LONGEST_SOCKET {
            let label = format!("a socket's path has {LONGEST_SOCKET} bytes at most");
            return Err(not_understood(key, value, label));
        }
        if path.is_dir() {
            return Err(not_understood(key, value, "this is a directory")
                .help("add a file's name, as `/run/dmaflow/camera.sock`"));
        }
        Ok(Self(path))
    }

    fn shape() -> Shape {
        Shape::Text("path")
    }
}
