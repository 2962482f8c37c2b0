//! A node in the file system: a listening socket with permissions like a device's.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use dmaflow_core::Errno;
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Gid, Mode, OFlags, Uid, chmodat, chownat, fchmod, flock, fstat,
};
use rustix::io::ioctl_fionbio;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getsockname, listen,
    socket_with,
};
use rustix::process::geteuid;

use super::{ServeError, errno};
use crate::node;
use crate::sys::rights;

/// How many may wait to be accepted.
const BACKLOG: i32 = 128;

/// What is locked while a node is made: a file of the server's own beside its nodes, which stays.
/// The directory itself anybody may open, lock and so keep. No heap is called so. In everybody's
/// directory each user has a file, whose name ends in theirs: they cannot replace each other's
/// nodes there anyway.
const LOCK: &str = ".lock";

/// Who may open a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, of which writing is what opening needs.
    pub mode: u32,
    /// The user it is to belong to, or the server's own.
    pub owner: Option<u32>,
    /// The group it is to belong to, or the server's own.
    pub group: Option<u32>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            mode: 0o660,
            owner: None,
            group: None,
        }
    }
}

/// A listening socket. Dropping it removes the node that was made for it.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    made: Option<Made>,
}

/// A node that we made, told from one that another made later at its path.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    identity: (u64, u64),
}

impl Listener {
    /// Makes a node, in a directory that is made too where it is missing. The node of a server
    /// that died is replaced.
    ///
    /// Nobody can connect before its permissions are set: a socket refuses until it listens.
    ///
    /// # Errors
    /// [`ServeError::Running`], [`ServeError::InTheWay`], [`ServeError::Directory`], and
    /// [`ServeError::Node`] for what the system refuses.
    pub fn bind(path: impl Into<PathBuf>, access: &Access) -> Result<Self, ServeError> {
        let path = path.into();
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        // Two servers that start at once do not take each other's node for a dead one's.
        let _locked = lock(&directory)?;
        clear_the_way(&path)?;
        let failed = |doing| {
            let path = path.clone();
            move |error: rustix::io::Errno| ServeError::Node {
                doing,
                path: path.clone(),
                errno: errno(error),
            }
        };
        let socket = new_socket()?;
        refuse_descriptors(&socket)?;
        // The node begins with the permissions of the socket.
        fchmod(&socket, Mode::from_raw_mode(access.mode & 0o600)).map_err(failed("make"))?;
        let address = SocketAddrUnix::new(&path).map_err(failed("make"))?;
        bind(&socket, &address).map_err(failed("make"))?;
        let identity = identity(&path).map_err(|error| ServeError::Node {
            doing: "look at",
            path: path.clone(),
            errno: node::errno(&error),
        })?;
        let listener = Self {
            socket,
            made: Some(Made {
                path: path.clone(),
                identity,
            }),
        };
        // Its mode first, while it is ours: `chmod` follows a link that a new owner may put there.
        let mode = Mode::from_raw_mode(access.mode & 0o777);
        chmodat(CWD, &path, mode, AtFlags::empty()).map_err(failed("set the mode of"))?;
        let owner = access.owner.map(Uid::from_raw);
        let group = access.group.map(Gid::from_raw);
        chownat(CWD, &path, owner, group, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed("set the owner of"))?;
        listen(&listener.socket, BACKLOG).map_err(failed("listen at"))?;
        Ok(listener)
    }

    /// Where it is opened, as far as it has a place in the file system.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        let address = SocketAddrUnix::try_from(getsockname(&self.socket).ok()?).ok()?;
        Some(PathBuf::from(OsStr::from_bytes(address.path_bytes()?)))
    }

    /// Takes over a socket that listens already.
    pub(super) fn inherited(socket: OwnedFd) -> Result<Self, ServeError> {
        ioctl_fionbio(&socket, true).map_err(ServeError::os("have a socket not wait"))?;
        refuse_descriptors(&socket)?;
        Ok(Self { socket, made: None })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(Made {
            path,
            identity: ours,
        }) = &self.made
        else {
            return;
        };
        if identity(path).is_ok_and(|found| found == *ours)
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(%error, "cannot remove {}", path.display());
        }
    }
}

