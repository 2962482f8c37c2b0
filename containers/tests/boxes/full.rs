//! Disks that are full.

use std::io;

use dmaflow_containers::ContainerError;

use crate::support::{SAMPLES, muxers, open, read_all};

#[test]
fn a_disk_that_is_full_at_any_byte_leaves_a_file_that_plays() {
    for sample in [&SAMPLES[1], &SAMPLES[5]] {
        let mut demuxer = open(sample.bytes).unwrap();
        let (packets, _) = read_all(&mut *demuxer);
        for room in 0..sample.bytes.len() + 600 {
            for (kind, file, mut muxer) in muxers(demuxer.track(), room) {
                let at = || format!("{} in {kind} with room for {room}", sample.name);
                let mut good = 0_usize;
                let mut told = None;
                for (packet, data) in &packets {
                    match muxer.write(packet, &[data]) {
                        Ok(()) => good += 1,
                        Err(ContainerError::Write {
                            written,
                            whole,
                            source,
                        }) => {
                            assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                            assert_eq!((written, file.bytes().len()), (room as u64, room));
                            told = Some(whole);
                            for (packet, data) in &packets {
                                let again = muxer.write(packet, &[data]);
                                assert!(matches!(again, Err(ContainerError::Broken { .. })));
                            }
                            break;
                        }
                        Err(error) => panic!("{}: {error}", at()),
                    }
                }
                let finished = muxer.finish();
                // What was left of a fragment may find the disk full, too, and so may an index.
                assert!(finished.is_ok() || told.is_none(), "{}: {finished:?}", at());
                let Ok(mut back) = open(&file.bytes()) else {
                    assert!(good <= 3, "{}: {good}", at());
                    continue;
                };
                let (read, cut) = read_all(&mut *back);
                // The fragment at work, and no more, is missing: three packets, or those of half
                // the time before a key.
                let kept = if kind == "mp4" {
                    good.saturating_sub(4)
                } else {
                    good
                };
                assert!(read.len() >= kept, "{}: {} of {good}", at(), read.len());
                for ((packet, data), (same, bytes)) in read.iter().zip(&packets) {
                    assert_eq!((packet.key, data), (same.key, bytes), "{}", at());
                }
                if let (Some(whole), Some(cut)) = (told, cut) {
                    assert!(cut.end >= whole, "{}", at());
                }
            }
        }
    }
}
