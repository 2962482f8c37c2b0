//! What tests on the virtual board have in common.
//!
//! Each test asks for a [`Board`] first. Away from the board, or on one that lacks what the
//! test is about, it prints a line that begins with `SKIP` and returns; the test runner counts
//! those lines, and on the board a skip that no kernel version explains is a failure.

mod board;
mod buffers;
pub mod conformance;
mod huge_pages;
pub mod peer;
mod program;

pub use board::Board;
pub use buffers::{DmaBufs, open_files};
pub use huge_pages::HugePages;
pub use program::{Run, dmaflow, dmaflow_as, reload_vivid};
