//! Heaps of other processes: nodes that are sockets.
//!
//! A server ([`crate::server`]) gives each of its heaps a socket in a directory, as the kernel
//! gives its heaps devices. [`crate::open`] takes either, and what it returns does not show
//! which it was.

mod client;
mod link;
pub mod protocol;
mod received;
mod stats;

pub use client::RemoteHeap;
pub(crate) use link::{Sent, receive_request, send_reply};
pub use stats::stats;
