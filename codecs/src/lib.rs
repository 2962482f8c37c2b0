//! Stages that make frames of frames, on V4L2's memory-to-memory devices.
//!
//! A [`V4l2Converter`] makes frames of another format or size; [`converters`] lists what this
//! machine has and what each can do. Decoders and encoders will come.

mod converter;
mod error;
mod info;

pub use converter::{V4l2Converter, V4l2ConverterConfig};
pub use dmaflow_v4l2::ControlValue;
pub use error::V4l2ConverterError;
pub use info::{Conversion, ConverterInfo, PortFormat, converters};
