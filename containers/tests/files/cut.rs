//! Files that end anywhere.

use dmaflow_bitstream::obu::leb128;
use dmaflow_containers::{ContainerError, Format};

use crate::support::{Stream, Whole, all, from_file, from_pipe, streams};

/// Where packets end in a file.
fn ends(stream: &Stream, packets: &[Whole]) -> Vec<usize> {
    if stream.format != Format::ObuAnnexB {
        let end = |(packet, data): &Whole| usize::try_from(packet.offset).unwrap() + data.len();
        return packets.iter().map(end).collect();
    }
    // Packets are longer than what they are made of.
    let mut ends = Vec::new();
    let mut end = 0;
    while end < stream.data.len() {
        let (size, bytes) = leb128(&stream.data[end..], "temporal_unit_size").unwrap();
        end += bytes + size as usize;
        ends.push(end);
    }
    ends
}

#[test]
fn all_that_is_whole_is_read_of_a_file_cut_at_any_byte() {
    for stream in streams() {
        let (packets, _) = all(&mut *from_file(stream.format, &stream.data).unwrap());
        let ends = ends(&stream, &packets);
        for len in 0..stream.data.len() {
            let data = &stream.data[..len];
            let at = || format!("{} cut at {len}", stream.name);
            let whole = ends.iter().filter(|end| **end <= len).count();
            for piped in [false, true] {
                let opened = if piped {
                    from_pipe(stream.format, data)
                } else {
                    from_file(stream.format, data)
                };
                let mut demuxer = match opened {
                    Ok(demuxer) => demuxer,
                    // Cut within what is before the first packet.
                    Err(ContainerError::Cut(_) | ContainerError::Unexpected { .. }) => {
                        assert!(whole == 0, "{}", at());
                        continue;
                    }
                    Err(error) => panic!("{}: {error}", at()),
                };
                let (read, end) = all(&mut *demuxer);
                match end {
                    Ok(()) => {}
                    Err(ContainerError::Cut(cut)) if piped => {
                        assert_eq!(demuxer.cut(), Some(cut), "{}", at());
                    }
                    Err(error) => panic!("{}: {error}", at()),
                }
                if stream.has_lengths() {
                    assert!(
                        read[..whole.min(read.len())] == packets[..whole],
                        "{}",
                        at()
                    );
                    assert!(read.len() <= whole + 1, "{}", at());
                    if read.len() > whole {
                        assert!(read == packets[..=whole], "{}", at());
                    }
                } else {
                    // The last one may be there in part: nothing tells.
                    assert!(read.len() <= whole + 1, "{}", at());
                    let sure = whole.saturating_sub(1);
                    assert!(read.len() >= whole, "{}", at());
                    assert!(read[..sure] == packets[..sure], "{}", at());
                    for (read, packet) in read.iter().zip(&packets) {
                        let same = read.1.len().min(packet.1.len());
                        assert!(read.1[..same] == packet.1[..same], "{}", at());
                        assert_eq!(read.0.key, packet.0.key, "{}", at());
                    }
                }
                let read_to = read.iter().map(|(_, data)| data.len()).sum::<usize>();
                let clean = demuxer.cut().is_none();
                let elementary =
                    !matches!(stream.format, Format::Ivf | Format::Y4m | Format::ObuAnnexB);
                if elementary {
                    assert_eq!(clean, read_to == len, "{}: {:?}", at(), demuxer.cut());
                }
            }
        }
    }
}
