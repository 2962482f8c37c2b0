//! Files with wrong bytes.

use proptest::prelude::*;

use crate::support::{SAMPLES, open};

/// Reads all there is: no panic, no end that does not come, no packet that is longer than the
/// file.
fn survive(data: &[u8]) {
    let Ok(mut demuxer) = open(data) else {
        return;
    };
    let mut packets = 0;
    let mut into = vec![0; 1 << 16];
    while let Ok(Some(packet)) = demuxer.next_packet() {
        packets += 1;
        // Tables may say that some lie in others.
        assert!(packets <= 4 * data.len());
        assert!(packet.len > 0 && packet.len <= 4 * data.len() + 4);
        let _refused = demuxer.read(&mut into).is_err();
    }
    for time in [i64::MIN, 3, i64::MAX] {
        if demuxer.seek(time).is_ok() {
            let found = demuxer.next_packet();
            assert!(found.is_err() || found.unwrap().is_some_and(|packet| packet.key));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_are_survived(
        which in 0..SAMPLES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..12),
    ) {
        let mut data = SAMPLES[which].bytes.to_vec();
        for (at, bit) in flips {
            let at = at.index(data.len());
            data[at] ^= 1 << bit;
        }
        survive(&data);
    }

    #[test]
    fn files_put_together_wrongly_are_survived(
        which in 0..SAMPLES.len(),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let bytes = SAMPLES[which].bytes;
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let mut data = bytes[..to].to_vec();
        data.extend(&bytes[from..]);
        survive(&data);
    }
}
