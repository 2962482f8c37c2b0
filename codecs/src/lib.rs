//! Stages that make frames of frames, on V4L2's memory-to-memory devices or, with the feature
//! `cpu-convert`, on the CPU.
//!
//! A [`V4l2Converter`] makes frames of another format or size; [`converters`] lists what this
//! machine has and what each can do. A [`V4l2Codec`] is a stateful encoder or decoder, which makes
//! compressed frames of pictures or pictures of compressed frames. A `CpuConverter` copies, and is
//! for pipelines that allow it. A [`V4l2StatelessDecoder`] reads the stream itself and tells a
//! stateless device of each picture what it has to know.

mod codec;
mod converter;
#[cfg(feature = "cpu-convert")]
mod cpu_convert;
mod error;
mod info;
mod m2m;
mod setup;
mod stateless;

pub use codec::{CodecRole, V4l2Codec, V4l2CodecConfig};
pub use converter::{V4l2Converter, V4l2ConverterConfig};
#[cfg(feature = "cpu-convert")]
pub use cpu_convert::{CpuConvertError, CpuConverter};
pub use dmaflow_v4l2::ControlValue;
pub use error::V4l2ConverterError;
pub use info::{Conversion, ConverterInfo, PortFormat, converters};
pub use stateless::{StatelessError, V4l2StatelessConfig, V4l2StatelessDecoder, sequencer};
