//! Telling whoever started us how far we are, see `sd_notify(3)`.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Every node can be opened.
    Ready,
    /// The server is ending.
    Stopping,
}

/// Tells the service manager, where there is one (`NOTIFY_SOCKET`).
///
/// # Errors
/// Those of sending a datagram to it.
pub fn notify(said: Said) -> io::Result<()> {
    match env::var_os("NOTIFY_SOCKET") {
        Some(socket) => send(&socket, said),
        None => Ok(()),
    }
}

fn send(socket: &OsStr, said: Said) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let text: &[u8] = match said {
        Said::Ready => b"READY=1",
        Said::Stopping => b"STOPPING=1",
    };
    UnixDatagram::unbound()?.send_to_addr(text, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_hears_it() {
        let name = format!("dmaflow-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        send(OsStr::new(&format!("@{name}")), Said::Ready).unwrap();
        let mut heard = [0; 32];
        let len = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..len], b"READY=1");
        assert!(send(OsStr::new("/nowhere/notify"), Said::Stopping).is_err());
    }
}
