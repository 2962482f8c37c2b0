//! How what is asked of devices is written: formats, memory, displays, controls, pictures.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dmaflow_core::format::{Family, Format};
use dmaflow_files::FileFormat;
use dmaflow_kms_sink::{ModeRequest, PlaneRequest};
use dmaflow_v4l2_src::{ControlValue, LinkConfig, PadConfig};
use toml::de::DeValue;

use super::{FromToml, empty, integer, not_understood, parsed, text, wrong_type};
use crate::HeapRequest;
use crate::description::diagnostic::{Finding, did_you_mean};
use crate::description::reader::Value;
use crate::description::shape::Shape;

impl FromToml for ModeRequest {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        parsed(key, value, "a string, as in `\"1280x720@60\"`")
    }

    fn shape() -> Shape {
        Shape::Text("text, as `\"1280x720@60\"`, `\"preferred\"`")
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

    fn shape() -> Shape {
        Shape::Words(vec!["primary", "overlay"]).or(Shape::integer(&(0_u64..)))
    }
}

/// How a stream is compressed.
pub(in crate::description) struct Codec(pub(in crate::description) Format);

impl FromToml for Codec {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        const COMMON: &str = "common ones: H264, HEVC, VP8, VP9, AV1, MPEG2, MJPEG";
        let format = any_format(key, value, COMMON)?;
        if format.family() != Family::Compressed {
            return Err(
                Finding::at(value.span(), format!("{format} is not a compressed format"))
                    .help(COMMON),
            );
        }
        Ok(Self(format))
    }

    fn shape() -> Shape {
        Shape::Text("name or code of a compressed format, as `\"H264\"`")
    }
}

/// What a file is to be.
pub(in crate::description) struct Container(pub(in crate::description) FileFormat);

impl Container {
    fn names() -> impl Iterator<Item = &'static str> {
        let usual = |format: FileFormat| format.extensions().first().copied();
        FileFormat::ALL.into_iter().filter_map(usual)
    }
}

impl FromToml for Container {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let name = text(key, value, "a string, as in `\"mp4\"`")?;
        FileFormat::of_extension(name).map(Self).ok_or_else(|| {
            let known = || {
                format!(
                    "there are: {}",
                    Self::names().collect::<Vec<_>>().join(", ")
                )
            };
            Finding::at(value.span(), format!("`{name}` is no format of files"))
                .label(did_you_mean(name, Self::names(), known))
        })
    }

    fn shape() -> Shape {
        Shape::Words(Self::names().collect())
    }
}

/// A format of any kind.
fn any_format(key: &str, value: &Value<'_>, help: &'static str) -> Result<Format, Finding> {
    let name = text(key, value, "a string, as in `\"NV12\"`")?;
    name.parse().map_err(|unknown| {
        let codes = Format::all().flat_map(|format| [format.v4l2(), format.drm()]);
        let codes = codes.flatten().map(|code| code.to_string());
        let all: Vec<String> = Format::all()
            .map(|known| known.to_string())
            .chain(codes)
            .collect();
        let all = all.iter().map(String::as_str);
        let label = did_you_mean(name, all, || {
            "neither V4L2 nor DRM has such a format".to_owned()
        });
        Finding::at(value.span(), format!("{unknown}"))
            .label(label)
            .help(help)
    })
}

impl FromToml for Format {
    /// Compressed formats are refused: they are a `file-src`'s `codec`.
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let help = "common ones: XRGB8888, YUYV, UYVY, NV12; or leave `format` out";
        let format = any_format(key, value, help)?;
        if format.planes().is_empty() {
            return Err(
                Finding::at(value.span(), format!("{format} is a compressed format"))
                    .label("a `file-src` has compressed streams, as its `codec`")
                    .help("take a raw format, as `YUYV` or `NV12`, or leave `format` out"),
            );
        }
        Ok(format)
    }

    fn shape() -> Shape {
        Shape::Text("name or code, as `\"NV12\"`, `\"YUYV\"`")
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

    fn shape() -> Shape {
        let name = || Shape::Text("heap's name");
        name().or(Shape::List(Box::new(name())))
    }
}

const PADS: &str = "text, as `\"Sensor A:0 SBGGR8_1X8 640x480\"`";

impl FromToml for Vec<PadConfig> {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        list(key, value, PADS)
    }

    fn shape() -> Shape {
        Shape::List(Box::new(Shape::Text(PADS)))
    }
}

const LINKS: &str = "text, as `\"Debayer B:1 -> Scaler:0\"`, with ` off` behind it to cut one";

impl FromToml for Vec<LinkConfig> {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        list(key, value, LINKS)
    }

    fn shape() -> Shape {
        Shape::List(Box::new(Shape::Text(LINKS)))
    }
}

/// A list of what reads itself from text.
fn list<T>(key: &str, value: &Value<'_>, item: &str) -> Result<Vec<T>, Finding>
where
    T: FromStr<Err: Display>,
{
    let DeValue::Array(list) = value.get_ref() else {
        return Err(wrong_type(key, value, &format!("a list of: {item}")));
    };
    list.iter().map(|value| parsed(key, value, item)).collect()
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

    fn shape() -> Shape {
        Shape::Integer(None, None)
            .or(Shape::Bool)
            .or(Shape::Text("menu entry"))
    }
}

/// The directory of a file; `None` where a path names none.
fn directory_of(path: &Path) -> Option<&Path> {
    path.file_name()?;
    match path.parent()? {
        none if none == Path::new("") => Some(Path::new(".")),
        directory => Some(directory),
    }
}

/// A file that is read. That may come later than its description, so it need not be there yet.
pub(in crate::description) struct Input(pub(in crate::description) PathBuf);

impl FromToml for Input {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let path = PathBuf::from(String::from_toml(key, value)?);
        let wrong =
            |label: &str| Finding::at(value.span(), format!("`{key}` cannot be read")).label(label);
        let Some(directory) = directory_of(&path) else {
            return Err(wrong("this names no file").help("write a file's name, as `clip.h264`"));
        };
        if path.is_dir() {
            Err(wrong("this is a directory").help("add a file's name, as `clip.h264`"))
        } else if !directory.is_dir() {
            let missing = format!("there is no directory `{}`", directory.display());
            Err(wrong(&missing))
        } else {
            Ok(Self(path))
        }
    }

    fn shape() -> Shape {
        Shape::Text("path")
    }
}

/// Where pictures go: the directory must be there.
impl FromToml for PathBuf {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let path = Self::from(String::from_toml(key, value)?);
        let wrong = |label: &str| {
            Finding::at(value.span(), format!("`{key}` cannot be written")).label(label)
        };
        let Some(directory) = directory_of(&path) else {
            return Err(wrong("this names no file").help("write a file's name, as `frame.png`"));
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

    fn shape() -> Shape {
        Shape::Text("path")
    }
}
