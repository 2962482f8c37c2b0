//! Heaps whose device goes away: what is on loan stays, and nothing is left behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Heap, HeapBuffer};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Sink;
use dmaflow_kms_sink::heaps::{Dumb, Gbm, PictureRequest, PictureSource};
use dmaflow_kms_sink::{CardInfo, KmsSink, KmsSinkConfig, displays};
use dmaflow_testbed::{Board, DmaBufs, open_files, reload_vivid};
use dmaflow_v4l2::{ControlValue, Direction, Expbuf, Function, VideoDevice};

const LEN: usize = 640 * 480 * 4;

/// Buffers that were on loan when their device went away: one that the CPU has seen, and one
/// that it has not.
struct OnLoan {
    seen: HeapBuffer,
    unseen: HeapBuffer,
}

impl OnLoan {
    fn of(heap: &Heap) -> Self {
        let seen = heap.allocate(LEN).unwrap();
        seen.write(CpuUse::Draw).unwrap().fill(0x5a);
        let unseen = heap.allocate(LEN).unwrap();
        Self { seen, unseen }
    }

    /// Both can still be used.
    fn outlive_the_device(&self) {
        let mut bytes = self.seen.write(CpuUse::Draw).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 0x5a));
        bytes.fill(0xa5);
        drop(bytes);
        let mut bytes = self.unseen.write(CpuUse::Draw).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes.fill(0x77);
        drop(bytes);
        assert_eq!(self.seen.read(CpuUse::Inspect).unwrap()[LEN - 1], 0xa5);
    }
}

/// The heap gives no more, says why, and still counts what is on loan.
fn is_gone(heap: &Heap, device: &str) {
    for _again in 0..2 {
        let error = heap.allocate(LEN).unwrap_err();
        assert_eq!(error.errno(), Errno::ENODEV, "{error}");
        let error = error.to_string();
        assert!(
            error.contains(device) && error.contains("is gone"),
            "{error}"
        );
    }
    assert_eq!(heap.stats().usage.live, 2);
}

/// Another card imports the buffer, and has it while the card is open.
fn is_imported_by(card: &fs::File, buffer: &HeapBuffer) {
    let imported = drm_ffi::gem::fd_to_handle(card.as_fd(), buffer.as_fd());
    assert!(imported.unwrap().handle > 0);
    assert!(!buffer.is_alone());
}

/// A card, opened for itself.
fn card(driver: &str) -> fs::File {
    let mut cards = displays().into_iter();
    let is = |card: &CardInfo| card.card.as_ref().is_ok_and(|card| card.driver == driver);
    let node = cards.find(is).unwrap().node;
    fs::File::options()
        .read(true)
        .write(true)
        .open(node)
        .unwrap()
}

#[test]
fn a_camera_that_is_gone_leaves_its_memory() {
    let Some(_board) = Board::for_test("a_camera_that_is_gone_leaves_its_memory") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let open = || VideoDevice::open_matching(Some("vivid"), Function::Camera).unwrap();
    let expbuf = Expbuf::new(open(), Direction::Capture);
    let heap = Heap::new(expbuf.info(), expbuf);
    let on_loan = OnLoan::of(&heap);
    let vivid = open();
    vivid
        .set_control("Disconnect", &ControlValue::Integer(1))
        .unwrap();
    assert!(vivid.is_gone());
    on_loan.outlive_the_device();
    is_gone(&heap, "vivid");
    // Others can import what is on loan even now.
    let vkms = card("vkms");
    is_imported_by(&vkms, &on_loan.unseen);
    drop((on_loan, vivid, vkms));
    assert_eq!(heap.stats().usage.live, 0);
    drop(heap);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
    reload_vivid();
    let expbuf = Expbuf::new(open(), Direction::Capture);
    assert!(Heap::new(expbuf.info(), expbuf).allocate(LEN).is_ok());
}

/// The monitor's driver below `/sys/bus/pci/drivers`, its name as a card, and its address.
fn monitor() -> (PathBuf, String, String) {
    let mut cards = displays().into_iter().filter_map(|card| card.card.ok());
    let card = cards.find(|card| card.driver != "vkms").unwrap();
    let address = card.bus.unwrap();
    let driver = Path::new("/sys/bus/pci/devices")
        .join(&address)
        .join("driver");
    (driver.canonicalize().unwrap(), card.driver, address)
}

