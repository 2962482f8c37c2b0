//! Codecs on the CPU: pictures judged sample by sample against the formula that they were made
//! by, and streams that are wrong.

#![cfg(all(feature = "cpu-h264", feature = "cpu-mjpeg"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cpu_codec/h264.rs"]
mod h264;
#[path = "cpu_codec/mjpeg.rs"]
mod mjpeg;
#[path = "cpu_codec/picture.rs"]
mod picture;
#[path = "cpu_codec/stage.rs"]
mod stage;
