//! A socket that controls a run: for `dmaflow ctl` and for programs.
//!
//! One thread sleeps until somebody connects, and each client has one of its own; what they ask
//! for is done by the thread that watches the run. So a client that is slow, silent or hostile
//! takes a place of a few, for a while, and nothing of the run's.

mod client;
mod socket;

pub use socket::ServerError;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::Shutdown;

use super::Control;
use client::Client;
use socket::Socket;

/// Clients at once.
pub const MOST_CLIENTS: usize = 8;

/// How long nobody is let in where the system has no room, as at the limit of descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// A thread that reads JSON needs little.
const STACK: usize = 256 * 1024;

/// A control socket. Dropping it removes the socket and lets go of the clients.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    socket: Socket,
    closing: AtomicBool,
    clients: Mutex<Vec<Connected>>,
}

/// A client's connection, with which it can be ended.
#[derive(Debug)]
struct Connected {
    number: u64,
    stream: UnixStream,
}

impl Server {
    /// Makes the socket; only the user who does and root may use it. That of a process which
    /// died is replaced.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn bind(path: &Path, control: Control) -> Result<Self, ServerError> {
        let shared = Arc::new(Shared {
            socket: Socket::bind(path)?,
            closing: AtomicBool::new(false),
            clients: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .stack_size(STACK)
            .spawn(move || accepting.accept(&control))
            .map_err(ServerError::Thread)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.socket.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        // It makes the sleeping thread's accept fail.
        self.shared.socket.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control socket's thread panicked");
        }
        for client in self.shared.clients().drain(..) {
            end(&client.stream);
        }
    }
}

/// Ends a connection, whatever its thread waits for.
fn end(stream: &UnixStream) {
    if let Err(error) = rustix::net::shutdown(stream.as_fd(), Shutdown::Both) {
        tracing::debug!(%error, "a client was gone already");
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, control: &Control) {
        let mut number = 0;
        while !self.closing.load(Ordering::Acquire) {
            match self.socket.accept() {
                Ok(Some(stream)) => {
                    number += 1;
                    if let Err(error) = self.admit(number, stream, control.clone()) {
                        tracing::warn!(%error, "a client could not be let in");
                    }
                }
                // Somebody whom it does not concern.
                Ok(None) => {}
                Err(_) if self.closing.load(Ordering::Acquire) => {}
                Err(error) => {
                    tracing::warn!(%error, "nobody can be let in for a while");
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Gives a client a thread, where there is a place.
    fn admit(
        self: &Arc<Self>,
        number: u64,
        stream: UnixStream,
        control: Control,
    ) -> io::Result<()> {
        let mut client = Client::new(stream.try_clone()?)?;
        {
            let mut clients = self.clients();
            if clients.len() >= MOST_CLIENTS {
                drop(clients);
                client.refuse(&format!(
                    "{MOST_CLIENTS} clients are connected, as many as may be: try again later"
                ));
                return Ok(());
            }
            clients.push(Connected { number, stream });
        }
        let place = Place {
            shared: Arc::clone(self),
            number,
        };
        thread::Builder::new()
            .name("control client".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                // The whole of it, so that it is dropped here.
                let place = place;
                client.serve(&control);
                drop(place);
            })
            .map(drop)
    }

    fn clients(&self) -> MutexGuard<'_, Vec<Connected>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place, which is free again when this is dropped.
struct Place {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.number;
        let mut clients = self.shared.clients();
        if let Some(at) = clients.iter().position(|client| client.number == number) {
            end(&clients.swap_remove(at).stream);
        }
    }
}
