//! Memory of displays and cameras, as heaps: it keeps a heap's promises, and others use it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{FrameMeta, FramePool};
use dmaflow_core::heap::{Heap, HeapInfo, HeapRegistry};
use dmaflow_core::layout::{Layout, Modifier};
use dmaflow_core::stage::{Sink, Source, StageError};
use dmaflow_kms_sink::heaps::{self, Dumb, Gbm, PictureRequest, PictureSource, Pictures};
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_testbed::{Board, DmaBufs, Modules, conformance, open_files};
use dmaflow_v4l2::{Direction, Expbuf, FormatRequest, Function, VideoDevice, expbuf};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

/// A registry as a program would compose it.
fn registry() -> HeapRegistry {
    let mut registry = HeapRegistry::new();
    for (info, exporter) in heaps::of_cards() {
        match exporter {
            Ok(exporter) => drop(registry.register(info, exporter).unwrap()),
            Err(error) => registry.refuse(info, error.to_string()),
        }
    }
    for (info, exporter) in expbuf::of_devices() {
        match exporter {
            Ok(exporter) => drop(registry.register(info, exporter).unwrap()),
            Err(error) => registry.refuse(info, error.to_string()),
        }
    }
    registry
}

fn camera(size: (u32, u32)) -> V4l2Src {
    V4l2Src::open(V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(Format::XRGB8888),
        size: Some(size),
        ..V4l2SrcConfig::default()
    })
    .unwrap()
}

/// A display that compares every frame with what it showed.
fn vkms() -> KmsSink {
    KmsSink::open(KmsSinkConfig {
        card: Some("vkms".to_owned()),
        verify: NonZeroU32::new(1),
        ..KmsSinkConfig::default()
    })
    .unwrap()
}

