//! Several inputs on one display, on real drivers: runs on the virtual board.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::error::Error;
use std::num::NonZeroU32;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Mixer, Source, StageError};
use dmaflow_core::time::{Rate, Timestamp};
use dmaflow_kms_sink::{
    Arrangement, KmsInputConfig, KmsMixer, KmsMixerConfig, PlaneKind, PlaneRequest, displays,
};
use dmaflow_testbed::{Board, DmaBufs, OtherProgram, open_files};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const PIXELS: u64 = 640 * 480;

/// Where the size is of no account, and time is.
const SMALL: (u32, u32) = (320, 240);
const SMALL_PIXELS: u64 = 320 * 240;

fn pool_of(layout: &Layout, frames: usize) -> FramePool {
    let heap = dmaflow_heaps::registry().open("system").unwrap();
    FramePool::allocate(&heap, layout, frames).unwrap()
}

fn pool(width: u32, height: u32) -> FramePool {
    pool_of(&Layout::packed(Format::XRGB8888, width, height).unwrap(), 3)
}

fn input(name: &str) -> KmsInputConfig {
    KmsInputConfig {
        name: name.to_owned(),
        ..KmsInputConfig::default()
    }
}

fn inputs(names: &[&str]) -> Vec<KmsInputConfig> {
    names.iter().map(|name| input(name)).collect()
}

fn placed(name: &str, x: u32, y: u32, width: u32, height: u32, zpos: u32) -> KmsInputConfig {
    KmsInputConfig {
        at: Some((x, y)),
        size: Some((width, height)),
        zpos,
        ..input(name)
    }
}

fn config(inputs: Vec<KmsInputConfig>) -> KmsMixerConfig {
    KmsMixerConfig {
        card: Some("vkms".to_owned()),
        inputs,
        ..KmsMixerConfig::default()
    }
}

fn verified(inputs: Vec<KmsInputConfig>) -> KmsMixerConfig {
    KmsMixerConfig {
        verify: NonZeroU32::new(1),
        ..config(inputs)
    }
}

fn attached(config: KmsMixerConfig, pools: &[&FramePool]) -> KmsMixer {
    let mut mixer = KmsMixer::open(config).unwrap();
    for (input, pool) in pools.iter().enumerate() {
        mixer.attach(input, pool).unwrap();
    }
    mixer
}

/// An error with all that is behind it.
fn whole(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", whole(source)),
        None => error.to_string(),
    }
}

fn counts(mixer: &KmsMixer) -> [u64; 3] {
    let counters = mixer.counters();
    [0, 1, 2].map(|index| counters[index].count)
}

/// A frame whose bytes differ from those of its neighbours and of other frames.
fn drawn(pool: &FramePool, number: u64) -> Frame {
    let mut frame = pool.acquire().unwrap();
    frame.set_meta(FrameMeta {
        sequence: number,
        ..FrameMeta::default()
    });
    let mut bytes = frame.buffers()[0].write(CpuUse::Draw).unwrap();
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in bytes.iter_mut() {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        *byte = state.to_be_bytes()[0];
    }
    drop(bytes);
    frame
}

/// The board, where it is the one for this: profiles differ in what memory cameras take, and here
/// there is none.
fn on_pc(test: &str) -> Option<Board> {
    Board::for_test_on(&["pc"], test)
}

