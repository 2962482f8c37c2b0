//! JPEG and MPEG-2 streams that no encoder here makes.

use dmaflow_containers::{ContainerError, Format};

use crate::support::{all, from_file, streams};

fn lens(format: Format, data: &[u8]) -> Vec<usize> {
    let (packets, end) = all(&mut *from_file(format, data).unwrap());
    assert!(end.is_ok(), "{end:?}");
    packets.iter().map(|(packet, _)| packet.len).collect()
}

/// A picture with a smaller one in a segment, restart markers, filling, and two scans.
fn jpeg() -> Vec<u8> {
    let mut data = vec![0xff, 0xd8];
    data.extend([
        0xff, 0xe1, 0, 12, b'E', b'x', 0xff, 0xd8, 0xff, 0xdb, 0xff, 0xd9, 1, 2,
    ]);
    data.extend([0xff, 0xff, 0xff, 0xc2, 0, 4, 0xff, 0xd9]);
    for _scan in 0..2 {
        data.extend([
            0xff, 0xda, 0, 3, 0xd9, 1, 0xff, 0x00, 2, 0xff, 0xd3, 3, 0xff, 0xff, 0xd7, 4,
        ]);
        data.extend([0xff, 0xc4, 0, 4, 0xff, 0xd8]);
    }
    data.extend([0xff, 0xd9]);
    data
}

#[test]
fn pictures_within_segments_are_no_pictures() {
    let one = jpeg();
    assert_eq!(lens(Format::Mjpeg, &one), [one.len()]);
    let mut padded = one.clone();
    padded.extend([0; 7]);
    padded.extend(&one);
    padded.extend([0; 2]);
    assert_eq!(lens(Format::Mjpeg, &padded), [one.len(); 2]);
}

#[test]
fn a_picture_that_never_ended_is_told() {
    let one = jpeg();
    let mut data = one[..one.len() - 2].to_vec();
    data.extend(&one);
    let (packets, end) = all(&mut *from_file(Format::Mjpeg, &one).unwrap());
    assert!(end.is_ok() && packets.len() == 1);
    let error = from_file(Format::Mjpeg, &data).unwrap_err();
    let ContainerError::Unexpected {
        offset, expected, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((offset, expected), (one.len() as u64 - 2, "EOI"));
}

fn picture(coding_type: u8) -> Vec<u8> {
    vec![0, 0, 1, 0, 0, coding_type << 3, 0xff, 0xf8]
}

fn structure(structure: u8) -> Vec<u8> {
    vec![0, 0, 1, 0xb5, 0x8f, 0xff, 0xf0 | structure, 0x80, 0]
}

fn slices() -> Vec<u8> {
    [[0, 0, 1, 1, 0x22, 0x33, 0], [0, 0, 1, 2, 0x22, 0x33, 0]].concat()
}

#[test]
fn fields_of_an_mpeg_2_frame_are_one_packet() {
    let header = vec![0, 0, 1, 0xb3, 1, 2, 3, 4, 0, 0, 1, 0xb5, 0x14, 5, 6];
    let group = vec![0, 0, 1, 0xb8, 1, 2, 3, 4];
    let of = |kind, which| [picture(kind), structure(which), slices()].concat();
    let units = [
        [header.clone(), group.clone(), of(1, 1), of(2, 2)].concat(),
        of(2, 3),
        [of(3, 2), of(3, 1)].concat(),
        // A field without another.
        of(2, 1),
        [header, of(1, 1), of(1, 2), vec![0, 0, 1, 0xb7]].concat(),
        [group, of(1, 3)].concat(),
    ];
    let (packets, end) = all(&mut *from_file(Format::Mpeg2, &units.concat()).unwrap());
    assert!(end.is_ok());
    let found: Vec<_> = packets
        .iter()
        .map(|(packet, data)| (packet.key, &data[..]))
        .collect();
    let keys = [true, false, false, false, true, true];
    let expected: Vec<_> = keys
        .into_iter()
        .zip(units.iter().map(|unit| &unit[..]))
        .collect();
    assert!(found == expected, "{packets:?}");
}

#[test]
fn an_mpeg_2_picture_is_the_same_from_wherever_its_stream_is_read() {
    let header = vec![0, 0, 1, 0xb3, 1, 2, 3, 4];
    let group = vec![0, 0, 1, 0xb8, 1, 2, 3, 4];
    // Pictures without slices, without what says that they are fields, and headers between fields.
    let stream = [
        [header.clone(), picture(1), structure(1), slices()].concat(),
        [picture(1), group.clone(), picture(2), slices()].concat(),
        [picture(1), structure(2), slices()].concat(),
        [picture(1), picture(3), structure(1), slices()].concat(),
        [picture(1), slices(), header, picture(1), structure(2)].concat(),
        [slices(), structure(1), group, picture(1), slices()].concat(),
    ]
    .concat();
    let (packets, _) = all(&mut *from_file(Format::Mpeg2, &stream).unwrap());
    assert!(packets.len() > 5);
    for (packet, data) in &packets {
        let from_here = &stream[usize::try_from(packet.offset).unwrap()..];
        let mut demuxer = from_file(Format::Mpeg2, from_here).unwrap();
        let first = demuxer.next_packet().unwrap().unwrap();
        assert_eq!((first.len, first.key), (data.len(), packet.key));
    }
}

#[test]
fn what_is_no_stream_is_told_where_it_is_none() {
    for (format, offset) in [
        (Format::H264, 2),
        (Format::Mpeg2, 2),
        (Format::Obu, 0),
        (Format::Mjpeg, 2),
    ] {
        let error = from_file(format, &[0, 0, 7, 7, 7, 7, 7, 7, 7, 7]).unwrap_err();
        let ContainerError::Unexpected { offset: found, .. } = error else {
            panic!("{format}: {error}");
        };
        assert_eq!(found, offset, "{format}");
    }
}

#[test]
fn an_obu_without_a_size_is_refused() {
    let mut stream = streams().swap_remove(4);
    assert_eq!(stream.format, Format::Obu);
    let sequence_header = stream.data[2];
    stream.data[2] = sequence_header & !0x02;
    let error = from_file(stream.format, &stream.data).unwrap_err();
    assert!(
        matches!(error, ContainerError::Unexpected { offset: 2, .. }),
        "{error}"
    );
}
