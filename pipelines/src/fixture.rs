//! Boards that are not there: what their heaps, cameras, codecs, converters and displays would
//! answer, so that a description can be checked for a board without having it.
//!
//! The facts are from the kernel's drivers and device trees; each file names them. They were not
//! run on the boards. Below `boards/fixtures/` there is a file a board; one of one's own is read
//! by [`Fixture::load`].
//!
//! ```
//! use dmaflow_pipelines::fixture::Fixture;
//!
//! let board = Fixture::named("am62x-sk")?;
//! let camera = board.cameras().next().expect("it has a camera");
//! let display = board.displays().next().expect("it has a display");
//! assert!(!camera.output.intersect(&display.caps()).is_empty());
//! # Ok::<(), dmaflow_pipelines::fixture::UnknownFixture>(())
//! ```

mod asked;
mod cap;
mod decoding;
mod device;
mod display;
mod encoding;
mod error;
mod file;
mod graph;
mod heap;
mod stated;

pub use device::{DeviceFunction, FixtureDevice};
pub use display::{FixtureDisplay, FixturePlane};
pub use error::{FixtureError, UnknownFixture};
pub use graph::{FixtureEntity, FixtureGraph, FixtureLink, FixturePad};
pub use heap::FixtureHeap;
pub use stated::Misfit;

use std::fs;
use std::path::Path;

/// What a board's devices would answer.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// What it is called in words.
    pub board: String,
    /// The kernel whose sources tell so.
    pub kernel: String,
    /// The files of these sources.
    pub sources: Vec<String>,
    heaps: Vec<FixtureHeap>,
    devices: Vec<FixtureDevice>,
    displays: Vec<FixtureDisplay>,
    graphs: Vec<FixtureGraph>,
}

/// The fixtures that come with the library.
static KNOWN: [(&str, &str); 6] = [
    ("am62x-sk", include_str!("../boards/fixtures/am62x-sk.toml")),
    ("am62a-sk", include_str!("../boards/fixtures/am62a-sk.toml")),
    ("j721s2", include_str!("../boards/fixtures/j721s2.toml")),
    ("rk3399", include_str!("../boards/fixtures/rk3399.toml")),
    ("rk3568", include_str!("../boards/fixtures/rk3568.toml")),
    ("rk3588", include_str!("../boards/fixtures/rk3588.toml")),
];

impl Fixture {
    /// The fixture of a board that the library knows.
    ///
    /// # Errors
    /// [`UnknownFixture`], which tells the boards there are.
    pub fn named(name: &str) -> Result<Self, UnknownFixture> {
        let found = KNOWN.iter().find(|(known, _)| *known == name);
        // That they can be read is a test's business.
        found
            .and_then(|(name, text)| Self::parse(text, name).ok())
            .ok_or_else(|| UnknownFixture::new(name))
    }

    /// What the boards are called that the library knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`FixtureError`]: it cannot be read, or something in it is wrong.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, FixtureError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| FixtureError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a text; `file_name` is what errors call it.
    ///
    /// # Errors
    /// [`FixtureError::Wrong`], with the place of what is wrong.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, FixtureError> {
        file::read(text).map_err(|wrong| wrong.in_file(file_name, text))
    }

    /// Its heaps.
    pub fn heaps(&self) -> impl Iterator<Item = &FixtureHeap> {
        self.heaps.iter()
    }

    /// Devices that capture: cameras, HDMI inputs.
    pub fn cameras(&self) -> impl Iterator<Item = &FixtureDevice> {
        self.having(DeviceFunction::Capture)
    }

    /// Devices that make another format or size of frames.
    pub fn converters(&self) -> impl Iterator<Item = &FixtureDevice> {
        self.having(DeviceFunction::Converter)
    }

    /// Devices that decode.
    pub fn decoders(&self) -> impl Iterator<Item = &FixtureDevice> {
        self.having(DeviceFunction::Decoder)
    }

    /// Devices that encode.
    pub fn encoders(&self) -> impl Iterator<Item = &FixtureDevice> {
        self.having(DeviceFunction::Encoder)
    }

    /// What shows frames.
    pub fn displays(&self) -> impl Iterator<Item = &FixtureDisplay> {
        self.displays.iter()
    }

    /// The graphs that pictures pass on their way to a capture device.
    pub fn graphs(&self) -> impl Iterator<Item = &FixtureGraph> {
        self.graphs.iter()
    }

    fn having(&self, function: DeviceFunction) -> impl Iterator<Item = &FixtureDevice> {
        let has = move |device: &&FixtureDevice| device.function == function;
        self.devices.iter().filter(has)
    }
}
