//! Which controls tell of a compressed format what a codec can do.

use dmaflow_v4l2::{Control, ControlKind, FormatInfo};

/// What a menu lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Menu {
    Profile,
    Level,
    DecodeMode,
    StartCode,
}

/// `V4L2_CID_CODEC_BASE` and `V4L2_CID_CODEC_STATELESS_BASE` (`v4l2-controls.h`).
const CODEC: u32 = 0x0099_0900;
const STATELESS: u32 = 0x00a4_0900;

/// Of a format, by how its name begins: `V4L2_CID_MPEG_VIDEO_…_PROFILE`, `…_LEVEL`, and
/// `V4L2_CID_STATELESS_…_DECODE_MODE`, `…_START_CODE`.
const CONTROLS: [(&str, [Option<u32>; 4]); 7] = [
    (
        "H264",
        [
            Some(CODEC + 363),
            Some(CODEC + 359),
            Some(STATELESS),
            Some(STATELESS + 1),
        ],
    ),
    (
        "HEVC",
        [
            Some(CODEC + 615),
            Some(CODEC + 616),
            Some(STATELESS + 405),
            Some(STATELESS + 406),
        ],
    ),
    ("VP8", [Some(CODEC + 511), None, None, None]),
    ("VP9", [Some(CODEC + 512), Some(CODEC + 513), None, None]),
    ("AV1", [Some(CODEC + 655), Some(CODEC + 656), None, None]),
    ("MPEG2", [Some(CODEC + 271), Some(CODEC + 270), None, None]),
    ("MPEG4", [Some(CODEC + 406), Some(CODEC + 405), None, None]),
];

/// The entries of a format's menu that a driver lists; none where it has no such menu.
pub(super) fn entries(controls: &[Control], info: &FormatInfo, menu: Menu) -> Vec<String> {
    let listed = id(info, menu).and_then(|id| {
        let control = controls.iter().find(|control| control.id == id)?;
        match &control.kind {
            ControlKind::Menu(entries) => Some(entries),
            _ => None,
        }
    });
    let entries = listed.into_iter().flatten();
    entries.map(|(_number, name)| name.clone()).collect()
}

fn id(info: &FormatInfo, menu: Menu) -> Option<u32> {
    let code;
    let name = match info.format {
        Some(format) => format.name(),
        // What dmaflow does not know is called by its code, as MPG4.
        None => {
            code = info.code.to_string().replace("MPG4", "MPEG4");
            &code
        }
    };
    let family = name.split(['_', ' ']).next().unwrap_or_default();
    let (_family, ids) = CONTROLS.iter().find(|(known, _ids)| *known == family)?;
    let [profile, level, decode_mode, start_code] = *ids;
    match menu {
        Menu::Profile => profile,
        Menu::Level => level,
        Menu::DecodeMode => decode_mode,
        Menu::StartCode => start_code,
    }
}

#[cfg(test)]
mod tests {
    use dmaflow_core::format::Format;

    use super::*;

    fn info(code: &str) -> FormatInfo {
        let code = code.parse().unwrap();
        FormatInfo {
            code,
            format: Format::from_v4l2(code),
            description: String::new(),
            compressed: true,
        }
    }

    #[test]
    fn a_format_has_its_own_menus() {
        let menu = |id, names: &[&str]| Control {
            id,
            name: String::new(),
            kind: ControlKind::Menu((0..).zip(names.iter().map(ToString::to_string)).collect()),
            locked: None,
        };
        let controls = [
            menu(0x0099_0a6b, &["Baseline", "Main"]),
            menu(0x0099_0a67, &["1", "1b"]),
            menu(0x00a4_0900, &["Slice-Based", "Frame-Based"]),
            menu(0x0099_0b67, &["HEVC's"]),
        ];
        for code in ["H264", "S264"] {
            let of = |menu| entries(&controls, &info(code), menu);
            assert_eq!(of(Menu::Profile), ["Baseline", "Main"]);
            assert_eq!(of(Menu::Level), ["1", "1b"]);
            assert_eq!(of(Menu::DecodeMode), ["Slice-Based", "Frame-Based"]);
            assert!(of(Menu::StartCode).is_empty());
        }
        assert_eq!(entries(&controls, &info("HEVC"), Menu::Profile), ["HEVC's"]);
        assert_eq!(id(&info("MPG4"), Menu::Level), Some(CODEC + 405));
        assert_eq!(id(&info("VP8F"), Menu::Profile), Some(CODEC + 511));
        assert_eq!(id(&info("FWHT"), Menu::Profile), None);
    }
}
