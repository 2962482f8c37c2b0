//! Files read and written: whole, cut anywhere, damaged, and onto disks that are full.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod annex_b;
mod before;
mod cut;
mod damaged;
mod elementary;
mod formats;
mod full;
mod rotate;
mod round_trip;
mod support;
