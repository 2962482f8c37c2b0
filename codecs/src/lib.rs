//! Stages that make frames of frames, on V4L2's memory-to-memory devices or, with features, on the
//! CPU.
//!
//! A [`V4l2Converter`] makes frames of another format or size; [`converters`] lists what this
//! machine has and what each can do. A [`V4l2Codec`] is a stateful encoder or decoder, which makes
//! compressed frames of pictures or pictures of compressed frames. A [`V4l2StatelessDecoder`] reads
//! the stream itself and tells a stateless device of each picture what it has to know; a
//! [`V4l2Decoder`] is whichever of the two a stream needs; [`codecs`] lists them all. A `CpuConverter` (feature `cpu-convert`)
//! and a `CpuCodec` (`cpu-mjpeg`, `cpu-h264`) copy, and are for pipelines that allow it. `snapshot`
//! writes frames as PNG and JPEG files.

mod codec;
mod converter;
#[cfg(any(feature = "cpu-h264", feature = "cpu-mjpeg"))]
mod cpu_codec;
#[cfg(feature = "cpu-convert")]
mod cpu_convert;
mod decoder;
mod error;
mod info;
mod list;
mod m2m;
mod setup;
#[cfg(feature = "snapshot")]
pub mod snapshot;
mod stateless;

pub use codec::{CodecRole, V4l2Codec, V4l2CodecConfig};
pub use converter::{V4l2Converter, V4l2ConverterConfig};
#[cfg(any(feature = "cpu-h264", feature = "cpu-mjpeg"))]
pub use cpu_codec::{CpuCodec, CpuCodecError, CpuCodecKind};
#[cfg(feature = "cpu-mjpeg")]
pub use cpu_codec::{JpegError, JpegFault};
#[cfg(feature = "cpu-convert")]
pub use cpu_convert::{CpuConvertError, CpuConverter};
pub use decoder::{V4l2Decoder, V4l2DecoderConfig};
pub use dmaflow_v4l2::ControlValue;
pub use error::V4l2ConverterError;
pub use info::{Conversion, ConverterInfo, PortFormat, converters};
pub use list::{CodecInfo, CodecNode, CodedFormat, PictureFormat, codecs};
pub use stateless::{StatelessError, V4l2StatelessConfig, V4l2StatelessDecoder};
