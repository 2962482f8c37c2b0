//! What files are told to be.

use std::io::Cursor;

use dmaflow_containers::{Codec, ContainerError, Format, Input, ReadOptions, probe, read};

use crate::support::{all, from_file, from_pipe, streams};

#[test]
fn files_are_known_by_what_they_hold_then_by_their_names() {
    for stream in streams() {
        let beginning = &stream.data[..stream.data.len().min(4096)];
        for extension in [None, Some("mp4"), Some("nothing")] {
            assert_eq!(
                probe(beginning, extension),
                Some(stream.format),
                "{}",
                stream.name
            );
        }
    }
    assert_eq!(probe(b"\0\0\0\x18ftypisom", None), Some(Format::Mp4));
    assert_eq!(probe(b"\x1a\x45\xdf\xa3", None), Some(Format::Matroska));
    assert_eq!(probe(b"nothing known", Some("H265")), Some(Format::Hevc));
    assert_eq!(probe(b"DKIF", Some("raw")), Some(Format::Raw));
    assert_eq!(probe(b"nothing known", Some("txt")), None);
    assert_eq!(probe(b"", None), None);
}

#[test]
fn streams_have_their_packets_from_files_and_pipes_alike() {
    for stream in streams() {
        let name = stream.name;
        let mut demuxer = from_file(stream.format, &stream.data).unwrap();
        let (packets, end) = all(&mut *demuxer);
        assert!(end.is_ok(), "{name}: {end:?}");
        assert_eq!(demuxer.cut(), None, "{name}");
        assert_eq!(packets.len(), stream.packets, "{name}");
        let keys = packets.iter().filter(|(packet, _)| packet.key).count();
        assert_eq!(keys, stream.keys, "{name}");
        assert!(packets[0].0.key, "{name}");
        for pair in packets.windows(2) {
            assert!(pair[0].0.decoded < pair[1].0.decoded, "{name}");
            assert!(pair[0].0.offset < pair[1].0.offset, "{name}");
        }
        let mut piped = from_pipe(stream.format, &stream.data).unwrap();
        let (from_pipe, end) = all(&mut *piped);
        assert!(end.is_ok() && from_pipe == packets, "{name}");
        assert_eq!(piped.track(), demuxer.track(), "{name}");
        assert!(matches!(piped.seek(0), Err(ContainerError::NotSeekable)));
    }
}

#[test]
fn data_is_read_once_and_only_where_it_fits() {
    for stream in streams() {
        let mut demuxer = from_file(stream.format, &stream.data).unwrap();
        let nothing = demuxer.read(&mut []);
        assert!(
            matches!(nothing, Err(ContainerError::NoPacket)),
            "{}",
            stream.name
        );
        let first = demuxer.next_packet().unwrap().unwrap();
        let mut data = vec![0; first.len];
        let small = demuxer.read(&mut data[..first.len - 1]);
        assert!(
            matches!(small, Err(ContainerError::Room { .. })),
            "{}",
            stream.name
        );
        demuxer.read(&mut data).unwrap();
        let again = demuxer.read(&mut data);
        assert!(
            matches!(again, Err(ContainerError::NoPacket)),
            "{}",
            stream.name
        );
        // The data of the second is passed over.
        demuxer.next_packet().unwrap().unwrap();
        let third = demuxer.next_packet().unwrap().unwrap();
        let mut data = vec![0; third.len];
        demuxer.read(&mut data).unwrap();
        let (packets, _) = all(&mut *from_file(stream.format, &stream.data).unwrap());
        assert_eq!(packets[2], (third, data), "{}", stream.name);
    }
}

#[test]
fn a_seek_leads_to_the_key_at_or_before() {
    for stream in streams() {
        let (packets, _) = all(&mut *from_file(stream.format, &stream.data).unwrap());
        let keys: Vec<_> = packets.iter().filter(|(packet, _)| packet.key).collect();
        let mut demuxer = from_file(stream.format, &stream.data).unwrap();
        let times = packets.iter().map(|(packet, _)| packet.presented);
        for time in times.clone().rev().chain(times).chain([-7, i64::MAX]) {
            demuxer.seek(time).unwrap();
            let first = demuxer.next_packet().unwrap().unwrap();
            let mut latest_first = keys.iter().rev();
            let expected = latest_first.find(|(key, _)| key.presented <= time);
            assert_eq!(
                first,
                expected.unwrap_or(&keys[0]).0,
                "{} {time}",
                stream.name
            );
        }
        demuxer.seek(0).unwrap();
        assert!(all(&mut *demuxer).0 == packets, "{}", stream.name);
    }
}

#[test]
fn packets_longer_than_allowed_are_errors() {
    for stream in streams() {
        let (packets, _) = all(&mut *from_file(stream.format, &stream.data).unwrap());
        let longest = packets.iter().map(|(packet, _)| packet.len).max().unwrap();
        let with = |most| {
            let input = Input::file(Cursor::new(stream.data.clone())).unwrap();
            let options = ReadOptions {
                most,
                ..ReadOptions::default()
            };
            let mut demuxer = read(stream.format, input, &options)?;
            all(&mut *demuxer).1
        };
        assert!(with(longest).is_ok(), "{}", stream.name);
        let error = with(longest - 1).unwrap_err();
        assert!(
            matches!(error, ContainerError::TooLong { .. }),
            "{}",
            stream.name
        );
    }
}

#[test]
fn streams_without_times_are_stamped_by_the_rate_that_is_given() {
    let stream = &streams()[0];
    let options = ReadOptions {
        rate: Some((30_000, 1001)),
        ..ReadOptions::default()
    };
    let input = Input::file(Cursor::new(stream.data.clone())).unwrap();
    let mut demuxer = read(stream.format, input, &options).unwrap();
    assert_eq!(demuxer.track().timescale, 30_000);
    assert_eq!(demuxer.track().rate, Some((30_000, 1001)));
    let (packets, _) = all(&mut *demuxer);
    assert_eq!(packets[3].0.decoded, 3003);
    assert_eq!(packets[3].0.duration, 1001);
    let without = from_file(stream.format, &stream.data).unwrap();
    assert_eq!(
        (without.track().timescale, without.track().rate),
        (25, None)
    );
}

#[test]
fn what_a_file_says_of_its_track_is_told() {
    let streams = streams();
    let of = |name| {
        let stream = streams.iter().find(|stream| stream.name == name).unwrap();
        from_file(stream.format, &stream.data)
            .unwrap()
            .track()
            .clone()
    };
    let y4m = of("a.y4m");
    assert_eq!(y4m.codec, Codec::Raw(u32::from_le_bytes(*b"YU12")));
    assert_eq!((y4m.size, y4m.rate), (Some((18, 14)), Some((30_000, 1001))));
    assert_eq!(y4m.pixel_aspect, Some((1, 1)));
    let planes: Vec<_> = y4m
        .planes
        .iter()
        .map(|plane| (plane.offset, plane.stride))
        .collect();
    assert_eq!(planes, [(0, 18), (252, 9), (315, 9)]);
    assert_eq!(
        (of("vp9.ivf").codec, of("vp9.ivf").size),
        (Codec::Vp9, Some((64, 48)))
    );
    assert_eq!(of("made.fwht").size, Some((640, 360)));
    let header = of("slices.h264").header;
    assert_eq!(header[..5], [0, 0, 0, 1, 0x67]);
    assert_eq!(of("b-frames.h265").header[..5], [0, 0, 0, 1, 0x40]);
    assert_eq!(of("b-frames.m2v").header[..4], [0, 0, 1, 0xb3]);
    assert_eq!(of("low-overhead.obu").header[0], 0x0a);
}
