//! Who else has a card open.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::minor;

/// The process that controls a card, where the kernel tells us; else the other processes that
/// have its node open, as far as we may look. Each as name and process id.
pub(super) fn of(node: &Path) -> Vec<String> {
    master(node).map_or_else(|| openers(node), |master| vec![master])
}

/// What debugfs says, which is root's to read.
fn master(node: &Path) -> Option<String> {
    let number = minor(fs::metadata(node).ok()?.rdev());
    let clients = format!("/sys/kernel/debug/dri/{number}/clients");
    master_among(&fs::read_to_string(clients).ok()?)
}

/// Reads what `drm_clients_info` of `drivers/gpu/drm/drm_debugfs.c` writes, a line a client:
/// the command, which may have blanks, its process, the minor number, whether it is master,
/// whether it is authenticated, and more.
fn master_among(clients: &str) -> Option<String> {
    clients.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let yes_no = |word: &str| word == "y" || word == "n";
        let answers = words
            .windows(2)
            .position(|two| two.iter().all(|word| yes_no(word)))?;
        let (before, after) = words.split_at_checked(answers)?;
        let (command, numbers) = before.split_at_checked(before.len().checked_sub(2)?)?;
        let process: u32 = numbers.first()?.parse().ok()?;
        (after.first() == Some(&"y")).then(|| format!("{} {process}", command.join(" ")))
    })
}

fn openers(node: &Path) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_is_told_from_other_clients() {
        let old = "             command   tgid dev master a   uid      magic\n\
                   \x20      systemd-logind   412   0   n    y     0          0\n\
                   \x20        gnome shell  1234   0   y    y  1000          0\n";
        assert_eq!(master_among(old).as_deref(), Some("gnome shell 1234"));
        let new = "             command  tgid dev master a   uid      magic      name      id\n\
                   \x20             dmaflow    77   1   y    y     0          0   <unset>       3\n";
        assert_eq!(master_among(new).as_deref(), Some("dmaflow 77"));
        let nobody = "command  tgid dev master a   uid      magic\n dmaflow 77 1 n y 0 0\n";
        assert_eq!(master_among(nobody), None);
        assert_eq!(master_among("y n"), None);
        assert_eq!(master_among(""), None);
    }
}
