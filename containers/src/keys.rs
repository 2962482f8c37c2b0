//! Going back to a key packet in files that have no index: what was passed is remembered.

use crate::error::ContainerError;
use crate::packet::Packet;

/// Of key packets that lie nearer to the one before than so many bytes none is remembered: the
/// index stays small beside its file.
const APART: u64 = 64 << 10;

/// Where a packet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes before what stands before its data.
    pub(crate) offset: u64,
    /// Packets before it.
    pub(crate) number: u64,
}

/// Key packets that were passed, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    first: Place,
    passed: Vec<(i64, Place)>,
}

impl Keys {
    /// Of a file whose first packet begins after so many bytes.
    pub(crate) fn starting(offset: u64) -> Self {
        Self {
            first: Place { offset, number: 0 },
            passed: Vec::new(),
        }
    }

    /// Remembers a packet, if it is one.
    pub(crate) fn pass(&mut self, packet: &Packet, place: Place) {
        let after = self.passed.last().map(|(_, last)| last.offset);
        let apart = after.is_none_or(|after| place.offset >= after.saturating_add(APART));
        if packet.key && apart {
            self.passed.push((packet.presented, place));
        }
    }

    /// The last of those remembered before the first that is presented later.
    fn before(&self, presented: i64) -> Option<Place> {
        let later = self.passed.iter().position(|(at, _)| *at > presented);
        let count = later.unwrap_or(self.passed.len());
        let last = count.checked_sub(1)?;
        self.passed.get(last).map(|(_, place)| *place)
    }
}

/// A reader that goes from packet to packet, and can begin anew where one begins.
pub(crate) trait Walk {
    /// Where the next packet begins.
    fn place(&self) -> Place;

    /// Goes to where a packet begins.
    fn go(&mut self, place: Place) -> Result<(), ContainerError>;

    /// Announces the next packet.
    fn step(&mut self) -> Result<Option<Packet>, ContainerError>;

    /// What was passed.
    fn keys(&self) -> &Keys;

    /// That there is no key packet at all.
    fn no_key(&self) -> ContainerError;
}

/// Goes to the key packet at or before a time, or to the first there is: from the last one
/// remembered on, packet by packet.
pub(crate) fn seek(walk: &mut impl Walk, presented: i64) -> Result<(), ContainerError> {
    let start = walk.keys().before(presented).unwrap_or(walk.keys().first);
    walk.go(start)?;
    let mut found = None;
    loop {
        let place = walk.place();
        let Some(packet) = walk.step()? else {
            break;
        };
        let late = packet.presented > presented;
        if packet.key && (!late || found.is_none()) {
            found = Some(place);
        }
        if late && found.is_some() {
            break;
        }
    }
    let Some(found) = found else {
        return Err(walk.no_key());
    };
    walk.go(found)
}
