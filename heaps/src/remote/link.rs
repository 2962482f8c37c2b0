//! A connection to a heap's server: messages out and in, whole.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, recvmsg, send, sendmsg, socket_with,
};

use super::protocol::{Answer, Ask, Kind, Malformed, REPLY_LEN, Refusal, Reply};

/// How long a server may take: a contiguous heap may have to move much memory first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an exchange of messages came to nothing.
#[derive(Debug)]
pub(super) enum LinkError {
    /// Nobody is at the other end, or no longer.
    Gone(Errno),
    /// Somebody may be there, who took too long: to ask again would take as long again.
    Late,
    /// The request did not leave this process.
    Unsent(Errno),
    /// The node may not be opened.
    Refused(Errno),
    /// The server said why it gives nothing.
    Answered(Refusal),
    /// A buffer came, and this process has no room for another descriptor.
    Full,
    /// What came is nothing a server says.
    Broken(String),
}

impl From<Malformed> for LinkError {
    fn from(malformed: Malformed) -> Self {
        Self::Broken(malformed.to_string())
    }
}

/// A connection to a heap's server.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
    serial: u32,
}

impl Link {
    pub(super) fn connect(node: &Path) -> Result<Self, LinkError> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(LinkError::Refused)?;
        let link = Self::over(socket, PATIENCE)?;
        let address = SocketAddrUnix::new(node).map_err(LinkError::Refused)?;
        let connected = || connect(&link.socket, &address);
        rustix::io::retry_on_intr(connected).map_err(|errno| match errno {
            Errno::CONNREFUSED | Errno::NOENT => LinkError::Gone(errno),
            Errno::AGAIN => LinkError::Late,
            other => LinkError::Refused(other),
        })?;
        Ok(link)
    }

    /// Speaks over a socket, whose other end may take so long.
    pub(super) fn over(socket: OwnedFd, patience: Duration) -> Result<Self, LinkError> {
        for timeout in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&socket, timeout, Some(patience)).map_err(LinkError::Refused)?;
        }
        Ok(Self { socket, serial: 0 })
    }

    /// Asks something that is not answered.
    pub(super) fn tell(&mut self, ask: &Ask) -> Result<(), LinkError> {
        self.send(ask)
    }

    /// Asks something and waits for what it takes of the answer, with the descriptors that come
    /// along.
    pub(super) fn ask<T>(
        &mut self,
        ask: &Ask,
        take: fn(Answer) -> Option<T>,
    ) -> Result<(T, Vec<OwnedFd>), LinkError> {
        match self.send(ask) {
            // A server that hung up may have left the reason for us.
            Ok(()) | Err(LinkError::Gone(_)) => {}
            Err(unasked) => return Err(unasked),
        }
        let (reply, fds) = self.receive()?;
        if reply.serial != self.serial && reply.serial != 0 {
            return Err(LinkError::Broken("an answer to something else".to_owned()));
        }
        let answer = reply.outcome.map_err(LinkError::Answered)?;
        let answer = take(answer)
            .ok_or_else(|| LinkError::Broken("an answer of another kind".to_owned()))?;
        if ask.kind() != Kind::Allocate && !fds.is_empty() {
            return Err(LinkError::Broken(
                "a descriptor that is no buffer".to_owned(),
            ));
        }
        Ok((answer, fds))
    }

    fn send(&mut self, ask: &Ask) -> Result<(), LinkError> {
        self.serial = self.serial.checked_add(1).unwrap_or(1);
        let message = ask.encode(self.serial);
        let sent = || send(&self.socket, &message, SendFlags::NOSIGNAL);
        match rustix::io::retry_on_intr(sent) {
            Ok(_whole) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(LinkError::Gone(Errno::PIPE)),
            Err(Errno::AGAIN) => Err(LinkError::Late),
            Err(errno) => Err(LinkError::Unsent(errno)),
        }
    }

    fn receive(&self) -> Result<(Reply, Vec<OwnedFd>), LinkError> {
        let mut message = [0; REPLY_LEN + 1];
        let (len, fds) = match receive(&self.socket, &mut message) {
            // The server hung up with a request of ours unread; its last words come next.
            Err(LinkError::Gone(Errno::CONNRESET)) => receive(&self.socket, &mut message)?,
            other => other?,
        };
        if len == 0 {
            return Err(LinkError::Gone(Errno::PIPE));
        }
        let reply = Reply::parse(message.get(..len).unwrap_or(&message))?;
        Ok((reply, fds))
    }
}

