//! Sinks for frames: an atomic KMS display, pictures, and nothing.
//!
//! [`KmsSink`] shows frames without copying them: every buffer of the pool is imported once,
//! every frame is one non-blocking commit, and a frame is let go when the flip that replaces
//! it has happened. [`KmsMixer`] does so for several inputs on one display, each on a plane of its
//! own. [`PictureSink`] and [`NullSink`] are there on every machine. Cards also give memory: see
//! [`heaps`].
//!
//! ```text
//!  Screen   a connector, its CRTC and planes        read once, under our control
//!    │ attach: framebuffers; placements × planes tried with TEST_ONLY commits; for several
//!    │         inputs this is `arrange`, which tries each alone and then all together
//!  Scene    the commit that shows pictures so       made for the first pool; others are shown so
//!    │ show: the first frame sets everything, the others the framebuffer alone; that the kernel
//!    │       takes it says that the one before is in view, and what that replaced is let go
//!    │ ready: waits for the flip, where a frame comes too soon and at the end
//!    │ stop, drop: what was there before is put back
//! ```

mod attach;
mod canvas;
mod card;
mod choice;
mod compare;
mod config;
mod displays;
mod error;
mod flip;
mod framebuffer;
pub mod heaps;
mod imported;
mod mixer;
mod mode;
mod null;
mod output;
mod picture;
mod plane;
mod props;
mod refusals;
mod scene;
mod screen;
mod sink;
mod state;
mod sys;
mod writeback;

pub use choice::Rect;
pub use compare::Difference;
pub use config::KmsSinkConfig;
pub use displays::{CardDetails, CardInfo, ConnectorInfo, PlaneInfo, displays};
pub use error::KmsSinkError;
pub use mixer::{Arrangement, KmsInputConfig, KmsMixer, KmsMixerConfig, NotAnArrangement};
pub use mode::{ModeInfo, ModeRequest, NotAMode};
pub use null::NullSink;
pub use picture::{PictureError, PictureSink, PictureSinkConfig};
pub use plane::{NotAPlane, PlaneKind, PlaneRequest};
pub use sink::KmsSink;
