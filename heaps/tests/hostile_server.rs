//! What a server sends is looked at before it is believed, and nothing of it is kept.
//!
//! Open files are counted, so that the tests of this program run one after the other.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/listening.rs"]
mod listening;
#[path = "common/scratch.rs"]
mod scratch;

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use dmaflow_core::Errno;
use dmaflow_core::heap::{Heap, HeapBuffer};
use dmaflow_heaps::remote::protocol::{Answer, Ask, Kind, REQUEST_LEN, Reply, Request};
use dmaflow_heaps::remote::stats;
use dmaflow_heaps::{Memfd, OpenHeap};
use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What it says instead of an answer to the first request for a buffer.
type Says = fn(&OwnedFd, u32, &HeapBuffer);

struct Hostile {
    node: PathBuf,
    thread: thread::JoinHandle<()>,
}

impl Hostile {
    /// Says hello as it should, to so many clients one after the other, and then something
    /// else.
    fn start(clients: usize, says: Says) -> Self {
        let node = scratch::scratch().join("node");
        let fd = listening::listening(&node);
        let thread = thread::spawn(move || {
            let heap = Heap::new(Memfd::info(), Memfd);
            for _client in 0..clients {
                let client = rustix::net::accept(&fd).unwrap();
                serve(&client, &heap, says);
            }
        });
        Self { node, thread }
    }

    fn end(self) {
        self.thread.join().unwrap();
        std::fs::remove_dir_all(self.node.parent().unwrap()).unwrap();
    }
}

fn serve(client: &OwnedFd, heap: &Heap, says: Says) {
    let mut bytes = [0; REQUEST_LEN];
    while let Ok(REQUEST_LEN) = recv(client.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
        let request = Request::parse(&bytes).unwrap();
        match request.ask {
            Ask::Hello { .. } => {
                let info = heap.info().clone();
                answers(client, request.serial, Kind::Hello, Answer::Hello(info));
            }
            _ => says(client, request.serial, &heap.allocate(4096).unwrap()),
        }
    }
}

fn send(client: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    let numbers: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if fds.is_empty() {
        &rights[..0]
    } else {
        &rights
    };
    let iov = [IoSlice::new(bytes)];
    let flags = MsgFlags::MSG_NOSIGNAL;
    // The client may have hung up already, which is what is wanted of it.
    sendmsg::<()>(client.as_raw_fd(), &iov, control, flags, None).ok();
}

fn answers(client: &OwnedFd, serial: u32, kind: Kind, answer: Answer) {
    let reply = Reply {
        serial,
        kind,
        outcome: Ok(answer),
    };
    send(client, &reply.encode(), &[]);
}

fn allocated(serial: u32, buffer: &HeapBuffer) -> Reply {
    let (len, id) = (buffer.len() as u64, buffer.id().inode());
    let outcome = Ok(Answer::Allocated { len, id });
    let kind = Kind::Allocate;
    Reply {
        serial,
        kind,
        outcome,
    }
}

#[test]
fn nothing_but_a_buffer_as_it_was_told_is_taken() {
    let _alone = alone();
    let tricks: [(&str, Says); 9] = [
        ("0 descriptors", |to, serial, buffer| {
            send(to, &allocated(serial, buffer).encode(), &[]);
        }),
        ("more than one descriptor", |to, serial, buffer| {
            let fds = [buffer.as_fd(); 200];
            send(to, &allocated(serial, buffer).encode(), &fds);
        }),
        ("descriptor", |to, serial, buffer| {
            let fds = [buffer.as_fd(); 2];
            send(to, &allocated(serial, buffer).encode(), &fds);
        }),
        ("not a buffer", |to, serial, buffer| {
            let file = std::fs::File::open("/proc/self/exe").unwrap();
            send(to, &allocated(serial, buffer).encode(), &[file.as_fd()]);
        }),
        ("something else", |to, serial, buffer| {
            let reply = allocated(serial + 1, buffer);
            send(to, &reply.encode(), &[buffer.as_fd()]);
        }),
        ("were said", |to, serial, buffer| {
            let id = buffer.id().inode();
            let reply = Reply {
                outcome: Ok(Answer::Allocated { len: 1 << 30, id }),
                ..allocated(serial, buffer)
            };
            send(to, &reply.encode(), &[buffer.as_fd()]);
        }),
        ("another kind", |to, serial, _buffer| {
            answers(to, serial, Kind::Available, Answer::Available(Some(5)));
        }),
        ("a message of 3 bytes", |to, _serial, buffer| {
            send(to, b"abc", &[buffer.as_fd()])
        }),
        ("a message of 257 bytes", |to, _serial, _buffer| {
            send(to, &[7; 9000], &[])
        }),
    ];
    for (word, says) in tricks {
        let files = open_files();
        let hostile = Hostile::start(1, says);
        let heap = Heap::open(&hostile.node).unwrap();
        let error = heap.allocate(4096).unwrap_err();
        assert_eq!(error.errno(), Errno::EPROTO, "{word}: {error}");
        assert!(error.to_string().contains(word), "{word} in {error}");
        drop(heap);
        hostile.end();
        assert_eq!(open_files(), files, "{word}");
    }
}

#[test]
fn a_list_without_end_is_not_read_for_ever() {
    let _alone = alone();
    let hostile = Hostile::start(1, |to, serial, _buffer| {
        let usage = dmaflow_core::heap::Usage::default();
        let budget = dmaflow_core::heap::Budget::default();
        let figures = dmaflow_heaps::remote::protocol::Figures {
            whose: dmaflow_heaps::remote::protocol::Whose::User { uid: 1 },
            usage,
            budget,
            lingering: 0,
        };
        answers(to, serial, Kind::Stats, Answer::Stats(Some(figures)));
    });
    let error = stats(&hostile.node).unwrap_err();
    assert!(error.to_string().contains("without end"), "{error}");
    hostile.end();
}

#[test]
fn a_server_that_hangs_up_is_tried_once_more() {
    let _alone = alone();
    use std::sync::atomic::{AtomicU32, Ordering};
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let hostile = Hostile::start(2, |to, _serial, _buffer| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        nix::sys::socket::shutdown(to.as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
    });
    let heap = Heap::open(&hostile.node).unwrap();
    let error = heap.allocate(4096).unwrap_err();
    assert_eq!(error.errno(), Errno::ENODEV, "{error}");
    assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    drop(heap);
    hostile.end();
}

#[test]
fn a_server_without_clients_ends_with_nothing_left() {
    let _alone = alone();
    let files = open_files();
    let server =
        dmaflow_heaps::server::Server::new(dmaflow_heaps::server::Limits::default()).unwrap();
    let stop = server.stopper();
    stop.stop();
    server.run().unwrap();
    drop(stop);
    assert_eq!(open_files(), files);
}
