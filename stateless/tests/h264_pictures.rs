//! H.264 by streams that are written here, and by damaged ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "h264/craft.rs"]
mod craft;
#[path = "h264/damage.rs"]
mod damage;
#[path = "h264/output.rs"]
mod output;
#[path = "h264/references.rs"]
mod references;
