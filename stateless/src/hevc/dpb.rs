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
