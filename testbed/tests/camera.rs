//! The camera stage against a driver that misbehaves on demand.

use std::sync::Arc;

use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Source, StageError, Stopper};
use dmaflow_core::time::Rate;
use dmaflow_testbed::{Board, DmaBufs, open_files, reload_vivid};
use dmaflow_v4l2::{ControlValue, Function, VideoDevice};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

fn camera(format: Option<Format>) -> V4l2Src {
    V4l2Src::open(V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format,
        size: Some((320, 180)),
        rate: Rate::new(30, 1),
        ..V4l2SrcConfig::default()
    })
    .expect("vivid")
}

/// A camera with its frames queued.
fn attached() -> (V4l2Src, FramePool) {
    let mut camera = camera(Some(Format::XRGB8888));
    let plan = camera
        .configure(Format::XRGB8888)
        .expect("a format of vivid");
    let heap = dmaflow_heaps::registry()
        .open("default_cma_region")
        .expect("the CMA");
    let pool = FramePool::allocate(&heap, &plan.layout, 4).expect("four frames");
    camera.attach(&pool).expect("contiguous memory");
    (camera, pool)
}

/// Has vivid do what its error injection offers, as another program would.
fn inject(control: &str, value: i64) {
    let vivid = VideoDevice::open_matching(Some("vivid"), Function::Camera).expect("vivid");
    let set = vivid.set_control(control, &ControlValue::Integer(value));
    set.expect("a control that takes the number");
}

fn count(camera: &V4l2Src, name: &str) -> u64 {
    let counters = camera.counters();
    let found = counters.iter().find(|counter| counter.name == name);
    found.expect("a counter of this name").count
}

/// The sequence numbers of so many frames.
fn sequences(camera: &mut V4l2Src, frames: usize) -> Vec<u64> {
    (0..frames)
        .map(|_| {
            let frame = camera.next_frame().expect("a frame").expect("no end");
            assert!(frame.meta().dequeued.is_some());
            frame.meta().sequence
        })
        .collect()
}

#[test]
fn layouts_are_what_the_driver_computes() {
    let Some(board) = Board::for_test("layouts_are_what_the_driver_computes") else {
        return;
    };
    let mut camera = camera(None);
    let formats = camera.formats().expect("formats");
    assert!(formats.len() > 20, "{formats:?}");
    for format in formats {
        let layout = camera.configure(format).expect("a format it offers").layout;
        let strides: Vec<_> = layout.planes().iter().map(|plane| plane.stride).collect();
        let (width, height) = (layout.width(), layout.height());
        let ours = if layout.buffer_lens().len() == 1 {
            Layout::with_stride(format, width, height, strides[0])
        } else {
            Layout::with_buffers(format, width, height, &strides)
        };
        let ours = ours.expect("a layout of ours");
        assert_eq!(ours.planes(), layout.planes(), "{format}");
        // The one format for which multi-planar vivid puts something before the picture.
        let before = u32::from(board.is(&["rockchip"]) && format == Format::YUYV) * 128;
        let lens: Vec<_> = ours.buffer_lens().iter().map(|len| len + before).collect();
        assert_eq!(lens, layout.buffer_lens(), "{format}");
    }
}

#[test]
fn damaged_frames_are_counted_and_go_back() {
    let Some(_board) = Board::for_test("damaged_frames_are_counted_and_go_back") else {
        return;
    };
    let (mut camera, pool) = attached();
    let _stopper = camera.start().expect("a start");
    sequences(&mut camera, 3);
    inject("Inject V4L2_BUF_FLAG_ERROR", 1);
    let after = sequences(&mut camera, 10);
    assert_eq!(count(&camera, "damaged"), 1);
    assert!(after.is_sorted_by(|a, b| a < b), "{after:?}");
    camera.stop().expect("a stop");
    assert_eq!(pool.free(), pool.len());
}

#[test]
fn lost_frames_are_counted_by_their_gap() {
    let Some(_board) = Board::for_test("lost_frames_are_counted_by_their_gap") else {
        return;
    };
    let (mut camera, _pool) = attached();
    inject("Percentage of Dropped Buffers", 50);
    let _stopper = camera.start().expect("a start");
    let seen = sequences(&mut camera, 40);
    inject("Percentage of Dropped Buffers", 0);
    let lost = count(&camera, "lost");
    assert!(lost > 0, "{seen:?}");
    assert_eq!(seen[39] - seen[0], 39 + lost, "{seen:?}");
}

