//! How a driver wants to be told: in slices or pictures, with start codes or without.

use dmaflow_core::format::Format;
use dmaflow_stateless::Ability;
use dmaflow_v4l2::{Control, ControlKind, V4l2Error, VideoDevice};

/// `V4L2_CID_STATELESS_H264_DECODE_MODE` and `…_START_CODE`.
const H264: [u32; 2] = [0x00a4_0900, 0x00a4_0901];
/// `V4L2_CID_STATELESS_HEVC_DECODE_MODE` and `…_START_CODE`.
const HEVC: [u32; 2] = [0x00a4_0900 + 405, 0x00a4_0900 + 406];

/// `V4L2_STATELESS_…_DECODE_MODE_FRAME_BASED` and `…_START_CODE_ANNEX_B`, of both formats.
const PREFERRED: i32 = 1;

/// Which controls say how the stream goes in: the decode mode, then the start code.
fn modes(stream: Format) -> Option<[u32; 2]> {
    match stream.name() {
        "H264" => Some(H264),
        "HEVC" => Some(HEVC),
        _ => None,
    }
}

/// Asks a driver what it has, and settles how it is told: whole pictures with start codes, where
/// it takes them and `asked` names no other way.
pub(super) fn settle(
    device: &VideoDevice,
    stream: Format,
    is_asked: impl Fn(&Control) -> bool,
) -> Result<Ability, V4l2Error> {
    let controls = device.controls()?;
    let mut ability = Ability {
        controls: controls.iter().map(|control| control.id).collect(),
        ..Ability::default()
    };
    let Some([mode, start_code]) = modes(stream) else {
        return Ok(ability);
    };
    for id in [mode, start_code] {
        let control = controls.iter().find(|control| control.id == id);
        if let Some(control) = control.filter(|control| !is_asked(control) && prefers(control)) {
            device.set_menu(control.id, PREFERRED)?;
        }
    }
    // Drivers have their ways from before there were these controls.
    ability.slices = device.menu(mode) != Some(PREFERRED);
    ability.start_codes = device.menu(start_code) == Some(PREFERRED);
    Ok(ability)
}

/// Whether the menu has the entry that is preferred.
fn prefers(control: &Control) -> bool {
    match &control.kind {
        ControlKind::Menu(entries) => {
            let mut entries = entries.iter();
            control.locked.is_none() && entries.any(|(entry, _name)| *entry == PREFERRED as u32)
        }
        _ => false,
    }
}
