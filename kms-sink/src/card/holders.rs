//! Who else has a card open.

use std::fs;
use std::path::Path;

/// The other processes that have a node open, as name and process id, as far as we may look.
pub(super) fn of(node: &Path) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let id: u32 = process.file_name().to_str()?.parse().ok()?;
            if id == std::process::id() {
                return None;
            }
            let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
            files.find(|file| fs::read_link(file.path()).is_ok_and(|target| target == node))?;
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            Some(format!("{} {id}", name.trim_end()))
        })
        .collect()
}
