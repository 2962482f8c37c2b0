//! Which pictures are references, in which order, and for how long (ITU-T H.264, 8.2.4 and 8.2.5).

use crate::craft::{Kind, Picture, Player, Sequence};

const TOP: u8 = 1;
const BOTTOM: u8 = 2;
const FRAME: u8 = 3;

fn p(frame_num: u32, order: u32) -> Picture {
    Picture::of(Kind::P, frame_num, order)
}

fn b(frame_num: u32, order: u32) -> Picture {
    Picture::of(Kind::B, frame_num, order)
}

/// An IDR picture and three more, 2 apart in output order.
fn four() -> Player {
    let mut player = Player::new(Sequence::default());
    player.one(Picture::idr());
    for number in 1..4 {
        player.one(p(number, 2 * number));
    }
    player
}

#[test]
fn the_newest_come_first_and_the_oldest_slide_out() {
    let mut player = four();
    let active = 4;
    let told = player.one(Picture { active, ..p(4, 8) });
    assert_eq!(
        told.list(),
        [(3, FRAME), (2, FRAME), (1, FRAME), (0, FRAME)]
    );
    let told = player.one(Picture { active, ..p(5, 10) });
    assert_eq!(told.buffer(), [1, 2, 3, 4]);
}

#[test]
fn numbers_wrap() {
    let mut player = four();
    for number in 4..17 {
        player.one(p(number % 16, 2 * number % 64));
    }
    let told = player.one(Picture {
        active: 4,
        ..p(1, 34)
    });
    assert_eq!(
        told.list(),
        [(16, FRAME), (15, FRAME), (14, FRAME), (13, FRAME)]
    );
    let pic_nums: Vec<i32> = told.params.dpb[..4]
        .iter()
        .map(|entry| entry.pic_num.cast_signed())
        .collect();
    assert_eq!(pic_nums, [-3, -2, -1, 0]);
}

#[test]
fn a_b_slice_has_what_is_before_it_and_what_is_behind_it() {
    let mut player = Player::new(Sequence::default());
    player.one(Picture::idr());
    player.one(p(1, 16));
    player.one(p(2, 8));
    let told = player.one(Picture {
        active: 3,
        ..b(3, 4)
    });
    assert_eq!(told.list(), [(0, FRAME), (2, FRAME), (1, FRAME)]);
    assert_eq!(told.list1(), [(2, FRAME), (1, FRAME), (0, FRAME)]);
    // Both would be the same behind all: the first two of list 1 change places.
    let told = player.one(Picture {
        active: 3,
        ..b(3, 20)
    });
    assert_eq!(told.list(), [(1, FRAME), (2, FRAME), (0, FRAME)]);
    assert_eq!(told.list1(), [(2, FRAME), (1, FRAME), (0, FRAME)]);
}

#[test]
fn a_list_is_changed_one_by_one() {
    let mut player = four();
    // 4 - 3 = 1, then 1 + 2 = 3, then 3 + 14 = 17, which is 1 again: it comes twice.
    let modifications = vec![(0, 2), (1, 1), (1, 13)];
    let told = player.one(Picture {
        active: 4,
        modifications,
        ..p(4, 8)
    });
    assert_eq!(
        told.list(),
        [(1, FRAME), (3, FRAME), (1, FRAME), (2, FRAME)]
    );
}

#[test]
fn marking_forgets_and_keeps() {
    let mut player = four();
    // Picture 1 becomes long-term 0, picture 2 is forgotten, and so is the sliding window.
    let marking = vec![(4, vec![2]), (3, vec![2, 0]), (1, vec![1])];
    player.one(Picture { marking, ..p(4, 8) });
    let told = player.one(Picture {
        active: 4,
        ..p(5, 10)
    });
    assert_eq!(told.buffer(), [0, 1, 3, 4]);
    assert_eq!(
        told.list(),
        [(4, FRAME), (3, FRAME), (0, FRAME), (1, FRAME)]
    );
    let long_term = told.params.dpb[1];
    assert_eq!(
        (long_term.flags, long_term.frame_num, long_term.pic_num),
        (7, 0, 0)
    );
    // The picture itself becomes long-term 1; long-term 0 is forgotten.
    let marking = vec![(2, vec![0]), (6, vec![1])];
    player.one(Picture {
        marking,
        ..p(6, 12)
    });
    let modifications = vec![(2, 1)];
    let told = player.one(Picture {
        active: 2,
        modifications,
        ..p(7, 14)
    });
    assert_eq!(told.buffer(), [3, 4, 5, 6]);
    assert_eq!(told.list(), [(6, FRAME), (5, FRAME)]);
    // There are no long-term pictures any more.
    player.one(Picture {
        marking: vec![(4, vec![0])],
        ..p(8, 16)
    });
    assert_eq!(player.one(p(9, 18)).buffer(), [4, 5, 7, 8]);
}

