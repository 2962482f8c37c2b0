//! What a server says of its heap.

use std::num::NonZeroU64;

use dmaflow_core::heap::{Contiguity, HeapInfo};

use super::fields::{Fields, Message};
use super::{LABEL_MOST, Label, Malformed};

const PROTECTED: u8 = 1;
const IMPORTABLE: u8 = 1 << 1;
const ZEROED: u8 = 1 << 2;
const NO_VMAP: u8 = 1 << 3;

/// Writes what there is to say; aliases are the registry's business and stay at home.
pub(super) fn put<const N: usize>(message: &mut Message<N>, info: &HeapInfo) {
    message.text::<LABEL_MOST>(Label::new(&info.name).as_str());
    let (contiguity, piece) = match info.contiguity {
        Contiguity::Unknown => (0, 0),
        Contiguity::Scattered => (1, 0),
        Contiguity::Contiguous => (2, 0),
        Contiguity::Pieces(len) => (3, len.get()),
    };
    message.u8(contiguity);
    message.u64(piece);
    message.u64(info.alignment as u64);
    message.u8(match info.cached {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    });
    let bits = [
        (info.protected, PROTECTED),
        (info.importable, IMPORTABLE),
        (info.zeroed, ZEROED),
        (!info.vmap, NO_VMAP),
    ];
    let set = bits.iter().filter(|(set, _)| *set);
    message.u8(set.fold(0, |all, (_, bit)| all | bit));
    message.optional(info.largest);
    message.optional(info.total);
}

pub(super) fn take(fields: &mut Fields<'_>) -> Result<HeapInfo, Malformed> {
    let name = fields.text::<LABEL_MOST>()?;
    if name.is_empty() {
        return Err(Malformed::Field("name"));
    }
    let contiguity = match (fields.u8()?, NonZeroU64::new(fields.u64()?)) {
        (0, None) => Contiguity::Unknown,
        (1, None) => Contiguity::Scattered,
        (2, None) => Contiguity::Contiguous,
        (3, Some(len)) => Contiguity::Pieces(len),
        _ => return Err(Malformed::Field("contiguity")),
    };
    let alignment = usize::try_from(fields.u64()?).ok();
    let alignment = alignment
        .filter(|alignment| alignment.is_power_of_two())
        .ok_or(Malformed::Field("alignment"))?;
    let cached = match fields.u8()? {
        0 => None,
        1 => Some(false),
        2 => Some(true),
        _ => return Err(Malformed::Field("cached")),
    };
    let bits = fields.u8()?;
    if bits & !(PROTECTED | IMPORTABLE | ZEROED | NO_VMAP) != 0 {
        return Err(Malformed::Field("bits"));
    }
    Ok(HeapInfo {
        contiguity,
        alignment,
        cached,
        protected: bits & PROTECTED != 0,
        importable: bits & IMPORTABLE != 0,
        zeroed: bits & ZEROED != 0,
        vmap: bits & NO_VMAP == 0,
        largest: fields.optional()?,
        total: fields.optional()?,
        ..HeapInfo::new(name)
    })
}
