//! Files with wrong bytes.

use dmaflow_containers::Format;
use proptest::prelude::*;

use crate::support::{from_file, from_pipe, streams};

/// Reads all there is: no panic, no end that does not come, no packet that is longer than the
/// file.
fn read_all(format: Format, data: &[u8], piped: bool) {
    let opened = if piped {
        from_pipe(format, data)
    } else {
        from_file(format, data)
    };
    let Ok(mut demuxer) = opened else {
        return;
    };
    let mut packets = 0;
    let mut into = Vec::new();
    while let Ok(Some(packet)) = demuxer.next_packet() {
        packets += 1;
        assert!(
            packets <= data.len(),
            "no packet is empty and takes no place"
        );
        assert!(piped || packet.len <= data.len() * 2);
        into.resize(packet.len.min(1 << 20), 0);
        let _refused = demuxer.read(&mut into).is_err();
    }
    if demuxer.seek(3).is_ok() {
        assert!(
            demuxer
                .next_packet()
                .unwrap()
                .is_some_and(|packet| packet.key)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_are_survived(
        which in 0_usize..11,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..12),
        piped in any::<bool>(),
    ) {
        let mut stream = streams().swap_remove(which);
        for (at, bit) in flips {
            let at = at.index(stream.data.len());
            stream.data[at] ^= 1 << bit;
        }
        read_all(stream.format, &stream.data, piped);
    }

    #[test]
    fn any_bytes_are_survived(
        format in 0_usize..Format::ALL.len(),
        data in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        read_all(Format::ALL[format], &data, false);
    }

    #[test]
    fn files_put_together_wrongly_are_survived(
        which in 0_usize..11,
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let stream = streams().swap_remove(which);
        let (from, to) = (from.index(stream.data.len()), to.index(stream.data.len()));
        let mut data = stream.data[..to].to_vec();
        data.extend(&stream.data[from..]);
        read_all(stream.format, &data, false);
    }
}
