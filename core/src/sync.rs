//! Atomics, which the model checker replaces by its own.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p dmaflow-core --lib loom` tries every order in which
//! threads can meet in what is built on these.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
