//! Where pipelines that run have their sockets.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The directory of sockets that nobody gave a place.
fn directory() -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|runtime| runtime.is_absolute())?;
    Some(runtime.join("dmaflow"))
}

/// Where this process' socket is to be, where its directory is there or can be made.
pub(crate) fn own() -> Option<PathBuf> {
    let directory = directory()?;
    match DirBuilder::new().mode(0o700).create(&directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            tracing::info!(
                "no control socket: cannot make {}: {error}",
                directory.display()
            );
            return None;
        }
    }
    Some(of(&directory, std::process::id()))
}

fn of(directory: &Path, pid: u32) -> PathBuf {
    directory.join(format!("{pid}.sock"))
}

/// What runs, by process.
pub(super) fn running() -> Vec<(u32, PathBuf)> {
    let entries = directory().and_then(|directory| fs::read_dir(directory).ok());
    let paths = entries.into_iter().flatten().filter_map(|entry| {
        let path = entry.ok()?.path();
        let pid = path
            .file_name()?
            .to_str()?
            .strip_suffix(".sock")?
            .parse()
            .ok()?;
        // A socket that nobody listens at is a dead process'.
        UnixStream::connect(&path).ok()?;
        Some((pid, path))
    });
    let mut running: Vec<_> = paths.collect();
    running.sort();
    running
}

/// The socket that is meant.
pub(super) fn find(target: Option<&str>) -> Result<PathBuf, Failure> {
    if let Some(target) = target {
        return match (target.parse(), directory()) {
            (Ok(pid), Some(directory)) => Ok(of(&directory, pid)),
            (Ok(pid), None) => Err(Failure::Usage(format!(
                "where is the socket of process {pid}? XDG_RUNTIME_DIR is not set: name the socket"
            ))),
            (Err(_), _) => Ok(PathBuf::from(target)),
        };
    }
    let mut running = running();
    match (running.pop(), running.is_empty()) {
        (Some((_, path)), true) => Ok(path),
        (Some((last, _)), false) => {
            let pids = running.iter().map(|(pid, _)| pid.to_string());
            let pids: Vec<_> = pids.chain([last.to_string()]).collect();
            Err(Failure::Usage(format!(
                "several pipelines run, as processes {}: name one, as in `dmaflow ctl {last} state`",
                pids.join(", ")
            )))
        }
        (None, _) => Err(Failure::Pipeline(
            "no pipeline runs that has its socket where it is looked for by itself, in \
             $XDG_RUNTIME_DIR/dmaflow: name the socket"
                .to_owned(),
        )),
    }
}

/// What a pipeline is called in a drawing.
pub(super) fn title(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    match name.parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => name.into_owned(),
    }
}
