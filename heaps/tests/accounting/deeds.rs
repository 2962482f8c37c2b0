//! What clients and others may do, in any order.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Connect {
        uid: u32,
    },
    Allocate {
        client: usize,
        len: u64,
        label: u8,
    },
    Wrong {
        client: usize,
        align: u64,
        flags: u64,
    },
    Release {
        client: usize,
        buffer: usize,
        keep: bool,
    },
    NotTheirs {
        client: usize,
    },
    Garbage {
        client: usize,
        bytes: Vec<u8>,
    },
    HangUp {
        client: usize,
        keep: usize,
    },
    LetGo {
        buffer: usize,
    },
    Look,
    Stats {
        client: usize,
    },
    Full {
        is_full: bool,
    },
}

pub(crate) fn deeds() -> impl Strategy<Value = Deed> {
    let client = || 0..12_usize;
    prop_oneof![
        3 => (0..4_u32).prop_map(|uid| Deed::Connect { uid }),
        12 => (client(), 0..5 * 4096_u64, any::<u8>())
            .prop_map(|(client, len, label)| Deed::Allocate { client, len, label }),
        1 => (client(), any::<u64>(), 0..2_u64)
            .prop_map(|(client, align, flags)| Deed::Wrong { client, align, flags }),
        6 => (client(), 0..8_usize, any::<bool>())
            .prop_map(|(client, buffer, keep)| Deed::Release { client, buffer, keep }),
        1 => client().prop_map(|client| Deed::NotTheirs { client }),
        1 => (client(), prop::collection::vec(any::<u8>(), 0..140))
            .prop_map(|(client, bytes)| Deed::Garbage { client, bytes }),
        2 => (client(), 0..4_usize).prop_map(|(client, keep)| Deed::HangUp { client, keep }),
        3 => (0..8_usize).prop_map(|buffer| Deed::LetGo { buffer }),
        2 => Just(Deed::Look),
        1 => client().prop_map(|client| Deed::Stats { client }),
        1 => any::<bool>().prop_map(|is_full| Deed::Full { is_full }),
    ]
}
