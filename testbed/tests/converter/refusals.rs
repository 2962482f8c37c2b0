//! What a converter cannot do, and how it says so.

use dmaflow_codecs::{V4l2Converter, V4l2ConverterConfig};
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{StageError, Transform};
use dmaflow_testbed::{Board, DmaBufs, Modules, open_files};
use dmaflow_v4l2::{Function, VideoDevice};

use crate::{Line, format, heap, vim2m};

fn opening(device: &str) -> String {
    let config = V4l2ConverterConfig {
        device: Some(device.to_owned()),
        ..V4l2ConverterConfig::default()
    };
    V4l2Converter::open(config).unwrap_err().to_string()
}

#[test]
fn a_wrong_name_is_told_with_the_converters_that_are_there() {
    let Some(_board) = Board::for_test("a_wrong_name_is_told_with_the_converters_that_are_there")
    else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let vivid = VideoDevice::open_matching(Some("vivid"), Function::Camera).unwrap();
    for asked in ["rga", "vicodec", &vivid.path().to_string_lossy()] {
        let error = opening(asked);
        let begin =
            format!("no converter is called `{asked}`; there are: vim2m (vim2m, /dev/video");
        assert!(error.starts_with(&begin), "{error}");
        assert!(
            !error.contains("vicodec (") && !error.contains("vivid ("),
            "{error}"
        );
    }
    let any = V4l2Converter::open(V4l2ConverterConfig::default()).unwrap();
    assert!(
        any.device().starts_with("vim2m (vim2m, "),
        "{}",
        any.device()
    );
}

#[test]
fn what_it_cannot_do_is_told_with_what_it_can() {
    let Some(board) = Board::for_test("what_it_cannot_do_is_told_with_what_it_can") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let packed = |name, (width, height)| Layout::packed(format(name), width, height).unwrap();
    let told = |size, input: &Layout, output: &str| {
        let configured = vim2m(size, &[]).configure(input, format(output));
        configured.unwrap_err().to_string()
    };
    let padded = Layout::with_stride(format("RGB565"), 320, 180, 1024).unwrap();
    for (error, parts) in [
        (
            told(None, &packed("NV12", (320, 180)), "YUYV"),
            vec!["does not take NV12; it takes: ", "BGR888", "RGB565"],
        ),
        (
            told(None, &packed("RGB565", (320, 180)), "NV12"),
            vec!["makes no NV12 of RGB565; it makes: ", "YUYV"],
        ),
        (
            told(None, &packed("RGB565", (1280, 720)), "YUYV"),
            vec!["takes no 1280×720 in RGB565", "the nearest it has: 640×480"],
        ),
        (
            told(Some((8, 8)), &packed("RGB565", (320, 180)), "YUYV"),
            vec!["makes no 8×8 in YUYV", "the nearest it has: 32×32"],
        ),
        (
            told(None, &padded, "YUYV"),
            vec!["reads 320×180 RGB565", "stride 640", "stride 1024"],
        ),
    ] {
        assert!(error.starts_with("vim2m (vim2m, /dev/video"), "{error}");
        for part in parts {
            assert!(error.contains(part), "no {part} in: {error}");
        }
    }
    let mut unset = vim2m(None, &[]);
    let begun = unset.start().err().unwrap().to_string();
    assert!(begun.contains("attach the input's pool first"), "{begun}");
    let pool = FramePool::allocate(&heap(&board), &packed("RGB565", (32, 32)), 1).unwrap();
    let attached = unset.attach_input(&pool).unwrap_err().to_string();
    assert!(attached.contains("configure it first"), "{attached}");
}

#[test]
fn a_pool_that_cannot_be_used_changes_nothing() {
    let Some(board) = Board::for_test("a_pool_that_cannot_be_used_changes_nothing") else {
        return;
    };
    let _modules = Modules::load(&["vim2m"]);
    let heap = heap(&board);
    let (buffers, files) = (DmaBufs::now(), open_files());
    {
        let converter = vim2m(None, &[]);
        let mut line = Line::new(&heap, converter, format("BGR888"), Format::YUYV);
        let memfd = dmaflow_heaps::registry().open("memfd").unwrap();
        let foreign = FramePool::allocate(&memfd, line.input.layout(), 2).unwrap();
        let refused = line.converter.attach_input(&foreign).unwrap_err();
        assert!(matches!(refused, StageError::Refused(_)), "{refused:?}");
        let text = refused.to_string();
        for part in ["vim2m", "`memfd`", "VIDIOC_QBUF", "no dma-buf", "udmabuf"] {
            assert!(text.contains(part), "no {part} in: {text}");
        }
        // A queue of V4L2 has 32 slots.
        let many = FramePool::allocate(&heap, line.input.layout(), 30).unwrap();
        let text = line.converter.attach_input(&many).unwrap_err().to_string();
        assert!(text.contains("queues at most 32 frames, and 33"), "{text}");
        let other = Layout::packed(format("RGB565"), 64, 64).unwrap();
        let other = FramePool::allocate(&heap, &other, 1).unwrap();
        let text = line.converter.attach_input(&other).unwrap_err().to_string();
        assert!(text.contains("reads 96×64 BGR888"), "{text}");
        let _stopper = line.converter.start().unwrap();
        for _frame in 0..5 {
            let frame = line.input.acquire().unwrap();
            assert!(line.convert(frame).is_some(), "it goes on with what it had");
        }
    }
    let mut line = Line::new(&heap, vim2m(None, &[]), format("BGR888"), Format::YUYV);
    line.converter.detach_output();
    let memfd = dmaflow_heaps::registry().open("memfd").unwrap();
    let foreign = FramePool::allocate(&memfd, line.output.layout(), 2).unwrap();
    let refused = line.converter.attach_output(&foreign).unwrap_err();
    assert!(matches!(refused, StageError::Refused(_)), "{refused:?}");
    drop((line, foreign));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}