#[test]
fn two_inputs_are_shown_side_by_side_as_they_are() {
    let Some(_board) = on_pc("two_inputs_are_shown_side_by_side_as_they_are") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let (left, right) = (pool(WIDTH, HEIGHT), pool(WIDTH, HEIGHT));
    let mut mixer = attached(verified(inputs(&["left", "right"])), &[&left, &right]);
    let choices = mixer.arrange().unwrap();
    let chosen = |index: usize| choices[index].chosen.as_str();
    assert!(chosen(1).starts_with("`left` on primary ("), "{choices:?}");
    assert!(chosen(2).starts_with("`right` on overlay ("), "{choices:?}");
    assert!(choices.iter().all(|choice| choice.what != "backdrop"));

    for _run in 0..2 {
        let (mut shows, mut flipped) = (Vec::new(), Vec::new());
        let mut show = |mixer: &mut KmsMixer, frames: [Option<Frame>; 2]| {
            let mut frames = frames;
            mixer.ready().unwrap();
            shows.push(mixer.show(&mut frames).unwrap());
            assert!(frames.iter().all(Option::is_none));
        };
        // The right one is late, then both come, then it stalls, and comes again.
        let late = 2;
        for number in 0..late {
            show(&mut mixer, [Some(drawn(&left, number)), None]);
        }
        for number in late..6 {
            let right = drawn(&right, 1000 + number);
            show(&mut mixer, [Some(drawn(&left, number)), Some(right)]);
        }
        for number in 6..10 {
            show(&mut mixer, [Some(drawn(&left, number)), None]);
            assert!(left.free() >= 1, "a frame that was replaced is free");
            assert_eq!(right.free(), 2, "the one on the screen stays");
        }
        show(&mut mixer, [None, Some(drawn(&right, 1010))]);
        mixer.ready().unwrap();
        assert_eq!((left.free(), right.free()), (2, 2));
        mixer.flips(&mut flipped).unwrap();
        assert_eq!(flipped.len(), shows.len(), "each was told of once");
        // Each was in view before the next was committed.
        let in_order = |(flip, next): (&Timestamp, &Timestamp)| flip <= next;
        assert!(flipped.iter().zip(&shows[1..]).all(in_order));
        mixer.stop().unwrap();
        assert_eq!((left.free(), right.free()), (3, 3));
        // Both are compared each time, once the right one is there.
        let compared = late + 2 * 9;
        assert_eq!(counts(&mixer), [compared, compared * PIXELS, 0]);
    }
    drop((mixer, left, right));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn one_altered_pixel_of_one_input_ends_the_run() {
    let Some(_board) = on_pc("one_altered_pixel_of_one_input_ends_the_run") else {
        return;
    };
    let (left, right) = (pool(WIDTH, HEIGHT), pool(WIDTH, HEIGHT));
    let mut mixer = attached(verified(inputs(&["left", "right"])), &[&left, &right]);
    mixer.arrange().unwrap();
    let frame = drawn(&right, 6);
    let kept = frame.clone();
    mixer
        .show(&mut [Some(drawn(&left, 5)), Some(frame)])
        .unwrap();
    // Long enough for the display to write down what it shows.
    thread::sleep(Duration::from_secs(2));
    let at = (7 * WIDTH + 9) * 4 + 1;
    kept.buffers()[0].write(CpuUse::Draw).unwrap()[at as usize] ^= 1;
    let error = whole(&mixer.ready().unwrap_err());
    for part in ["input `right`", "frame 6", "1 of 307200 pixels", "at 9,7"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(counts(&mixer), [2, 2 * PIXELS, 1]);
}

/// Takes what a source sent last; the older ones are let go. `None` when it has ended.
fn newest(source: &Receiver<Frame>) -> Option<Option<Frame>> {
    let mut newest = None;
    loop {
        match source.try_recv() {
            Ok(frame) => newest = Some(frame),
            Err(TryRecvError::Empty) => return Some(newest),
            Err(TryRecvError::Disconnected) => return newest.map(Some),
        }
    }
}

#[test]
fn a_source_that_ends_does_not_hold_up_the_other() {
    let Some(_board) = on_pc("a_source_that_ends_does_not_hold_up_the_other") else {
        return;
    };
    let source = |frames| {
        let mut source = TestSrc::new(TestSrcConfig {
            width: SMALL.0,
            height: SMALL.1,
            rate: Rate::new(10, 1),
            frames: Some(frames),
            ..TestSrcConfig::default()
        });
        let plan = source.configure(Format::XRGB8888).unwrap();
        let pool = pool_of(&plan.layout, 6);
        source.attach(&pool).unwrap();
        (source, pool)
    };
    let (left, right) = (source(40), source(10));
    let pools = [left.1.clone(), right.1.clone()];
    let names = inputs(&["left", "right"]);
    let mut mixer = attached(verified(names), &[&pools[0], &pools[1]]);
    mixer.arrange().unwrap();

    let (mut shown, mut shown_alone) = ([0_u64; 2], 0_u64);
    thread::scope(|scope| {
        let links = [left, right].map(|(mut source, _pool)| {
            let (link, frames) = channel();
            scope.spawn(move || {
                let _stopper = source.start().unwrap();
                while let Some(frame) = source.next_frame().unwrap() {
                    link.send(frame).unwrap();
                }
            });
            frames
        });
        let mut compared = 0;
        let mut on = [false; 2];
        loop {
            mixer.ready().unwrap();
            let newest = links.each_ref().map(newest);
            let ended = newest.each_ref().map(Option::is_none);
            if ended == [true; 2] {
                break;
            }
            let mut frames = newest.map(Option::flatten);
            let new = frames.each_ref().map(Option::is_some);
            if new == [false; 2] {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            mixer.show(&mut frames).unwrap();
            for input in 0..2 {
                shown[input] += u64::from(new[input]);
                on[input] |= new[input];
                compared += u64::from(on[input]);
            }
            shown_alone += u64::from(ended[1]);
        }
        mixer.ready().unwrap();
        assert_eq!(counts(&mixer), [compared, compared * SMALL_PIXELS, 0]);
    });
    assert!(shown.iter().all(|&shown| shown > 0), "{shown:?}");
    assert!(shown_alone >= 3, "{shown:?}, {shown_alone} alone");
    mixer.stop().unwrap();
    assert!(pools.iter().all(|pool| pool.free() == pool.len()));
}

#[test]
fn frames_that_come_too_soon_wait_and_allocate_nothing() {
    let name = "frames_that_come_too_soon_wait_and_allocate_nothing";
    let Some(_board) = on_pc(name) else {
        return;
    };
    let (left, right) = (pool(WIDTH, HEIGHT), pool(WIDTH, HEIGHT));
    let mut mixer = attached(config(inputs(&["left", "right"])), &[&left, &right]);
    mixer.arrange().unwrap();
    let interval = mixer.settles_within().unwrap() * 4 / 5;
    let both = || {
        [
            Some(left.acquire().unwrap()),
            Some(right.acquire().unwrap()),
        ]
    };
    mixer.show(&mut both()).unwrap();
    let (mut shows, mut flipped) = (0_usize, Vec::with_capacity(64));
    mixer.ready().unwrap();
    mixer.flips(&mut flipped).unwrap();

    let region = Region::new(ALLOCATOR);
    for number in 0..30 {
        // Nobody asks whether the display is ready, so that the kernel says EBUSY.
        let mut frames = both();
        frames[1].take_if(|_| number % 3 == 0);
        mixer.show(&mut frames).unwrap();
        shows += 1;
        // The frame in view, and the one that replaces it.
        let in_use = |pool: &FramePool| pool.len() - pool.free();
        assert_eq!(in_use(&left), 2);
        assert_eq!(in_use(&right), if number % 3 == 0 { 1 } else { 2 });
    }
    mixer.ready().unwrap();
    mixer.flips(&mut flipped).unwrap();
    let change = region.change();
    assert_eq!(
        (change.allocations, change.reallocations),
        (0, 0),
        "{change:?}"
    );
    assert_eq!(flipped.len(), shows + 1);
    for pair in flipped.windows(2).skip(1) {
        let apart = pair[1].since(pair[0]).unwrap();
        assert!(apart > interval / 2, "{apart:?} apart");
    }
    // Without a frame nothing is done.
    mixer.show(&mut [None, None]).unwrap();
    mixer.ready().unwrap();
    mixer.flips(&mut flipped).unwrap();
    assert_eq!(flipped.len(), shows + 1);
    let none = mixer.show(&mut [None, None, left.acquire()]).unwrap_err();
    assert!(none.to_string().contains("no input 2 among 2"), "{none}");
    mixer.stop().unwrap();
    assert_eq!((left.free(), right.free()), (3, 3));
}

#[test]
fn pools_of_several_sources_come_by_turns_to_one_input() {
    let name = "pools_of_several_sources_come_by_turns_to_one_input";
    let Some(_board) = on_pc(name) else {
        return;
    };
    let wide = Layout::with_stride(Format::XRGB8888, SMALL.0, SMALL.1, SMALL.0 * 4 + 256).unwrap();
    let (left, right, other) = (
        pool(SMALL.0, SMALL.1),
        pool(SMALL.0, SMALL.1),
        pool_of(&wide, 3),
    );
    let mut mixer = attached(verified(inputs(&["left", "right"])), &[&left, &right]);
    mixer.arrange().unwrap();
    let show = |mixer: &mut KmsMixer, number: u64, pool: &FramePool| {
        mixer.ready().unwrap();
        let mut frames = [Some(drawn(&left, number)), Some(drawn(pool, 100 + number))];
        mixer.show(&mut frames)
    };
    show(&mut mixer, 0, &right).unwrap();
    // A frame of a pool that is not attached, or to another input, is told from ours.
    let unknown = show(&mut mixer, 1, &other).unwrap_err();
    assert!(unknown.to_string().contains("before its pool"), "{unknown}");
    mixer.attach(0, &other).unwrap();
    let unknown = show(&mut mixer, 1, &other).unwrap_err();
    assert!(unknown.to_string().contains("before its pool"), "{unknown}");
    mixer.attach(1, &other).unwrap();
    for number in 1..6 {
        let pool = if number % 2 == 0 { &right } else { &other };
        show(&mut mixer, number, pool).unwrap();
    }
    let unlike = whole(&mixer.attach(1, &pool(160, 120)).unwrap_err());
    assert!(unlike.contains("input `right`"), "{unlike}");
    assert!(unlike.contains("160×120"), "{unlike}");
    mixer.ready().unwrap();
    assert_eq!(counts(&mixer), [12, 12 * SMALL_PIXELS, 0]);
    mixer.detach(1);
    assert_eq!((left.free(), right.free(), other.free()), (3, 3, 3));
    let none = whole(&mixer.arrange().unwrap_err());
    assert!(none.contains("input `right`: no pool"), "{none}");
    let early = mixer.show(&mut [left.acquire(), None]).unwrap_err();
    assert!(early.to_string().contains("arranged"), "{early}");
    // Another size is another arrangement.
    let small = pool(160, 120);
    mixer.attach(1, &small).unwrap();
    mixer.arrange().unwrap();
    let mut frames = [Some(drawn(&left, 7)), Some(drawn(&small, 8))];
    mixer.show(&mut frames).unwrap();
    mixer.ready().unwrap();
    assert_eq!(counts(&mixer), [2, SMALL_PIXELS + 160 * 120, 0]);
}

#[test]
fn places_are_kept_cut_and_covered_as_they_were_said() {
    let name = "places_are_kept_cut_and_covered_as_they_were_said";
    let Some(_board) = on_pc(name) else {
        return;
    };
    let custom = |inputs| KmsMixerConfig {
        arrangement: Arrangement::Custom,
        mode: "1280x720".parse().unwrap(),
        ..verified(inputs)
    };
    let pools = [pool(WIDTH, HEIGHT), pool(WIDTH, HEIGHT), pool(320, 240)];
    let pools: Vec<_> = pools.iter().collect();
    // The first lies above the second, the second is cut, the third lies above both.
    let mut mixer = attached(
        custom(vec![
            placed("upper", 100, 50, WIDTH, HEIGHT, 1),
            placed("cut", 600, 60, 400, 300, 0),
            // As large as the picture is.
            KmsInputConfig {
                size: None,
                ..placed("top", 640, 200, 1, 1, 2)
            },
        ]),
        &pools,
    );
    let choices = mixer.arrange().unwrap();
    assert!(
        choices[1].chosen.ends_with("unscaled 640x480 at 100,50"),
        "{choices:?}"
    );
    assert!(
        choices[2]
            .chosen
            .ends_with("400x300 at 120,90 of 640x480, unscaled 400x300 at 600,60"),
        "{choices:?}"
    );
    for number in 0..4 {
        mixer.ready().unwrap();
        let draw = |(index, pool): (u64, &&FramePool)| Some(drawn(pool, index * 100 + number));
        let mut frames: Vec<_> = (0..).zip(&pools).map(draw).collect();
        if number == 0 {
            // What is not there yet covers nothing.
            frames[2] = None;
        }
        mixer.show(&mut frames).unwrap();
    }
    mixer.ready().unwrap();
    let (upper, cut, top) = (PIXELS, 400 * 300, 320 * 240);
    let upper_over_cut = 140 * 300;
    // `top` covers 100 columns of `upper` there, and 320 of `cut`, of which `upper` covers 100.
    let first = upper + cut - upper_over_cut;
    let top_over_upper = 100 * 240;
    let top_over_cut_alone = 220 * 160;
    let later = first + top - top_over_upper - top_over_cut_alone;
    assert_eq!(counts(&mixer), [11, first + 3 * later, 0]);
    drop(mixer);

    let refused = |inputs: Vec<KmsInputConfig>| {
        let mut mixer = attached(custom(inputs), &pools[..2]);
        whole(&mixer.arrange().unwrap_err())
    };
    let outside = refused(vec![input("a"), placed("b", 1000, 0, 300, 200, 0)]);
    assert!(
        outside.contains("input `a`: it is not said where"),
        "{outside}"
    );
    let a = placed("a", 0, 0, WIDTH, HEIGHT, 0);
    let outside = refused(vec![a, placed("b", 1000, 0, 300, 200, 0)]);
    assert!(
        outside.contains("input `b`: its place, 300x200 at 1000,0"),
        "{outside}"
    );
    assert!(outside.contains("1280x720"), "{outside}");
}

#[test]
fn inputs_lie_on_a_black_picture_where_it_is_wanted() {
    let name = "inputs_lie_on_a_black_picture_where_it_is_wanted";
    let Some(_board) = on_pc(name) else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let (left, right) = (pool(SMALL.0, SMALL.1), pool(SMALL.0, SMALL.1));
    let with_backdrop = |inputs| KmsMixerConfig {
        backdrop: true,
        ..verified(inputs)
    };
    let mut mixer = attached(with_backdrop(inputs(&["left", "right"])), &[&left, &right]);
    let choices = mixer.arrange().unwrap();
    let chosen = |index: usize| choices[index].chosen.as_str();
    assert!(chosen(1).starts_with("`left` on overlay ("), "{choices:?}");
    assert!(chosen(2).starts_with("`right` on overlay ("), "{choices:?}");
    assert_eq!(choices[3].what, "backdrop");
    assert!(chosen(3).starts_with("black, on primary ("), "{choices:?}");
    for number in 0..4 {
        mixer.ready().unwrap();
        let mut frames = [
            Some(drawn(&left, number)),
            Some(drawn(&right, 100 + number)),
        ];
        frames[0].take_if(|_| number == 0);
        mixer.show(&mut frames).unwrap();
    }
    mixer.stop().unwrap();
    assert_eq!(counts(&mixer), [7, 7 * SMALL_PIXELS, 0]);
    drop(mixer);

    let primary = KmsInputConfig {
        plane: Some(PlaneRequest::Primary),
        ..input("right")
    };
    let mut mixer = attached(
        with_backdrop(vec![input("left"), primary]),
        &[&left, &right],
    );
    let refused = mixer.arrange().unwrap_err().to_string();
    assert!(
        refused.contains("linear) goes on none that is free"),
        "{refused}"
    );
    drop((mixer, left, right));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

/// The planes of a driver's first card that pictures may be put on.
fn planes(driver: &str) -> usize {
    let cards = displays().into_iter().filter_map(|card| card.card.ok());
    let card = cards
        .into_iter()
        .find(|card| card.driver == driver)
        .unwrap();
    let usable = |kind: PlaneKind| kind != PlaneKind::Cursor;
    card.planes
        .iter()
        .filter(|plane| usable(plane.kind))
        .count()
}

#[test]
fn there_are_as_many_inputs_as_planes() {
    let Some(_board) = on_pc("there_are_as_many_inputs_as_planes") else {
        return;
    };
    let planes = planes("vkms");
    assert!(planes >= 2, "an overlay plane is there");
    let named = |count: usize| -> Vec<_> {
        (0..count)
            .map(|number| input(&format!("in-{number}")))
            .collect()
    };
    let pools: Vec<_> = (0..=planes).map(|_| pool(160, 120)).collect();
    let pools: Vec<_> = pools.iter().collect();
    let mut mixer = attached(verified(named(planes)), &pools[..planes]);
    mixer.arrange().unwrap();
    for number in 0..4 {
        mixer.ready().unwrap();
        let draw = |(index, pool): (u64, &&FramePool)| Some(drawn(pool, index * 100 + number));
        let mut frames: Vec<_> = (0..).zip(&pools[..planes]).map(draw).collect();
        mixer.show(&mut frames).unwrap();
    }
    mixer.ready().unwrap();
    let compared = 4 * u64::try_from(planes).unwrap();
    assert_eq!(counts(&mixer), [compared, compared * 160 * 120, 0]);
    drop(mixer);

    let mut mixer = attached(verified(named(planes + 1)), &pools);
    let refused = mixer.arrange().unwrap_err();
    assert!(matches!(refused, StageError::Failed(_)));
    let refused = refused.to_string();
    let last = format!("`in-{planes}` (160×120 XRGB8888");
    for part in ["vkms (/dev/dri/", &last, "overlay (", "show fewer inputs"] {
        assert!(refused.contains(part), "{refused}");
    }
    drop(mixer);

    let primary = |name: &str| KmsInputConfig {
        plane: Some(PlaneRequest::Primary),
        ..input(name)
    };
    let mut mixer = attached(verified(vec![primary("a"), primary("b")]), &pools[..2]);
    let refused = mixer.arrange().unwrap_err().to_string();
    assert!(
        refused.contains("`b` (160×120 XRGB8888 linear) goes on primary ("),
        "{refused}"
    );
}

#[test]
fn a_display_with_one_plane_says_that_it_has_one() {
    let Some(_board) = on_pc("a_display_with_one_plane_says_that_it_has_one") else {
        return;
    };
    let monitor = displays().into_iter().find_map(|card| {
        let card = card.card.ok()?;
        (card.driver != "vkms").then_some(card.driver)
    });
    let monitor = monitor.expect("this board has a monitor");
    assert_eq!(planes(&monitor), 1);
    let pools = [pool(160, 120), pool(160, 120)];
    let config = KmsMixerConfig {
        card: Some(monitor.clone()),
        ..config(inputs(&["left", "right"]))
    };
    let mut mixer = attached(config, &[&pools[0], &pools[1]]);
    let refused = mixer.arrange().unwrap_err().to_string();
    for part in [
        &monitor,
        "no plane for each of 2 inputs",
        "`right`",
        "its planes are primary (",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
}

#[test]
fn what_another_program_showed_is_put_back() {
    let Some(_board) = on_pc("what_another_program_showed_is_put_back") else {
        return;
    };
    let other = OtherProgram::showing_on("vkms");
    let lit = other.lit();
    assert!(lit.mode.is_some(), "the other program shows something");
    let on = |lit: &dmaflow_testbed::Lit| {
        let planes = lit.planes.iter();
        planes
            .filter(|(_plane, crtc, _picture)| crtc.is_some())
            .count()
    };

    let (left, right) = (pool(WIDTH, HEIGHT), pool(WIDTH, HEIGHT));
    let run = |mixer: &mut KmsMixer| {
        mixer.arrange().unwrap();
        for _frame in 0..5 {
            mixer.ready().unwrap();
            let mut frames = [
                Some(left.acquire().unwrap()),
                Some(right.acquire().unwrap()),
            ];
            mixer.show(&mut frames).unwrap();
        }
        assert_ne!(other.lit(), lit);
        assert_eq!(on(&other.lit()), 2);
    };
    let open = || attached(config(inputs(&["left", "right"])), &[&left, &right]);
    let mut mixer = open();
    run(&mut mixer);
    mixer.stop().unwrap();
    assert_eq!(other.lit(), lit);
    run(&mut mixer);
    drop(mixer);
    assert_eq!(other.lit(), lit);
    thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            run(&mut open());
            panic!("as if a stage had a bug");
        });
        assert!(panicking.join().is_err());
    });
    assert_eq!(other.lit(), lit);
    assert_eq!((left.free(), right.free()), (3, 3));
}
