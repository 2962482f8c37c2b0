//! Answers in a file.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use dmaflow_core::stage::DeviceKey;
use serde::{Deserialize, Serialize};

/// Changes with the meaning of what is in the file.
const VERSION: u32 = 1;

/// No file of ours is longer.
const MOST_BYTES: usize = 1 << 20;

/// What was asked, and of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) driver: String,
    pub(super) bus: String,
    pub(super) name: String,
    pub(super) heap: String,
    pub(super) layout: String,
    pub(super) buffers: usize,
}

impl Question {
    pub(super) fn is_to(&self, key: &DeviceKey) -> bool {
        (&self.driver, &self.bus, &self.name) == (&key.driver, &key.bus, &key.name)
    }
}

/// A question that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    pub(super) question: Question,
    /// Why not; nothing where the answer was yes.
    pub(super) no: Option<No>,
    pub(super) allocation_ns: u64,
    /// Seconds since 1970.
    pub(super) at: u64,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct No {
    pub(super) call: String,
    pub(super) errno: i32,
    pub(super) meaning: String,
    pub(super) remedy: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents<K = String, A = Vec<Entry>> {
    version: u32,
    kernel: K,
    answers: A,
}

/// What answers depend on besides the question: which kernel it is, as it was built, and what
/// it was told at its start, such as to use an IOMMU.
pub(super) fn kernel() -> String {
    let uname = rustix::system::uname();
    let (release, version) = (uname.release(), uname.version());
    let told = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    format!(
        "{} {}; {}",
        release.to_string_lossy(),
        version.to_string_lossy(),
        told.trim()
    )
}

/// Where this user's programs keep answers, after the XDG base directory specification, which
/// has relative paths ignored.
pub(super) fn of_user() -> Option<PathBuf> {
    let directory = directory(|name| std::env::var_os(name), std::env::home_dir());
    if directory.is_none() {
        tracing::debug!("what devices answer is not kept: there is no directory for it");
    }
    directory.map(|directory| directory.join("heap-answers.json"))
}

fn directory(
    variable: impl Fn(&str) -> Option<OsString>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    if let Some(ours) = variable("DMAFLOW_CACHE") {
        return (!ours.is_empty()).then(|| ours.into());
    }
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    variable("XDG_CACHE_HOME")
        .and_then(|path| absolute(path.into()))
        .or_else(|| Some(absolute(home?)?.join(".cache")))
        .map(|caches| caches.join("dmaflow"))
}

/// Reads what is in a file; nothing where it is damaged, or of another kernel or program.
pub(super) fn load(path: &Path, kernel: &str) -> Vec<Entry> {
    let contents = match read(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            tracing::warn!(%error, file = %path.display(), "a damaged file is ignored");
            return Vec::new();
        }
        Err(error) => {
            tracing::debug!(%error, file = %path.display(), "what devices answered is not read");
            return Vec::new();
        }
    };
    if (contents.version, contents.kernel.as_str()) != (VERSION, kernel) {
        tracing::debug!(
            file = %path.display(),
            version = contents.version,
            kernel = contents.kernel,
            "answers of another kernel or program are ignored"
        );
        return Vec::new();
    }
    contents.answers
}

fn read(path: &Path) -> io::Result<Contents> {
    let damaged = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    let mut bytes = Vec::new();
    let most = MOST_BYTES as u64;
    fs::File::open(path)?
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > MOST_BYTES {
        return Err(damaged(format!("it is longer than {MOST_BYTES} bytes")));
    }
    serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
}

/// Writes the file anew: who reads it sees the old one or the new one, whole. Of two programs
/// that write at once the last one wins, and the other's answers are asked for again.
pub(super) fn save(path: &Path, kernel: &str, entries: &[Entry]) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|parent| *parent != Path::new("")) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let bytes = text(kernel, entries)?;
    static WRITERS: AtomicU32 = AtomicU32::new(0);
    let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{writer}", std::process::id()));
    let temporary = PathBuf::from(name);
    // What a process of the same number may have left when it was killed.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error tells more than that of tidying up.
        fs::remove_file(&temporary).ok();
    }
    written
}

/// What to write: as many of the newest answers as a file may hold.
fn text(kernel: &str, entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut newest = entries;
    loop {
        let contents = Contents {
            version: VERSION,
            kernel,
            answers: newest,
        };
        let bytes = serde_json::to_vec_pretty(&contents)?;
        if bytes.len() <= MOST_BYTES || newest.is_empty() {
            return Ok(bytes);
        }
        newest = &newest[newest.len().div_ceil(2)..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)], home: Option<&str>) -> Option<PathBuf> {
        let value = |name: &str| {
            let mut all = variables.iter();
            all.find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        };
        directory(value, home.map(PathBuf::from))
    }

    #[test]
    fn the_directory_is_where_the_specification_says() {
        let is = |path: &str| Some(PathBuf::from(path));
        let home = Some("/home/user");
        assert_eq!(found(&[], home), is("/home/user/.cache/dmaflow"));
        let caches = ("XDG_CACHE_HOME", "/var/caches");
        assert_eq!(found(&[caches], home), is("/var/caches/dmaflow"));
        assert_eq!(
            found(&[caches, ("DMAFLOW_CACHE", "here")], home),
            is("here")
        );
        assert_eq!(found(&[caches, ("DMAFLOW_CACHE", "")], home), None);
        for ignored in ["", "relative"] {
            let variables = [("XDG_CACHE_HOME", ignored)];
            assert_eq!(found(&variables, home), is("/home/user/.cache/dmaflow"));
        }
        assert_eq!(found(&[], None), None);
        assert_eq!(found(&[], Some("")), None);
    }
}
