//! Access units that no encoder here makes.

use dmaflow_containers::Format;

use crate::support::{all, from_file, from_pipe};

/// Writes bits, the most significant first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn u(mut self, count: u32, value: u32) -> Self {
        self.0
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn ue(self, value: u32) -> Self {
        let bits = 32 - (value + 1).leading_zeros();
        self.u(bits - 1, 0).u(bits, value + 1)
    }

    /// Behind a start code and the header of a NAL unit.
    fn nal(self, first: u8) -> Vec<u8> {
        let mut nal = vec![0, 0, 0, 1, first];
        let with_stop = self.u(1, 1);
        for bits in with_stop.0.chunks(8) {
            let byte = bits
                .iter()
                .enumerate()
                .fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at));
            let [.., before, last] = nal[..] else {
                unreachable!("it has a header");
            };
            if (before, last) == (0, 0) && byte <= 3 && nal.len() > 5 {
                nal.push(3);
            }
            nal.push(byte);
        }
        nal
    }
}

/// Baseline, frame_num of 4 bits, pic_order_cnt of 4 bits, fields allowed, 4x4 macroblocks.
fn sps() -> Vec<u8> {
    let bits = Bits::default().u(8, 77).u(8, 0).u(8, 30).ue(0);
    bits.ue(0)
        .ue(0)
        .ue(0)
        .ue(1)
        .u(1, 0)
        .ue(3)
        .ue(1)
        .u(1, 0)
        .u(1, 0)
        .nal(0x67)
}

/// bottom_field_pic_order_in_frame_present and redundant_pic_cnt_present.
fn pps() -> Vec<u8> {
    let bits = Bits::default().ue(0).ue(0).u(1, 0).u(1, 1).ue(0);
    bits.ue(0)
        .ue(0)
        .u(3, 0)
        .ue(0)
        .ue(0)
        .ue(0)
        .u(2, 0)
        .u(1, 1)
        .nal(0x68)
}

struct Slice {
    first: u8,
    first_mb: u32,
    frame_num: u32,
    /// Of a field: whether it is the bottom one.
    field: Option<bool>,
    order: u32,
    redundant: u32,
}

const FRAME: Slice = Slice {
    first: 0x41,
    first_mb: 0,
    frame_num: 1,
    field: None,
    order: 2,
    redundant: 0,
};

impl Slice {
    fn nal(&self) -> Vec<u8> {
        let mut bits = Bits::default()
            .ue(self.first_mb)
            .ue(5)
            .ue(0)
            .u(4, self.frame_num);
        bits = match self.field {
            None => bits.u(1, 0),
            Some(bottom) => bits.u(1, 1).u(1, bottom.into()),
        };
        if self.first & 0x1f == 5 {
            bits = bits.ue(0);
        }
        bits = bits.u(4, self.order);
        if self.field.is_none() {
            bits = bits.ue(0);
        }
        bits.ue(self.redundant)
            .u(32, 0xaaaa_aaaa)
            .u(32, 0x5555_5555)
            .nal(self.first)
    }
}

/// The lengths of packets, in NAL units.
fn groups(nals: &[Vec<u8>]) -> Vec<usize> {
    let stream = nals.concat();
    let mut demuxer = from_file(Format::H264, &stream).unwrap();
    let (packets, end) = all(&mut *demuxer);
    assert!(end.is_ok());
    assert!(from_pipe(Format::H264, &stream).is_ok_and(|mut piped| all(&mut *piped).0 == packets));
    let mut nals = nals.iter().map(Vec::len);
    let group = |(packet, _): &(dmaflow_containers::Packet, Vec<u8>)| {
        let mut len = 0;
        let mut count = 0;
        while len < packet.len {
            len += nals.next().unwrap();
            count += 1;
        }
        assert_eq!(len, packet.len, "packets end where NAL units do");
        count
    };
    packets.iter().map(group).collect()
}

const AUD: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];
const SEI: [u8; 9] = [0, 0, 0, 1, 6, 5, 1, 0xaa, 0x80];

fn idr() -> Vec<u8> {
    Slice {
        first: 0x65,
        frame_num: 0,
        order: 0,
        ..FRAME
    }
    .nal()
}

#[test]
fn slices_of_one_picture_stay_together_in_whatever_order_they_come() {
    let slice = |first_mb| Slice { first_mb, ..FRAME }.nal();
    let next = Slice {
        frame_num: 2,
        order: 4,
        first_mb: 8,
        ..FRAME
    };
    // The slices of a picture in arbitrary order: no macroblock tells.
    let nals = [
        sps(),
        pps(),
        idr(),
        slice(8),
        slice(0),
        slice(4),
        next.nal(),
    ];
    assert_eq!(groups(&nals), [3, 3, 1]);
    // The same frame_num, another order count: pictures that are no references.
    let b = |order| {
        Slice {
            first: 0x01,
            order,
            ..FRAME
        }
        .nal()
    };
    assert_eq!(
        groups(&[sps(), pps(), idr(), b(2), b(4), b(6)]),
        [3, 1, 1, 1]
    );
    // A reference behind one that is none.
    let reference = Slice { ..FRAME }.nal();
    assert_eq!(groups(&[sps(), pps(), idr(), b(2), reference]), [3, 1, 1]);
}

#[test]
fn redundant_slices_belong_to_their_picture() {
    let redundant = Slice {
        redundant: 1,
        ..FRAME
    }
    .nal();
    assert_eq!(
        groups(&[sps(), pps(), idr(), FRAME.nal(), redundant, FRAME.nal()]),
        [3, 3]
    );
}

#[test]
fn what_stands_before_a_picture_goes_with_it() {
    let (aud, sei) = (AUD.to_vec(), SEI.to_vec());
    let next = Slice {
        frame_num: 2,
        order: 4,
        ..FRAME
    }
    .nal();
    let nals = [
        aud.clone(),
        sps(),
        pps(),
        sei.clone(),
        idr(),
        aud.clone(),
        sei.clone(),
        FRAME.nal(),
        pps(),
        next,
    ];
    assert_eq!(groups(&nals), [5, 3, 2]);
    // SEI between slices of one picture does not divide them.
    let second = Slice {
        first_mb: 4,
        ..FRAME
    }
    .nal();
    assert_eq!(
        groups(&[sps(), pps(), idr(), FRAME.nal(), sei, second]),
        [3, 3]
    );
}

#[test]
fn two_fields_of_a_frame_are_one_packet() {
    let field = |frame_num, bottom| {
        Slice {
            frame_num,
            field: Some(bottom),
            order: frame_num * 2 + u32::from(bottom),
            ..FRAME
        }
        .nal()
    };
    let (aud, sei) = (AUD.to_vec(), SEI.to_vec());
    let nals = [
        sps(),
        pps(),
        idr(),
        aud.clone(),
        field(1, false),
        aud.clone(),
        sei,
        field(1, true),
        aud.clone(),
        field(2, true),
        field(2, false),
        // One field without another, then a pair.
        field(3, false),
        field(4, false),
        aud,
        field(4, true),
    ];
    assert_eq!(groups(&nals), [3, 5, 3, 1, 3]);
}

#[test]
fn without_parameter_sets_the_first_macroblock_tells() {
    let slice = |first_mb| Slice { first_mb, ..FRAME }.nal();
    assert_eq!(
        groups(&[slice(0), slice(4), slice(0), slice(4), slice(0)]),
        [2, 2, 1]
    );
}
