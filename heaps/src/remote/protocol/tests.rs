use super::*;
use dmaflow_core::Errno;
use dmaflow_core::heap::{Budget, Contiguity, HeapInfo, Usage};
use proptest::prelude::*;

fn labels() -> impl Strategy<Value = Label> {
    "\\PC{0,80}".prop_map(|text| Label::new(&text))
}

fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![
        labels().prop_map(|program| Ask::Hello { program }),
        (any::<u64>(), any::<u64>(), any::<u64>(), labels()).prop_map(
            |(len, align, flags, label)| Ask::Allocate {
                len,
                align,
                flags,
                label
            }
        ),
        any::<u64>().prop_map(|id| Ask::Release { id }),
        Just(Ask::Available),
        any::<u32>().prop_map(|line| Ask::Stats { line }),
    ]
}

fn figures() -> impl Strategy<Value = Figures> {
    let whose = prop_oneof![
        labels().prop_map(|name| Whose::Heap { name }),
        any::<u32>().prop_map(|uid| Whose::User { uid }),
        (any::<u32>(), any::<u32>(), labels()).prop_map(|(uid, pid, program)| Whose::Client {
            uid,
            pid,
            program
        }),
        (any::<u32>(), any::<u32>(), labels()).prop_map(|(uid, pid, label)| Whose::Pipeline {
            uid,
            pid,
            label
        }),
    ];
    let limit = || prop::option::of(0..u64::MAX);
    (whose, any::<[u64; 7]>(), limit(), limit()).prop_map(|(whose, n, bytes, buffers)| Figures {
        whose,
        usage: Usage {
            live: n[0],
            peak: n[1],
            total: n[2],
            failed: n[3],
            live_bytes: n[4],
            peak_bytes: n[5],
        },
        budget: Budget { bytes, buffers },
        lingering: n[6],
    })
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(serial in 1_u32.., ask in asks()) {
        let request = Request { serial, ask };
        prop_assert_eq!(Request::parse(&request.encode()), Ok(request));
    }

    #[test]
    fn a_line_is_read_as_it_was_written(serial in 1_u32.., figures in figures()) {
        let outcome = Ok(Answer::Stats(Some(figures.clone())));
        let reply = Reply { serial, kind: Kind::Stats, outcome };
        let read = Reply::parse(&reply.encode()).unwrap();
        prop_assert_eq!((read.serial, read.kind), (serial, Kind::Stats));
        match read.outcome {
            Ok(Answer::Stats(Some(seen))) => prop_assert_eq!(seen, figures),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_refusal_keeps_its_number_and_as_much_of_its_reason_as_fits(
        serial: u32, number in 1..133, reason in "\\PC{0,400}",
    ) {
        let errno = Errno::from_raw(number);
        prop_assume!(errno != Errno::UnknownErrno);
        let refusal = Refusal { errno, reason: reason.clone() };
        let reply = Reply { serial, kind: Kind::Allocate, outcome: Err(refusal) };
        let read = Reply::parse(&reply.encode()).unwrap().outcome.unwrap_err();
        prop_assert_eq!(read.errno, errno);
        prop_assert!(reason.starts_with(&read.reason));
        prop_assert!(read.reason.len() + 4 > reason.len().min(238));
    }

    #[test]
    fn any_bytes_are_a_message_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Request::parse(&bytes).is_err());
        prop_assert!(Reply::parse(&bytes).is_err());
    }

    /// Whatever one changed byte makes of a message, only one reading of it remains.
    #[test]
    fn what_is_read_is_written_the_same(
        ask in asks(), at in 0..REQUEST_LEN, byte: u8,
    ) {
        let mut bytes = Request { serial: 7, ask }.encode();
        bytes[at] = byte;
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(request.encode(), bytes);
        }
    }
}

#[test]
fn a_heap_is_told_whole() {
    let told = HeapInfo {
        contiguity: Contiguity::Pieces(std::num::NonZeroU64::new(2 << 20).unwrap()),
        alignment: 2 << 20,
        cached: Some(true),
        protected: true,
        importable: false,
        vmap: false,
        zeroed: false,
        largest: Some(8 << 20),
        total: None,
        ..HeapInfo::new("camera")
    };
    let reply = Reply {
        serial: 1,
        kind: Kind::Hello,
        outcome: Ok(Answer::Hello(told.clone())),
    };
    let Ok(Answer::Hello(read)) = Reply::parse(&reply.encode()).unwrap().outcome else {
        panic!("not what was said");
    };
    assert_eq!(format!("{read:?}"), format!("{told:?}"));
}

/// The messages as bytes: other programs may speak this too, so that they stay as they are.
#[test]
fn the_wire_stays_as_it_is() {
    let ask = Ask::Allocate {
        len: 0x1122,
        align: 64,
        flags: 0,
        label: Label::new("ab"),
    };
    let bytes = Request { serial: 5, ask }.encode();
    let mut expected = b"dmfh\x01\x00\x02\x00\x05\x00\x00\x00\x00\x00\x00\x00".to_vec();
    expected.extend([0x22, 0x11, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 2, 0, b'a', b'b']);
    expected.resize(REQUEST_LEN, 0);
    assert_eq!(bytes.to_vec(), expected);
    let outcome = Ok(Answer::Allocated { len: 4096, id: 9 });
    let kind = Kind::Allocate;
    let serial = 5;
    let bytes = Reply {
        serial,
        kind,
        outcome,
    }
    .encode();
    assert_eq!(
        bytes[..24],
        *b"dmfh\x01\x00\x02\x00\x05\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0"
    );
    assert_eq!(bytes[24..32], *b"\x09\0\0\0\0\0\0\0");
}

#[test]
fn what_is_no_message_is_told_why() {
    let good = Request {
        serial: 1,
        ask: Ask::Available,
    }
    .encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        Request::parse(&bytes).unwrap_err()
    };
    assert_eq!(with(0, b'D'), Malformed::Magic);
    assert_eq!(with(4, 2), Malformed::Version { theirs: 2 });
    assert_eq!(with(6, 99), Malformed::Kind(99));
    assert_eq!(with(8, 0), Malformed::Field("serial"));
    assert_eq!(with(12, 1), Malformed::Unused);
    assert_eq!(with(127, 1), Malformed::Unused);
    for half in [0, 1, 64, 127, 129] {
        let mut bytes = good.to_vec();
        bytes.resize(half, 0);
        assert!(matches!(
            Request::parse(&bytes),
            Err(Malformed::Length { .. })
        ));
    }
    assert!(Malformed::Version { theirs: 2 }.to_string().contains('2'));
}

#[test]
fn a_label_can_be_shown() {
    assert_eq!(Label::new("a\x1b[31m\nb\0").as_str(), "a[31mb");
    assert_eq!(Label::new(&"ä".repeat(40)).as_str().len(), 62);
    let mut bytes = Request {
        serial: 1,
        ask: Ask::Hello {
            program: Label::new("ab"),
        },
    }
    .encode();
    bytes[18] = 0x1b;
    assert_eq!(Request::parse(&bytes), Err(Malformed::Text));
    bytes[18] = 0xff;
    assert_eq!(Request::parse(&bytes), Err(Malformed::Text));
    bytes[16] = 64;
    assert_eq!(Request::parse(&bytes), Err(Malformed::Text));
}
