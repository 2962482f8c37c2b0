//! A heap behind a server's socket, as an exporter like any other.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ClientId, ExportError, Exporter, HeapInfo, Request};

use super::link::{Link, LinkError};
use super::protocol::{Answer, Ask, Label};
use super::received::{self, Told, wide};

/// A heap of another process.
///
/// Requests of several threads wait for each other. If its server dies, buffers on loan stay
/// what they are, and the next allocation tries once to reach a server that was started again.
#[derive(Debug)]
pub struct RemoteHeap {
    node: PathBuf,
    program: Label,
    info: HeapInfo,
    connection: Mutex<Option<Connection>>,
}

/// A connection, and what was allocated over it.
#[derive(Debug)]
struct Connection {
    link: Link,
    held: BTreeSet<u64>,
}

impl RemoteHeap {
    /// Connects to the server behind a node.
    ///
    /// # Errors
    /// [`ExportError::Refused`]: EACCES without permission on the node, ENODEV where no server
    /// answers, EPROTO where something else does.
    pub fn open(node: impl Into<PathBuf>) -> Result<Self, ExportError> {
        let node = node.into();
        let program = Label::new(&program());
        let (connection, info) = Connection::open(&node, &program)?;
        Ok(Self {
            node,
            program,
            info,
            connection: Mutex::new(Some(connection)),
        })
    }

    /// What the server says of the heap.
    #[must_use]
    pub const fn info(&self) -> &HeapInfo {
        &self.info
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        let connection = self.connection.lock();
        connection.unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects again, to a server that must offer the same as the one before.
    fn reconnect(&self) -> Result<Connection, ExportError> {
        let (connection, info) = Connection::open(&self.node, &self.program)?;
        let same = info.contiguity == self.info.contiguity
            && info.alignment == self.info.alignment
            && info.cached == self.info.cached
            && (info.protected, info.importable, info.zeroed)
                == (self.info.protected, self.info.importable, self.info.zeroed);
        if same {
            Ok(connection)
        } else {
            let node = self.node.display();
            Err(ExportError::Refused {
                errno: Errno::ENODEV,
                reason: format!("{node} leads to another heap than before; open it again"),
            })
        }
    }

    /// Asks, over a new connection where the old one leads nowhere.
    fn ask<T>(
        &self,
        connection: &mut Option<Connection>,
        ask: &Ask,
        take: fn(Answer) -> Option<T>,
    ) -> Result<(T, Vec<OwnedFd>), ExportError> {
        if let Some(known) = connection {
            match known.link.ask(ask, take) {
                Ok(answer) => return Ok(answer),
                Err(LinkError::Gone(_)) => *connection = None,
                Err(error) => return Err(self.failed(connection, error)),
            }
        }
        let fresh = connection.insert(self.reconnect()?);
        let answer = fresh.link.ask(ask, take);
        answer.map_err(|error| self.failed(connection, error))
    }

    /// A server's refusal, and a request that it never saw, leave the connection as it is; all
    /// else ends it.
    fn failed(&self, connection: &mut Option<Connection>, error: LinkError) -> ExportError {
        if !matches!(error, LinkError::Answered(_) | LinkError::Unsent(_)) {
            *connection = None;
        }
        told(&self.node, error)
    }

    fn buffer(&self, request: &Request, label: Label) -> Result<DmaBuf, ExportError> {
        let ask = Ask::Allocate {
            len: wide(request.len),
            align: request.align as u64,
            flags: 0,
            label,
        };
        let mut connection = self.connection();
        let ((len, id), fds) = self.ask(&mut connection, &ask, Answer::allocated)?;
        let told = Told {
            len,
            id,
            importable: self.info.importable,
        };
        let buffer = received::buffer(fds, &told, request.len.get())
            .map_err(|reason| self.failed(&mut connection, LinkError::Broken(reason)))?;
        if let Some(connection) = connection.as_mut() {
            connection.held.insert(id);
        }
        Ok(buffer)
    }
}

impl Connection {
    fn open(node: &Path, program: &Label) -> Result<(Self, HeapInfo), ExportError> {
        let opened = || {
            let mut link = Link::connect(node)?;
            let program = program.clone();
            let (info, _) = link.ask(&Ask::Hello { program }, Answer::hello)?;
            Ok((link, info))
        };
        let (link, info) = opened().map_err(|error| told(node, error))?;
        let held = BTreeSet::new();
        Ok((Self { link, held }, info))
    }
}

impl Exporter for RemoteHeap {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        self.buffer(request, Label::default())
    }

    fn allocate_named(&self, request: &Request, account: &str) -> Result<DmaBuf, ExportError> {
        self.buffer(request, Label::new(account))
    }

    fn release(&self, buffer: DmaBuf, _client: ClientId) {
        let id = buffer.id().inode();
        // Closed before the server hears of it: it looks whether anybody has it still.
        drop(buffer);
        let mut connection = self.connection();
        let Some(known) = connection.as_mut() else {
            return;
        };
        // A buffer from before the server was started again is nothing to the new one.
        if known.held.remove(&id) && known.link.tell(&Ask::Release { id }).is_err() {
            *connection = None;
        }
    }

    fn available(&self) -> Option<u64> {
        let mut connection = self.connection();
        match self.ask(&mut connection, &Ask::Available, Answer::available) {
            Ok((len, _)) => len,
            Err(error) => {
                tracing::debug!(%error, "a server does not tell what it has");
                None
            }
        }
    }
}

/// An error as its user reads it.
pub(super) fn told(node: &Path, error: LinkError) -> ExportError {
    let shown = node.display();
    let (errno, reason) = match error {
        LinkError::Late => (
            Errno::ETIMEDOUT,
            format!("the server behind {shown} does not answer; look what it is doing"),
        ),
        LinkError::Gone(_) => (
            Errno::ENODEV,
            format!("the server behind {shown} is gone; start it again"),
        ),
        LinkError::Unsent(errno) => (
            Errno::from_raw(errno.raw_os_error()),
            format!("cannot ask the server behind {shown}: {errno}; try again"),
        ),
        LinkError::Refused(errno) => {
            let errno = Errno::from_raw(errno.raw_os_error());
            (errno, crate::node::refusal(node, errno))
        }
        LinkError::Full => (
            Errno::EMFILE,
            "this process has too many open files; raise `ulimit -n`".to_owned(),
        ),
        LinkError::Answered(refusal) => (refusal.errno, refusal.reason),
        LinkError::Broken(what) => (
            Errno::EPROTO,
            format!("{shown} does not lead to a heap's server: {what} came from it"),
        ),
    };
    ExportError::Refused { errno, reason }
}

/// What this program is called.
fn program() -> String {
    let name = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    name.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::protocol::REQUEST_LEN;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

    #[test]
    fn a_server_that_does_not_answer_is_not_asked_again() {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let link = Link::over(ours, std::time::Duration::from_millis(20)).unwrap();
        let held = BTreeSet::new();
        let heap = RemoteHeap {
            node: PathBuf::from("/nowhere"),
            program: Label::default(),
            info: crate::Memfd::info(),
            connection: Mutex::new(Some(Connection { link, held })),
        };
        let error = heap.allocate(&crate::testing::request(1)).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ETIMEDOUT), "{error}");
        let mut bytes = [0; REQUEST_LEN];
        let mut came = || {
            let (_, len) = recv(&theirs, &mut bytes[..], RecvFlags::DONTWAIT).unwrap();
            len
        };
        assert_eq!((came(), came()), (REQUEST_LEN, 0), "asked once, then gone");
        assert!(heap.connection().is_none());
    }
}
