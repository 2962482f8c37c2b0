//! The display sink on real drivers: runs on the virtual board.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Sink, StageError};
use dmaflow_core::time::Timestamp;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig, KmsSinkError, PlaneRequest, displays};
use dmaflow_testbed::{Board, DmaBufs, OtherProgram, open_files};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
/// Of vkms, 60 times a second.
const REFRESH: Duration = Duration::from_millis(17);

fn pool(heap: &str, format: Format) -> FramePool {
    let layout = Layout::packed(format, WIDTH, HEIGHT).unwrap();
    let heap = dmaflow_heaps::registry().open(heap).unwrap();
    FramePool::allocate(&heap, &layout, 3).unwrap()
}

fn vkms(verify: Option<NonZeroU32>) -> KmsSink {
    KmsSink::open(KmsSinkConfig {
        card: Some("vkms".to_owned()),
        verify,
        ..KmsSinkConfig::default()
    })
    .unwrap()
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

/// Whether a frame was seen after its commit. vkms stamps a flip with the time at which its timer
/// was to expire, less than a refresh ago: where the machine lets that wait, a commit comes between
/// the two.
fn is_after(flip: Timestamp, commit: Timestamp) -> bool {
    commit.since(flip).is_none_or(|early| early < REFRESH)
}

#[test]
fn every_frame_is_shown_as_it_is() {
    let Some(_board) = Board::for_test("every_frame_is_shown_as_it_is") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let pool = pool("system", Format::XRGB8888);
    let mut sink = vkms(NonZeroU32::new(2));
    sink.attach(&pool).unwrap();
    for _run in 0..2 {
        let (mut committed, mut flipped) = (Vec::new(), Vec::new());
        for number in 0..11 {
            sink.ready().unwrap();
            sink.flips(&mut flipped).unwrap();
            assert_eq!(flipped.len(), committed.len(), "each was told of once");
            committed.push(sink.show(drawn(&pool, number)).unwrap());
        }
        let mut frames = committed.iter().zip(&flipped);
        assert!(frames.all(|(committed, flipped)| is_after(*flipped, *committed)));
        sink.stop().unwrap();
        assert_eq!(pool.free(), pool.len());
        let counts: Vec<_> = sink
            .counters()
            .iter()
            .map(|counter| counter.count)
            .collect();
        assert_eq!(counts, [6, 6 * u64::from(WIDTH * HEIGHT), 0]);
    }
    drop((sink, pool));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn a_frame_that_comes_too_soon_waits_and_one_that_is_replaced_is_free() {
    let name = "a_frame_that_comes_too_soon_waits_and_one_that_is_replaced_is_free";
    let Some(_board) = Board::for_test(name) else {
        return;
    };
    let pool = pool("system", Format::XRGB8888);
    let mut sink = vkms(None);
    sink.attach(&pool).unwrap();
    let interval = sink.settles_within().unwrap() * 4 / 5;
    let (mut committed, mut flipped) = (Vec::new(), Vec::new());
    for number in 0..20 {
        // Nobody asks whether the display is ready, so that the kernel says EBUSY.
        committed.push(sink.show(pool.acquire().unwrap()).unwrap());
        // The frame in view, and the one that replaces it.
        assert_eq!(pool.len() - pool.free(), 2.min(number + 1));
    }
    sink.ready().unwrap();
    assert_eq!(pool.free(), pool.len() - 1);
    sink.flips(&mut flipped).unwrap();
    assert_eq!(flipped.len(), committed.len());
    for (frame, flip) in flipped.iter().enumerate().skip(1) {
        assert!(
            is_after(*flip, committed[frame]),
            "frame {frame} came before its commit"
        );
        let apart = flip.since(flipped[frame - 1]).unwrap();
        assert!(
            apart > interval / 2,
            "frames {frame} and before it: {apart:?} apart"
        );
    }
    sink.stop().unwrap();
    assert_eq!(pool.free(), pool.len());
}

#[test]
fn an_overlay_shows_frames_without_the_primary_plane() {
    let Some(_board) = Board::for_test("an_overlay_shows_frames_without_the_primary_plane") else {
        return;
    };
    let pool = pool("system", Format::XRGB8888);
    let mut sink = KmsSink::open(KmsSinkConfig {
        card: Some("vkms".to_owned()),
        plane: Some(PlaneRequest::Overlay),
        verify: NonZeroU32::new(1),
        ..KmsSinkConfig::default()
    })
    .unwrap();
    let choices = sink.attach(&pool).unwrap();
    assert!(choices[1].chosen.starts_with("overlay ("), "{choices:?}");
    for number in 0..4 {
        sink.ready().unwrap();
        sink.show(drawn(&pool, number)).unwrap();
    }
    sink.stop().unwrap();
    assert_eq!(sink.counters()[0].count, 4);
}

#[test]
fn frames_of_several_pools_are_shown_by_turns() {
    let Some(_board) = Board::for_test("frames_of_several_pools_are_shown_by_turns") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let heap = dmaflow_heaps::registry().open("system").unwrap();
    let allocate = |layout: Layout| FramePool::allocate(&heap, &layout, 3).unwrap();
    let with_stride = |stride| {
        let layout = Layout::with_stride(Format::XRGB8888, WIDTH, HEIGHT, stride);
        allocate(layout.unwrap())
    };
    let pools = [WIDTH * 4, WIDTH * 4 + 256, WIDTH * 8].map(with_stride);
    let mut sink = vkms(NonZeroU32::new(1));
    let choices = pools.each_ref().map(|pool| sink.attach(pool).unwrap());
    assert!(choices.iter().all(|same| *same == choices[0]));

    for (format, width) in [(Format::XRGB8888, WIDTH - 16), (Format::NV12, WIDTH)] {
        let layout = Layout::packed(format, width, HEIGHT).unwrap();
        let refused = sink.attach(&allocate(layout)).unwrap_err().to_string();
        let named = ["640×480 XRGB8888", &format!("{width}×480 {format}"), "vkms"];
        assert!(named.iter().all(|part| refused.contains(part)), "{refused}");
    }
    for (number, pool) in (0..12).zip(pools.iter().cycle()) {
        sink.ready().unwrap();
        sink.show(drawn(pool, number)).unwrap();
        // An attached pool may come again while frames are shown, and so may a new one.
        sink.attach(pool).unwrap();
    }
    let late = with_stride(WIDTH * 4 + 512);
    let unknown = sink.show(drawn(&late, 12)).unwrap_err().to_string();
    assert!(unknown.contains("before its pool"), "{unknown}");
    sink.attach(&late).unwrap();
    sink.show(drawn(&late, 12)).unwrap();
    sink.stop().unwrap();
    let counts: Vec<_> = sink.counters().iter().map(|it| it.count).collect();
    assert_eq!(counts, [13, 13 * u64::from(WIDTH * HEIGHT), 0]);
    assert!(pools.iter().all(|pool| pool.free() == pool.len()));

    sink.detach();
    let other = allocate(Layout::packed(Format::XRGB8888, 320, 240).unwrap());
    sink.attach(&other).unwrap();
    drop((sink, pools, late, other, heap));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn one_altered_pixel_ends_the_run() {
    let Some(_board) = Board::for_test("one_altered_pixel_ends_the_run") else {
        return;
    };
    let pool = pool("system", Format::XRGB8888);
    let mut sink = vkms(NonZeroU32::new(1));
    sink.attach(&pool).unwrap();
    sink.show(drawn(&pool, 5)).unwrap();
    sink.ready().unwrap();
    let frame = drawn(&pool, 6);
    let kept = frame.clone();
    sink.show(frame).unwrap();
    // Long enough for the display to write down what it shows.
    thread::sleep(Duration::from_secs(2));
    let at = (7 * WIDTH + 9) * 4 + 1;
    kept.buffers()[0].write(CpuUse::Draw).unwrap()[at as usize] ^= 1;
    let error = sink.ready().unwrap_err().to_string();
    assert!(error.contains("frame 6 is not what was shown"), "{error}");
    assert!(
        error.contains("1 of 307200 pixels differ, first at 9,7"),
        "{error}"
    );
    assert_eq!(sink.counters()[2].count, 1);
}

#[test]
fn what_another_program_showed_is_put_back() {
    let Some(_board) = Board::for_test("what_another_program_showed_is_put_back") else {
        return;
    };
    let other = OtherProgram::showing_on("vkms");
    let lit = other.lit();
    assert!(lit.mode.is_some(), "the other program shows something");

    let pool = pool("system", Format::XRGB8888);
    let run = |sink: &mut KmsSink| {
        sink.attach(&pool).unwrap();
        for number in 0..5 {
            sink.ready().unwrap();
            sink.show(drawn(&pool, number)).unwrap();
        }
        assert_ne!(other.lit(), lit);
    };
    let mut sink = vkms(None);
    run(&mut sink);
    sink.stop().unwrap();
    assert_eq!(other.lit(), lit);
    drop(sink);
    thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            let mut sink = vkms(None);
            run(&mut sink);
            panic!("as if a stage had a bug");
        });
        assert!(panicking.join().is_err());
    });
    assert_eq!(other.lit(), lit);
    assert_eq!(pool.free(), pool.len());
}