/// Receives a message with room for one descriptor, and the word that there were more.
fn receive(socket: &OwnedFd, message: &mut [u8]) -> Result<(usize, Vec<OwnedFd>), LinkError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    loop {
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut iov = [IoSliceMut::new(message)];
        let got = match recvmsg(socket, &mut iov, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => return Err(LinkError::Late),
            Err(errno) => return Err(LinkError::Gone(errno)),
            Ok(got) => got,
        };
        let fds = control.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
            _ => Vec::new(),
        });
        let fds: Vec<_> = fds.collect();
        if got.flags.contains(ReturnFlags::CTRUNC) {
            if fds.is_empty() {
                return Err(LinkError::Full);
            }
            return Err(LinkError::Broken("more than one descriptor".to_owned()));
        }
        return Ok((got.bytes, fds));
    }
}

/// Sends a reply without waiting: EAGAIN where the client does not read.
pub(crate) fn send_reply(
    socket: BorrowedFd<'_>,
    reply: &[u8; REPLY_LEN],
    buffer: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = buffer.as_slice();
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::NOBUFS);
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let iov = [IoSlice::new(reply)];
    rustix::io::retry_on_intr(|| sendmsg(socket, &iov, &mut control, flags)).map(drop)
}

/// What a client sent.
pub(crate) enum Sent {
    /// So many bytes, as many as the room that there is where it was more.
    Message(usize),
    /// Nothing now.
    Nothing,
    /// Nothing ever again.
    End,
    /// Something that no client sends: descriptors. They are closed.
    Descriptors,
}

/// Receives what a client sent, without waiting and without room for descriptors: the kernel
/// closes those that come, and says so (`MSG_CTRUNC`). Since Linux 6.16 none come.
pub(crate) fn receive_request(socket: BorrowedFd<'_>, message: &mut [u8]) -> Sent {
    let mut iov = [IoSliceMut::new(message)];
    let mut none = RecvAncillaryBuffer::default();
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    match rustix::io::retry_on_intr(|| recvmsg(socket, &mut iov, &mut none, flags)) {
        Ok(got) if got.flags.contains(ReturnFlags::CTRUNC) => Sent::Descriptors,
        Ok(got) if got.bytes == 0 => Sent::End,
        Ok(got) => Sent::Message(got.bytes),
        Err(Errno::AGAIN) => Sent::Nothing,
        Err(errno) => {
            tracing::debug!(%errno, "a client's connection is gone");
            Sent::End
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::socketpair;

    fn pair() -> (Link, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let link = Link::over(ours, Duration::from_millis(20)).unwrap();
        (link, theirs)
    }

    /// What a server says that hangs up.
    fn farewell() -> [u8; REPLY_LEN] {
        let refusal = Refusal {
            errno: dmaflow_core::Errno::EPROTO,
            reason: "farewell".to_owned(),
        };
        let reply = Reply {
            serial: 0,
            kind: Kind::Hello,
            outcome: Err(refusal),
        };
        reply.encode()
    }

    fn asked(link: &mut Link) -> LinkError {
        link.ask(&Ask::Available, Answer::available).unwrap_err()
    }

    #[test]
    fn a_server_that_does_not_answer_is_late() {
        let (mut link, _silent) = pair();
        assert!(matches!(asked(&mut link), LinkError::Late));
    }

    #[test]
    fn an_answer_is_not_waited_for_where_nothing_was_asked() {
        let (mut link, theirs) = pair();
        send(&theirs, &farewell(), SendFlags::NOSIGNAL).unwrap();
        while link.tell(&Ask::Available).is_ok() {}
        assert!(matches!(asked(&mut link), LinkError::Late));
        assert!(link.receive().is_ok(), "what is there is not read for it");
    }

    #[test]
    fn a_server_that_hung_up_has_the_last_word() {
        let (mut link, theirs) = pair();
        send(&theirs, &farewell(), SendFlags::NOSIGNAL).unwrap();
        drop(theirs);
        assert!(matches!(asked(&mut link), LinkError::Answered(_)));
        assert!(matches!(asked(&mut link), LinkError::Gone(_)));
    }
}
