//! Reading a description's files.

use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

use super::diagnostic::{Diagnostics, Finding, nearest};
use super::layers::by;
use super::source::Sources;

/// Why a file cannot be read.
pub(super) struct Unreadable {
    message: String,
    label: &'static str,
    help: String,
    /// There is no such file.
    pub(super) is_missing: bool,
    /// Its text as far as that can be shown, and where it is at fault.
    shown: Option<(String, Range<usize>)>,
}

impl Unreadable {
    /// As what is wrong with a description whose own file it is.
    pub(super) fn into_diagnostics(self, path: &Path) -> Diagnostics {
        let name = path.display().to_string();
        let (text, finding) = match self.shown {
            Some((text, span)) => (text, Finding::at(span, self.message).label(self.label)),
            None => (String::new(), Finding::anywhere(self.message)),
        };
        Diagnostics::new(Sources::new(&name, text), vec![finding.help(self.help)])
    }

    /// As what is wrong with a description that names the file there; `chain` tells which file
    /// led to it, and may be empty.
    pub(super) fn named_at(
        self,
        named: &Range<usize>,
        path: &Path,
        chain: String,
        sources: &mut Sources,
    ) -> Finding {
        let place = match self.shown {
            Some((text, span)) => {
                let index = sources.add(&path.display().to_string(), text);
                by(span, sources.all()[index].start)
            }
            None => named.clone(),
        };
        let help = [self.help, chain]
            .into_iter()
            .filter(|text| !text.is_empty());
        Finding::at(place, self.message)
            .label(self.label)
            .help(help.collect::<Vec<_>>().join("\n"))
    }
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, Unreadable> {
    let bytes = fs::read(path).map_err(|error| Unreadable {
        message: format!("cannot read {}: {error}", path.display()),
        label: "named here",
        help: similar_file(path),
        is_missing: error.kind() == ErrorKind::NotFound,
        shown: None,
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let replaced = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
        Unreadable {
            message: "the file is not UTF-8".to_owned(),
            label: "these bytes are no character",
            help: "TOML files are UTF-8: save the file in that encoding".to_owned(),
            is_missing: false,
            shown: Some((lossy, replaced)),
        }
    })
}

/// What a missing file may have been meant to be.
fn similar_file(path: &Path) -> String {
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    let entries = fs::read_dir(directory.unwrap_or(Path::new(".")))
        .into_iter()
        .flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    let asked = path.file_name().unwrap_or_default().to_string_lossy();
    nearest(&asked, names.iter().map(String::as_str)).map_or_else(String::new, |near| {
        format!("did you mean `{}`?", path.with_file_name(near).display())
    })
}
