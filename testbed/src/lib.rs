//! What tests on the virtual board have in common.
//!
//! Each test asks for a [`Board`] first. Away from the board, or on one that lacks what the
//! test is about, it prints a line that begins with `SKIP` and returns; the test runner counts
//! those lines, and on the board a skip that no kernel version explains is a failure.

pub mod bars;
mod board;
mod buffers;
mod cameras;
pub mod caption;
pub mod conformance;
mod faults;
pub mod hostile;
mod huge_pages;
mod kernel_log;
pub mod memory;
mod modules;
mod node_mode;
mod other_program;
pub mod peer;
mod program;
pub mod rgb;
mod serving;
mod sys;
mod timeline;
mod tracing;

pub use board::Board;
pub use buffers::{DmaBufs, open_files};
pub use cameras::Cameras;
pub use faults::Faults;
pub use huge_pages::HugePages;
pub use kernel_log::{KernelLog, Verbose};
pub use modules::Modules;
pub use node_mode::NodeMode;
pub use other_program::{Lit, OtherProgram};
pub use program::{
    Run, Running, VIVID_ON_VKMS, as_user, command, dmaflow, dmaflow_as, modprobe, reload_vivid,
    world_readable,
};
pub use serving::{Serving, eventually, within};
pub use timeline::Timeline;
pub use tracing::{ControlTrace, TracedControl};