#[test]
fn refusals_say_why() {
    let Some(_board) = Board::for_test("refusals_say_why") else {
        return;
    };
    let refused = vkms(None).attach(&pool("memfd", Format::XRGB8888));
    let Err(StageError::Refused(refused)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (refused.heap.as_str(), &*refused.call),
        ("memfd", "PRIME_FD_TO_HANDLE")
    );
    assert!(
        refused.to_string().contains("vkms (/dev/dri/card"),
        "{refused}"
    );

    let open = |connector: &str, mode: &str| {
        KmsSink::open(KmsSinkConfig {
            card: Some("vkms".to_owned()),
            connector: Some(connector.to_owned()),
            mode: mode.parse().unwrap(),
            ..KmsSinkConfig::default()
        })
    };
    let unknown = open("HDMI-A-7", "auto").unwrap_err();
    assert!(
        matches!(unknown, KmsSinkError::UnknownConnector { .. }),
        "{unknown}"
    );
    assert!(unknown.to_string().contains("Virtual-1"), "{unknown}");
    let no_mode = open("Virtual-1", "641x479").unwrap_err();
    assert!(no_mode.to_string().contains("640x480"), "{no_mode}");

    let _holder = vkms(None);
    let not_master = open("Virtual-1", "auto").unwrap_err();
    assert!(
        matches!(not_master, KmsSinkError::NotMaster { .. }),
        "{not_master}"
    );
    let listed = displays();
    let busy = |card: &dmaflow_kms_sink::CardInfo| {
        let details = card.card.as_ref().unwrap();
        details.driver == "vkms" && details.refusal.is_some() && details.writeback
    };
    assert!(listed.iter().any(busy), "{listed:?}");
}
