//! A server and its clients in one process, over real sockets.

#[path = "common/kernel.rs"]
mod kernel;
#[path = "common/listening.rs"]
mod listening;
#[path = "common/running.rs"]
mod running;
#[path = "common/scratch.rs"]
mod scratch;

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::heap::{Account, AllocError, AllocOptions, Budget, Heap};
use dmaflow_heaps::remote::protocol::{Ask, Label, REPLY_LEN, Reply, Request, Whose};
use dmaflow_heaps::remote::stats;
use dmaflow_heaps::server::{Access, Limits, Listener, Quotas};
use dmaflow_heaps::{Memfd, OpenHeap};
use listening::listening;
use running::{Running, eventually};
use rustix::fs::{FlockOperation, flock};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, send, sendmsg, socket_with,
};
use scratch::scratch;

#[test]
fn a_socket_is_a_heap_like_any_other() {
    let running = Running::start(Quotas::default());
    let heap = Heap::open(&running.node).unwrap();
    assert_eq!(heap.name(), "camera");
    assert_eq!(heap.info().largest, Memfd::info().largest);
    assert!(!heap.info().importable && heap.info().zeroed);
    let buffer = heap.allocate(100_000).unwrap();
    assert_eq!(buffer.len(), 102_400);
    buffer.write(CpuUse::Draw).unwrap().fill(7);
    let same = dmaflow_heaps::registry();
    let same = same.open(running.node.to_str().unwrap()).unwrap();
    let other = same.allocate(1).unwrap();
    assert_ne!(other.id(), buffer.id());
    assert!(other.read(CpuUse::Inspect).unwrap().iter().all(|&b| b == 0));
    assert_eq!(heap.available(), None);
    let options = AllocOptions {
        align: 8192,
        flags: 0,
    };
    assert!(heap.allocate_with(1, options).is_err());
    assert_eq!(running.live(), 2);
    drop((buffer, other));
    eventually("every buffer back", || running.live() == 0);
}

#[test]
fn the_server_knows_whose_it_is() {
    let running = Running::start(Quotas::default());
    let heap = Heap::open(&running.node).unwrap();
    let pipeline = Account::new("a pipeline");
    let held = heap.for_account(&pipeline).allocate(8192).unwrap();
    let unnamed = heap.allocate(4096).unwrap();
    let figures = stats(&running.node).unwrap();
    let of = |wanted: &dyn Fn(&Whose) -> bool| {
        let found = figures.iter().find(|line| wanted(&line.whose));
        found.unwrap_or_else(|| panic!("{figures:?}")).usage
    };
    let (uid, pid) = (nix::unistd::getuid().as_raw(), std::process::id());
    let label = Label::new("a pipeline");
    let line = of(&|whose| {
        *whose
            == Whose::Pipeline {
                uid,
                pid,
                label: label.clone(),
            }
    });
    assert_eq!((line.live, line.live_bytes), (1, 8192));
    for line in [
        of(&|whose| matches!(whose, Whose::Heap { name } if name.as_str() == "camera")),
        of(&|whose| *whose == Whose::User { uid }),
        of(&|whose| matches!(whose, Whose::Client { program, .. } if !program.is_empty())),
    ] {
        assert_eq!((line.live, line.live_bytes, line.total), (2, 12_288, 2));
    }
    drop((held, unnamed));
}

#[test]
fn quotas_are_a_users_and_a_clients() {
    let limit = |pages: u64| Budget {
        bytes: Some(pages * 4096),
        buffers: None,
    };
    let running = Running::start(Quotas {
        user: limit(5),
        client: limit(3),
    });
    let [first, second] = [0, 1].map(|_| Heap::open(&running.node).unwrap());
    let held = first.allocate(3 * 4096).unwrap();
    let error = first.allocate(1).unwrap_err();
    assert_eq!(error.errno(), Errno::EDQUOT);
    let uid = nix::unistd::getuid();
    for word in ["camera", "12288", &format!("of user {uid}"), "free some"] {
        assert!(error.to_string().contains(word), "{word} in {error}");
    }
    let others = second.allocate(2 * 4096).unwrap();
    let error = second.allocate(1).unwrap_err();
    assert!(
        error.to_string().contains(&format!("`user {uid}`")),
        "{error}"
    );
    drop(held);
    let again = second.allocate(4096).unwrap();
    drop((others, again));
    // What one client lets go of, another may have once the server has heard of it.
    eventually("room for the first", || first.allocate(3 * 4096).is_ok());
}

#[test]
fn a_server_that_dies_leaves_buffers_and_its_successor_is_found() {
    let running = Running::start(Quotas::default());
    let heap = Heap::open(&running.node).unwrap();
    let held = heap.allocate(4096).unwrap();
    let node = running.stop();
    assert!(!node.exists(), "the node is removed");
    let error = heap.allocate(4096).unwrap_err();
    assert_eq!(error.errno(), Errno::ENODEV);
    for word in ["is gone", "start it again", node.to_str().unwrap()] {
        assert!(error.to_string().contains(word), "{word} in {error}");
    }
    held.write(CpuUse::Draw).unwrap().fill(1);
    let running = Running::start_at(node, Quotas::default(), Memfd::info());
    let after = heap.allocate(4096).unwrap();
    drop(held);
    assert_eq!(
        running.live(),
        1,
        "the old server's buffer is nothing to the new one"
    );
    drop(after);
    eventually("the new buffer back", || running.live() == 0);
}

#[test]
fn another_heap_at_the_same_node_is_not_taken_for_it() {
    let running = Running::start(Quotas::default());
    let heap = Heap::open(&running.node).unwrap();
    let mut info = Memfd::info();
    info.zeroed = false;
    let node = running.stop();
    let _other = Running::start_at(node, Quotas::default(), info);
    let error = heap.allocate(1).unwrap_err();
    assert!(error.to_string().contains("another heap"), "{error}");
}

