//! Small MP4 and Matroska files: their packets, what is left of them wherever they are cut, damaged
//! or the disk is full.
//!
//! The files were made with ffmpeg: twelve pictures, a key every six, and what is expected of them
//! is what ffprobe says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damaged;
mod full;
mod packets;
mod support;
mod writing;
