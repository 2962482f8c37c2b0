//! When pictures go out, and with which decoding begins (ITU-T H.264, 8.2.1 and C.4).

use crate::craft::{self, Kind, Picture, Player, Sequence};

fn p(frame_num: u32, order: u32) -> Picture {
    Picture::of(Kind::P, frame_num, order)
}

fn b(frame_num: u32, order: u32) -> Picture {
    Picture::of(Kind::B, frame_num, order)
}

#[test]
fn a_picture_goes_out_once_enough_wait() {
    let mut player = Player::new(Sequence {
        restriction: Some((1, 4)),
        ..Sequence::default()
    });
    player.one(Picture::idr());
    assert_eq!(player.said, "s d0");
    player.one(p(1, 4));
    assert_eq!(player.said, "d1 o0");
    player.one(b(2, 2));
    assert_eq!(player.said, "d2 o2 f2");
    player.one(p(2, 8));
    assert_eq!(player.said, "d3 o1");
    player.finish();
    assert_eq!(player.said, "o3 f0 f1 f3");
}

#[test]
fn what_is_next_in_any_case_goes_out_at_once() {
    let mut player = Player::new(Sequence {
        fields: true,
        ..Sequence::default()
    });
    let pair = |first: Picture, second: Picture| {
        [(first, false), (second, true)].map(|(picture, bottom)| Picture {
            field: Some(bottom),
            ..picture
        })
    };
    player.play(&pair(Picture::idr(), p(0, 1)));
    player.play(&pair(p(1, 2), p(1, 3)));
    player.play(&pair(p(2, 4), p(2, 5)));
    // The first went out since two others wait; the others follow it without a gap.
    assert_eq!(player.said, "d2+ d2 o0 o1 o2");
}

#[test]
fn without_reordering_nothing_waits() {
    for sequence in [
        Sequence {
            order: 2,
            restriction: None,
            ..Sequence::default()
        },
        Sequence {
            restriction: Some((0, 4)),
            ..Sequence::default()
        },
    ] {
        let mut player = Player::new(sequence);
        player.one(Picture::idr());
        assert_eq!(player.said, "s d0 o0");
        player.one(p(1, 2));
        assert_eq!(player.said, "d1 o1");
    }
}

#[test]
fn without_restriction_the_buffer_fills() {
    // Level 1 holds 396 macroblocks, which are 16 frames of 8 at most.
    let mut player = Player::new(Sequence {
        restriction: None,
        ..Sequence::default()
    });
    player.one(Picture::idr());
    for number in 1..16 {
        player.one(p(number, 2 * number));
        assert_eq!(player.output, []);
    }
    player.one(p(0, 32));
    assert_eq!(player.output, [0]);
}

#[test]
fn order_of_cycles_and_of_decoding_is_as_specified() {
    let mut player = Player::new(Sequence {
        order: 1,
        ..Sequence::default()
    });
    let mut orders = Vec::new();
    for picture in [Picture::idr(), p(1, 0), p(2, 0), b(3, 0), p(3, 1)] {
        let params = player.one(picture).params;
        orders.push((params.top_field_order_cnt, params.bottom_field_order_cnt));
    }
    // 0; 4; 10; 10 - 2; 14 + 1. Bottom fields one behind.
    assert_eq!(orders, [(0, 1), (4, 5), (10, 11), (8, 9), (15, 16)]);
    let mut player = Player::new(Sequence {
        order: 2,
        ..Sequence::default()
    });
    let mut orders = Vec::new();
    let not_referred_to = Picture {
        reference: false,
        ..p(2, 0)
    };
    for picture in [Picture::idr(), p(1, 0), not_referred_to, p(2, 0)] {
        orders.push(player.one(picture).params.top_field_order_cnt);
    }
    assert_eq!(orders, [0, 2, 3, 4]);
    for number in 3..18 {
        player.one(p(number % 16, 0));
    }
    assert_eq!(player.one(p(2, 0)).params.top_field_order_cnt, 36);
}

#[test]
fn an_idr_picture_lets_the_others_out_or_not() {
    for (discard, said) in [(false, "o0 o1 f0 f1 d2"), (true, "f0 f1 d2")] {
        let mut player = Player::new(Sequence::default());
        player.one(Picture::idr());
        player.one(p(1, 2));
        player.one(Picture {
            discard,
            ..Picture::idr()
        });
        assert_eq!(player.said, said);
    }
}

#[test]
fn a_change_lets_everything_out_first_and_a_repetition_is_none() {
    let mut player = Player::new(Sequence::default());
    player.one(Picture::idr());
    player.one(Picture::idr());
    assert_eq!(player.said, "o0 f0 d1");
    player.sequence.width_in_mbs = 6;
    player.one(Picture::idr());
    assert_eq!(player.said, "o1 f1 s d2");
    // Elsewhere than at an IDR picture, decoding begins anew.
    player.sequence.refs = 3;
    player.read(&player.sequence.sets());
    assert!(player.play(&[p(1, 2)]).is_empty());
    player.read(&craft::recovery_point(0));
    player.one(p(2, 4));
    assert_eq!(player.said, "o2 f2 d3");
}

#[test]
fn what_is_from_before_the_beginning_is_not_seen() {
    let mut player = Player::new(Sequence::default());
    player.read(&Sequence::default().sets());
    assert!(player.play(&[p(3, 6)]).is_empty(), "it needs others");
    assert_eq!((player.said.as_str(), player.error.take()), ("", None));
    player.one(Picture::of(Kind::I, 4, 20));
    assert_eq!(player.said, "s d0");
    player.one(b(5, 16));
    assert_eq!(player.said, "d1 f1");
    player.one(p(5, 28));
    player.one(b(6, 24));
    player.finish();
    assert_eq!(player.output, [0, 3, 2]);
}

#[test]
fn a_recovery_point_is_a_beginning() {
    let mut player = Player::new(Sequence::default());
    player.read(&Sequence::default().sets());
    player.read(&craft::recovery_point(2));
    let told = player.one(p(7, 14));
    assert_eq!(told.list(), [(0, 3)], "there is nothing but itself");
    for number in 8..11 {
        player.one(p(number, 2 * number));
    }
    player.finish();
    assert_eq!(player.output, [2, 3]);
}

#[test]
fn seeking_forgets_without_output() {
    let mut player = Player::new(Sequence::default());
    player.one(Picture::idr());
    player.one(p(1, 2));
    player.seek();
    assert_eq!(player.said, "f0 f1");
    assert!(player.play(&[p(2, 4)]).is_empty());
    player.one(Picture::idr());
    assert_eq!(player.said, "d2", "parameter sets stay");
}