#[test]
fn a_display_that_is_unplugged_leaves_its_memory() {
    // Only this profile has a display that can be pulled out.
    if Board::for_test_on(&["pc"], "a_display_that_is_unplugged_leaves_its_memory").is_none() {
        return;
    }
    let (buffers, files) = (DmaBufs::now(), open_files());
    let (driver, name, address) = monitor();
    let (dumb, gbm) = (Dumb::open(&name).unwrap(), Gbm::open(&name).unwrap());
    // Mesa is not asked before the display is gone.
    let late = Gbm::open(&name).unwrap();
    let request = PictureRequest::new(Format::XRGB8888, 640, 480);
    let dumb_heap = Heap::new(dumb.info(), dumb.clone());
    let gbm_heap = Heap::new(gbm.info(), gbm.clone());
    let late_heap = Heap::new(late.info(), late);
    let of_dumb = OnLoan::of(&dumb_heap);
    let of_gbm = OnLoan::of(&gbm_heap);
    let picture = dumb.picture(&request).unwrap();

    fs::write(driver.join("unbind"), &address).unwrap();
    of_dumb.outlive_the_device();
    is_gone(&dumb_heap, &name);
    of_gbm.outlive_the_device();
    is_gone(&gbm_heap, &name);
    assert_eq!(late_heap.allocate(1).unwrap_err().errno(), Errno::ENODEV);
    for error in [
        dumb.picture(&request).unwrap_err(),
        gbm.picture(&request).unwrap_err(),
    ] {
        assert_eq!(error.errno(), Some(Errno::ENODEV), "{error}");
        assert!(error.to_string().contains("is gone"), "{error}");
    }
    assert!(picture.buffers[0].read(CpuUse::Inspect).is_ok());
    let vkms = card("vkms");
    is_imported_by(&vkms, &of_dumb.unseen);
    drop((of_dumb, of_gbm, picture, vkms));
    assert_eq!(
        dumb_heap.stats().usage.live + gbm_heap.stats().usage.live,
        0
    );
    drop((dumb_heap, gbm_heap, late_heap, dumb, gbm));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();

    fs::write(driver.join("bind"), &address).unwrap();
    let (_, again, _) = monitor();
    let dumb = Dumb::open(&again).unwrap();
    let heap = Heap::new(dumb.info(), dumb);
    let layout = Layout::packed(Format::XRGB8888, 640, 480).unwrap();
    let pool = FramePool::allocate(&heap, &layout, 2).unwrap();
    let mut sink = KmsSink::open(KmsSinkConfig {
        card: Some(again),
        ..KmsSinkConfig::default()
    })
    .unwrap();
    sink.attach(&pool).unwrap();
    sink.show(pool.acquire().unwrap()).unwrap();
    sink.stop().unwrap();
}

/// A second vkms, made through configfs; it goes when it is dropped.
struct SecondVkms(PathBuf);

impl SecondVkms {
    fn new() -> Self {
        let root = PathBuf::from("/sys/kernel/config/vkms/second");
        let this = Self(root.clone());
        let (plane, crtc) = (root.join("planes/plane"), root.join("crtcs/crtc"));
        let (encoder, connector) = (
            root.join("encoders/encoder"),
            root.join("connectors/screen"),
        );
        for part in [&root, &plane, &crtc, &encoder, &connector] {
            fs::create_dir(part).unwrap();
        }
        // A primary plane, as DRM numbers them.
        fs::write(plane.join("type"), "1").unwrap();
        symlink(&crtc, plane.join("possible_crtcs/crtc")).unwrap();
        symlink(&crtc, encoder.join("possible_crtcs/crtc")).unwrap();
        symlink(&encoder, connector.join("possible_encoders/encoder")).unwrap();
        this.enable("1");
        this
    }

    fn enable(&self, value: &str) {
        fs::write(self.0.join("enabled"), value).unwrap();
    }
}

impl Drop for SecondVkms {
    fn drop(&mut self) {
        self.enable("0");
        for link in [
            "planes/plane/possible_crtcs/crtc",
            "encoders/encoder/possible_crtcs/crtc",
            "connectors/screen/possible_encoders/encoder",
        ] {
            fs::remove_file(self.0.join(link)).unwrap();
        }
        for part in [
            "planes/plane",
            "crtcs/crtc",
            "encoders/encoder",
            "connectors/screen",
            "",
        ] {
            fs::remove_dir(self.0.join(part)).unwrap();
        }
    }
}

#[test]
fn a_display_that_is_only_unregistered_goes_on_giving() {
    let name = "a_display_that_is_only_unregistered_goes_on_giving";
    let Some(board) = Board::for_test(name) else {
        return;
    };
    if !board.has_kernel(name, (7, 0), "vkms through configfs") {
        return;
    }
    let (buffers, files) = (DmaBufs::now(), open_files());
    let nodes = || -> Vec<_> { displays().into_iter().map(|card| card.node).collect() };
    let before = nodes();
    let second = SecondVkms::new();
    let node = nodes()
        .into_iter()
        .find(|node| !before.contains(node))
        .unwrap();
    let dumb = Dumb::open(node.to_str().unwrap()).unwrap();
    let heap = Heap::new(dumb.info(), dumb);
    let on_loan = OnLoan::of(&heap);
    drop(second);
    assert_eq!(nodes(), before);
    assert!(Dumb::open(node.to_str().unwrap()).is_err());
    on_loan.outlive_the_device();
    // Its driver never unplugs it, so that it answers whoever has it open.
    let late = heap.allocate(LEN).unwrap();
    late.write(CpuUse::Draw).unwrap().fill(1);
    drop((on_loan, late, heap));
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}
