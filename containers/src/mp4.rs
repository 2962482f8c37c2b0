//! MP4 (ISO/IEC 14496-12): plain and in fragments, reading and writing.
//!
//! ```text
//!   plain       ftyp  moov: tables of all samples         mdat: data
//!   fragments   ftyp  moov: no samples    moof  mdat    moof  mdat   …   [mfra]
//! ```
//!
//! A plain file is readable once its `moov` is written, at its end; one in fragments is up to each
//! fragment. So that is how files are written here, and both are read. Boxes are read by hand, for
//! three reasons: tables are walked where they lie, of tracks that are not wanted nothing has to be
//! understood, and errors say at which byte.

mod boxes;
mod build;
mod fragment;
mod movie;
mod reader;
mod sample_entry;
mod tables;
mod writer;

pub use reader::read;
pub use writer::{Mp4Muxer, Mp4Options};
