//! A file as a reader sees it: from a disk and through a pipe.

use std::io::{self, Cursor, Read};

use dmaflow_containers::{
    ContainerError, Demuxer, Format, Input, MOST_OF_A_PACKET, Packet, ReadOptions, read,
};

/// Gives few bytes at a time.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 97 + 13;
        let most = into.len().min(self.1);
        self.0.read(&mut into[..most])
    }
}

/// Packets with their data, and whether an error that is no cut ended them.
type Found = (Vec<(Packet, Vec<u8>)>, bool);

fn all(demuxer: &mut dyn Demuxer, len: usize) -> Found {
    let mut packets = Vec::new();
    loop {
        let packet = match demuxer.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return (packets, false),
            Err(ContainerError::Cut(_)) => panic!("a cut is no error of the next packet"),
            Err(_) => return (packets, true),
        };
        assert!(packets.len() <= len && packet.len <= MOST_OF_A_PACKET);
        // No packet has more bytes than twice the file: what a pipe claims is not believed.
        let mut data = vec![0; packet.len.min(2 * len)];
        match demuxer.read(&mut data) {
            Ok(()) => packets.push((packet, data)),
            Err(ContainerError::Cut(cut)) => {
                assert_eq!(demuxer.cut(), Some(cut));
                assert!(matches!(demuxer.next_packet(), Ok(None)));
                return (packets, false);
            }
            // It is longer than what comes.
            Err(ContainerError::Room { .. }) => return (packets, false),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads a file in both ways, which have to find the same, and seeks in it.
pub fn try_file(format: Format, bytes: &[u8]) {
    let options = ReadOptions::default();
    let file = Input::file(Cursor::new(bytes.to_vec())).expect("memory can be sought in");
    let pipe = Input::pipe(Dribble(Cursor::new(bytes.to_vec()), 0));
    let (file, pipe) = (read(format, file, &options), read(format, pipe, &options));
    let (mut file, mut pipe) = match (file, pipe) {
        (Ok(file), Ok(pipe)) => (file, pipe),
        (Err(_), Err(_)) => return,
        (file, pipe) => panic!("{file:?} {pipe:?}"),
    };
    let of_file = all(&mut *file, bytes.len());
    let of_pipe = all(&mut *pipe, bytes.len());
    assert_eq!(of_file, of_pipe);
    let (packets, failed) = of_file;
    let keys: Vec<_> = packets.iter().filter(|(packet, _)| packet.key).collect();
    if failed {
        return;
    }
    if format == Format::H264 {
        // Parameter sets that change between keys and are not repeated there are those of the
        // place that was left: pictures may be told apart differently, and be keys or not.
        let _there = file.seek(3).is_ok_and(|()| file.next_packet().is_ok());
        return;
    }
    let Some((first, _)) = keys.first() else {
        assert!(file.seek(0).is_err());
        return;
    };
    let sorted = packets
        .windows(2)
        .all(|pair| pair[0].0.presented <= pair[1].0.presented);
    for (packet, _) in packets.iter().step_by(1 + packets.len() / 8) {
        file.seek(packet.presented).expect("there is a key");
        let found = file.next_packet().expect("it was there before");
        let found = found.expect("there is a key");
        assert!(found.key);
        if sorted {
            let mut latest_first = keys.iter().rev();
            let before = latest_first.find(|(key, _)| key.presented <= packet.presented);
            assert_eq!(found, before.map_or(*first, |(key, _)| *key));
        }
    }
}
