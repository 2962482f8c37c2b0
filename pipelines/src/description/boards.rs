//! Profiles of boards: which devices and memory stages have there unless a description says
//! otherwise.

use std::fs;
use std::ops::Range;
use std::path::Path;

use super::diagnostic::{Finding, did_you_mean, listed};

/// The profiles that come with the library.
const BUILT_IN: [(&str, &str); 6] = [
    (
        "am62a-sk",
        include_str!("../../boards/profiles/am62a-sk.toml"),
    ),
    (
        "am62x-sk",
        include_str!("../../boards/profiles/am62x-sk.toml"),
    ),
    (
        "j721s2-evm",
        include_str!("../../boards/profiles/j721s2-evm.toml"),
    ),
    ("rk3399", include_str!("../../boards/profiles/rk3399.toml")),
    ("rk3568", include_str!("../../boards/profiles/rk3568.toml")),
    ("rk3588", include_str!("../../boards/profiles/rk3588.toml")),
];

/// Where more are looked for, the first place first; they go before those of the library.
pub const DIRECTORIES: [&str; 2] = ["/etc/dmaflow/boards", "/usr/share/dmaflow/boards"];

/// The names of the boards whose profiles come with the library.
pub(super) fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The names of the boards that have a profile here.
#[must_use]
pub fn names() -> Vec<String> {
    let mut names: Vec<_> = BUILT_IN
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    for directory in DIRECTORIES {
        let entries = fs::read_dir(directory).into_iter().flatten();
        names.extend(entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".toml").map(str::to_owned)
        }));
    }
    names.sort();
    names.dedup();
    names
}

/// The file and text of a board's profile.
pub(super) fn find(name: &str, span: &Range<usize>) -> Result<(String, String), Finding> {
    let is_name = name
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c));
    if is_name {
        for directory in DIRECTORIES {
            let path = Path::new(directory).join(format!("{name}.toml"));
            if let Ok(text) = fs::read_to_string(&path) {
                return Ok((path.display().to_string(), text));
            }
        }
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Ok((format!("board {name}"), (*text).to_owned()));
        }
    }
    let names = names();
    let names = || names.iter().map(String::as_str);
    Err(
        Finding::at(span.clone(), format!("no board is called `{name}`"))
            .label(did_you_mean(name, names(), || {
                "there is no profile of it".to_owned()
            }))
            .help(format!(
                "boards: {}; a profile of your own goes to {}/{}.toml",
                listed(names()),
                DIRECTORIES[0],
                if is_name { name } else { "NAME" },
            )),
    )
}
