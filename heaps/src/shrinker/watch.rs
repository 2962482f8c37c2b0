//! The files by which the kernel tells that memory is short.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmaflow_core::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::cgroup::value;
use super::{Bell, Cgroup, ShrinkerConfig, ShrinkerError, Stall};

/// Everything a shrinker sleeps on, besides its bell.
#[derive(Debug)]
pub(super) struct Watches(Vec<Source>);

#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: File,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A PSI trigger: the file becomes ready when it fires.
    Stall,
    /// A group's `memory.events`: the file becomes ready when a counter changes.
    Limits {
        /// How often limits were met when last read.
        met: u64,
    },
}

impl Watches {
    pub(super) fn open(config: &ShrinkerConfig) -> Result<Self, ShrinkerError> {
        let mut sources = Vec::new();
        for stall in &config.stalls {
            sources.push(Source::stall(stall)?);
        }
        if let Some(group) = &config.cgroup {
            for group in limited(group)? {
                sources.push(Source::limits(group)?);
            }
        }
        if sources.is_empty() && config.cma_low.is_none() {
            return Err(ShrinkerError::Nothing);
        }
        Ok(Self(sources))
    }

    /// Sleeps until the kernel tells something, the bell rings or the time has passed. Says
    /// whether memory is short.
    pub(super) fn wait(&mut self, bell: &Bell, timeout: Option<Duration>) -> bool {
        // A millisecond more, so that the time has passed when this returns.
        let timeout = timeout.map(|time| time.saturating_add(Duration::from_millis(1)));
        let timeout = timeout.map_or(PollTimeout::NONE, |time| {
            PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![PollFd::new(bell.event().as_fd(), PollFlags::POLLIN)];
        let files = self.0.iter().map(|source| source.file.as_fd());
        fds.extend(files.map(|file| PollFd::new(file, PollFlags::POLLPRI)));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            // ENOMEM: that is what is waited for.
            Err(Errno::ENOMEM) => return true,
            Err(errno) => tracing::error!(%errno, "a shrinker cannot sleep"),
        }
        let told: Vec<_> = fds[1..].iter().map(PollFd::revents).collect();
        let mut short = false;
        let mut told = told.into_iter();
        self.0.retain_mut(|source| {
            let ready = told.next().flatten().unwrap_or(PollFlags::empty());
            match source.tells(ready) {
                Ok(tells) => {
                    short |= tells;
                    true
                }
                Err(error) => {
                    let path = source.path.display();
                    tracing::warn!(%error, "{path} tells nothing any more; it is not watched");
                    false
                }
            }
        });
        short
    }
}

/// The groups to watch, of which there must be one.
fn limited(group: &Cgroup) -> Result<Vec<&Path>, ShrinkerError> {
    let groups: Vec<_> = group.limited().collect();
    if groups.is_empty() {
        return Err(ShrinkerError::NoCgroup {
            reason: format!(
                "{} has no `memory.events`; name a control group below the root, with `+memory` \
                 in the `cgroup.subtree_control` above it",
                group.directory().display()
            ),
        });
    }
    Ok(groups)
}

impl Source {
    #[doc(alias = "psi_trigger_create")]
    fn stall(stall: &Stall) -> Result<Self, ShrinkerError> {
        let trigger = format!(
            "some {} {}\0",
            stall.stall.as_micros(),
            stall.window.as_micros()
        );
        let opened = OpenOptions::new().read(true).write(true).open(&stall.file);
        let armed = opened.and_then(|mut file| {
            file.write_all(trigger.as_bytes())?;
            Ok(file)
        });
        let file = armed.map_err(|source| ShrinkerError::Stall {
            stall: stall.clone(),
            source,
        })?;
        Ok(Self {
            path: stall.file.clone(),
            file,
            kind: Kind::Stall,
        })
    }

    /// What happens to the group itself: what happens in groups below it is told to those. The
    /// kernel tells both apart since Linux 5.2.
    fn limits(group: &Path) -> Result<Self, ShrinkerError> {
        let local = group.join("memory.events.local");
        let path = if local.exists() {
            local
        } else {
            group.join("memory.events")
        };
        let opened = File::open(&path).and_then(|file| {
            // A change is told to those who have read what was before.
            let met = limits_met(&file)?;
            Ok((file, met))
        });
        match opened {
            Ok((file, met)) => Ok(Self {
                path,
                file,
                kind: Kind::Limits { met },
            }),
            Err(source) => Err(ShrinkerError::Events { path, source }),
        }
    }

    /// Whether memory is short.
    fn tells(&mut self, ready: PollFlags) -> io::Result<bool> {
        match &mut self.kind {
            _ if ready.is_empty() => Ok(false),
            Kind::Stall if ready.contains(PollFlags::POLLPRI) => Ok(true),
            Kind::Stall => Err(io::ErrorKind::NotFound.into()),
            Kind::Limits { met } => {
                // kernfs sets POLLERR at each change; a group that is gone cannot be read.
                let before = std::mem::replace(met, limits_met(&self.file)?);
                Ok(*met > before)
            }
        }
    }
}

/// How often `memory.high` and `memory.max` were met.
fn limits_met(file: &File) -> io::Result<u64> {
    // Nine counters of twenty digits have room.
    let mut text = [0; 512];
    let len = loop {
        match file.read_at(&mut text, 0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    let text = String::from_utf8_lossy(&text[..len]);
    let met = ["high", "max"].map(|key| value(&text, key).unwrap_or(0));
    Ok(met[0].saturating_add(met[1]))
}
