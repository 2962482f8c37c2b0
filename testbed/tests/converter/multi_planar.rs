//! What goes into a device whose queues are multi-planar. No converter of the kernel's test
//! drivers is, so it is vicodec, of which nothing comes out here.

use dmaflow_core::format::{Colour, Encoding, Format, Range};
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_testbed::{Board, DmaBufs, open_files};
use dmaflow_v4l2::{
    AttachError, Direction, FormatRequest, Function, Intake, VideoDevice, same_place,
};
use std::sync::Arc;

use crate::heap;

#[test]
fn a_multi_planar_queue_takes_frames_of_several_pools() {
    let Some(board) = Board::for_test_on(
        &["rockchip"],
        "a_multi_planar_queue_takes_frames_of_several_pools",
    ) else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    {
        let encoder = VideoDevice::open_matching(Some("vicodec"), Function::Encoder).unwrap();
        assert!(encoder.capabilities().is_multiplanar());
        let colour = Colour {
            encoding: Some(Encoding::Bt709),
            range: Some(Range::Full),
        };
        let frames = Layout::packed(Format::NV12, 640, 480).unwrap();
        let frames = frames.with_colour(colour);
        let request = FormatRequest::of(&frames).unwrap();
        let reads = encoder.set_format(Direction::Output, &request).unwrap();
        assert!(same_place(&reads, &frames), "{reads}, and {frames}");
        assert_eq!(reads.colour(), colour, "it was told");
        let encoder = Arc::new(encoder);
        let heap = heap(&board);
        let pool = || FramePool::allocate(&heap, &frames, 2).unwrap();
        let pools = vec![pool(), pool()];
        let intake = Intake::attach(&encoder, &reads, pools.clone()).unwrap();
        intake.queue().stream_on().unwrap();
        for _twice in 0..2 {
            for (start, pool) in pools.iter().enumerate().map(|(nth, pool)| (2 * nth, pool)) {
                for own in 0..pool.len() {
                    let frame = pool.acquire_slot(own).unwrap();
                    let slot = intake.slot(&frame).unwrap();
                    assert_eq!(slot, start + own);
                    intake.queue().enqueue(slot).unwrap();
                    assert!(intake.queue().enqueue(slot).is_err(), "it is there already");
                }
            }
            intake.halt().unwrap();
            intake.queue().stream_on().unwrap();
        }
        drop(intake);
        let memfd = dmaflow_heaps::registry().open("memfd").unwrap();
        let memfd = FramePool::allocate(&memfd, &frames, 1).unwrap();
        let refused = Intake::attach(&encoder, &reads, vec![pools[0].clone(), memfd]);
        assert!(
            matches!(refused, Err(AttachError::Refused(_))),
            "{refused:?}"
        );
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}