fn new_socket() -> Result<OwnedFd, ServeError> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(ServeError::os("make a socket"))
}

/// Has the kernel refuse the descriptors that a client sends, where it can: we would only close
/// them, and to close somebody else's may take that one's time (a TCP socket that lingers).
fn refuse_descriptors(socket: &OwnedFd) -> Result<(), ServeError> {
    match rights::refuse(socket) {
        Ok(()) => Ok(()),
        Err(Errno::ENOPROTOOPT) => {
            tracing::debug!("this kernel cannot refuse descriptors; they are closed as they come");
            Ok(())
        }
        Err(errno) => Err(ServeError::Os {
            doing: "have a socket refuse descriptors",
            errno,
        }),
    }
}

/// Locks the directory of nodes for servers, and makes it where it is missing.
fn lock(directory: &Path) -> Result<OwnedFd, ServeError> {
    let failed = |doing, errno| ServeError::Node {
        doing,
        path: directory.to_owned(),
        errno,
    };
    make(directory).map_err(|error| failed("make", node::errno(&error)))?;
    let found = fs::metadata(directory).map_err(|error| failed("look at", node::errno(&error)))?;
    let mode = found.permissions().mode();
    let (everybodys, sticky) = (mode & 0o002 != 0, mode & 0o1000 != 0);
    if everybodys && !sticky {
        return Err(ServeError::Directory {
            path: directory.to_owned(),
        });
    }
    let us = geteuid();
    let name = match everybodys {
        true => format!("{LOCK}-{}", us.as_raw()),
        false => LOCK.to_owned(),
    };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let ours = Mode::RUSR | Mode::WUSR;
    let in_it = |error| failed("make a file to lock in", errno(error));
    let fd = rustix::fs::open(directory.join(name), flags, ours).map_err(in_it)?;
    // Whoever has it open too could keep it locked.
    if fstat(&fd).map_err(in_it)?.st_uid != us.as_raw() {
        return Err(failed("make a file to lock in", Errno::EEXIST));
    }
    rustix::io::retry_on_intr(|| flock(&fd, FlockOperation::LockExclusive))
        .map_err(|error| failed("lock", errno(error)))?;
    Ok(fd)
}

/// Makes a directory where it is missing, and those above it: everybody may look for a node in
/// what we make, whatever the umask says of other files.
fn make(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    directory.parent().map_or(Ok(()), make)?;
    match fs::create_dir(directory) {
        Ok(()) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let made = rustix::fs::open(directory, flags, Mode::empty())?;
            Ok(fchmod(&made, Mode::from_raw_mode(0o755))?)
        }
        // Another server was faster.
        Err(_exists) if directory.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the node of a server that died.
fn clear_the_way(path: &Path) -> Result<(), ServeError> {
    let path = path.to_owned();
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.file_type().is_socket() => {}
        _ => return Err(ServeError::InTheWay { path }),
    }
    let failed = |doing, errno| ServeError::Node {
        doing,
        path: path.clone(),
        errno,
    };
    let address = SocketAddrUnix::new(&path).map_err(|error| failed("reach", errno(error)))?;
    match connect(new_socket()?, &address) {
        Ok(()) | Err(rustix::io::Errno::AGAIN) => Err(ServeError::Running { path }),
        Err(rustix::io::Errno::CONNREFUSED) => {
            tracing::info!("the node {} of a dead server is replaced", path.display());
            fs::remove_file(&path).map_err(|error| failed("remove", node::errno(&error)))
        }
        Err(rustix::io::Errno::PROTOTYPE) => Err(ServeError::InTheWay { path }),
        Err(error) => Err(failed("reach", errno(error))),
    }
}

/// Device and inode: what a file is the same as.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
