//! What was there before it was asked for.

use dmaflow_containers::before::{Before, KeepBefore};
use dmaflow_containers::{ContainerError, Format, Muxer, Packet};
use proptest::prelude::*;

/// Keeps what is written, up to a number of packets.
#[derive(Debug, Default)]
struct Kept(Vec<(Packet, Vec<u8>)>, Option<usize>);

impl Muxer for Kept {
    fn format(&self) -> Format {
        Format::Raw
    }

    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        if self.1.is_some_and(|most| self.0.len() >= most) {
            return Err(ContainerError::Broken { written: 0 });
        }
        self.0.push((*packet, pieces.concat()));
        Ok(())
    }

    fn written(&self) -> u64 {
        0
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        Ok(())
    }
}

fn packet(number: usize, key: bool, len: usize) -> Packet {
    let time = i64::try_from(number).unwrap() * 10;
    Packet {
        len,
        presented: time,
        decoded: time,
        duration: 10,
        key,
        offset: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_begins_with_a_key_and_is_the_last_there_was(
        bytes in 0_usize..400,
        duration in 0_u64..200,
        packets in prop::collection::vec((any::<bool>(), 0_usize..120), 0..60),
    ) {
        let mut before = Before::new(KeepBefore { bytes, duration });
        let mut model: Vec<(Packet, Vec<u8>)> = Vec::new();
        for (number, (key, len)) in packets.into_iter().enumerate() {
            let data: Vec<u8> = (0..len).map(|at| u8::try_from((at * 7 + number) % 251).unwrap()).collect();
            let packet = packet(number, key, len);
            let third = len / 3;
            before.push(&packet, &[&data[..third], &[], &data[third..]]);
            // The same, more simply: let go from the front until it fits.
            let used = |model: &[(Packet, Vec<u8>)]| model.iter().map(|(_, data)| data.len()).sum::<usize>();
            while !model.is_empty() && used(&model) + len > bytes {
                let next = model.iter().skip(1).position(|(packet, _)| packet.key);
                model.drain(..next.map_or(model.len(), |next| next + 1));
            }
            if len <= bytes && (key || !model.is_empty()) {
                model.push((packet, data));
            }
            while let Some(next) = model.iter().skip(1).position(|(packet, _)| packet.key)
                && model[next + 1].0.decoded <= packet.decoded - i64::try_from(duration).unwrap()
            {
                model.drain(..=next);
            }
            prop_assert_eq!((before.len(), before.bytes()), (model.len(), used(&model)));
            prop_assert!(before.bytes() <= bytes);
        }
        prop_assert!(model.first().is_none_or(|(packet, _)| packet.key));
        let half = model.len() / 2;
        let mut kept = Kept(Vec::new(), Some(half));
        if !model.is_empty() {
            prop_assert!(before.drain(&mut kept).is_err());
            prop_assert_eq!(&kept.0[..], &model[..half]);
            model.drain(..=half);
        }
        let mut rest = Kept::default();
        before.drain(&mut rest).unwrap();
        prop_assert_eq!(rest.0, model);
        prop_assert!(before.is_empty() && before.bytes() == 0);
    }
}

#[test]
fn what_is_let_go_before_its_time_is_counted() {
    let keep = KeepBefore {
        bytes: 100,
        duration: 1000,
    };
    let mut before = Before::new(keep);
    before.push(&packet(0, false, 10), &[&[0; 10]]);
    assert_eq!((before.len(), before.dropped()), (0, 1));
    for number in 1..=5 {
        before.push(&packet(number, number % 2 == 1, 25), &[&[0; 25]]);
    }
    // The first two made room for the fifth.
    assert_eq!(
        (before.len(), before.dropped(), before.duration()),
        (3, 3, 20)
    );
    // One that never fits costs all: what follows could not be decoded without it.
    before.push(&packet(6, true, 101), &[&[0; 101]]);
    assert_eq!((before.len(), before.dropped()), (0, 7));
}
