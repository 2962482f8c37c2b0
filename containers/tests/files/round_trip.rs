//! What was written is read again.

use dmaflow_containers::raw::{RawMuxer, Sidecar};
use dmaflow_containers::{
    Codec, Colour, ContainerError, Format, Input, Muxer, Output, Packet, Plane, ReadOptions, Track,
    write,
};
use proptest::prelude::*;

use crate::support::{Disk, Whole, all, from_file, streams};

fn packet(presented: i64, key: bool) -> Packet {
    Packet {
        len: 0,
        presented,
        decoded: presented,
        duration: 1,
        key,
        offset: 0,
    }
}

/// Writes data in pieces of some length.
fn write_in_pieces(
    muxer: &mut dyn Muxer,
    packet: &Packet,
    data: &[u8],
    piece: usize,
) -> Result<(), ContainerError> {
    let pieces: Vec<&[u8]> = data.chunks(piece).collect();
    muxer.write(packet, &pieces)
}

#[test]
fn streams_are_written_as_they_were_read() {
    for stream in streams() {
        let mut demuxer = from_file(stream.format, &stream.data).unwrap();
        let track = demuxer.track().clone();
        let (packets, _) = all(&mut *demuxer);
        for piece in [1, 5, 100, usize::MAX] {
            let disk = Disk::new(None, Some(17));
            let output = Output::file(disk.clone());
            let mut muxer = write(stream.format, &track, output).unwrap();
            for (packet, data) in &packets {
                write_in_pieces(&mut *muxer, packet, data, piece).unwrap();
            }
            assert_eq!(muxer.written(), disk.data().len() as u64);
            muxer.finish().unwrap();
            let written = disk.data();
            // Headers of files may state the same in other words.
            if !matches!(stream.format, Format::Ivf | Format::Y4m | Format::ObuAnnexB) {
                assert!(written == stream.data, "{}", stream.name);
            }
            let mut again = from_file(stream.format, &written).unwrap();
            assert_eq!(again.track(), &track, "{}", stream.name);
            let (again, end) = all(&mut *again);
            assert!(end.is_ok());
            let same = |((a, data), (b, other)): (&Whole, &Whole)| {
                let times = (a.presented, a.decoded, a.duration, a.key, a.len);
                data == other && times == (b.presented, b.decoded, b.duration, b.key, b.len)
            };
            assert_eq!(again.len(), packets.len());
            assert!(again.iter().zip(&packets).all(same), "{}", stream.name);
        }
    }
}

#[test]
fn av1_goes_from_format_to_format() {
    let streams = streams();
    let of = |format| {
        let stream = streams
            .iter()
            .find(|stream| stream.format == format)
            .unwrap();
        let mut demuxer = from_file(stream.format, &stream.data).unwrap();
        (demuxer.track().clone(), all(&mut *demuxer).0)
    };
    let (track, packets) = of(Format::Obu);
    for format in [Format::ObuAnnexB, Format::Ivf] {
        let disk = Disk::new(None, None);
        let mut muxer = write(format, &track, Output::file(disk.clone())).unwrap();
        for (packet, data) in &packets {
            // Without its delimiter, as MP4 and Matroska have it.
            muxer.write(packet, &[&data[2..]]).unwrap();
        }
        muxer.finish().unwrap();
        let (again, end) = all(&mut *from_file(format, &disk.data()).unwrap());
        assert!(end.is_ok());
        let data = |(_, data): &Whole| data.clone();
        assert!(
            again.iter().map(data).eq(packets.iter().map(data)),
            "{format}"
        );
    }
}

#[test]
fn packets_without_a_header_get_it_at_the_beginning_and_at_keys() {
    for stream in streams() {
        let mut demuxer = from_file(stream.format, &stream.data).unwrap();
        let track = demuxer.track().clone();
        if track.header.is_empty() {
            continue;
        }
        let (packets, _) = all(&mut *demuxer);
        let (_, data) = &packets[1];
        let disk = Disk::new(None, None);
        let mut muxer = write(stream.format, &track, Output::file(disk.clone())).unwrap();
        for (time, key) in [(0, true), (1, false), (2, true)] {
            write_in_pieces(&mut *muxer, &packet(time, key), data, 3).unwrap();
        }
        drop(muxer);
        let written = disk.data();
        let parts = written.windows(track.header.len());
        let has = parts.filter(|part| *part == track.header).count();
        // MPEG-2 begins another sequence with each.
        let expected = if stream.format == Format::Mpeg2 { 1 } else { 2 };
        assert_eq!(has, expected, "{}", stream.name);
        let mut again = from_file(stream.format, &written).unwrap();
        assert_eq!(again.track().header, track.header, "{}", stream.name);
        let (again, _) = all(&mut *again);
        assert_eq!(again.len(), 3, "{}", stream.name);
        assert!(again[1].1 == *data, "{}", stream.name);
        // What delimits stays in front: of AV1 two bytes, of the H.264 stream six.
        let front = if stream.format == Format::H264 { 6 } else { 2 };
        assert_eq!(again[0].1[..front], data[..front], "{}", stream.name);
    }
}

