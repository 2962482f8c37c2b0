//! What must hold of every reader of a file that states where its packets are.

use std::io::Cursor;

use dmaflow_containers::{ContainerError, Demuxer, Input, Packet, ReadOptions};

/// Packets that are looked at: tables may name the same data again and again.
const PACKETS: usize = 2000;
const OPTIONS: ReadOptions = ReadOptions {
    most: 1 << 20,
    rate: None,
};

pub type Opened = Result<Box<dyn Demuxer>, ContainerError>;

pub fn check(bytes: &[u8], read: impl Fn(Input, &ReadOptions) -> Opened) {
    let input = Input::file(Cursor::new(bytes.to_vec())).unwrap();
    let Ok(mut demuxer) = read(input, &OPTIONS) else {
        return;
    };
    let mut data = Vec::new();
    let mut keys: Vec<Packet> = Vec::new();
    let mut count = 0;
    while count < PACKETS
        && let Ok(Some(packet)) = demuxer.next_packet()
    {
        count += 1;
        assert!(packet.len > 0 && packet.len <= OPTIONS.most);
        assert!(packet.offset < bytes.len() as u64, "{packet:?}");
        // Start codes for lengths of one byte, and bytes that the file leaves out of packets.
        assert!(packet.len <= 4 * bytes.len() + 4, "{packet:?}");
        if packet.key && keys.len() < 4 {
            keys.push(packet);
        }
        if count % 3 == 0 {
            continue;
        }
        data.resize(packet.len, 0);
        if demuxer.read(&mut data).is_err() {
            assert!(matches!(demuxer.next_packet(), Ok(None)));
            break;
        }
    }
    if count < PACKETS {
        assert!(matches!(demuxer.next_packet(), Ok(None)), "once ended, always");
    }
    if let Some(cut) = demuxer.cut() {
        assert!(cut.offset <= cut.end && cut.end <= bytes.len() as u64);
    }
    for key in &keys {
        if demuxer.seek(key.presented).is_ok()
            && let Ok(found) = demuxer.next_packet()
        {
            let found = found.unwrap();
            assert!(found.key);
        }
    }
    for time in [i64::MIN, 0, i64::MAX] {
        if demuxer.seek(time).is_ok() {
            drop(demuxer.next_packet());
        }
    }
}
