//! Reference picture lists (8.2.4).

use dmaflow_bitstream::h264::{Few, Modification, SliceHeader, SliceType, Structure};

use super::frame::{Fields, Frame};
use crate::uapi::h264::REF_LIST_LEN;

/// A picture of a list: which frame of the buffer, and what of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) frame: usize,
    pub(super) fields: Fields,
}

/// A list; one longer than it may be while it is changed.
pub(super) type List = Few<Reference, { REF_LIST_LEN + 1 }>;

/// Frames of the buffer in some order.
type Sorted = Few<usize, { REF_LIST_LEN }>;

/// The picture at hand, as far as its lists depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    pub(super) structure: Structure,
    pub(super) frame_num: u32,
    pub(super) max_frame_num: u32,
    /// `PicOrderCnt( CurrPic )`.
    pub(super) order: i32,
    /// Frames that are not in the stream have a number in output order, too (they have none in
    /// `pic_order_cnt_type` 0).
    pub(super) orders_missing: bool,
}

impl Current {
    fn is_field(&self) -> bool {
        self.structure.is_field()
    }

    /// `CurrPicNum`.
    pub(super) fn pic_num(&self) -> i64 {
        let frame_num = i64::from(self.frame_num);
        if self.is_field() {
            2 * frame_num + 1
        } else {
            frame_num
        }
    }

    /// `MaxPicNum`.
    fn max_pic_num(&self) -> i64 {
        i64::from(self.max_frame_num) * if self.is_field() { 2 } else { 1 }
    }

    /// `PicNum` or `LongTermPicNum` of a picture, by the number of its frame (8.2.4.1).
    pub(super) fn pic_num_of(&self, frame_number: i64, fields: Fields) -> i64 {
        if self.is_field() {
            2 * frame_number + i64::from(fields == Fields::of(self.structure))
        } else {
            frame_number
        }
    }

    /// The picture with a number, among those of a kind.
    pub(super) fn find(&self, frames: &[Frame], kind: Kind, pic_num: i64) -> Option<Reference> {
        let pictures = self.pictures(frames, kind);
        pictures
            .filter(|(_picture, number)| *number == pic_num)
            .map(|(picture, _number)| picture)
            .next()
    }

    /// The picture whose number is nearest, among those of a kind.
    fn nearest(&self, frames: &[Frame], kind: Kind, pic_num: i64) -> Option<Reference> {
        let pictures = self.pictures(frames, kind);
        pictures
            .min_by_key(|(_picture, number)| number.abs_diff(pic_num))
            .map(|(picture, _number)| picture)
    }

    /// All pictures of a kind, with their numbers.
    fn pictures(&self, frames: &[Frame], kind: Kind) -> impl Iterator<Item = (Reference, i64)> {
        let parts: &[Fields] = if self.is_field() {
            &[Fields::TOP, Fields::BOTTOM]
        } else {
            &[Fields::BOTH]
        };
        let frames = frames.iter().enumerate();
        frames.flat_map(move |(at, frame)| {
            let of_kind = parts
                .iter()
                .filter(move |fields| kind.of(frame).has(**fields));
            of_kind.map(move |fields| {
                let number = self.pic_num_of(kind.number(frame), *fields);
                let frame = at;
                let fields = *fields;
                (Reference { frame, fields }, number)
            })
        })
    }
}

/// Short-term or long-term references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ShortTerm,
    LongTerm,
}

impl Kind {
    /// What of a frame is.
    const fn of(self, frame: &Frame) -> Fields {
        match self {
            Self::ShortTerm => frame.short_term,
            Self::LongTerm => frame.long_term,
        }
    }

    /// `FrameNumWrap` or `LongTermFrameIdx`.
    fn number(self, frame: &Frame) -> i64 {
        match self {
            Self::ShortTerm => frame.frame_num_wrap.into(),
            Self::LongTerm => frame.long_term_frame_idx.into(),
        }
    }
}

/// Both lists of a slice, as they are after modification; `None` where there is nothing at all to
/// refer to.
pub(super) fn of_slice(
    frames: &[Frame],
    current: Current,
    header: &SliceHeader,
) -> Option<[List; 2]> {
    let mut lists = match header.slice_type {
        SliceType::I | SliceType::Si => return Some([List::default(); 2]),
        SliceType::P | SliceType::Sp => [of_p(frames, current), List::default()],
        SliceType::B => of_b(frames, current),
    };
    let counts = header.num_ref_idx_active_minus1;
    let used = if header.slice_type == SliceType::B {
        2
    } else {
        1
    };
    let lists_and_counts = lists.iter_mut().zip(counts).zip(&header.modifications);
    for ((list, last), modifications) in lists_and_counts.take(used) {
        let count = usize::from(last) + 1;
        list.truncate(count);
        modify(list, count, frames, current, modifications);
        // What the stream has no picture for is not referred to, unless one is lost.
        let filling = list.first().copied();
        let filling = filling.or_else(|| nearest_in_output(frames, current))?;
        while list.len() < count && list.push(filling) {}
    }
    Some(lists)
}

/// 8.2.4.2.1 and 8.2.4.2.2.
fn of_p(frames: &[Frame], current: Current) -> List {
    let newest_first = |frame: &Frame| -i64::from(frame.frame_num_wrap);
    let short = sorted(
        frames,
        current,
        Kind::ShortTerm,
        |_frame| true,
        newest_first,
    );
    let mut list = List::default();
    append(&mut list, &short, frames, current, Kind::ShortTerm);
    append_long_term(&mut list, frames, current);
    list
}

