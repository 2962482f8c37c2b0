//! The decoded picture buffer: which pictures are kept, and when they go out (C.5.2).

use dmaflow_bitstream::hevc::Order;

use crate::steps::{PictureId, Step, Steps};

/// What a picture is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// "Used for short-term reference".
    Short,
    /// "Used for long-term reference".
    Long,
}

/// A picture that was decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture {
    pub(super) id: PictureId,
    /// `PicOrderCntVal`.
    pub(super) poc: i32,
    pub(super) pic_struct: u8,
    pub(super) reference: Option<Term>,
    /// "Needed for output".
    pub(super) waiting: bool,
    /// `PicLatencyCount`.
    latency: u32,
}

impl Picture {
    /// One that was decoded just now.
    pub(super) const fn new(id: PictureId, poc: i32, pic_struct: u8, output: bool) -> Self {
        Self {
            id,
            poc,
            pic_struct,
            reference: Some(Term::Short),
            waiting: output,
            latency: 0,
        }
    }
}

/// Pictures that are kept, in the order in which they were decoded.
#[derive(Debug, Default)]
pub(super) struct Dpb {
    pub(super) pictures: Vec<Picture>,
    order: Order,
    /// The most that are kept while another is decoded.
    pub(super) kept: usize,
    /// The order count up to which no picture can come any more.
    sure: Option<i32>,
    /// That of the last picture that went out.
    last: Option<i32>,
}

impl Dpb {
    /// A coded video sequence begins; everything was cleared.
    pub(super) const fn begin(&mut self, order: Order, kept: usize) {
        self.order = order;
        self.kept = kept;
        self.sure = None;
        self.last = None;
    }

    /// Forgets every picture, those that wait after they went out or never to be seen.
    pub(super) fn clear(&mut self, output: bool, steps: &mut Steps) {
        if output {
            while self.bump(steps) {}
        }
        for picture in self.pictures.drain(..) {
            steps.push(Step::Forget(picture.id));
        }
    }

    /// Lets every picture out that waits: none of its sequence can come any more.
    pub(super) fn let_out(&mut self, steps: &mut Steps) {
        while self.bump(steps) {}
        self.forget(steps);
    }

    /// Makes room for a picture that is about to be decoded (C.5.2.2).
    pub(super) fn make_room(&mut self, steps: &mut Steps) {
        self.forget(steps);
        while self.is_pressed() || self.pictures.len() > self.kept {
            if !self.bump(steps) {
                break;
            }
            self.forget(steps);
        }
    }

    /// Takes the picture that was decoded (C.5.2.3). Nothing can come up to the order count `sure`
    /// any more.
    pub(super) fn add(&mut self, picture: Picture, sure: Option<i32>, steps: &mut Steps) {
        if picture.waiting {
            for other in &mut self.pictures {
                if other.waiting && other.poc > picture.poc {
                    other.latency = other.latency.saturating_add(1);
                }
            }
        }
        self.pictures.push(picture);
        self.sure = self.sure.max(sure);
        while self.is_pressed() || self.is_sure() {
            if !self.bump(steps) {
                break;
            }
        }
        self.forget(steps);
    }

    /// Whether more pictures wait, or one for longer, than the stream says.
    fn is_pressed(&self) -> bool {
        let waiting = self.pictures.iter().filter(|picture| picture.waiting);
        if waiting.clone().count() > usize::from(self.order.max_num_reorder_pics) {
            return true;
        }
        let most = self.order.max_latency_pictures();
        most.is_some_and(|most| waiting.clone().any(|picture| picture.latency >= most))
    }

    /// The one that goes out first.
    fn first(&self) -> Option<&Picture> {
        let waiting = self.pictures.iter().filter(|picture| picture.waiting);
        waiting.min_by_key(|picture| (picture.poc, picture.id))
    }

    /// Whether no picture can come before the one that goes out first: there is none between it
    /// and the one before, or they have all been.
    fn is_sure(&self) -> bool {
        self.first().is_some_and(|first| {
            let next = self.last.and_then(|last| last.checked_add(1));
            Some(first.poc) <= self.sure || Some(first.poc) == next
        })
    }

    /// "Bumping" (C.5.2.4), without what follows from it for memory. False where none waits.
    fn bump(&mut self, steps: &mut Steps) -> bool {
        let Some(&Picture { id, poc, .. }) = self.first() else {
            return false;
        };
        for picture in self.pictures.iter_mut().filter(|picture| picture.id == id) {
            picture.waiting = false;
        }
        self.last = Some(poc);
        let picture = id;
        let shown_again = false;
        steps.push(Step::Output {
            picture,
            shown_again,
        });
        true
    }

