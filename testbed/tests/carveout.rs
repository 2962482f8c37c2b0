//! Carve-outs and buffers of huge pages on the board, with real importers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Account, AllocOptions, Heap, HeapBuffer, page_size as page};
use dmaflow_core::stage::{Source, StageError};
use dmaflow_core::time::Rate;
use dmaflow_heaps::carveout::CarveOutFigures;
use dmaflow_heaps::{CarveOut, CarveOutConfig, Clearing, HugeUdmabuf, Pages, Udmabuf};
use dmaflow_testbed::{Board, DmaBufs, conformance, open_files};
use dmaflow_v4l2::{Direction, FormatRequest, Function, Queue, VideoDevice};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};
use drm::control::Device as _;

const MIB: u64 = 1 << 20;
const PEER: &str = env!("CARGO_BIN_EXE_heap-peer");

/// Huge pages that are reserved while this lives; dropped, it checks that all were given back.
struct HugePages(u64);

impl HugePages {
    fn reserve(count: u64) -> Self {
        std::fs::write("/proc/sys/vm/nr_hugepages", count.to_string()).unwrap();
        let this = Self(count);
        assert_eq!(Self::free(), count, "memory is too fragmented for the test");
        this
    }

    fn free() -> u64 {
        let pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
        std::fs::read_to_string(pool)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        let free = Self::free();
        std::fs::write("/proc/sys/vm/nr_hugepages", "0").unwrap();
        if !std::thread::panicking() {
            assert_eq!(free, self.0, "huge pages were not given back");
        }
    }
}

fn carve_out(size: u64, pages: Pages, clearing: Clearing) -> (CarveOut, Heap) {
    let config = CarveOutConfig {
        size,
        pages,
        clearing,
    };
    let carve_out = CarveOut::new(config).unwrap();
    let heap = Heap::new(carve_out.info("carve-out"), carve_out.clone());
    (carve_out, heap)
}

