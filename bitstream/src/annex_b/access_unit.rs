//! Which NAL unit is the first of an access unit.

use super::h264;

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
    const SAME: Self = Self {
        place: Place::Same,
        picture: false,
        key: false,
    };
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
    /// The first NAL unit that may begin the next access unit was seen.
    open: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    H264(Box<h264::Pictures>),
    Hevc { key: bool },
}

impl AccessUnits {
    /// How many bytes of a NAL unit that holds a slice are enough to tell.
    pub const ENOUGH_OF_A_SLICE: usize = 64;

    /// At the beginning of a stream.
    #[must_use]
    pub fn new(codec: NalCodec) -> Self {
        let kind = match codec {
            NalCodec::H264 => Kind::H264(Box::default()),
            NalCodec::Hevc => Kind::Hevc { key: false },
        };
        Self {
            kind,
            coded: false,
            open: false,
        }
    }

    /// Says that the next NAL unit begins an access unit, as after going to another place of the
    /// stream. Parameter sets are kept.
    pub fn restart(&mut self) {
        self.coded = false;
        self.open = false;
        if let Kind::H264(pictures) = &mut self.kind {
            pictures.restart();
        }
    }

    /// Takes the next NAL unit, without its start code, and tells where it belongs. None where
    /// more of it has to be seen: as long as it is not whole, a slice is told by its beginning, and
    /// parameter sets are not. What cannot be read belongs to what is at work.
    pub fn take(&mut self, nal: &[u8], whole: bool) -> Option<Step> {
        if nal.is_empty() && !whole {
            return None;
        }
        let step = match &mut self.kind {
            Kind::H264(pictures) => take_h264(pictures, nal, whole, self.coded)?,
            Kind::Hevc { key } => take_hevc(key, nal, whole, self.coded)?,
        };
        match step.place {
            Place::Same => {
                self.open &= !step.picture;
                self.coded |= step.picture;
            }
            Place::Open => self.open = true,
            Place::New => {
                self.open = false;
                self.coded = step.picture;
            }
        }
        Some(step)
    }
}

fn take_h264(pictures: &mut h264::Pictures, nal: &[u8], whole: bool, coded: bool) -> Option<Step> {
    let nal_unit_type = nal.first().copied().unwrap_or_default() & 0x1f;
    let outside = Step {
        place: if coded { Place::Open } else { Place::Same },
        ..Step::SAME
    };
    match nal_unit_type {
        1 | 2 | 5 => {
            if !whole && nal.len() < AccessUnits::ENOUGH_OF_A_SLICE {
                return None;
            }
            let (picture, second_field) = match pictures.slice(nal) {
                h264::Slice::Same => return Some(Step::SAME),
                h264::Slice::SecondField => (true, true),
                h264::Slice::First => (true, false),
            };
            let place = if coded && !second_field {
                Place::New
            } else {
                Place::Same
            };
            let key = nal_unit_type == 5;
            return Some(Step {
                place,
                picture,
                key,
            });
        }
        7 | 8 => {
            if !whole {
                return None;
            }
            pictures.parameter_set(nal);
        }
        // An access unit delimiter is sure, but where a second field may follow.
        9 if coded && !pictures.may_have_second_field() => {
            let place = Place::New;
            return Some(Step {
                place,
                ..Step::SAME
            });
        }
        6 | 9 | 14..=18 => {}
        _ => return Some(Step::SAME),
    }
    Some(outside)
}

fn take_hevc(key: &mut bool, nal: &[u8], whole: bool, coded: bool) -> Option<Step> {
    let &[first, second, ref rest @ ..] = nal else {
        return whole.then_some(Step::SAME);
    };
    let nal_unit_type = first >> 1 & 0x3f;
    let nuh_layer_id = (first & 1) << 5 | second >> 3;
    if nuh_layer_id != 0 {
        return Some(Step::SAME);
    }
    let place = match nal_unit_type {
        0..=31 => {
            let Some(slice) = rest.first() else {
                return whole.then_some(Step::SAME);
            };
            // first_slice_segment_in_pic_flag
            let picture = slice & 0x80 != 0;
            if picture {
                *key = (16..=23).contains(&nal_unit_type);
            }
            let place = if picture && coded {
                Place::New
            } else {
                Place::Same
            };
            return Some(Step {
                place,
                picture,
                key: *key,
            });
        }
        35 if coded => Place::New,
        32..=35 | 39 | 41..=44 | 48..=55 if coded => Place::Open,
        _ => Place::Same,
    };
    Some(Step {
        place,
        ..Step::SAME
    })
}
