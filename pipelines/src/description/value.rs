//! How each type is written in a description.

use std::borrow::Cow;
use std::fmt::Display;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::time::Rate;
use dmaflow_kms_sink::{ModeRequest, PlaneRequest};
use dmaflow_v4l2_src::ControlValue;
use toml::de::DeValue;

use super::diagnostic::{Finding, did_you_mean, listed};
use super::duration;
use super::reader::Value;
use super::{RestartPolicy, ZeroCopy};
use crate::HeapRequest;

/// A type that a description holds.
pub(super) trait FromToml: Sized {
    /// Reads the value of a key.
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding>;
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

fn empty(key: &str, value: &Value<'_>) -> Finding {
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

fn text<'v>(key: &str, value: &'v Value<'_>, wanted: &str) -> Result<&'v str, Finding> {
    value
        .get_ref()
        .as_str()
        .ok_or_else(|| wrong_type(key, value, wanted))
}

/// A string or a number as its text, for types that read themselves from text.
fn parsed<T>(key: &str, value: &Value<'_>, wanted: &str) -> Result<T, Finding>
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
            "" => Err(empty(key, value).help(format!("leave `{key}` out to have one chosen"))),
            text => Ok(text.to_owned()),
        }
    }
}

impl FromToml for bool {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        match value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(wrong_type(key, value, "true or false")),
        }
    }
}

impl FromToml for NonZeroU32 {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let number = integer(key, value, 1..)?;
        Ok(Self::new(number).unwrap_or(Self::MIN))
    }
}

impl FromToml for NonZeroU64 {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let number = integer(key, value, 1..)?;
        Ok(Self::new(number).unwrap_or(Self::MIN))
    }
}

impl FromToml for NonZeroUsize {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let number = integer(key, value, 1..)?;
        Ok(Self::new(number).unwrap_or(Self::MIN))
    }
}

/// Which frames wait on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Latest,
    Fifo,
    Block,
}

impl FromToml for Order {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let words = [
            ("latest", Self::Latest),
            ("fifo", Self::Fifo),
            ("block", Self::Block),
        ];
        one_of(key, value, &words)
    }
}

/// The words; as a table it is read where stages are.
impl FromToml for RestartPolicy {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        const WORDS: [(&str, RestartPolicy); 2] = [
            ("never", RestartPolicy::Never),
            ("on-failure", RestartPolicy::ON_FAILURE),
        ];
        one_of(key, value, &WORDS)
    }
}

impl FromToml for ZeroCopy {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        one_of(
            key,
            value,
            &[("require", Self::Require), ("allow", Self::Allow)],
        )
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
}

impl FromToml for ModeRequest {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        parsed(key, value, "a string, as in `\"1280x720@60\"`")
    }
}

impl FromToml for PlaneRequest {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        parsed(
            key,
            value,
            "`\"primary\"`, `\"overlay\"` or a plane's number",
        )
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
}

impl FromToml for Format {
    /// Compressed formats are refused: no stage takes them yet.
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let name = text(key, value, "a string, as in `\"NV12\"`")?;
        let format: Self = name.parse().map_err(|unknown| {
            let codes = Self::all().flat_map(|format| [format.v4l2(), format.drm()]);
            let codes = codes.flatten().map(|code| code.to_string());
            let all: Vec<String> = Self::all()
                .map(|known| known.to_string())
                .chain(codes)
                .collect();
            let all = all.iter().map(String::as_str);
            let label = did_you_mean(name, all, || {
                "neither V4L2 nor DRM has such a format".to_owned()
            });
            Finding::at(value.span(), format!("{unknown}"))
                .label(label)
                .help("common ones: XRGB8888, YUYV, UYVY, NV12; or leave `format` out")
        })?;
        if format.planes().is_empty() {
            return Err(
                Finding::at(value.span(), format!("{format} is a compressed format"))
                    .label("there is no decoder stage to make pixels of it")
                    .help("take a raw format, as `YUYV` or `NV12`, or leave `format` out"),
            );
        }
        Ok(format)
    }
}

impl FromToml for HeapRequest {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        const WANTED: &str = "a heap's name, a list of names, or `\"any\"`";
        let list = match value.get_ref() {
            DeValue::String(_) => std::slice::from_ref(value),
            DeValue::Array(list) => list,
            _ => return Err(wrong_type(key, value, WANTED)),
        };
        if list.is_empty() {
            return Err(empty(key, value).help(format!("`{key}` is {WANTED}")));
        }
        let names = list
            .iter()
            .map(
                |name| match (text(key, name, "a list of names")?, list.len()) {
                    ("", _) => Err(empty(key, name).help(format!("`{key}` is {WANTED}"))),
                    ("any", 2..) => Err(not_understood(key, name, "`any` stands alone")
                        .help("any heap: `heap = \"any\"`, or name each, best first")),
                    (name, _) => Ok(name.to_owned()),
                },
            )
            .collect::<Result<Vec<_>, _>>()?;
        Ok(if names == ["any"] {
            Self::Any
        } else {
            Self::Names(names)
        })
    }
}

impl FromToml for ControlValue {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        match value.get_ref() {
            DeValue::Integer(_) => integer(key, value, ..).map(Self::Integer),
            DeValue::Boolean(on) => Ok(Self::Boolean(*on)),
            DeValue::String(text) => Ok(Self::Text(text.to_string())),
            _ => Err(wrong_type(
                key,
                value,
                "a whole number, true or false, or a menu entry's name",
            )),
        }
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
}

/// Where pictures go: the directory must be there.
impl FromToml for PathBuf {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let path = Self::from(String::from_toml(key, value)?);
        let wrong = |label: &str| {
            Finding::at(value.span(), format!("`{key}` cannot be written")).label(label)
        };
        let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(wrong("this names no file").help("write a file's name, as `frame.png`"));
        };
        let here = Path::new(".");
        let directory = if directory == Path::new("") {
            here
        } else {
            directory
        };
        if path.is_dir() {
            Err(wrong("this is a directory").help("add a file's name, as `frame.png`"))
        } else if !directory.is_dir() {
            let missing = format!("there is no directory `{}`", directory.display());
            Err(wrong(&missing).help(format!("create it: mkdir -p {}", directory.display())))
        } else if directory.to_string_lossy().contains("{n}") {
            Err(wrong("`{n}` may stand in the file's name only").help("as in `frame-{n}.png`"))
        } else {
            Ok(path)
        }
    }
}
