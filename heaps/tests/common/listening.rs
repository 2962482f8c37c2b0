//! Sockets that listen like a heap's server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

/// A socket that listens at a node; dropping it leaves the node as a killed server does.
pub(crate) fn listening(node: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&fd, &SocketAddrUnix::new(node).unwrap()).unwrap();
    listen(&fd, 4).unwrap();
    fd
}
