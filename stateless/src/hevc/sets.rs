//! Parameter sets of a stream.

use dmaflow_bitstream::hevc::{Pps, SliceBegin, Sps};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

/// The last of each number. What holds a set is kept, so that sets that are sent again and again
/// take no more memory.
#[derive(Debug)]
pub(super) struct ParameterSets {
    sps: [Option<Box<Sps>>; 16],
    pps: [Option<Box<Pps>>; 64],
}

impl Default for ParameterSets {
    fn default() -> Self {
        Self {
            sps: [const { None }; 16],
            pps: [const { None }; 64],
        }
    }
}

impl ParameterSets {
    pub(super) fn add_sps(&mut self, nal: &[u8]) -> Result<(), StreamError> {
        let sps = Sps::parse(nal)?;
        put(self.sps.get_mut(usize::from(sps.id)), sps);
        Ok(())
    }

    pub(super) fn add_pps(&mut self, nal: &[u8]) -> Result<(), StreamError> {
        let pps = Pps::parse(nal)?;
        put(self.pps.get_mut(usize::from(pps.id)), pps);
        Ok(())
    }

    pub(super) fn pps(&self, id: u8) -> Option<&Pps> {
        self.pps.get(usize::from(id))?.as_deref()
    }

    /// Those that a slice names, `at` a bit of its NAL unit.
    pub(super) fn of_slice(
        &self,
        begin: &SliceBegin,
        at: u64,
    ) -> Result<(&Pps, &Sps), StreamError> {
        let unknown = |what, found: u8| {
            let found = found.into();
            BitReader::wrong(at, what, Trouble::Unknown { found })
        };
        let id = begin.pic_parameter_set_id;
        let pps = self.pps(id);
        let pps = pps.ok_or_else(|| unknown("slice_pic_parameter_set_id", id))?;
        let id = pps.seq_parameter_set_id;
        let sps = self.sps.get(usize::from(id)).and_then(Option::as_deref);
        let sps = sps.ok_or_else(|| unknown("pps_seq_parameter_set_id", id))?;
        Ok((pps, sps))
    }
}

fn put<T>(place: Option<&mut Option<Box<T>>>, set: T) {
    match place {
        Some(Some(place)) => **place = set,
        Some(none) => *none = Some(Box::new(set)),
        None => {}
    }
}