#[test]
fn av1_gets_its_sequence_header_in_other_formats_too() {
    let stream = streams().swap_remove(4);
    let mut demuxer = from_file(stream.format, &stream.data).unwrap();
    let track = demuxer.track().clone();
    let (packets, _) = all(&mut *demuxer);
    for format in [Format::Ivf, Format::ObuAnnexB] {
        let disk = Disk::new(None, None);
        let mut muxer = write(format, &track, Output::file(disk.clone())).unwrap();
        for (packet, data) in &packets {
            let without = if packet.key {
                2 + track.header.len()
            } else {
                2
            };
            muxer.write(packet, &[&data[without..]]).unwrap();
        }
        drop(muxer);
        let (again, _) = all(&mut *from_file(format, &disk.data()).unwrap());
        let summary = |(packet, data): &Whole| (packet.key, data.clone());
        assert!(
            again.iter().map(summary).eq(packets.iter().map(summary)),
            "{format}"
        );
    }
}

#[test]
fn packets_that_readers_would_not_find_are_refused() {
    let refused = |codec, format, data: &[u8]| {
        let mut track = Track::new(codec, 25);
        track.size = Some((2, 2));
        let mut muxer = write(format, &track, Output::pipe(Disk::default())).unwrap();
        let error = muxer.write(&packet(0, true), &[data]).unwrap_err();
        assert!(matches!(error, ContainerError::Packet { .. }), "{error}");
    };
    refused(Codec::H264, Format::H264, &[0x65, 0, 0, 1]);
    refused(Codec::Mpeg2, Format::Mpeg2, &[]);
    refused(Codec::Mjpeg, Format::Mjpeg, &[0xff, 0xd9]);
    refused(Codec::Fwht, Format::Fwht, &[0x4f; 8]);
    refused(
        Codec::Raw(u32::from_le_bytes(*b"YU12")),
        Format::Y4m,
        &[0; 5],
    );
    for (codec, format) in [
        (Codec::H264, Format::Ivf),
        (Codec::Vp8, Format::Obu),
        (Codec::Hevc, Format::H264),
        (Codec::Av1, Format::Y4m),
        (Codec::Vp9, Format::ObuAnnexB),
    ] {
        let made = write(
            format,
            &Track::new(codec, 25),
            Output::pipe(Disk::default()),
        );
        assert!(matches!(made, Err(ContainerError::CannotHold { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ivf_keeps_packets_and_times(
        codec in prop::sample::select(vec![Codec::Vp8, Codec::Vp9, Codec::Fwht]),
        timescale in 1_u32..,
        packets in prop::collection::vec((0_i64.., prop::collection::vec(any::<u8>(), 0..300)), 0..20),
        piece in 1_usize..50,
        piped in any::<bool>(),
    ) {
        let mut track = Track::new(codec, timescale);
        track.size = Some((1920, 1080));
        let disk = Disk::new(None, Some(29));
        let output = if piped { Output::pipe(disk.clone()) } else { Output::file(disk.clone()) };
        let mut muxer = write(Format::Ivf, &track, output).unwrap();
        for (time, data) in &packets {
            write_in_pieces(&mut *muxer, &packet(*time, true), data, piece).unwrap();
        }
        muxer.finish().unwrap();
        let written = disk.data();
        let count = u32::from_le_bytes(*written[24..].first_chunk().unwrap());
        prop_assert_eq!(count as usize, if piped { 0 } else { packets.len() });
        let mut demuxer = from_file(Format::Ivf, &written).unwrap();
        prop_assert_eq!(demuxer.track(), &track);
        let (again, end) = all(&mut *demuxer);
        prop_assert!(end.is_ok());
        let again: Vec<_> = again.into_iter().map(|(packet, data)| (packet.presented, data)).collect();
        prop_assert_eq!(again, packets);
    }

    #[test]
    fn y4m_keeps_pictures(
        fourcc in prop::sample::select(vec![*b"YU12", *b"YU16", *b"YU24", *b"YU11", *b"R8  ", *b"R10 ", *b"S010", *b"S210", *b"S410"]),
        width in 1_u32..20,
        height in 1_u32..20,
        rate in prop::option::of((1_u32.., 1_u32..)),
        pixel_aspect in prop::option::of((1_u32.., 1_u32..)),
        full_range in prop::option::of(any::<bool>()),
    ) {
        let mut track = Track::new(Codec::Raw(u32::from_le_bytes(fourcc)), rate.map_or(25, |rate| rate.0));
        track.size = Some((width, height));
        track.rate = rate;
        track.pixel_aspect = pixel_aspect;
        track.colour = full_range.map(|full| Colour { full_range: Some(full), ..Colour::default() });
        let samples = |across: u32, down: u32| width.div_ceil(across) * height.div_ceil(down);
        let chroma = match &fourcc {
            b"YU12" | b"S010" => 2 * samples(2, 2),
            b"YU16" | b"S210" => 2 * samples(2, 1),
            b"YU24" | b"S410" => 2 * samples(1, 1),
            b"YU11" => 2 * samples(4, 1),
            _ => 0,
        };
        let wide = matches!(&fourcc, b"R10 " | b"S010" | b"S210" | b"S410");
        let len = (samples(1, 1) + chroma) * if wide { 2 } else { 1 };
        let picture = vec![7; len as usize];
        let disk = Disk::new(None, None);
        let mut muxer = write(Format::Y4m, &track, Output::file(disk.clone())).unwrap();
        for _number in 0..3 {
            muxer.write(&packet(0, true), &[&picture]).unwrap();
        }
        muxer.finish().unwrap();
        let mut demuxer = from_file(Format::Y4m, &disk.data()).unwrap();
        track.planes = demuxer.track().planes.clone();
        prop_assert_eq!(demuxer.track(), &track);
        let (again, end) = all(&mut *demuxer);
        prop_assert!(end.is_ok());
        prop_assert_eq!(again.len(), 3);
        prop_assert!(again.iter().all(|(_, data)| *data == picture));
    }

    #[test]
    fn raw_pictures_are_as_their_sidecar_says(
        size in (1_u32..5000, 1_u32..5000),
        planes in prop::collection::vec((0_u32..400, 1_u32..100), 1..4),
        rate in prop::option::of((1_u32.., 1_u32..)),
        colour in prop::option::of((any::<u8>(), any::<u8>(), any::<u8>(), prop::option::of(any::<bool>()))),
        pictures in 1_usize..5,
    ) {
        let mut track = Track::new(Codec::Raw(u32::from_le_bytes(*b"R8  ")), rate.map_or(25, |rate| rate.0));
        track.size = Some(size);
        track.rate = rate;
        track.planes = planes.into_iter().map(|(offset, stride)| Plane { offset, stride }).collect();
        track.colour = colour.map(|(primaries, transfer, matrix, full_range)| Colour { primaries, transfer, matrix, full_range });
        let (disk, beside) = (Disk::new(None, None), Disk::new(None, None));
        let mut muxer = RawMuxer::new(&track, Output::file(disk.clone()), Output::file(beside.clone())).unwrap();
        let picture = [3_u8; 500];
        for _number in 0..pictures {
            muxer.write(&packet(0, true), &[&picture]).unwrap();
        }
        prop_assert!(muxer.write(&packet(0, true), &[&picture[1..]]).is_err());
        muxer.finish().unwrap();
        let sidecar = Sidecar::read(Input::pipe(std::io::Cursor::new(beside.data()))).unwrap();
        let input = Input::file(std::io::Cursor::new(disk.data())).unwrap();
        let mut demuxer = dmaflow_containers::raw::read(input, &sidecar, &ReadOptions::default()).unwrap();
        prop_assert_eq!(demuxer.track(), &track);
        let (again, end) = all(&mut *demuxer);
        prop_assert!(end.is_ok() && again.len() == pictures);
        prop_assert!(again.iter().all(|(_, data)| data[..] == picture));
    }
}

#[test]
fn descriptions_that_cannot_be_are_refused() {
    let good = r#"{"fourcc":"NV12","width":4,"height":2,"frame_bytes":12,
        "planes":[{"offset":0,"stride":4},{"offset":8,"stride":4}]}"#;
    let read = |text: &str| {
        Sidecar::read(Input::pipe(std::io::Cursor::new(
            text.to_owned().into_bytes(),
        )))
    };
    assert!(read(good).is_ok());
    for (from, to) in [
        ("NV12", "NV123"),
        ("NV12", ""),
        ("NV12", "N\u{e9}"),
        ("\"width\":4", "\"width\":0"),
        ("\"width\":4", "\"width\":-1"),
        ("\"frame_bytes\":12", "\"frame_bytes\":11"),
        ("\"frame_bytes\":12", "\"frame_bytes\":0"),
        (
            "{\"offset\":0,\"stride\":4},",
            "{\"offset\":0,\"stride\":0},",
        ),
        ("\"width\":4", "\"width\":4,\"modifier\":\"tiled\""),
        ("\"width\":4", "\"width\":4,\"length\":4"),
        (
            "[{\"offset\":0,\"stride\":4},{\"offset\":8,\"stride\":4}]",
            "[]",
        ),
        ("}]}", "}]"),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good);
        let error = read(&text).unwrap_err();
        let told = matches!(
            error,
            ContainerError::Unexpected { .. } | ContainerError::Unsupported { .. }
        );
        assert!(told, "{error}");
    }
}