fn message(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn fill(buffer: &DmaBuf, byte: u8) {
    buffer.write(CpuUse::Draw).unwrap().fill(byte);
}

fn is_all(buffer: &DmaBuf, byte: u8) -> bool {
    let bytes = buffer.read(CpuUse::Inspect).unwrap();
    bytes.iter().all(|&found| found == byte)
}

/// Everything that can be had, in pieces of so many bytes.
fn the_rest(heap: &Heap, len: usize) -> Vec<HeapBuffer> {
    std::iter::from_fn(|| heap.allocate(len).ok()).collect()
}

#[test]
fn carve_outs_conform_and_leave_nothing_behind() {
    let Some(_board) = Board::for_test("carve_outs_conform_and_leave_nothing_behind") else {
        return;
    };
    let _huge = HugePages::reserve(16);
    let (buffers, files) = (DmaBufs::now(), open_files());
    for pages in [Pages::Normal, Pages::Huge] {
        let (carve_out, heap) = carve_out(32 * MIB, pages, Clearing::Always);
        let listing = std::fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo").unwrap();
        assert!(listing.contains("dmaflow carve-out"), "{listing}");
        assert_eq!(heap.available(), Some(32 * MIB));
        conformance::conforms(&heap, Path::new(PEER));
        assert_eq!(heap.available(), Some(32 * MIB), "{carve_out:?}");
        let CarveOutFigures {
            free,
            free_pieces,
            waiting,
            ready,
            fragmentation,
            ..
        } = carve_out.figures();
        assert_eq!((free, free_pieces, waiting), (32 * MIB, 1, 0));
        assert!(ready > 0 && fragmentation < f64::EPSILON);
        assert_eq!(heap.stats().idle.cached, ready);
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn huge_udmabufs_conform_and_leave_nothing_behind() {
    let Some(_board) = Board::for_test("huge_udmabufs_conform_and_leave_nothing_behind") else {
        return;
    };
    let _huge = HugePages::reserve(16);
    let (buffers, files) = (DmaBufs::now(), open_files());
    let heap = dmaflow_heaps::registry().open(HugeUdmabuf::NAME).unwrap();
    assert_eq!(heap.available(), Some(32 * MIB));
    assert_eq!(heap.info().alignment, 2 << 20);
    conformance::conforms(&heap, Path::new(PEER));
    let held = heap.allocate(1).unwrap();
    assert_eq!((held.len(), heap.available()), (2 << 20, Some(30 * MIB)));
    drop((held, heap));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn without_huge_pages_the_errors_tell_how_to_have_some() {
    let Some(_board) = Board::for_test("without_huge_pages_the_errors_tell_how_to_have_some")
    else {
        return;
    };
    let none = dmaflow_heaps::registry()
        .open(HugeUdmabuf::NAME)
        .unwrap_err();
    assert!(none.to_string().contains("vm.nr_hugepages=1`"), "{none}");
    let _huge = HugePages::reserve(3);
    let heap = Heap::new(HugeUdmabuf::info(), HugeUdmabuf::open().unwrap());
    let error = heap.allocate(8 << 20).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOMEM);
    assert!(error.to_string().contains("3 of 3 are free"), "{error}");
    assert!(error.to_string().contains("vm.nr_hugepages=4`"), "{error}");
    let error = CarveOut::new(CarveOutConfig {
        size: 64 * MIB,
        pages: Pages::Huge,
        clearing: Clearing::Always,
    });
    let error = error.unwrap_err();
    assert!(error.to_string().contains("takes 32 huge"), "{error}");
    assert_eq!(HugePages::free(), 3, "nothing was taken in vain");
    let error = CarveOut::new(CarveOutConfig {
        size: 1 << 40,
        pages: Pages::Normal,
        clearing: Clearing::Always,
    });
    let error = error.unwrap_err();
    assert!(error.to_string().contains("are available"), "{error}");
}

#[test]
fn a_full_carve_out_is_told_from_a_fragmented_one() {
    let Some(_board) = Board::for_test("a_full_carve_out_is_told_from_a_fragmented_one") else {
        return;
    };
    let size = 16 * page() as u64;
    let (carve_out, heap) = carve_out(size, Pages::Normal, Clearing::Always);
    let mut all = the_rest(&heap, 1);
    assert_eq!((all.len(), heap.available()), (16, Some(0)));
    let full = message(&heap.allocate(1).unwrap_err());
    assert!(full.contains("it is full: 0 of its 65536 bytes"), "{full}");
    let mut index = 0;
    all.retain(|_buffer| {
        index += 1;
        index % 2 == 0
    });
    assert_eq!(heap.available(), Some(page() as u64));
    let fragmented = message(&heap.allocate(2 * page()).unwrap_err());
    for part in ["it is fragmented", "32768 of its 65536", "at most 4096"] {
        assert!(fragmented.contains(part), "{fragmented}");
    }
    let figures = carve_out.figures();
    // The first of the test, and the one that ended `the_rest`.
    assert_eq!((figures.refused_full, figures.refused_fragmented), (2, 1));
    assert!((figures.fragmentation - 0.875).abs() < 1e-9, "{figures:?}");
    drop(all);
    assert_eq!(heap.allocate(16 * page()).unwrap().len(), 16 * page());
}

#[test]
fn memory_that_was_never_lent_is_zero() {
    let Some(_board) = Board::for_test("memory_that_was_never_lent_is_zero") else {
        return;
    };
    let _huge = HugePages::reserve(16);
    // Leave something in the pages that the kernel gives next: in more than it will take.
    let system = dmaflow_heaps::registry().open("memfd").unwrap();
    let used: Vec<_> = (0..8).map(|_| system.allocate(32 << 20).unwrap()).collect();
    for buffer in &used {
        fill(buffer, 0xa5);
    }
    drop(used);
    for pages in [Pages::Normal, Pages::Huge] {
        let (_, heap) = carve_out(32 * MIB, pages, Clearing::BetweenClients);
        let whole = heap.allocate(32 << 20).unwrap();
        assert!(is_all(&whole, 0), "{pages:?}");
    }
}

#[test]
fn memory_is_cleared_between_clients_and_kept_for_one() {
    let Some(_board) = Board::for_test("memory_is_cleared_between_clients_and_kept_for_one") else {
        return;
    };
    let (len, clients) = (8 * page(), [Account::new("one"), Account::new("other")]);
    for clearing in [Clearing::Always, Clearing::BetweenClients] {
        let (_, heap) = carve_out(len as u64, Pages::Normal, clearing);
        assert_eq!(heap.info().zeroed, clearing == Clearing::Always);
        let [one, other] = clients.each_ref().map(|client| heap.for_account(client));
        let first = one.allocate(len).unwrap();
        let id = first.id();
        fill(&first, 0xa5);
        drop(first);
        let again = one.allocate(len).unwrap();
        assert_eq!(again.id(), id, "its dma-buf was kept");
        let kept = clearing == Clearing::BetweenClients;
        assert!(is_all(&again, if kept { 0xa5 } else { 0 }));
        // Whoever writes through another descriptor is seen no less.
        let duplicate = DmaBuf::new(again.as_fd().try_clone_to_owned().unwrap()).unwrap();
        fill(&duplicate, 0x5a);
        drop((duplicate, again));
        // At another length, so by another dma-buf over the same memory.
        let theirs = other.allocate(len - page()).unwrap();
        assert!(is_all(&theirs, 0), "{clearing:?} shows another's memory");
        drop(theirs);
        let back = one.allocate(len).unwrap();
        let last = back.read(CpuUse::Inspect).unwrap()[len - 1];
        assert_eq!(last, if kept { 0x5a } else { 0 });
    }
}

fn vivid() -> Arc<VideoDevice> {
    Arc::new(VideoDevice::open_matching(Some("vivid"), Function::Camera).unwrap())
}

/// A queue of the camera's with frames of this heap, all of them with the driver.
fn queued(heap: &Heap) -> Result<(Queue, FramePool), Errno> {
    let camera = vivid();
    let request = FormatRequest {
        code: Format::XRGB8888.v4l2().unwrap(),
        width: 320,
        height: 180,
        strides: Vec::new(),
    };
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
    let (carve_out, heap) = carve_out(16 * MIB, Pages::Huge, Clearing::Always);
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
    let refused = message(&heap.allocate(64 << 10).unwrap_err());
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
    let (carve_out, heap) = carve_out(MIB, Pages::Normal, Clearing::Always);
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
        controls: Vec::new(),
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
    let (_carve_out, huge) = carve_out(16 * MIB, Pages::Huge, Clearing::Always);
    let right = board.kernel >= (6, 16);
    // Two pictures to a huge page, and pictures that fill more than half of one.
    for size in [(320, 180), (640, 360), (640, 480)] {
        camera_takes(&huge, size, right).unwrap();
    }
    let single = Heap::new(HugeUdmabuf::info(), HugeUdmabuf::open().unwrap());
    camera_takes(&single, (640, 480), right).unwrap();

    let udmabuf = || Heap::new(Udmabuf::info(), Udmabuf::open().unwrap());
    let carve_out = || carve_out(16 * MIB, Pages::Normal, Clearing::Always).1;
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

#[test]
fn pieces_of_huge_pages_cross_no_more_of_them_than_they_must() {
    let name = "pieces_of_huge_pages_cross_no_more_of_them_than_they_must";
    let Some(board) = Board::for_test(name) else {
        return;
    };
    let _huge = HugePages::reserve(8);
    let (carve_out, heap) = carve_out(16 * MIB, Pages::Huge, Clearing::Always);
    let held: Vec<_> = [300 << 10, 4096, 3 << 20, 1200 << 10, 700 << 10]
        .into_iter()
        .map(|len| heap.allocate(len).unwrap())
        .collect();
    // 3 MiB begin a huge page; the others fit beside each other in two.
    let free = if board.kernel >= (6, 16) {
        10 * MIB - (1200 << 10)
    } else {
        // Each has its own.
        4 * MIB
    };
    assert_eq!(carve_out.figures().largest_free, free);
    let options = AllocOptions {
        align: 2 << 20,
        flags: 0,
    };
    let aligned = heap.allocate_with(4096, options).unwrap();
    drop((held, aligned));
    assert_eq!(heap.available(), Some(16 * MIB));
}