/// Shows frames that differ from pixel to pixel, each compared with what the display made of it.
fn is_shown(pool: &FramePool, sink: &mut KmsSink) {
    sink.attach(pool).unwrap();
    for number in 0..4 {
        let mut frame = pool.acquire().unwrap();
        frame.set_meta(FrameMeta {
            sequence: number,
            ..FrameMeta::default()
        });
        let mut bytes = frame.buffers()[0].write(CpuUse::Draw).unwrap();
        let mut state = number << 32 | 1;
        for byte in bytes.iter_mut() {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        drop(bytes);
        sink.ready().unwrap();
        sink.show(frame).unwrap();
    }
    sink.stop().unwrap();
    sink.detach();
    let counts: Vec<_> = sink
        .counters()
        .iter()
        .map(|counter| counter.count)
        .collect();
    let layout = pool.layout();
    let pixels = u64::from(layout.width() * layout.height());
    assert_eq!(counts[..3], [4, 4 * pixels, 0]);
}

#[test]
fn every_heap_of_a_device_conforms_and_leaves_nothing_behind() {
    let name = "every_heap_of_a_device_conforms_and_leaves_nothing_behind";
    let Some(board) = Board::for_test(name) else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let registry = registry();
    let mut conforming = HashSet::new();
    for heap in registry.heaps() {
        // Further nodes of a driver allocate as its first one does; and a decoder has no format
        // before a stream, and no memory without one.
        let by_node = heap.info().aliases.is_empty();
        if by_node || heap.allocate(1).is_err() {
            continue;
        }
        conformance::conforms(heap, Path::new(env!("CARGO_BIN_EXE_heap-peer")));
        conforming.insert(heap.name().to_owned());
    }
    let mut wanted = vec!["dumb:vkms", "gbm:vkms", "expbuf:vivid"];
    if board.is(&["pc"]) && board.kernel >= (6, 13) {
        wanted.extend(["dumb:bochs-drm", "gbm:bochs-drm"]);
    } else if board.is(&["pc"]) {
        wanted.extend(["dumb:cirrus", "gbm:cirrus"]);
    }
    if board.is(&["rockchip"]) {
        wanted.extend(["expbuf:vicodec", "expbuf:vimc"]);
    }
    for wanted in wanted {
        assert!(conforming.contains(wanted), "{wanted} in {conforming:?}");
        assert!(registry.open(wanted).is_ok());
    }
    for by_node in ["dumb:card0", "gbm:card0", "expbuf:video0"] {
        assert!(registry.open(by_node).is_ok(), "{by_node}");
    }
    drop(registry);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn drivers_of_which_nothing_is_known_serve_as_well() {
    let Some(_board) = Board::for_test("drivers_of_which_nothing_is_known_serve_as_well") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    // vgem's memory is cleared by us, and vim2m has no REMOVE_BUFS in any kernel.
    let modules = Modules::load(&["vgem", "vim2m"]);
    let peer = Path::new(env!("CARGO_BIN_EXE_heap-peer"));
    let vgem = Dumb::open("vgem").unwrap();
    conformance::conforms(&Heap::new(vgem.info(), vgem), peer);
    let vim2m = VideoDevice::open_matching(Some("vim2m"), Function::Converter).unwrap();
    let vim2m = Expbuf::new(vim2m, Direction::Capture);
    conformance::conforms(&Heap::new(vim2m.info(), vim2m), peer);
    drop(modules);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

/// What a device says of such a picture: its strides and offsets, and that it is all zeroes.
fn look(source: &impl PictureSource, request: &PictureRequest) -> Vec<(u32, u32)> {
    let picture = source.picture(request).unwrap();
    assert_eq!(picture.layout.modifier(), Modifier::LINEAR);
    assert_eq!(picture.layout.format(), request.format);
    assert_eq!(picture.buffers.len(), 1);
    let bytes = picture.buffers[0].read(CpuUse::Inspect).unwrap();
    assert_eq!(bytes.len(), picture.layout.buffer_lens()[0] as usize);
    assert!(bytes.iter().all(|&byte| byte == 0));
    let planes = picture.layout.planes().iter();
    planes.map(|plane| (plane.stride, plane.offset)).collect()
}

#[test]
fn pictures_have_the_strides_that_drivers_choose() {
    let Some(_board) = Board::for_test("pictures_have_the_strides_that_drivers_choose") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let (dumb, gbm) = (Dumb::open("vkms").unwrap(), Gbm::open("vkms").unwrap());
    let rgb = PictureRequest::new(Format::XRGB8888, 642, 480);
    let nv12 = PictureRequest::new(Format::NV12, 642, 480);
    assert_eq!(look(&dumb, &rgb), [(2568, 0)]);
    assert_eq!(look(&dumb, &nv12), [(642, 0), (642, 642 * 480)]);
    // Mesa draws in tiles of 64 pixels.
    assert_eq!(look(&gbm, &rgb), [(2816, 0)]);
    assert_eq!(look(&gbm, &nv12), [(704, 0), (704, 704 * 480)]);
    let listed = PictureRequest {
        modifiers: vec![Modifier(0x0100_0000_0000_0001), Modifier::LINEAR],
        ..rgb.clone()
    };
    assert_eq!(look(&gbm, &listed), [(2816, 0)]);
    assert_eq!(look(&dumb, &listed), [(2568, 0)]);
    let tiled = PictureRequest {
        modifiers: vec![Modifier(0x0100_0000_0000_0001)],
        ..rgb
    };
    for error in [
        dumb.picture(&tiled).unwrap_err(),
        gbm.picture(&tiled).unwrap_err(),
    ] {
        let error = error.to_string();
        for word in ["vkms (/dev/dri/card", "642×480 XRGB8888", "modifier 0x01"] {
            assert!(error.contains(word), "{word} in {error}");
        }
    }
    let huge = PictureRequest::new(Format::XRGB8888, 30_000, 1 << 20);
    let error = dumb.picture(&huge).unwrap_err().to_string();
    assert!(error.contains("larger than 4 GiB"), "{error}");
    drop((dumb, gbm));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

/// Shows frames that were allocated as pictures, with the stride that their driver chose.
fn own_picture_is_shown(
    info: HeapInfo,
    source: &(impl PictureSource + Clone + 'static),
    request: &PictureRequest,
    stride: u32,
    sink: &mut KmsSink,
) {
    let pictures = Pictures::new(source.clone(), request.clone()).unwrap();
    let layout = pictures.layout().clone();
    assert_eq!(layout.planes()[0].stride, stride);
    let heap = Heap::new(info, pictures);
    let pool = FramePool::allocate(&heap, &layout, 3).unwrap();
    is_shown(&pool, sink);
    assert_eq!(heap.stats().usage.live, 3);
}

#[test]
fn a_display_shows_its_own_memory_and_a_cameras() {
    let Some(board) = Board::for_test("a_display_shows_its_own_memory_and_a_cameras") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    // The heaps come first: whoever opens a card first controls it, and they must not.
    let (dumb, gbm) = (Dumb::open("vkms").unwrap(), Gbm::open("vkms").unwrap());
    let expbuf = VideoDevice::open_matching(Some("vivid"), Function::Camera).unwrap();
    let expbuf = Expbuf::new(expbuf, Direction::Capture);
    let mut sink = vkms();
    let request = PictureRequest::new(Format::XRGB8888, 600, 400);

    own_picture_is_shown(dumb.info(), &dumb, &request, 2400, &mut sink);
    // Mesa draws in tiles of 64 pixels.
    own_picture_is_shown(gbm.info(), &gbm, &request, 2560, &mut sink);
    let heap = Heap::new(expbuf.info(), expbuf);
    let packed = Layout::packed(Format::XRGB8888, 640, 480).unwrap();
    is_shown(&FramePool::allocate(&heap, &packed, 3).unwrap(), &mut sink);
    drop(sink);

    if board.kernel >= (6, 13) {
        // Older kernels' vkms knows RGB only.
        let mut sink = KmsSink::open(KmsSinkConfig {
            card: Some("vkms".to_owned()),
            ..KmsSinkConfig::default()
        })
        .unwrap();
        let request = PictureRequest::new(Format::NV12, 640, 480);
        let pictures = Pictures::new(gbm.clone(), request).unwrap();
        let layout = pictures.layout().clone();
        let pool = FramePool::allocate(&Heap::new(gbm.info(), pictures), &layout, 2).unwrap();
        sink.attach(&pool).unwrap();
        sink.show(pool.acquire().unwrap()).unwrap();
        sink.stop().unwrap();
    }
    drop((heap, dumb, gbm));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

/// Captures into a heap's memory, and shows what came.
fn is_captured(heap: &Heap, sink: &mut KmsSink) -> Result<(), StageError> {
    let mut camera = camera((640, 360));
    let plan = camera.configure(Format::XRGB8888).unwrap();
    let pool = FramePool::allocate(heap, &plan.layout, 4).unwrap();
    camera.attach(&pool)?;
    sink.attach(&pool)?;
    let _stopper = camera.start()?;
    for _frame in 0..6 {
        let frame = camera.next_frame()?.unwrap();
        let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
        let row = &bytes[640 * 4 * 20..640 * 4 * 21];
        let colours: HashSet<_> = row.chunks_exact(4).map(|pixel| &pixel[..3]).collect();
        assert!(colours.len() >= 6, "no bars of {heap:?}: {colours:?}");
        drop(bytes);
        sink.ready()?;
        sink.show(frame)?;
    }
    sink.stop()?;
    let shown = sink.counters()[0].count;
    assert!(shown >= 5, "{shown} frames of {heap:?} were compared");
    camera.stop()
}

#[test]
fn a_camera_captures_into_the_memory_of_a_display_and_of_its_own_driver() {
    let name = "a_camera_captures_into_the_memory_of_a_display_and_of_its_own_driver";
    let Some(board) = Board::for_test(name) else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let registry = registry();
    for heap in ["dumb:vkms", "gbm:vkms", "expbuf:vivid"] {
        let outcome = is_captured(&registry.open(heap).unwrap(), &mut vkms());
        if board.is(&["ti"]) && heap != "expbuf:vivid" {
            // This camera needs contiguous memory: its own driver's is.
            let Err(StageError::Refused(refused)) = outcome else {
                panic!("{heap}: {outcome:?}");
            };
            assert_eq!(refused.errno, Errno::EFAULT, "{refused}");
        } else {
            outcome.unwrap();
        }
    }
    drop(registry);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn a_queue_gives_more_buffers_than_it_has_and_none_while_another_uses_it() {
    let name = "a_queue_gives_more_buffers_than_it_has_and_none_while_another_uses_it";
    let Some(_board) = Board::for_test(name) else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let vivid = VideoDevice::open_matching(Some("vivid"), Function::Camera).unwrap();
    let code = Format::XRGB8888.v4l2().unwrap();
    let request = FormatRequest::aligned(Format::XRGB8888, code, (320, 180));
    let layout = vivid.set_format(Direction::Capture, &request).unwrap();
    let expbuf = Expbuf::new(vivid, Direction::Capture);
    let heap = Heap::new(expbuf.info(), expbuf);
    // vb2 has room for 32 in a queue.
    let held: Vec<_> = (0..40).map(|_| heap.allocate(1).unwrap()).collect();
    let least = layout.buffer_lens()[0] as usize;
    assert!(held.iter().all(|buffer| buffer.len() >= least));
    let ids: HashSet<_> = held.iter().map(|buffer| buffer.id()).collect();
    assert_eq!(ids.len(), held.len());
    let longer = heap.allocate(2 << 20).unwrap();
    assert_eq!(longer.len(), 2 << 20);

    let mut camera = camera((320, 180));
    let plan = camera.configure(Format::XRGB8888).unwrap();
    let pool = FramePool::allocate(&heap, &plan.layout, 2).unwrap();
    camera.attach(&pool).unwrap();
    let error = heap.allocate(1).unwrap_err();
    assert_eq!(error.errno(), Errno::EBUSY, "{error}");
    assert!(
        error.to_string().contains("before the stage is attached"),
        "{error}"
    );
    camera.detach();
    assert!(heap.allocate(1).is_ok());
    drop((camera, pool, held, longer, heap));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}
