//! Profiles of boards: which devices and memory stages have there unless a description says
//! otherwise.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::diagnostic::{Finding, did_you_mean, listed};
use super::source::Sources;
use super::{file, version};

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

/// Adds the text of a board's profile to the sources, and tells its place; the board is named at
/// `span`.
pub(super) fn find(
    name: &str,
    span: &Range<usize>,
    sources: &mut Sources,
) -> Result<usize, Finding> {
    find_in(&DIRECTORIES, name, span, sources)
}

fn find_in(
    directories: &[&str],
    name: &str,
    span: &Range<usize>,
    sources: &mut Sources,
) -> Result<usize, Finding> {
    let is_name = name
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c));
    if is_name {
        for directory in directories {
            let path = Path::new(directory).join(format!("{name}.toml"));
            match file::read(&path) {
                Ok(text) => return Ok(sources.add(&path.display().to_string(), text)),
                Err(failure) if failure.is_missing => {}
                // A profile of another place would be taken for this one.
                Err(failure) => return Err(failure.named_at(span, &path, String::new(), sources)),
            }
        }
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Ok(sources.add(&format!("board {name}"), (*text).to_owned()));
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

/// What is wrong with a profile as such: it is of another version, or says what only
/// descriptions can.
pub(super) fn check(profile: &DeTable<'_>) -> Vec<Finding> {
    if let Some(finding) = profile.get("version").and_then(version::check) {
        return vec![finding];
    }
    let keys = ["include", "board"].into_iter();
    let found = keys.filter_map(|key| {
        let (key, _) = profile.get_key_value(key)?;
        let message = format!("`{}` means nothing in a board's profile", key.get_ref());
        Some(
            Finding::at(key.span(), message)
                .label("only descriptions say this")
                .help("leave it out; a profile has defaults by kind, as `[defaults.v4l2-src]`"),
        )
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::description::diagnostic::Diagnostics;

    /// A directory of profiles, gone with the test.
    struct Profiles(PathBuf);

    impl Profiles {
        fn new(test: &str) -> Self {
            let name = format!("dmaflow-boards-{test}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir_all(&directory).unwrap();
            Self(directory)
        }

        /// The text that is found for a board, or what is wrong.
        fn find(&self, name: &str) -> Result<String, String> {
            let directory = self.0.display().to_string();
            let mut sources = Sources::new("file", format!("board = \"{name}\""));
            let places = ["/nowhere", directory.as_str()];
            match find_in(&places, name, &(8..10 + name.len()), &mut sources) {
                Ok(index) => Ok(sources.all()[index].text.clone()),
                Err(finding) => Err(Diagnostics::new(sources, vec![finding]).to_string()),
            }
        }
    }

    impl Drop for Profiles {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_profile_that_cannot_be_read_is_no_missing_one() {
        let profiles = Profiles::new("unreadable");
        assert!(profiles.find("rk3588").unwrap().contains("[defaults"));
        assert!(profiles.find("own").unwrap_err().contains("no board"));

        // Whoever runs this may read everything; no directory can be read as a file.
        let path = profiles.0.join("rk3588.toml");
        fs::create_dir(&path).unwrap();
        let refused = profiles.find("rk3588").unwrap_err();
        let path = path.display().to_string();
        assert!(
            refused.contains(&format!("cannot read {path}")),
            "{refused}"
        );
        assert!(refused.contains("named here"), "{refused}");

        fs::write(profiles.0.join("own.toml"), b"# B\xfccher\n").unwrap();
        let refused = profiles.find("own").unwrap_err();
        assert!(refused.contains("own.toml:1:4"), "{refused}");
    }

    #[test]
    fn profiles_have_a_version_and_no_texts_below() {
        let check = |text: &str| {
            let sources = Sources::new("profile", text.to_owned());
            let found = check(DeTable::parse(text).unwrap().get_ref());
            Diagnostics::new(sources, found)
                .iter()
                .map(|found| found.message.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            check("version = 1\n[defaults.v4l2-src]\nrate = 30"),
            [""; 0]
        );
        assert_eq!(
            check("version = 2\nboard = \"x\""),
            ["this description is of version 2"]
        );
        assert_eq!(
            check("include = []\nboard = \"x\""),
            [
                "`include` means nothing in a board's profile",
                "`board` means nothing in a board's profile"
            ]
        );
    }
}