#[test]
fn threads_share_a_connection() {
    let running = Running::start(Quotas::default());
    let heap = Heap::open(&running.node).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let heap = &heap;
            scope.spawn(move || {
                for _round in 0..50 {
                    let buffers = [1, 5000].map(|len| heap.allocate(len).unwrap());
                    for buffer in &buffers {
                        let mut bytes = buffer.write(CpuUse::Draw).unwrap();
                        assert!(bytes.iter().all(|&byte| byte == 0));
                        bytes.fill(thread + 1);
                    }
                }
            });
        }
    });
    assert_eq!(heap.stats().usage.total, 400);
    eventually("every buffer back", || running.live() == 0);
}

#[test]
fn nodes_are_made_with_their_permissions_and_not_over_others() {
    let running = Running::start(Quotas::default());
    let found = std::fs::metadata(&running.node).unwrap();
    assert_eq!(found.permissions().mode() & 0o7777, 0o640);
    assert_eq!(found.uid(), nix::unistd::getuid().as_raw());
    let node = running.node.clone();
    let error = Listener::bind(&node, &Access::default()).unwrap_err();
    assert!(
        error.to_string().contains("another server is running"),
        "{error}"
    );
    assert!(Heap::open(&node).unwrap().allocate(1).is_ok(), "it goes on");

    let file = running.node.with_file_name("file");
    std::fs::write(&file, "").unwrap();
    let error = Listener::bind(&file, &Access::default()).unwrap_err();
    assert!(error.to_string().contains("remove it"), "{error}");

    let stale = running.node.with_file_name("stale");
    drop(listening(&stale));
    let error = Heap::open(&stale).unwrap_err();
    assert!(error.to_string().contains("start it again"), "{error}");
    drop(Listener::bind(&stale, &Access::default()).unwrap());
    assert!(!stale.exists());

    let open = running.node.with_file_name("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let error = Listener::bind(open.join("node"), &Access::default()).unwrap_err();
    assert!(error.to_string().contains("everybody"), "{error}");
}

#[test]
fn who_locks_the_directory_keeps_no_server_from_starting() {
    let directory = scratch();
    let opened = std::fs::File::open(&directory).unwrap();
    flock(&opened, FlockOperation::LockExclusive).unwrap();
    drop(Listener::bind(directory.join("node"), &Access::default()).unwrap());
    let lock = std::fs::metadata(directory.join(".lock")).unwrap();
    assert_eq!(lock.permissions().mode() & 0o7777, 0o600);
    std::fs::remove_file(directory.join(".lock")).unwrap();
    std::os::unix::fs::symlink("elsewhere", directory.join(".lock")).unwrap();
    let error = Listener::bind(directory.join("node"), &Access::default()).unwrap_err();
    assert!(error.to_string().contains("a file to lock"), "{error}");
    assert!(!directory.join("elsewhere").exists());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_listener_leaves_the_node_of_another_alone() {
    let directory = scratch();
    let node = directory.join("node");
    let first = Listener::bind(&node, &Access::default()).unwrap();
    std::fs::remove_file(&node).unwrap();
    let second = Listener::bind(&node, &Access::default()).unwrap();
    drop(first);
    assert!(node.exists());
    drop(second);
    assert!(!node.exists());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn descriptors_do_not_come_as_far_as_the_server() {
    let test = "descriptors_do_not_come_as_far_as_the_server";
    if !kernel::has_linux(test, (6, 16), "SO_PASSRIGHTS") {
        return;
    }
    let running = Running::start(Quotas::default());
    let flags = SocketFlags::CLOEXEC;
    let client = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    connect(&client, &SocketAddrUnix::new(&running.node).unwrap()).unwrap();
    let program = Label::new("hostile");
    let ask = Ask::Hello { program };
    let hello = Request { serial: 1, ask }.encode();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [client.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let sent = sendmsg(
        &client,
        &[IoSlice::new(&hello)],
        &mut control,
        SendFlags::NOSIGNAL,
    );
    assert_eq!(sent, Err(rustix::io::Errno::PERM));
    // It heard nothing of that, and answers this client as it answers others.
    send(&client, &hello, SendFlags::NOSIGNAL).unwrap();
    let mut reply = [0; REPLY_LEN];
    recv(&client, &mut reply[..], RecvFlags::empty()).unwrap();
    assert!(Reply::parse(&reply).unwrap().outcome.is_ok());
    let heap = Heap::open(&running.node).unwrap();
    assert!(heap.allocate(4096).is_ok(), "a descriptor comes back");
}

#[test]
fn more_connections_than_allowed_are_told_so() {
    let limits = Limits {
        connections: 8,
        per_user: 3,
    };
    let running = Running::with_limits(limits);
    let heaps: Vec<_> = (0..3).map(|_| Heap::open(&running.node).unwrap()).collect();
    let error = Heap::open(&running.node).unwrap_err();
    assert!(error.to_string().contains("3 connections"), "{error}");
    drop(heaps);
    eventually("room again", || Heap::open(&running.node).is_ok());
}

#[test]
fn what_a_client_is_not_given_counts_as_failed() {
    let running = Running::start(Quotas::default());
    let heap = Heap::open(&running.node).unwrap();
    assert!(matches!(heap.allocate(0), Err(AllocError::Empty { .. })));
    assert!(heap.allocate(1 << 50).is_err());
    assert_eq!(heap.stats().usage.failed, 2);
    assert_eq!(running.live(), 0);
}