#[test]
fn numbers_begin_anew() {
    let mut player = four();
    player.one(Picture {
        marking: vec![(5, vec![])],
        ..p(4, 8)
    });
    assert_eq!(player.output, [0, 1, 2, 3], "all before are out");
    let told = player.one(p(1, 2));
    assert_eq!(told.buffer(), [4]);
    let entry = told.params.dpb[0];
    assert_eq!((entry.frame_num, entry.top_field_order_cnt), (0, 0));
    assert_eq!(told.params.top_field_order_cnt, 2);
}

#[test]
fn frames_that_are_left_out_take_their_place() {
    let mut player = Player::new(Sequence {
        gaps: true,
        ..Sequence::default()
    });
    player.one(Picture::idr());
    // 1 and 2 are left out.
    let told = player.one(Picture {
        active: 3,
        ..p(3, 6)
    });
    assert_eq!(told.buffer(), [0, 0, 0], "the newest stands in for them");
    let numbers = told.params.dpb.map(|entry| entry.frame_num);
    assert_eq!(numbers[..3], [0, 1, 2]);
    player.one(p(4, 8));
    let told = player.one(p(5, 10));
    assert_eq!(told.buffer(), [0, 0, 1, 2]);
    player.one(p(6, 12));
    assert!(player.said.starts_with("d4 f0"), "{}", player.said);
    // Others than P slices do not see them.
    let told = player.one(Picture {
        active: 4,
        ..b(9, 14)
    });
    assert_eq!(told.buffer(), [3, 4]);
}

#[test]
fn what_stands_in_for_another_stays() {
    let mut player = Player::new(Sequence {
        refs: 1,
        restriction: Some((0, 1)),
        ..Sequence::default()
    });
    player.one(Picture::idr());
    // 1 is lost; there is room for one reference, and 0 stands in for it.
    let told = player.one(p(2, 4));
    assert_eq!(told.buffer(), [0]);
    assert_eq!(player.said, "d1 f0 o1");
}

#[test]
fn a_lost_reference_has_a_neighbour_in_its_place() {
    let mut player = four();
    // 2 is forgotten, and named all the same.
    player.one(Picture {
        marking: vec![(1, vec![1])],
        ..p(4, 8)
    });
    let modifications = vec![(0, 2)];
    let told = player.one(Picture {
        modifications,
        ..p(5, 10)
    });
    assert!(
        matches!(told.list()[..], [(1 | 3, FRAME)]),
        "{:?}",
        told.list()
    );
    assert_eq!(player.error, None);
}

#[test]
fn two_fields_are_one_picture_and_the_second_refers_to_the_first() {
    let mut player = Player::new(Sequence {
        fields: true,
        ..Sequence::default()
    });
    let field = |bottom, picture: Picture| Picture {
        field: Some(bottom),
        ..picture
    };
    let told = player.play(&[field(false, Picture::idr()), field(true, p(0, 1))]);
    assert_eq!(player.said, "s d0+ d0");
    assert_eq!(told[1].list(), [(0, TOP)]);
    let first = told[1].params.dpb[0];
    assert_eq!((first.fields, first.flags, first.pic_num), (TOP, 0xb, 0));
    assert_eq!(told[1].params.bottom_field_order_cnt, 1);
    // In units of their own, the bottom field first.
    let told = player.one(Picture {
        active: 2,
        ..field(true, p(1, 2))
    });
    assert_eq!(player.said, "d1+");
    assert_eq!(told.list(), [(0, BOTTOM), (0, TOP)]);
    let told = player.one(Picture {
        active: 3,
        ..field(false, p(1, 3))
    });
    assert_eq!(player.said, "d1");
    assert_eq!(told.list(), [(0, TOP), (1, BOTTOM), (0, BOTTOM)]);
    // One that stays alone, since the next is a frame, for which it is none.
    player.one(field(false, p(2, 4)));
    let told = player.one(Picture {
        active: 2,
        ..p(3, 6)
    });
    assert_eq!(told.buffer(), [0, 1, 2]);
    assert_eq!(told.list(), [(1, FRAME), (0, FRAME)]);
    // The bottom field of picture 1 is forgotten: 2 * 4 + 1 - 2 * 1 = 7.
    let marking = vec![(1, vec![6])];
    player.play(&[
        Picture {
            marking,
            ..field(false, p(4, 8))
        },
        field(true, p(4, 9)),
    ]);
    let told = player.one(Picture {
        active: 8,
        ..field(true, b(5, 12))
    });
    assert_eq!(
        told.list()[..6],
        [
            (4, BOTTOM),
            (4, TOP),
            (3, BOTTOM),
            (3, TOP),
            (2, TOP),
            (1, TOP)
        ],
    );
    player.finish();
    assert_eq!(player.output, [0, 1, 2, 3, 4, 5]);
}
