//! Camera to display with nothing between the ioctls: the limit that dmaflow is measured by.
//!
//! One thread, one `poll`, buffers of the `system` heap imported on both sides, 32-bit RGB, the
//! mode of the picture's size, no error handling beyond giving up.
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]

mod sys;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, bail, ensure};
use drm::buffer::{Buffer, DrmFourcc, Handle};
use drm::control::atomic::AtomicModeReq;
use drm::control::{
    AtomicCommitFlags, Device as _, Event, connector, crtc, plane, property, property::Value,
};
use drm::{ClientCapability, Device as _};
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

const BUFFERS: u32 = 4;

#[derive(Debug)]
struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
impl drm::Device for Card {}
impl drm::control::Device for Card {}

struct Imported {
    handle: Handle,
    size: (u32, u32),
    stride: u32,
}

impl Buffer for Imported {
    fn size(&self) -> (u32, u32) {
        self.size
    }
    fn format(&self) -> DrmFourcc {
        DrmFourcc::Xrgb8888
    }
    fn pitch(&self) -> u32 {
        self.stride
    }
    fn handle(&self) -> Handle {
        self.handle
    }
}

struct Options {
    size: (u32, u32),
    frames: usize,
    camera: String,
    card: String,
}

fn options() -> Result<Options> {
    let mut found: HashMap<String, String> = HashMap::new();
    let mut words = std::env::args().skip(1);
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        found.insert(key, value);
    }
    let get = |key: &str, default: &str| found.get(key).map_or(default, String::as_str).to_owned();
    let size = get("--size", "1280x720");
    let (width, height) = size.split_once('x').context("--size WIDTHxHEIGHT")?;
    Ok(Options {
        size: (width.parse()?, height.parse()?),
        frames: get("--frames", "300").parse()?,
        camera: get("--camera", "vivid"),
        card: get("--card", "vkms"),
    })
}

fn open_node(path: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    open(path, flags, Mode::empty()).with_context(|| format!("cannot open {path}"))
}

fn camera(driver: &str) -> Result<OwnedFd> {
    for number in 0..64 {
        if let Ok(video) = open_node(&format!("/dev/video{number}"))
            && sys::driver(video.as_fd())? == driver
        {
            return Ok(video);
        }
    }
    bail!("no camera of driver {driver}")
}

fn card(driver: &str) -> Result<Card> {
    for number in 0..16 {
        if let Ok(fd) = open_node(&format!("/dev/dri/card{number}")) {
            let card = Card(fd.into());
            if card
                .get_driver()?
                .name()
                .to_string_lossy()
                .starts_with(driver)
            {
                return Ok(card);
            }
        }
    }
    bail!("no card of driver {driver}")
}

/// The display's part: what a commit needs.
struct Screen {
    card: Card,
    plane: plane::Handle,
    fb_property: property::Handle,
}

impl Screen {
    /// Sets the mode with the first framebuffer.
    fn set_up(
        card: Card,
        size: (u32, u32),
        frame: drm::control::framebuffer::Handle,
    ) -> Result<Self> {
        let resources = card.resource_handles()?;
        let connector = resources
            .connectors()
            .iter()
            .map(|&handle| card.get_connector(handle, true))
            .filter_map(Result::ok)
            .find(|info| {
                info.state() == connector::State::Connected
                    && info.interface() != connector::Interface::Writeback
            })
            .context("no connected connector")?;
        let fits = |mode: &&drm::control::Mode| {
            (u32::from(mode.size().0), u32::from(mode.size().1)) == size
        };
        let mode = *connector
            .modes()
            .iter()
            .find(fits)
            .context("no mode of this size")?;
        let crtc: crtc::Handle = resources.crtcs()[0];
        let plane = card
            .plane_handles()?
            .into_iter()
            .find(|&plane| is_primary(&card, plane))
            .context("no primary plane")?;

        let connector_props = card.get_properties(connector.handle())?.as_hashmap(&card)?;
        let crtc_props = card.get_properties(crtc)?.as_hashmap(&card)?;
        let plane_props = card.get_properties(plane)?.as_hashmap(&card)?;
        let mut request = AtomicModeReq::new();
        let of = |props: &HashMap<String, property::Info>, name: &str| props[name].handle();
        request.add_property(
            connector.handle(),
            of(&connector_props, "CRTC_ID"),
            Value::CRTC(Some(crtc)),
        );
        request.add_property(
            crtc,
            of(&crtc_props, "MODE_ID"),
            card.create_property_blob(&mode)?,
        );
        request.add_property(crtc, of(&crtc_props, "ACTIVE"), Value::Boolean(true));
        let (width, height) = (u64::from(size.0), u64::from(size.1));
        request.add_property(
            plane,
            of(&plane_props, "FB_ID"),
            Value::Framebuffer(Some(frame)),
        );
        request.add_property(plane, of(&plane_props, "CRTC_ID"), Value::CRTC(Some(crtc)));
        for (name, value) in [
            ("SRC_X", 0),
            ("SRC_Y", 0),
            ("SRC_W", width << 16),
            ("SRC_H", height << 16),
            ("CRTC_X", 0),
            ("CRTC_Y", 0),
            ("CRTC_W", width),
            ("CRTC_H", height),
        ] {
            request.add_property(plane, of(&plane_props, name), Value::UnsignedRange(value));
        }
        let flags = AtomicCommitFlags::ALLOW_MODESET;
        card.atomic_commit(flags, request)?;
        let fb_property = of(&plane_props, "FB_ID");
        Ok(Self {
            card,
            plane,
            fb_property,
        })
    }

