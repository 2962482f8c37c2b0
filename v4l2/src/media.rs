//! The media controller: cameras that are made of several devices.
//!
//! Behind many a video node there is no camera but a graph: a sensor, a receiver, a debayer, a
//! scaler, each with formats of its own, and links that may be off. Nothing streams until all
//! of them agree. A [`MediaCamera`] is such a chain: it asks every device along the way what it
//! takes ([`Ask`]), makes a [`Plan`] of links and formats, and a [`MediaSetup`] carries the
//! plan out and puts back what was there before.
//!
//! The graph ([`Topology`]), the way through it and the search for formats do no I/O, so that a
//! driver's graph can be had from a test as well as from a device.

mod ask;
mod camera;
mod chain;
mod config;
mod device;
mod devices;
mod error;
mod mbus_code;
mod plan;
mod search;
mod setup;
mod subdevice;
#[cfg(test)]
mod tests;
mod topology;
mod wanted;

pub use ask::{Ask, PadFormat};
pub use camera::MediaCamera;
pub use chain::{Chain, chains};
pub use config::{LinkConfig, MediaConfig, NotALink, NotAPadFormat, PadConfig};
pub use device::{MediaDevice, MediaInfo, media_nodes};
pub use error::{MediaError, Refused};
pub use mbus_code::{MbusCode, NotAMbusCode};
pub use plan::{LinkChange, PadWish, Plan, Setting, Wish, plan, plans};
pub use setup::MediaSetup;
pub use subdevice::Subdevice;
pub use topology::{
    Entity, EntityFunction, EntityId, Link, Node, NodeKind, Pad, PadDirection, PadId, Topology,
};
