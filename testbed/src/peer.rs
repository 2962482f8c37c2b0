//! Shows a buffer to another process, which `bin/heap-peer.rs` is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, send, sendmsg, socketpair,
};

/// What the first process fills the buffer with.
pub const FROM_US: u8 = 0x5a;
/// What the other one fills it with.
pub const FROM_PEER: u8 = 0xc3;

/// Sends a buffer to `program` over a socket, which must see every byte we wrote, and whose
/// every byte we must see.
///
/// # Panics
/// When either does not.
pub fn shows_to(program: &Path, buffer: &DmaBuf) {
    buffer.write(CpuUse::Draw).unwrap().fill(FROM_US);
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
    let mut child = Command::new(program)
        .stdin(Stdio::from(theirs))
        .spawn()
        .expect("heap-peer");
    let fds = [buffer.as_fd().as_raw_fd()];
    sendmsg::<()>(
        ours.as_raw_fd(),
        &[IoSlice::new(&[u8::from(buffer.is_importable())])],
        &[ControlMessage::ScmRights(&fds)],
        MsgFlags::empty(),
        None,
    )
    .unwrap();
    let mut answer = [0; 8];
    let got = recv(ours.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
    let status = child.wait().unwrap();
    assert!(
        status.success() && got == 8,
        "heap-peer: {status}, {got} bytes"
    );
    assert_eq!(u64::from_le_bytes(answer), buffer.len() as u64);
    let bytes = buffer.read(CpuUse::Inspect).unwrap();
    assert!(bytes.iter().all(|&byte| byte == FROM_PEER));
}

/// The other process: whether devices can import the buffer, and its descriptor.
///
/// # Errors
/// When nothing of the kind came.
pub fn receive(socket: &OwnedFd) -> Result<(bool, OwnedFd)> {
    let mut importable = [0];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut importable)],
        &mut control,
        rustix::net::RecvFlags::CMSG_CLOEXEC,
    )?;
    let fds = control.drain().find_map(|message| match message {
        rustix::net::RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok((importable[0] == 1, fds.context("no descriptor came")?))
}

/// The other process: tells the length it saw.
///
/// # Errors
/// When the first process is gone.
pub fn answer(socket: &OwnedFd, len: usize) -> Result<()> {
    let bytes = u64::try_from(len)?.to_le_bytes();
    send(socket.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL)?;
    Ok(())
}
