//! Atomics and what belongs to threads, which the model checker replaces by its own.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p dmaflow-core --lib loom` tries every order in which
//! threads can meet in what is built on these; `cargo xtask test` does.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::thread_local as per_thread;

/// Takes what the standard library's takes; loom's own knows no `const`.
#[cfg(loom)]
macro_rules! per_thread {
    ($(#[$doc:meta])* static $name:ident: $type:ty = const { $init:expr };) => {
        loom::thread_local! { static $name: $type = $init; }
    };
}
#[cfg(loom)]
pub(crate) use per_thread;
