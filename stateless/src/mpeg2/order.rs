//! Which pictures are referred to, which fields belong together, and when pictures go out.

use dmaflow_bitstream::Trouble;
use dmaflow_bitstream::mpeg2::{CodingType, GroupOfPictures, PictureHeader, Structure};

use crate::pictures::Pictures;
use crate::steps::{PictureId, Step, Steps};

/// I and P frames that are referred to: the last two.
pub(super) const KEPT: usize = 2;

/// A picture that is about to be decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) picture: PictureId,
    /// It is the second field of a frame.
    pub(super) second: bool,
    /// It is the first one.
    pub(super) more: bool,
    /// The upper field of the frame comes first.
    pub(super) top_field_first: bool,
    pub(super) forward: Option<PictureId>,
    pub(super) backward: Option<PictureId>,
    header: PictureHeader,
}

/// A frame of which one field was decoded.
#[derive(Clone, Copy, Debug)]
struct Open {
    picture: PictureId,
    header: PictureHeader,
}

/// Which pictures are referred to, which fields belong together, and when pictures go out.
#[derive(Debug)]
pub(super) struct Order {
    /// I and P frames: the older one, the newer one.
    pictures: Pictures<KEPT>,
    /// The newer one is out.
    is_out: bool,
    open: Option<Open>,
    /// B pictures up to the next I or P picture do without the picture before the first.
    closed: bool,
    /// I and P frames since the stream began or was cut, up to two.
    anchors: u8,
}

impl Order {
    pub(super) const fn new() -> Self {
        Self {
            pictures: Pictures::new(),
            is_out: true,
            open: None,
            closed: false,
            anchors: 0,
        }
    }

    fn older(&self) -> Option<PictureId> {
        self.pictures.slot(0)
    }

    fn newer(&self) -> Option<PictureId> {
        self.pictures.slot(1)
    }

    /// A group of pictures begins.
    pub(super) const fn group(&mut self, group: GroupOfPictures) {
        self.closed = group.closed_gop;
        if group.broken_link && !group.closed_gop {
            self.anchors = 0;
        }
    }

    /// A picture is about to be decoded; none if it is passed over. What goes out before it, goes.
    ///
    /// # Errors
    /// [`Trouble::Unknown`] where a picture is missing that it is predicted from.
    pub(super) fn begin(
        &mut self,
        header: &PictureHeader,
        steps: &mut Steps,
    ) -> Result<Option<Begun>, Trouble> {
        let open = self.open.take();
        if let Some(open) = open.filter(|open| open.is_completed_by(header)) {
            return Ok(Some(self.second(open, *header)));
        }
        if let Some(open) = open {
            self.close(open, steps);
        }
        let missing = Trouble::Unknown { found: 0 };
        let (forward, backward) = match header.coding_type {
            CodingType::I => (None, None),
            CodingType::P => (Some(self.newer().ok_or(missing)?), None),
            CodingType::B => {
                let backward = self.newer().ok_or(missing)?;
                if self.anchors < 2 && !self.closed {
                    return Ok(None);
                }
                (self.older(), Some(backward))
            }
        };
        let picture = self.pictures.next();
        if header.coding_type != CodingType::B {
            self.show_newer(steps);
            let kept = [self.newer(), Some(picture)];
            self.pictures.keep(picture, kept, steps);
            self.is_out = false;
            self.anchors = self.anchors.saturating_add(1).min(2);
        }
        Ok(Some(Begun {
            picture,
            second: false,
            more: header.structure != Structure::Frame,
            top_field_first: match header.structure {
                Structure::Frame => header.top_field_first,
                Structure::TopField => true,
                Structure::BottomField => false,
            },
            forward,
            backward,
            header: *header,
        }))
    }

    /// The second field of a frame, which may be predicted from the first as well.
    fn second(&self, open: Open, header: PictureHeader) -> Begun {
        let (forward, backward) = match header.coding_type {
            CodingType::I => (None, None),
            CodingType::P => (self.older(), None),
            CodingType::B => (self.older(), self.newer()),
        };
        Begun {
            picture: open.picture,
            second: true,
            more: false,
            top_field_first: open.header.structure == Structure::TopField,
            forward,
            backward,
            header,
        }
    }

    /// A picture was given to be decoded. What goes out after it, goes.
    pub(super) fn decoded(&mut self, begun: &Begun, low_delay: bool, steps: &mut Steps) {
        let open = Open {
            picture: begun.picture,
            header: begun.header,
        };
        if begun.more {
            self.open = Some(open);
        } else if begun.header.coding_type == CodingType::B {
            self.close(open, steps);
        } else if low_delay {
            self.show_newer(steps);
        }
    }

    /// No more of a frame comes. I and P frames go out later.
    fn close(&self, open: Open, steps: &mut Steps) {
        if open.header.coding_type == CodingType::B {
            let picture = open.picture;
            steps.push(Step::Output {
                picture,
                shown_again: false,
            });
            steps.push(Step::Forget(picture));
        }
    }

    fn show_newer(&mut self, steps: &mut Steps) {
        if let Some(picture) = self.newer()
            && !self.is_out
        {
            self.is_out = true;
            steps.push(Step::Output {
                picture,
                shown_again: false,
            });
        }
    }

    /// A picture comes that refers to nothing and is not like those before: they all go out, and
    /// are forgotten. The group that it begins has begun already.
    pub(super) fn restart(&mut self, steps: &mut Steps) {
        let closed = self.closed;
        self.end(steps);
        self.closed = closed;
    }

    /// What follows refers to nothing: all goes out, and is forgotten.
    pub(super) fn end(&mut self, steps: &mut Steps) {
        if let Some(open) = self.open.take() {
            self.close(open, steps);
        }
        self.show_newer(steps);
        self.forget(steps);
    }

    /// What follows refers to nothing: all is forgotten.
    pub(super) fn forget(&mut self, steps: &mut Steps) {
        if let Some(open) = self.open.take()
            && open.header.coding_type == CodingType::B
        {
            steps.push(Step::Forget(open.picture));
        }
        self.pictures.forget_all(steps);
        self.is_out = true;
        self.closed = false;
        self.anchors = 0;
    }
}

impl Open {
    /// Whether a field is the other one of the same frame (6.1.1.4.1).
    fn is_completed_by(&self, header: &PictureHeader) -> bool {
        let b = |header: &PictureHeader| header.coding_type == CodingType::B;
        header.structure != Structure::Frame
            && header.structure != self.header.structure
            && header.temporal_reference == self.header.temporal_reference
            && b(header) == b(&self.header)
    }
}
