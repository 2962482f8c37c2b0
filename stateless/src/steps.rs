//! What is to be done with a unit of a stream, step by step.

use std::fmt;
use std::ops::Range;

use dmaflow_bitstream::StreamError;
use zerocopy::{Immutable, IntoBytes};

/// One picture of a stream from its first slice to when nothing needs it any more. Numbers grow
/// and are never used again, also over a seek.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PictureId(pub u64);

impl PictureId {
    /// What controls call the picture, in nanoseconds: the stamp of its buffers, which V4L2
    /// carries in microseconds.
    #[must_use]
    pub const fn reference_ts(self) -> u64 {
        self.0 * 1000
    }
}

/// How many samples of colour a picture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chroma {
    /// None.
    Monochrome,
    /// Half of them in both directions.
    Yuv420,
    /// Half of them across.
    Yuv422,
    /// All.
    Yuv444,
}

/// The part of a picture that is to be seen, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visible {
    /// Columns before it.
    pub left: u32,
    /// Rows above it.
    pub top: u32,
    /// Its columns.
    pub width: u32,
    /// Its rows.
    pub height: u32,
}

/// What pictures from here on are like. Those before are all out, or are never to be. Where it
/// differs from the one before in [`Sequence::visible`] alone, all stays as it is, and pictures
/// before it may still be referred to and shown again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Width and height in pixels as they are coded.
    pub coded: (u32, u32),
    /// What of that is to be seen.
    pub visible: Visible,
    /// Bits a sample: the most of luma and chroma.
    pub depth: u8,
    /// Samples of colour.
    pub chroma: Chroma,
    /// The most pictures that are kept at once, the one at work not counted.
    pub kept: usize,
    /// Which of [`Steps::controls`] the driver is told before it is asked for its formats.
    pub controls: Range<usize>,
}

/// One request: what the device decodes at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decode {
    /// Where it goes. Slices, or both fields, of one picture follow one another.
    pub picture: PictureId,
    /// Which of [`Steps::pieces`] are its data.
    pub pieces: Range<usize>,
    /// Which of [`Steps::controls`] belong to it.
    pub controls: Range<usize>,
    /// More of the same picture follows, maybe in the next unit: the device keeps the frame.
    pub more: bool,
    /// Decoding can begin with this picture.
    pub key: bool,
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Pictures are different from here on.
    Sequence(Sequence),
    /// The device is to decode.
    Decode(Decode),
    /// A picture goes out.
    Output {
        /// Which.
        picture: PictureId,
        /// It was asked for by this unit (`show_existing_frame`), whose time is its own.
        shown_again: bool,
    },
    /// Nothing refers to a picture any more, and it is out or never will be.
    Forget(PictureId),
}

/// One control of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its id.
    pub id: u32,
    /// Which bytes it is of those that [`Steps::bytes_of`] gives.
    bytes: Range<usize>,
}

/// What is to be done with a unit, in order. It is used again for each unit, so that no memory is
/// taken for it once it has been as large as it gets.
#[derive(Debug, Default)]
pub struct Steps {
    steps: Vec<Step>,
    pieces: Vec<Range<usize>>,
    controls: Vec<Control>,
    bytes: Vec<u8>,
}

impl Steps {
    /// Nothing to do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.pieces.clear();
        self.controls.clear();
        self.bytes.clear();
    }

    /// What is to be done, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Pieces of the unit, in bytes.
    #[must_use]
    pub fn pieces(&self, which: &Range<usize>) -> &[Range<usize>] {
        self.pieces.get(which.clone()).unwrap_or_default()
    }

    /// Controls.
    #[must_use]
    pub fn controls(&self, which: &Range<usize>) -> &[Control] {
        self.controls.get(which.clone()).unwrap_or_default()
    }

    /// A control's value, as the kernel lays it out; of a dynamic array, all its elements.
    #[must_use]
    pub fn bytes_of(&self, control: &Control) -> &[u8] {
        self.bytes.get(control.bytes.clone()).unwrap_or_default()
    }

    /// Adds a step.
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Where the next control comes: a mark for [`Steps::controls_since`].
    #[must_use]
    pub fn controls_mark(&self) -> usize {
        self.controls.len()
    }

    /// The controls that were added since a mark.
    #[must_use]
    pub fn controls_since(&self, mark: usize) -> Range<usize> {
        mark..self.controls.len()
    }

    /// Adds a control: a value, or the elements of a dynamic array.
    pub fn control<T: IntoBytes + Immutable + ?Sized>(&mut self, id: u32, value: &T) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(value.as_bytes());
        let bytes = begin..self.bytes.len();
        self.controls.push(Control { id, bytes });
    }

    /// Where the next piece comes: a mark for [`Steps::pieces_since`].
    #[must_use]
    pub fn pieces_mark(&self) -> usize {
        self.pieces.len()
    }

    /// The pieces that were added since a mark.
    #[must_use]
    pub fn pieces_since(&self, mark: usize) -> Range<usize> {
        mark..self.pieces.len()
    }

    /// Adds a piece of the unit, in bytes.
    pub fn piece(&mut self, piece: Range<usize>) {
        self.pieces.push(piece);
    }
}

/// Remembers for a stateless decoder what its stream said: the state of one coded format.
pub trait Sequencer: fmt::Debug + Send {
    /// Reads the next unit (an access unit, a frame, a temporal unit) and adds what is to be done
    /// with it to `steps`, which the caller has cleared.
    ///
    /// # Errors
    /// What is wrong with the unit. Steps that were added before stay good, and the next unit can
    /// be read: what is lost is what this one would have decoded.
    fn read(&mut self, unit: &[u8], steps: &mut Steps) -> Result<(), StreamError>;

    /// Nothing follows: adds what is still to go out and to be forgotten. What follows all the
    /// same begins anew.
    fn finish(&mut self, steps: &mut Steps);

    /// The stream goes on elsewhere: adds what is to be forgotten, without output. Decoding begins
    /// anew with a picture that needs no other; parameter sets stay.
    fn seek(&mut self, steps: &mut Steps);
}
