//! Which pictures a picture refers to (8.3.2, 8.3.4).

use dmaflow_bitstream::Trouble;
use dmaflow_bitstream::hevc::{MAX_ACTIVE, SliceSegment};

use super::dpb::{Dpb, Picture, Term};
use crate::steps::PictureId;

/// A list of at most so many pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    ids: [PictureId; 16],
    count: usize,
}

impl Default for List {
    fn default() -> Self {
        Self {
            ids: [PictureId(0); 16],
            count: 0,
        }
    }
}

impl List {
    fn push(&mut self, id: PictureId) {
        if let Some(place) = self.ids.get_mut(self.count) {
            *place = id;
            self.count += 1;
        }
    }

    /// Its pictures.
    pub(super) fn ids(&self) -> &[PictureId] {
        self.ids.get(..self.count).unwrap_or_default()
    }
}

/// Pictures that the current one may use: `RefPicSetStCurrBefore`, `RefPicSetStCurrAfter`,
/// `RefPicSetLtCurr`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct References {
    pub(super) before: List,
    pub(super) after: List,
    pub(super) long_term: List,
}

impl References {
    /// A list of references of a slice (8.3.4), by places in what is called `dpb` there.
    pub(super) fn list(
        &self,
        slice: &SliceSegment,
        list: usize,
        place: impl Fn(PictureId) -> u8,
    ) -> [u8; 16] {
        let (first, second) = if list == 0 {
            (&self.before, &self.after)
        } else {
            (&self.after, &self.before)
        };
        let all = first.ids().iter().chain(second.ids());
        let all = all.chain(self.long_term.ids());
        let total = all.clone().count();
        let entries = slice.list_entries.get(list).copied().flatten();
        let mut places = [0; 16];
        if total == 0 {
            return places;
        }
        let active = slice.num_active(list).min(MAX_ACTIVE);
        for (at, to) in places.iter_mut().take(active).enumerate() {
            let entry = entries.and_then(|entries| entries.get(at).copied());
            let from = entry.map_or(at % total, usize::from);
            *to = all.clone().nth(from).map_or(0, |id| place(*id));
        }
        places
    }
}

/// A picture that is wanted, and where nothing was found.
type Missing = (&'static str, Trouble);

impl Dpb {
    /// Marks pictures as a slice says that they are used (8.3.2), and tells those that the current
    /// picture may use. For one that is missing stands the nearest that there is.
    pub(super) fn mark(
        &mut self,
        slice: &SliceSegment,
        poc: i32,
        lsb_bits: u8,
    ) -> Result<References, Missing> {
        let named =
            usize::from(slice.short_term.num_delta_pocs()) + slice.long_term.entries().len();
        if named > self.kept {
            let found = i64::try_from(named).unwrap_or(i64::MAX);
            return Err((
                "pictures of a reference picture set",
                Trouble::NotAllowed { found },
            ));
        }
        let mut marks = Marks::default();
        let mut references = References::default();
        let max_lsb = 1_i32 << lsb_bits;
        let lsb = poc & (max_lsb - 1);
        for (poc_lsb, used, msb_cycle) in slice.long_term.entries() {
            let mut wanted = poc.wrapping_sub(lsb).wrapping_add(poc_lsb.into());
            if let Some(cycle) = msb_cycle {
                wanted = wanted.wrapping_sub(max_lsb.wrapping_mul(cycle.cast_signed()));
            } else if wanted > poc {
                wanted = wanted.wrapping_sub(max_lsb);
            }
            let mask = if msb_cycle.is_some() { -1 } else { max_lsb - 1 };
            let same = |picture: &Picture| {
                picture.reference.is_some() && picture.poc & mask == wanted & mask
            };
            let found = self.pictures.iter().position(same);
            if let Some(id) = self.found(&mut marks, found, (wanted, Term::Long), used)? {
                references.long_term.push(id);
            }
        }
        for (delta, used) in slice.short_term.negative() {
            let id = self.short_term(&mut marks, poc.wrapping_add(delta), used)?;
            id.into_iter().for_each(|id| references.before.push(id));
        }
        for (delta, used) in slice.short_term.positive() {
            let id = self.short_term(&mut marks, poc.wrapping_add(delta), used)?;
            id.into_iter().for_each(|id| references.after.push(id));
        }
        for (picture, mark) in self.pictures.iter_mut().zip(marks.0) {
            picture.reference = mark;
        }
        Ok(references)
    }

    fn short_term(
        &self,
        marks: &mut Marks,
        wanted: i32,
        used: bool,
    ) -> Result<Option<PictureId>, Missing> {
        let same = |(at, picture): (usize, &Picture)| {
            picture.reference == Some(Term::Short)
                && picture.poc == wanted
                && marks.0.get(at) != Some(&Some(Term::Long))
        };
        let found = self.pictures.iter().enumerate().position(same);
        self.found(marks, found, (wanted, Term::Short), used)
    }

    /// Marks a picture that was found or stands for it, and names it if the current one uses it.
    fn found(
        &self,
        marks: &mut Marks,
        found: Option<usize>,
        (wanted, term): (i32, Term),
        used: bool,
    ) -> Result<Option<PictureId>, Missing> {
        let stands_for = || {
            let apart = |at: &usize| self.pictures.get(*at).map(|near| near.poc.abs_diff(wanted));
            (0..self.pictures.len()).min_by_key(apart)
        };
        let Some(at) = found.or_else(|| used.then(stands_for).flatten()) else {
            let found = wanted.into();
            return if used {
                Err((
                    "reference picture, by PicOrderCntVal",
                    Trouble::Unknown { found },
                ))
            } else {
                Ok(None)
            };
        };
        // One that only stands for another keeps what it is marked as.
        if let Some(mark) = marks.0.get_mut(at)
            && (found.is_some() || mark.is_none())
        {
            *mark = Some(term);
        }
        let picture = self.pictures.get(at).filter(|_picture| used);
        Ok(picture.map(|picture| picture.id))
    }
}

/// What pictures are marked as, by their place.
#[derive(Default)]
struct Marks([Option<Term>; 17]);