    fn flip(&self, frame: drm::control::framebuffer::Handle) -> Result<()> {
        let flags = AtomicCommitFlags::NONBLOCK | AtomicCommitFlags::PAGE_FLIP_EVENT;
        drm_ffi::mode::atomic_commit(
            self.card.as_fd(),
            flags.bits(),
            &mut [self.plane.into()],
            &mut [1],
            &mut [self.fb_property.into()],
            &mut [u64::from(u32::from(frame))],
        )?;
        Ok(())
    }
}

fn is_primary(card: &Card, plane: plane::Handle) -> bool {
    card.get_properties(plane)
        .and_then(|properties| {
            let named = properties.as_hashmap(card)?;
            let kind = named["type"].handle();
            Ok(properties
                .iter()
                .any(|(&handle, &value)| handle == kind && value == 1))
        })
        .unwrap_or(false)
}

fn main() -> Result<()> {
    let options = options()?;
    let video = camera(&options.camera)?;
    let (stride, len) = sys::set_format(video.as_fd(), options.size, u32::from_le_bytes(*b"XR24"))?;
    sys::set_rate(video.as_fd(), 30)?;
    let card = card(&options.card)?;
    card.set_client_capability(ClientCapability::UniversalPlanes, true)?;
    card.set_client_capability(ClientCapability::Atomic, true)?;

    let heap = open_node("/dev/dma_heap/system")?;
    let mut dma_bufs = Vec::new();
    let mut frames = Vec::new();
    sys::request(video.as_fd(), BUFFERS)?;
    for index in 0..BUFFERS {
        let dma_buf = sys::alloc(heap.as_fd(), len.into())?;
        let imported = Imported {
            handle: card.prime_fd_to_buffer(dma_buf.as_fd())?,
            size: options.size,
            stride,
        };
        frames.push(card.add_framebuffer(&imported, 24, 32)?);
        sys::queue(video.as_fd(), index, dma_buf.as_fd())?;
        dma_bufs.push(dma_buf);
    }
    let screen = Screen::set_up(card, options.size, frames[0])?;
    sys::stream_on(video.as_fd())?;

    let give_back = |index: usize| {
        sys::queue(
            video.as_fd(),
            u32::try_from(index)?,
            dma_bufs[index].as_fd(),
        )
        .map_err(anyhow::Error::from)
    };
    let (mut on_screen, mut pending, mut waiting) = (None, None, None);
    let (mut captured, mut shown, mut superseded) = (0, 0, 0);
    let mut first_flip = 0;
    let mut latencies = Vec::with_capacity(options.frames);
    while shown + superseded < options.frames {
        let wanted = if captured < options.frames {
            PollFlags::POLLIN
        } else {
            PollFlags::empty()
        };
        let mut fds = [
            PollFd::new(video.as_fd(), wanted),
            PollFd::new(screen.card.as_fd(), PollFlags::POLLIN),
        ];
        ensure!(
            poll(&mut fds, PollTimeout::from(5000_u16))? > 0,
            "nothing for 5 s"
        );
        let [camera_ready, screen_ready] = fds.map(|fd| fd.any().unwrap_or(false));
        if camera_ready {
            let (index, stamp) = sys::dequeue(video.as_fd())?;
            let taken = (index as usize, stamp);
            captured += 1;
            if pending.is_none() {
                screen.flip(frames[taken.0])?;
                pending = Some(taken);
            } else if let Some((older, _stamp)) = waiting.replace(taken) {
                superseded += 1;
                give_back(older)?;
            }
        }
        if screen_ready {
            for event in screen.card.receive_events()? {
                let Event::PageFlip(flip) = event else {
                    continue;
                };
                let flipped = u64::try_from(flip.duration.as_nanos())?;
                shown += 1;
                let Some((index, stamp)) = pending.take() else {
                    bail!("a flip that nobody asked for");
                };
                if shown == 1 {
                    first_flip = flipped;
                }
                latencies.push(flipped.saturating_sub(stamp) / 1000);
                if let Some(replaced) = on_screen.replace(index) {
                    give_back(replaced)?;
                }
                if let Some(next) = waiting.take() {
                    screen.flip(frames[next.0])?;
                    pending = Some(next);
                }
            }
        }
    }
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    println!(
        "{{\"frames\":{{\"captured\":{captured},\"shown\":{shown},\"superseded\":{superseded}}},\
         \"bytes_copied\":0,\"first_flip_monotonic_us\":{},\
         \"latency_us\":{{\"capture_to_flip\":{{\"p50\":{},\"p99\":{}}}}}}}",
        first_flip / 1000,
        at(50),
        at(99),
    );
    Ok(())
}
