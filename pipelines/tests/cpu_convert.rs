//! Conversions by the CPU: judged pixel by pixel against the formulas of the standards, and put
//! in only where a pipeline allows copies.

#![cfg(feature = "cpu-convert")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cpu_convert/boards.rs"]
mod boards;
#[path = "cpu_convert/formula.rs"]
mod formula;
#[path = "cpu_convert/pipelines.rs"]
mod pipelines;
#[path = "cpu_convert/pixels.rs"]
mod pixels;
