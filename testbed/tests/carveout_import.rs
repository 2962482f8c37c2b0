//! What importers have of carve-outs and of huge pages: a camera, a display.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;
use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Heap, HeapBuffer, page_size as page};
use dmaflow_core::stage::{Source, StageError};
use dmaflow_core::time::Rate;
use dmaflow_heaps::{CarveOut, CarveOutConfig, Clearing, HugeUdmabuf, Pages, Udmabuf};
use dmaflow_testbed::memory::{fill, is_all, the_rest};
use dmaflow_testbed::{Board, HugePages};
use dmaflow_v4l2::{Direction, FormatRequest, Function, Queue, VideoDevice};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};
use drm::control::Device as _;

const MIB: u64 = 1 << 20;

fn carve_out(size: u64, pages: Pages) -> (CarveOut, Heap) {
    let carve_out = CarveOut::new(CarveOutConfig {
        size,
        pages,
        clearing: Clearing::Always,
    });
    let carve_out = carve_out.unwrap();
    let heap = Heap::new(carve_out.info("carve-out"), carve_out.clone());
    (carve_out, heap)
}

fn vivid() -> Arc<VideoDevice> {
    Arc::new(VideoDevice::open_matching(Some("vivid"), Function::Camera).unwrap())
}

/// A queue of the camera's with frames of this heap, all of them with the driver.
fn queued(heap: &Heap) -> Result<(Queue, FramePool), Errno> {
    let camera = vivid();
    let code = Format::XRGB8888.v4l2().unwrap();
    let request = FormatRequest::aligned(Format::XRGB8888, code, (320, 180));
    let layout = camera.set_format(Direction::Capture, &request).unwrap();
    camera
        .set_rate(Direction::Capture, Rate::new(30, 1).unwrap())
        .unwrap();
    let pool = FramePool::allocate(heap, &layout, 4).unwrap();
    let queue = Queue::request(&camera, Direction::Capture, &pool).unwrap();
    for slot in 0..queue.len() {
        queue.enqueue(slot)?;
    }
    Ok((queue, pool))
}

#[test]
fn a_piece_that_a_camera_still_fills_is_not_lent_again() {
    let Some(_board) = Board::for_test("a_piece_that_a_camera_still_fills_is_not_lent_again")
    else {
        return;
    };
    let _huge = HugePages::reserve(8);
    let (carve_out, heap) = carve_out(16 * MIB, Pages::Huge);
    // At the beginning of a huge page, where Linux 6.12 has a driver write that asks for the rest.
    let first = heap.allocate(4096).unwrap();
    let (queue, pool) = queued(&heap).unwrap();
    queue.stream_on().unwrap();
    let lent = heap.stats().usage.live_bytes - first.len() as u64;
    drop(pool);
    assert_eq!(heap.stats().usage.live, 1, "as far as we know, all is back");
    assert_eq!(carve_out.figures().waiting, lent);
    assert_eq!(heap.stats().idle.deferred, lent);
    // Whatever is lent now must not be where the camera writes.
    let mut others = the_rest(&heap, 64 << 10);
    others.push(first);
    let had: u64 = others.iter().map(|buffer| buffer.len() as u64).sum();
    assert!(
        had > 4 * MIB && had <= 16 * MIB - lent,
        "{had} with {lent} held"
    );
    let refused = heap.allocate(64 << 10).unwrap_err().to_string();
    let told = format!("importers still hold {lent} bytes");
    assert!(refused.contains(&told), "{refused}");
    for other in &others {
        fill(other, 0x11);
    }
    for _frame in 0..12 {
        let frame = queue.dequeue().unwrap();
        assert!(!frame.damaged);
        queue.enqueue(frame.slot).unwrap();
    }
    assert!(others.iter().all(|other| is_all(other, 0x11)));
    drop((queue, others));
    assert_eq!(heap.available(), Some(16 * MIB), "{carve_out:?}");
    let whole = heap.allocate(16 << 20).unwrap();
    assert!(is_all(&whole, 0), "pictures are shown to the next user");
}

/// vkms, or whichever card goes by this driver's name.
struct Card(std::fs::File);