/// 8.2.4.2.3 and 8.2.4.2.4.
fn of_b(frames: &[Frame], current: Current) -> [List; 2] {
    let counts = |frame: &Frame| frame.exists || current.orders_missing;
    // The first field of the frame at hand may have the same number.
    let is_before = |frame: &Frame| {
        let order = frame.order_count();
        order < current.order || current.is_field() && order == current.order
    };
    let before = |frame: &Frame| counts(frame) && is_before(frame);
    let after = |frame: &Frame| counts(frame) && !is_before(frame);
    let latest_first = |frame: &Frame| -i64::from(frame.order_count());
    let earliest_first = |frame: &Frame| i64::from(frame.order_count());
    let before = sorted(frames, current, Kind::ShortTerm, before, latest_first);
    let after = sorted(frames, current, Kind::ShortTerm, after, earliest_first);
    let mut lists = [List::default(); 2];
    let [first, second] = &mut lists;
    for (list, one, other) in [(first, &before, &after), (second, &after, &before)] {
        let mut all = *one;
        for frame in &**other {
            // All of both are frames of one buffer.
            debug_assert!(!all.is_full(), "the buffer is shorter than a list");
            let _fits: bool = all.push(*frame);
        }
        append(list, &all, frames, current, Kind::ShortTerm);
        append_long_term(list, frames, current);
    }
    let [first, second] = &mut lists;
    if second.len() > 1 && *first == *second {
        second.swap(0, 1);
    }
    lists
}

fn append_long_term(list: &mut List, frames: &[Frame], current: Current) {
    let by_index = |frame: &Frame| i64::from(frame.long_term_frame_idx);
    let long = sorted(frames, current, Kind::LongTerm, |_frame| true, by_index);
    append(list, &long, frames, current, Kind::LongTerm);
}

/// The frames of a kind that are chosen, those first whose key is smallest.
fn sorted(
    frames: &[Frame],
    current: Current,
    kind: Kind,
    chosen: impl Fn(&Frame) -> bool,
    key: impl Fn(&Frame) -> i64,
) -> Sorted {
    let of_kind = |frame: &Frame| {
        let fields = kind.of(frame);
        if current.is_field() {
            !fields.is_none()
        } else {
            fields == Fields::BOTH
        }
    };
    let mut list = Sorted::default();
    for (at, frame) in frames.iter().enumerate() {
        if of_kind(frame) && chosen(frame) && !list.push(at) {
            break;
        }
    }
    list.sort_unstable_by_key(|at| frames.get(*at).map(&key));
    list
}

/// Adds frames to a list, or their fields.
fn append(list: &mut List, sorted: &[usize], frames: &[Frame], current: Current, kind: Kind) {
    if current.is_field() {
        append_fields(list, sorted, frames, current, kind);
        return;
    }
    for frame in sorted {
        let (frame, fields) = (*frame, Fields::BOTH);
        if !list.push(Reference { frame, fields }) {
            return;
        }
    }
}

/// Adds fields, of one parity and the other in turn, beginning with that of the picture at hand
/// (8.2.4.2.5).
fn append_fields(
    list: &mut List,
    sorted: &[usize],
    frames: &[Frame],
    current: Current,
    kind: Kind,
) {
    let has = |at: usize, fields: Fields| {
        let frame = frames.get(at);
        frame.is_some_and(|frame| kind.of(frame).has(fields))
    };
    let of = |fields: Fields| {
        let with = sorted.iter().filter(move |at| has(**at, fields));
        with.map(move |frame| {
            let frame = *frame;
            Reference { frame, fields }
        })
    };
    let same = Fields::of(current.structure);
    let (mut one, mut other) = (of(same), of(Fields::BOTH.without(same)));
    let mut turn = true;
    loop {
        let next = if turn {
            one.next().or_else(|| other.next())
        } else {
            other.next().or_else(|| one.next())
        };
        match next {
            Some(reference) if list.push(reference) => turn = !turn,
            _ => return,
        }
    }
}

/// 8.2.4.3.
fn modify(
    list: &mut List,
    count: usize,
    frames: &[Frame],
    current: Current,
    modifications: &[Modification],
) {
    let max = current.max_pic_num();
    let mut predicted = current.pic_num();
    for (at, modification) in modifications.iter().enumerate() {
        let (kind, number) = match *modification {
            Modification::Less(difference) => {
                predicted = (predicted - i64::from(difference)).rem_euclid(max);
                (Kind::ShortTerm, predicted)
            }
            Modification::More(difference) => {
                predicted = (predicted + i64::from(difference)).rem_euclid(max);
                (Kind::ShortTerm, predicted)
            }
            Modification::LongTerm(number) => (Kind::LongTerm, i64::from(number)),
        };
        let number = if kind == Kind::ShortTerm && number > current.pic_num() {
            number - max
        } else {
            number
        };
        if let Some(reference) = current.find(frames, kind, number) {
            list.insert(at, reference);
            let behind = list.iter().skip(at + 1);
            let again = behind.clone().position(|other| *other == reference);
            if let Some(again) = again {
                list.remove(at + 1 + again);
            }
        } else if let Some(reference) = current.nearest(frames, kind, number) {
            // It is lost: its neighbour stands in for it and keeps its own place.
            list.insert(at, reference);
        }
        list.truncate(count);
    }
}

/// The reference that is nearest in output order, of whatever kind.
fn nearest_in_output(frames: &[Frame], current: Current) -> Option<Reference> {
    let references = frames.iter().enumerate();
    let nearest = references
        .filter(|(_at, frame)| frame.is_reference())
        .min_by_key(|(_at, frame)| frame.order_count().abs_diff(current.order))?;
    let (frame, found) = nearest;
    let same = Fields::of(current.structure);
    let fields = if found.fields.has(same) {
        same
    } else {
        found.fields
    };
    Some(Reference { frame, fields })
}