#[test]
fn a_sequence_number_that_wraps_goes_on() {
    let Some(_board) = Board::for_test("a_sequence_number_that_wraps_goes_on") else {
        return;
    };
    let (mut camera, _pool) = attached();
    inject("Wrap Sequence Number", 1);
    let _stopper = camera.start().expect("a start");
    // vivid begins 128 frames before the wrap.
    let seen = sequences(&mut camera, 160);
    inject("Wrap Sequence Number", 0);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert_eq!(
        seen[159] - seen[0],
        159 + count(&camera, "lost"),
        "{seen:?}"
    );
}

#[test]
fn an_error_of_the_queue_is_overcome_by_a_restart() {
    let Some(_board) = Board::for_test("an_error_of_the_queue_is_overcome_by_a_restart") else {
        return;
    };
    let (mut camera, _pool) = attached();
    for _twice in 0..2 {
        let _stopper = camera.start().expect("a start");
        sequences(&mut camera, 3);
        inject("Inject Fatal Streaming Error", 1);
        let error = loop {
            if let Err(error) = camera.next_frame() {
                break error;
            }
        };
        assert!(matches!(error, StageError::Failed(_)), "{error:?}");
        assert!(error.to_string().contains("started again"), "{error}");
        camera.stop().expect("a stop");
    }
    camera.start().expect("a start");
    assert_eq!(sequences(&mut camera, 8).len(), 8);
}

#[test]
fn a_start_that_fails_can_be_repeated() {
    let Some(_board) = Board::for_test("a_start_that_fails_can_be_repeated") else {
        return;
    };
    let (mut camera, pool) = attached();
    inject("Inject VIDIOC_STREAMON Error", 1);
    let error = camera.start().err().expect("an injected error");
    assert!(error.to_string().contains("vivid"), "{error}");
    camera.start().expect("the second start");
    assert_eq!(sequences(&mut camera, 8).len(), 8);
    camera.detach();
    inject("Inject VIDIOC_QBUF Error", 1);
    assert!(matches!(camera.attach(&pool), Err(StageError::Refused(_))));
}

#[test]
fn a_disconnected_camera_is_gone() {
    let Some(_board) = Board::for_test("a_disconnected_camera_is_gone") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let (mut camera, pool) = attached();
    let _stopper = camera.start().expect("a start");
    sequences(&mut camera, 3);
    inject("Disconnect", 1);
    let error = loop {
        if let Err(error) = camera.next_frame() {
            break error;
        }
    };
    assert!(matches!(error, StageError::Gone { .. }), "{error:?}");
    drop((camera, pool));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
    reload_vivid();
}

#[test]
fn a_frame_kept_over_a_restart_is_queued_when_it_is_dropped() {
    let Some(_board) = Board::for_test("a_frame_kept_over_a_restart_is_queued_when_it_is_dropped")
    else {
        return;
    };
    let (mut camera, pool) = attached();
    for _run in 0..5 {
        let _stopper = camera.start().expect("a start");
        let kept = camera.next_frame().expect("a frame").expect("no end");
        camera.stop().expect("a stop");
        let _stopper = camera.start().expect("a start");
        sequences(&mut camera, 6);
        drop(kept);
        sequences(&mut camera, 6);
        camera.stop().expect("a stop");
        assert_eq!(pool.free(), pool.len());
    }
    assert_eq!(count(&camera, "requeue_failed"), 0);
}

#[test]
fn a_stopper_wakes_whoever_waits_for_a_frame() {
    let Some(_board) = Board::for_test("a_stopper_wakes_whoever_waits_for_a_frame") else {
        return;
    };
    let (mut camera, _pool) = attached();
    for _run in 0..5 {
        let stopper: Arc<dyn Stopper> = camera.start().expect("a start");
        let waiting = std::thread::scope(|scope| {
            let camera = &mut camera;
            let waiting = scope.spawn(move || {
                let mut frames = 0;
                while camera.next_frame().expect("no error").is_some() {
                    frames += 1;
                }
                frames
            });
            std::thread::sleep(std::time::Duration::from_millis(300));
            stopper.stop();
            waiting.join().expect("no panic")
        });
        assert!(waiting > 0);
        camera.stop().expect("a stop");
    }
}
