//! Sockets that were made before this process began, see `sd_listen_fds(3)`.

use std::env;
use std::os::fd::OwnedFd;

use rustix::io::{FdFlags, fcntl_getfd};
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::{Listener, ServeError};
use crate::sys;

/// More than this are not taken.
const MOST: i32 = 256;

/// Takes the listening sockets that whoever started this process passed, with the names of
/// their nodes; none where there are none. They can be taken once, and are to be before this
/// process opens anything that could have the number of one that was not passed after all.
///
/// A node's name is that of the descriptor (`FileDescriptorName=`), or else the file name of
/// the socket.
///
/// # Errors
/// [`ServeError::Inherited`] for a descriptor that is no listening `SOCK_SEQPACKET` socket;
/// [`ServeError::TooMany`]; [`ServeError::Os`] where they were taken before.
pub fn inherited() -> Result<Vec<(String, Listener)>, ServeError> {
    let variable = |name| env::var(name).unwrap_or_default();
    let passed = Passed::parse(
        &variable("LISTEN_PID"),
        &variable("LISTEN_FDS"),
        &variable("LISTEN_FDNAMES"),
        std::process::id(),
    )?;
    let Some(Passed { count, names }) = passed else {
        return Ok(Vec::new());
    };
    let fds = sys::inherited::take(count).map_err(|errno| ServeError::Os {
        doing: "take the sockets of LISTEN_FDS",
        errno,
    })?;
    let named = fds.into_iter().enumerate().map(|(at, fd)| {
        let name = names.get(at).map_or("", String::as_str);
        adopt(name, fd)
    });
    named.collect()
}

/// What the variables say.
#[derive(Debug, PartialEq, Eq)]
struct Passed {
    count: i32,
    names: Vec<String>,
}

impl Passed {
    /// `None` where nothing was passed, or to another process.
    fn parse(pid: &str, fds: &str, names: &str, ours: u32) -> Result<Option<Self>, ServeError> {
        let count: u32 = fds.parse().unwrap_or_default();
        if pid.parse() != Ok(ours) || count == 0 {
            return Ok(None);
        }
        let taken = i32::try_from(count).ok().filter(|&count| count <= MOST);
        let count = taken.ok_or(ServeError::TooMany { count, most: MOST })?;
        let names = names.split(':').map(str::to_owned).collect();
        Ok(Some(Self { count, names }))
    }
}

fn adopt(name: &str, fd: OwnedFd) -> Result<(String, Listener), ServeError> {
    let is_open = fcntl_getfd(&fd).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC));
    let listens = is_open
        && sockopt::socket_domain(&fd) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(&fd) == Ok(SocketType::SEQPACKET)
        && sockopt::socket_acceptconn(&fd) == Ok(true);
    let refused = || ServeError::Inherited {
        name: name.to_owned(),
    };
    if !listens {
        return Err(refused());
    }
    let listener = Listener::inherited(fd)?;
    let name = node_name(name, &listener).ok_or_else(refused)?;
    Ok((name, listener))
}

/// systemd calls descriptors after their unit, or `unknown`, where it was told nothing better.
fn node_name(name: &str, listener: &Listener) -> Option<String> {
    if !["", "unknown"].contains(&name) && !name.ends_with(".socket") {
        return Some(name.to_owned());
    }
    let path = listener.path()?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_are_for_one_process() {
        let names = vec!["system".to_owned(), "cma".to_owned()];
        let passed = Passed { count: 2, names };
        let parsed = Passed::parse("7", "2", "system:cma", 7).unwrap();
        assert_eq!(parsed, Some(passed));
        for (pid, fds) in [
            ("8", "2"),
            ("", "2"),
            ("7", ""),
            ("7", "0"),
            ("7", "-1"),
            ("7", "two"),
            ("8", "100000"),
        ] {
            let parsed = Passed::parse(pid, fds, "", 7).unwrap();
            assert_eq!(parsed, None, "{pid} {fds}");
        }
    }

    #[test]
    fn more_than_are_taken_are_not_dropped_in_silence() {
        assert!(Passed::parse("7", "256", "", 7).unwrap().is_some());
        for many in ["257", "100000", "4294967295"] {
            let error = Passed::parse("7", many, "", 7).unwrap_err().to_string();
            assert!(error.contains(many) && error.contains("256"), "{error}");
        }
    }

    #[test]
    fn what_is_no_listening_socket_is_refused() {
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        for fd in [OwnedFd::from(stream), OwnedFd::from(file)] {
            let error = adopt("camera", fd).unwrap_err();
            assert!(error.to_string().contains("`camera`"), "{error}");
        }
    }
}
