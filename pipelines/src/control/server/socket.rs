//! The socket itself: a place in the file system that only its user and root may open.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen,
    socket_with, sockopt,
};
use rustix::process::geteuid;

/// How many may wait to be let in.
const BACKLOG: i32 = 8;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Another run has it.
    #[error("another run is controlled at {}: choose another path", .0.display())]
    Running(PathBuf),
    /// Something else is there.
    #[error("{} is there already and is no socket: choose another path", .0.display())]
    InTheWay(PathBuf),
    /// The system refuses.
    #[error("cannot {doing} the control socket {}", path.display())]
    Socket {
        /// What was tried.
        doing: &'static str,
        /// The socket's path.
        path: PathBuf,
        /// ENOENT without the folder, EACCES without permission, ENAMETOOLONG for a path of more
        /// than 107 bytes.
        source: io::Error,
    },
    /// There can be no more threads.
    #[error("cannot start the control socket's thread")]
    Thread(#[source] io::Error),
}

/// A listening socket. Dropping it removes it from the file system.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, told from what another made later at its path.
    identity: (u64, u64),
    removed: AtomicBool,
}

impl Socket {
    pub(super) fn bind(path: &Path) -> Result<Self, ServerError> {
        let failed = |doing| {
            move |errno: Errno| ServerError::Socket {
                doing,
                path: path.to_owned(),
                source: errno.into(),
            }
        };
        clear_the_way(path)?;
        let address = SocketAddrUnix::new(path).map_err(failed("make"))?;
        let socket = new_socket(SocketFlags::CLOEXEC).map_err(failed("make"))?;
        // The node begins with the permissions of the socket, and refuses until it listens.
        fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(failed("set the mode of"))?;
        bind(&socket, &address).map_err(failed("make"))?;
        let identity = identity(path).map_err(|source| ServerError::Socket {
            doing: "look at",
            path: path.to_owned(),
            source,
        })?;
        let made = Self {
            listener: UnixListener::from(socket),
            path: path.to_owned(),
            identity,
            removed: AtomicBool::new(false),
        };
        listen(&made.listener, BACKLOG).map_err(failed("listen at"))?;
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a client; `None` for one who may not be.
    pub(super) fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (stream, _address) = self.listener.accept()?;
        let peer = sockopt::socket_peercred(stream.as_fd())?;
        let is_ours = peer.uid == geteuid() || peer.uid.is_root();
        if !is_ours {
            tracing::warn!(uid = peer.uid.as_raw(), "another user is not let in");
        }
        Ok(is_ours.then_some(stream))
    }

    /// Has a waiting [`Socket::accept`] fail, and every one that follows, and removes it from the
    /// file system, whoever has it still.
    pub(super) fn close(&self) {
        if let Err(error) = rustix::net::shutdown(self.listener.as_fd(), Shutdown::Both) {
            tracing::warn!(%error, "cannot close {}", self.path.display());
        }
        self.remove();
    }

    /// Removes it from the file system, once: another may have its number later.
    fn remove(&self) {
        if self.removed.swap(true, Ordering::Relaxed) {
            return;
        }
        if identity(&self.path).is_ok_and(|found| found == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "cannot remove {}", self.path.display());
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.remove();
    }
}

fn new_socket(flags: SocketFlags) -> Result<std::os::fd::OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Removes the socket of a process that died.
fn clear_the_way(path: &Path) -> Result<(), ServerError> {
    let failed = |doing, source| ServerError::Socket {
        doing,
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", error)),
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(ServerError::InTheWay(path.to_owned())),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let reached = new_socket(flags).and_then(|socket| {
        let address = SocketAddrUnix::new(path)?;
        connect(socket, &address)
    });
    match reached {
        Ok(()) | Err(Errno::AGAIN) => Err(ServerError::Running(path.to_owned())),
        Err(Errno::CONNREFUSED) => {
            tracing::info!(
                "the control socket {} of a dead run is replaced",
                path.display()
            );
            fs::remove_file(path).map_err(|error| failed("remove", error))
        }
        Err(Errno::PROTOTYPE) => Err(ServerError::InTheWay(path.to_owned())),
        Err(errno) => Err(failed("reach", errno.into())),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
