//! How full a carve-out is, as figures and as the reason of a refusal.

use dmaflow_core::Errno;
use dmaflow_core::heap::ExportError;

use super::State;
use super::pieces::Want;
use super::region::bytes;
use crate::hugepages::refused;

/// How the memory of a carve-out is used now, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CarveOutFigures {
    /// All of it.
    pub size: u64,
    /// In free pieces.
    pub free: u64,
    /// The longest free piece.
    pub largest_free: u64,
    /// How many free pieces there are.
    pub free_pieces: usize,
    /// How much of what is free cannot be had in one piece: 1 - largest / free.
    pub fragmentation: f64,
    /// Of that, in pieces whose dma-bufs are kept.
    pub ready: u64,
    /// In pieces that were released and that an importer still has.
    pub waiting: u64,
    /// Requests refused because too little was free.
    pub refused_full: u64,
    /// Requests refused though enough was free, but in too small pieces.
    pub refused_fragmented: u64,
}

impl CarveOutFigures {
    pub(super) fn of(state: &State) -> Self {
        let space = &state.pieces.space;
        Self {
            size: bytes(space.len()),
            free: bytes(space.free()),
            largest_free: bytes(space.largest(1)),
            free_pieces: space.pieces(),
            fragmentation: space.fragmentation(),
            ready: bytes(state.pieces.ready()),
            waiting: bytes(state.pieces.waiting()),
            refused_full: state.refused_full,
            refused_fragmented: state.refused_fragmented,
        }
    }
}

impl State {
    /// Counts a refusal, and tells a full region from a fragmented one.
    pub(super) fn refuse(&mut self, want: Want) -> ExportError {
        let space = &self.pieces.space;
        let (why, remedy) = if space.free() < want.len {
            self.refused_full += 1;
            ("it is full", "free some, or make it larger")
        } else {
            self.refused_fragmented += 1;
            (
                "it is fragmented",
                "free the buffers between them, allocate long buffers before short ones, or make \
                 it larger",
            )
        };
        let held = match bytes(self.pieces.waiting()) {
            0 => String::new(),
            waiting => format!("; importers still hold {waiting} bytes that were released"),
        };
        let reason = format!(
            "{why}: {} of its {} bytes are free, at most {} of them in one piece for this \
             request{held}; {remedy}",
            bytes(space.free()),
            bytes(space.len()),
            bytes(space.largest(want.align)),
        );
        refused(Errno::ENOMEM, reason)
    }
}
