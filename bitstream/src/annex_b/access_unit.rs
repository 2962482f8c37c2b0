//! Which NAL unit is the first of an access unit.

use super::{h264, without_zeros};

/// Which of the codecs that have NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NalCodec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    Hevc,
}

/// Where a NAL unit belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the access unit at work; so do those before it that may have begun another.
    Same,
    /// To where the one before it belongs.
    Along,
    /// To the access unit at work, or it begins the next one: one that follows tells. Where
    /// nothing follows any more, it is left over.
    Open,
    /// It begins an access unit, or one of those before it does: the first that was open.
    New,
}

/// What was found out about a NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it belongs.
    pub place: Place,
    /// It is the first slice of a picture, or of its second field.
    pub picture: bool,
    /// It is of a picture with which decoding can begin: IDR of H.264, IRAP of HEVC.
    pub key: bool,
}

impl Step {
    /// What is no picture.
    const fn other(place: Place) -> Self {
        Self {
            place,
            picture: false,
            key: false,
        }
    }
}

/// Groups NAL units into access units: H.264 7.4.1.2.3 and 7.4.1.2.4, HEVC 7.4.2.4.4.
///
/// Two fields of one frame, which are access units of their own in H.264, stay together: so do
/// files and decoders have them. A recovery point of H.264 is not taken for a picture with which
/// decoding can begin: what it refers to may be missing, and no standard says what to do then.
#[derive(Clone, Debug)]
pub struct AccessUnits {
    kind: Kind,
    /// The access unit at work has a slice already.
    coded: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    H264(Box<h264::Pictures>),
    Hevc,
}

impl AccessUnits {
    /// How many bytes of a NAL unit that holds a slice are enough to tell: more than the longest
    /// codes take of what is read.
    pub const ENOUGH_OF_A_SLICE: usize = 80;

    /// At the beginning of a stream.
    #[must_use]
    pub fn new(codec: NalCodec) -> Self {
        let kind = match codec {
            NalCodec::H264 => Kind::H264(Box::default()),
            NalCodec::Hevc => Kind::Hevc,
        };
        Self { kind, coded: false }
    }

    /// Says that the next NAL unit begins an access unit, as after going to another place of the
    /// stream. Parameter sets are kept.
    pub fn restart(&mut self) {
        self.coded = false;
        if let Kind::H264(pictures) = &mut self.kind {
            pictures.restart();
        }
    }

    /// Takes the next NAL unit, without its start code, and tells where it belongs; zeros behind it
    /// are not looked at. None where
    /// more of it has to be seen: as long as it is not whole, a slice is told by its beginning, and
    /// parameter sets are not. Of a slice that cannot be read it stays open where it belongs.
    pub fn take(&mut self, nal: &[u8], whole: bool) -> Option<Step> {
        // As long as it is not whole, zeros may be those of a start code.
        let seen = if whole {
            nal
        } else {
            nal.get(..Self::ENOUGH_OF_A_SLICE).unwrap_or(nal)
        };
        let nal = without_zeros(seen);
        if nal.is_empty() && !whole {
            return None;
        }
        let step = match &mut self.kind {
            Kind::H264(pictures) => take_h264(pictures, nal, whole, self.coded)?,
            Kind::Hevc => take_hevc(nal, whole, self.coded)?,
        };
        match step.place {
            Place::Same => self.coded |= step.picture,
            Place::New => self.coded = step.picture,
            Place::Along | Place::Open => {}
        }
        Some(step)
    }
}

fn take_h264(pictures: &mut h264::Pictures, nal: &[u8], whole: bool, coded: bool) -> Option<Step> {
    let nal_unit_type = nal.first().copied().unwrap_or_default() & 0x1f;
    let open = if coded { Place::Open } else { Place::Same };
    let place = match nal_unit_type {
        1 | 2 | 5 => {
            if !whole && nal.len() < AccessUnits::ENOUGH_OF_A_SLICE {
                return None;
            }
            let place = match pictures.slice(nal) {
                h264::Slice::Unreadable => return Some(Step::other(open)),
                h264::Slice::Redundant => return Some(Step::other(Place::Along)),
                h264::Slice::Same => return Some(Step::other(Place::Same)),
                h264::Slice::First if coded => Place::New,
                h264::Slice::First | h264::Slice::SecondField => Place::Same,
            };
            return Some(Step {
                place,
                picture: true,
                key: nal_unit_type == 5,
            });
        }
        7 | 8 => {
            if !whole {
                return None;
            }
            pictures.parameter_set(nal);
            open
        }
        // An access unit delimiter is sure, but where a second field may follow.
        9 if coded && !pictures.may_have_second_field() => {
            pictures.restart();
            Place::New
        }
        6 | 9 | 14..=18 => open,
        _ => Place::Along,
    };
    Some(Step::other(place))
}

fn take_hevc(nal: &[u8], whole: bool, coded: bool) -> Option<Step> {
    let open = if coded { Place::Open } else { Place::Same };
    let &[first, second, ref rest @ ..] = nal else {
        return whole.then_some(Step::other(open));
    };
    let nal_unit_type = first >> 1 & 0x3f;
    let nuh_layer_id = (first & 1) << 5 | second >> 3;
    if nuh_layer_id != 0 {
        return Some(Step::other(Place::Along));
    }
    let place = match nal_unit_type {
        0..=31 => {
            let Some(slice) = rest.first() else {
                return whole.then_some(Step::other(open));
            };
            // first_slice_segment_in_pic_flag
            if slice & 0x80 == 0 {
                return Some(Step::other(Place::Same));
            }
            return Some(Step {
                place: if coded { Place::New } else { Place::Same },
                picture: true,
                key: (16..=23).contains(&nal_unit_type),
            });
        }
        35 if coded => Place::New,
        32..=35 | 39 | 41..=44 | 48..=55 => open,
        _ => Place::Along,
    };
    Some(Step::other(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_that_may_be_those_of_a_start_code_tell_nothing() {
        let mut units = AccessUnits::new(NalCodec::Hevc);
        // Of one byte and two zeros the second byte of a header cannot be known.
        assert_eq!(units.take(&[3, 0, 0], false), None);
        let whole = units.take(&[3, 0, 0], true).unwrap();
        assert_eq!(whole, units.take(&[3], true).unwrap());
        assert_eq!(units.take(&[], false), None);
    }

    #[test]
    fn hevc_pictures_begin_with_their_first_slice_segment() {
        let mut units = AccessUnits::new(NalCodec::Hevc);
        let mut take = |nal: &[u8]| {
            let step = units.take(nal, true).unwrap();
            (step.place, step.picture, step.key)
        };
        let other = |place| (place, false, false);
        assert_eq!(take(&[0x40, 1, 0x0c]), other(Place::Same));
        assert_eq!(take(&[0x26, 1, 0xaf]), (Place::Same, true, true));
        // Another segment of it, one of another layer, a suffix SEI.
        assert_eq!(take(&[0x26, 1, 0x2f]), other(Place::Same));
        assert_eq!(take(&[0x26, 9, 0xaf]), other(Place::Along));
        assert_eq!(take(&[0x50, 1, 0x01]), other(Place::Along));
        // A prefix SEI may be of the next picture, and then is.
        assert_eq!(take(&[0x4e, 1, 0x01]), other(Place::Open));
        assert_eq!(take(&[0x02, 1, 0xd0]), (Place::New, true, false));
        assert_eq!(take(&[0x46, 1, 0x10]), other(Place::New));
        assert_eq!(take(&[0x2a, 1, 0xd0]), (Place::Same, true, true));
    }
}