    /// Forgets what is neither waiting nor a reference.
    fn forget(&mut self, steps: &mut Steps) {
        self.pictures.retain(|picture| {
            let needed = picture.waiting || picture.reference.is_some();
            if !needed {
                steps.push(Step::Forget(picture.id));
            }
            needed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(reorder: u8, latency_plus1: u32, kept: usize) -> Dpb {
        let order = Order {
            max_dec_pic_buffering_minus1: 15,
            max_num_reorder_pics: reorder,
            max_latency_increase_plus1: latency_plus1,
        };
        let mut dpb = Dpb::default();
        dpb.begin(order, kept);
        dpb
    }

    /// Decodes pictures that refer to none, each told by its order count; numbers are given from 1
    /// on. Tells what goes out and what is forgotten (negative) after each.
    fn decode(dpb: &mut Dpb, pocs: &[(i32, Option<i32>)]) -> Vec<Vec<i64>> {
        let mut told = Vec::new();
        for ((poc, sure), number) in pocs.iter().zip(1..) {
            let mut steps = Steps::new();
            for picture in &mut dpb.pictures {
                picture.reference = None;
            }
            dpb.make_room(&mut steps);
            assert!(dpb.pictures.len() <= dpb.kept, "more than are kept");
            let picture = Picture::new(PictureId(number), *poc, 0, true);
            dpb.add(picture, *sure, &mut steps);
            told.push(listed(&steps));
        }
        told
    }

    fn listed(steps: &Steps) -> Vec<i64> {
        let number = |id: &PictureId| i64::try_from(id.0).unwrap_or(i64::MAX);
        let told = steps.steps().iter().map(|step| match step {
            Step::Output { picture, .. } => number(picture),
            Step::Forget(picture) => -number(picture),
            Step::Decode(_) | Step::Sequence(_) => 0,
        });
        told.collect()
    }

    #[test]
    fn pictures_go_out_when_too_many_wait() {
        let mut dpb = buffer(1, 0, 4);
        let pocs = [(0, None), (8, None), (4, None), (16, None), (12, None)];
        let told = decode(&mut dpb, &pocs);
        // The last is a reference until the next one says that it is none.
        let expected: [&[i64]; 5] = [&[], &[1, -1], &[3], &[-3, 2, -2], &[5]];
        assert_eq!(told, expected);
        let mut steps = Steps::new();
        dpb.clear(true, &mut steps);
        assert_eq!(listed(&steps), [4, -4, -5]);
    }

    #[test]
    fn pictures_go_out_when_one_waits_too_long() {
        // Two may come before it, no third.
        let mut dpb = buffer(2, 1, 8);
        let told = decode(&mut dpb, &[(20, None), (4, None), (8, None)]);
        let expected: [&[i64]; 3] = [&[], &[], &[2, 3, 1, -1, -2]];
        assert_eq!(told, expected);
    }

    #[test]
    fn pictures_go_out_when_there_is_no_room() {
        let mut dpb = buffer(8, 0, 2);
        let told = decode(&mut dpb, &[(30, None), (20, None), (10, None), (40, None)]);
        // Both that are kept wait, until the fourth needs room.
        let expected: [&[i64]; 4] = [&[], &[], &[], &[3, -3]];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_nothing_can_precede_goes_out_at_once() {
        let mut dpb = buffer(4, 0, 8);
        // Nothing leads the first; the next has the next order count; then one is missing.
        let told = decode(&mut dpb, &[(0, Some(0)), (1, None), (3, None), (2, None)]);
        assert_eq!(told, [vec![1], vec![-1, 2], vec![-2], vec![4, 3, -3]]);
        // A trailing picture says that all that lead the IRAP picture have been.
        let mut dpb = buffer(4, 0, 8);
        let told = decode(&mut dpb, &[(10, None), (8, None), (12, Some(10))]);
        assert_eq!(told, [vec![], vec![], vec![2, 1, -1, -2]]);
    }

    #[test]
    fn pictures_of_a_sequence_that_is_left_do_not_go_out() {
        let mut dpb = buffer(4, 0, 8);
        decode(&mut dpb, &[(4, None), (2, None)]);
        let mut steps = Steps::new();
        dpb.clear(false, &mut steps);
        assert_eq!(listed(&steps), [-1, -2]);
    }
}
