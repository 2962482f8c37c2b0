//! Clients of a heap's server that mean harm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{IoSlice, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use dmaflow_heaps::remote::protocol::{Ask, Label, REPLY_LEN, REQUEST_LEN, Request};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send,
    sendmsg, socket,
};
use rustix::net::sockopt::set_socket_linger;

/// The most descriptors that one message can carry (`SCM_MAX_FD`).
const SCM_MAX_FD: usize = 253;

/// A connection without manners. `None` where the server does not let it in.
fn connection(node: &Path) -> Option<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).ok()?;
    connect(fd.as_raw_fd(), &UnixAddr::new(node).unwrap()).ok()?;
    Some(fd)
}

fn says(fd: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    send(fd.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)
}

fn request(ask: Ask) -> [u8; REQUEST_LEN] {
    Request { serial: 1, ask }.encode()
}

fn hello() -> [u8; REQUEST_LEN] {
    request(Ask::Hello {
        program: Label::new("hostile"),
    })
}

fn allocate(label: &str) -> [u8; REQUEST_LEN] {
    request(Ask::Allocate {
        len: 4096,
        align: 1,
        flags: 0,
        label: Label::new(label),
    })
}

/// Waits until the server hangs up; what it says before that is not kept.
fn is_hung_up_on(fd: &OwnedFd) {
    crate::serving::eventually("end of a hostile connection", || {
        let mut bytes = [0; REPLY_LEN];
        match recv(fd.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
            Ok(0) | Err(Errno::ECONNRESET) => true,
            Ok(_) | Err(_) => false,
        }
    });
}

/// Messages of every length that are none, before and after a hello.
///
/// # Panics
/// When the server goes on talking.
pub fn garbage(node: &Path) {
    for len in (0..400).step_by(13).chain([REQUEST_LEN, 8192, 100_000]) {
        for greets in [false, true] {
            let Some(fd) = connection(node) else { continue };
            if greets {
                says(&fd, &hello()).unwrap();
            }
            let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
            // A message may be longer than the socket takes.
            if says(&fd, &bytes).is_ok() {
                is_hung_up_on(&fd);
            }
        }
    }
    let mut second = connection(node).unwrap();
    for twice in [hello(), allocate("")] {
        says(&second, &twice).unwrap();
        says(&second, &hello()).ok();
        is_hung_up_on(&second);
        second = connection(node).unwrap();
    }
}

/// As many descriptors as a message carries, in every message, and without waiting; where the
/// kernel refuses them (Linux 6.16), one too whose closing takes five seconds.
///
/// # Panics
/// When the server goes on talking.
pub fn descriptors(node: &Path) {
    let file = File::open("/dev/null").unwrap();
    let many = [file.as_raw_fd(); SCM_MAX_FD];
    let lingering = Lingering::new();
    for _connection in 0..20 {
        let Some(fd) = connection(node) else { continue };
        says(&fd, &hello()).ok();
        let sent = (0..50).try_for_each(|_message| sends(&fd, &many));
        if sent == Err(Errno::EPERM) {
            let one = [lingering.stream.as_raw_fd()];
            assert_eq!(sends(&fd, &one), Err(Errno::EPERM));
        } else {
            is_hung_up_on(&fd);
        }
    }
}

fn sends(fd: &OwnedFd, fds: &[i32]) -> Result<(), Errno> {
    let bytes = allocate("bomb");
    let rights = [ControlMessage::ScmRights(fds)];
    let iov = [IoSlice::new(&bytes)];
    let flags = MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(fd.as_raw_fd(), &iov, &rights, flags, None).map(drop)
}

/// A TCP socket that whoever closes it last waits for: what it has sent nobody reads.
struct Lingering {
    stream: TcpStream,
    _deaf: TcpListener,
}

impl Lingering {
    fn new() -> Self {
        let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut stream = TcpStream::connect(deaf.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        while stream.write(&[0; 1 << 16]).is_ok() {}
        set_socket_linger(&stream, Some(Duration::from_secs(5))).unwrap();
        let _deaf = deaf;
        Self { stream, _deaf }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        // Ours is the last one, and we do not wait.
        set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }
}

/// Requests without end, none of whose replies is read; the connections stay open.
///
/// # Panics
/// When nothing could be sent at all.
#[must_use]
pub fn never_reads(node: &Path) -> Vec<OwnedFd> {
    let mut open = Vec::new();
    let mut sent = 0;
    for connection in (0..20).filter_map(|_| connection(node)) {
        says(&connection, &hello()).ok();
        for number in 0..2_000 {
            match says(&connection, &allocate(&format!("flood {number}"))) {
                Ok(_) => sent += 1,
                Err(Errno::EAGAIN) => std::thread::yield_now(),
                Err(_hung_up) => break,
            }
        }
        open.push(connection);
    }
    assert!(sent > 0);
    open
}

/// Connections by the thousand, some with a word, none with two; returns how many stood open
/// at once.
#[must_use]
pub fn crowd(node: &Path) -> usize {
    let mut most = 0;
    for wave in 0..20 {
        let open: Vec<_> = (0..200).filter_map(|_| connection(node)).collect();
        if wave % 2 == 0 {
            for fd in &open {
                says(fd, &hello()).ok();
            }
        }
        most = most.max(open.len());
    }
    most
}
