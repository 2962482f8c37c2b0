//! Disks that are full.

use std::io;

use dmaflow_containers::{ContainerError, Format, Output, ReadOptions, create, open, write};

use crate::support::{Disk, all, from_file, streams};

#[test]
fn a_disk_that_is_full_at_any_byte_leaves_a_file_that_plays() {
    for stream in streams() {
        let mut demuxer = from_file(stream.format, &stream.data).unwrap();
        let track = demuxer.track().clone();
        let (packets, _) = all(&mut *demuxer);
        for room in 0..stream.data.len() + 20 {
            let at = || format!("{} with room for {room}", stream.name);
            let disk = Disk::new(Some(room), Some(1 + room % 31));
            let mut muxer = match write(stream.format, &track, Output::file(disk.clone())) {
                Ok(muxer) => muxer,
                Err(ContainerError::Write { written, .. }) => {
                    assert_eq!((written, disk.data().len()), (room as u64, room));
                    continue;
                }
                Err(error) => panic!("{}: {error}", at()),
            };
            let mut good = 0;
            for (packet, data) in &packets {
                let half = data.len() / 2;
                match muxer.write(packet, &[&data[..half], &data[half..]]) {
                    Ok(()) => good += 1,
                    Err(ContainerError::Write {
                        written,
                        whole,
                        source,
                    }) => {
                        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                        assert_eq!(
                            (written, disk.data().len()),
                            (room as u64, room),
                            "{}",
                            at()
                        );
                        assert!(whole <= written, "{}", at());
                        let again = muxer.write(packet, &[data]);
                        assert!(matches!(again, Err(ContainerError::Broken { .. })));
                        break;
                    }
                    Err(error) => panic!("{}: {error}", at()),
                }
            }
            muxer.finish().unwrap();
            let written = disk.data();
            if stream.format == Format::Ivf {
                let count = u32::from_le_bytes(*written[24..].first_chunk().unwrap());
                assert_eq!(count as usize, good, "{}", at());
            }
            if written.is_empty() {
                continue;
            }
            let Ok(mut demuxer) = from_file(stream.format, &written) else {
                assert_eq!(good, 0, "{}", at());
                continue;
            };
            let (read, end) = all(&mut *demuxer);
            assert!(end.is_ok(), "{}", at());
            assert!(read.len() >= good, "{}", at());
            // The last good one of a stream without lengths may have a part of the next behind it.
            let sure = if stream.has_lengths() {
                good
            } else {
                good.saturating_sub(1)
            };
            for (read, packet) in read.iter().zip(&packets).take(sure) {
                assert!(read.1 == packet.1, "{}", at());
            }
        }
    }
}

/// `mount -t tmpfs -o size=64k none DIRECTORY; DMAFLOW_SMALL_DISK=DIRECTORY cargo test -p
/// dmaflow-containers --test files -- --ignored small_disk`
#[test]
#[ignore = "needs DMAFLOW_SMALL_DISK, a directory on a file system of some 64 KiB"]
fn a_recording_onto_a_small_disk_plays_up_to_where_it_was_full() {
    let directory = std::env::var_os("DMAFLOW_SMALL_DISK").unwrap();
    let stream = streams().swap_remove(6);
    let mut demuxer = from_file(stream.format, &stream.data).unwrap();
    let track = demuxer.track().clone();
    let (packets, _) = all(&mut *demuxer);
    let path = std::path::Path::new(&directory).join("full.ivf");
    let mut muxer = create(&path, stream.format, &track).unwrap();
    let mut good = 0;
    let (written, whole) = loop {
        let (packet, data) = &packets[good % packets.len()];
        match muxer.write(packet, &[data]) {
            Ok(()) => good += 1,
            Err(ContainerError::Write {
                written,
                whole,
                source,
            }) => {
                assert_eq!(source.kind(), io::ErrorKind::StorageFull);
                break (written, whole);
            }
            Err(error) => panic!("{error}"),
        }
    };
    muxer.finish().unwrap();
    println!("{good} packets, {written} bytes, {whole} of whole packets");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), written);
    let mut demuxer = open(&path, &ReadOptions::default()).unwrap();
    let (read, end) = all(&mut *demuxer);
    assert!(end.is_ok() && read.len() == good && good > 10);
    assert_eq!(demuxer.cut().is_some(), written > whole);
    std::fs::remove_file(&path).unwrap();
}