impl AsFd for Card {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl drm::control::Device for Card {}

impl Card {
    fn of_driver(name: &str) -> Self {
        let nodes = std::fs::read_dir("/dev/dri").unwrap();
        let cards = nodes.map(|node| node.unwrap().path());
        let mut cards = cards.filter(|path| path.display().to_string().contains("card"));
        let found = cards.find_map(|path| {
            let file = std::fs::File::options().read(true).write(true).open(path);
            let card = Self(file.unwrap());
            let driver = drm::Device::get_driver(&card).unwrap();
            (driver.name() == name).then_some(card)
        });
        found.unwrap()
    }
}

#[test]
fn a_piece_that_a_display_imported_is_not_lent_again() {
    let Some(_board) = Board::for_test("a_piece_that_a_display_imported_is_not_lent_again") else {
        return;
    };
    let card = Card::of_driver("vkms");
    let (carve_out, heap) = carve_out(MIB, Pages::Normal);
    let buffer = heap.allocate(512 << 10).unwrap();
    let handle = card.prime_fd_to_buffer(buffer.as_fd()).unwrap();
    drop(buffer);
    assert_eq!(carve_out.figures().waiting, 512 << 10);
    assert_eq!(heap.available(), Some(512 << 10));
    assert!(heap.allocate(1 << 20).is_err());
    // Small ones too stay away from it, many times over.
    for _again in 0..3 {
        let others = the_rest(&heap, 4096);
        assert_eq!(others.len() * page(), 512 << 10);
    }
    card.close_buffer(handle).unwrap();
    assert_eq!(heap.allocate(1 << 20).unwrap().len(), 1 << 20);
}

/// Whether the camera takes four pictures of this heap and, where they can be `seen`, fills them.
///
/// vivid writes with the CPU, in Linux 6.12 to the wrong part of a huge page.
fn camera_takes(heap: &Heap, size: (u32, u32), seen: bool) -> Result<(), StageError> {
    let mut camera = V4l2Src::open(V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(Format::XRGB8888),
        size: Some(size),
        rate: Rate::new(30, 1),
        ..V4l2SrcConfig::default()
    })
    .unwrap();
    let plan = camera.configure(Format::XRGB8888).unwrap();
    let stride = usize::try_from(plan.layout.planes()[0].stride).unwrap();
    let len = usize::try_from(plan.layout.buffer_lens()[0]).unwrap();
    let pool = FramePool::allocate(heap, &plan.layout, 4).unwrap();
    camera.attach(&pool)?;
    let _stopper = camera.start().unwrap();
    for _frame in 0..8 {
        let frame = camera.next_frame().unwrap().unwrap();
        let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
        let mut rows = bytes[..len].chunks(stride);
        let drawn = rows.all(|row| row.iter().any(|&byte| byte != 0));
        assert!(drawn || !seen, "a row without colour bars");
    }
    camera.stop().unwrap();
    Ok(())
}

#[test]
fn a_camera_without_iommu_takes_huge_pages_only() {
    let Some(board) = Board::for_test("a_camera_without_iommu_takes_huge_pages_only") else {
        return;
    };
    let _huge = HugePages::reserve(16);
    let (_carve_out, huge) = carve_out(16 * MIB, Pages::Huge);
    let right = board.kernel >= (6, 16);
    // Two pictures to a huge page, and pictures that fill more than half of one.
    for size in [(320, 180), (640, 360), (640, 480)] {
        camera_takes(&huge, size, right).unwrap();
    }
    let single = Heap::new(HugeUdmabuf::info(), HugeUdmabuf::open().unwrap());
    camera_takes(&single, (640, 480), right).unwrap();

    let udmabuf = || Heap::new(Udmabuf::info(), Udmabuf::open().unwrap());
    let carve_out = || carve_out(16 * MIB, Pages::Normal).1;
    for heap in [&udmabuf as &dyn Fn() -> Heap, &carve_out] {
        let _between = scatter();
        let outcome = camera_takes(&heap(), (640, 480), true);
        if board.is(&["ti"]) {
            let refused = outcome.unwrap_err();
            assert!(matches!(refused, StageError::Refused(_)), "{refused}");
        } else {
            outcome.unwrap();
        }
    }
}

/// Holds every second of many pages, so that those between them are free and no neighbours: the
/// kernel gives such pages first, where on a fresh machine it gives memory in one piece.
fn scatter() -> Vec<HeapBuffer> {
    let udmabuf = Heap::new(Udmabuf::info(), Udmabuf::open().unwrap());
    let pages = (0..400).map(|_| udmabuf.allocate(1).unwrap());
    let pages: Vec<_> = pages.collect();
    let every_second = pages.into_iter().enumerate();
    let kept = every_second.filter_map(|(index, page)| (index % 2 == 0).then_some(page));
    kept.collect()
}
