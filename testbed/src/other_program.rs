//! Another program that shows a picture on a display.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};

use drm::buffer::DrmFourcc;
use drm::control::{Device as _, Mode, crtc, framebuffer, plane};
use drm::{ClientCapability, Device as _};

/// A program with a picture of its own on the first screen of a card.
#[derive(Debug)]
pub struct OtherProgram {
    file: File,
    crtc: crtc::Handle,
}

/// What a screen shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lit {
    /// The mode, where the screen is on.
    pub mode: Option<Mode>,
    /// The framebuffer beneath.
    pub framebuffer: Option<framebuffer::Handle>,
    /// Each plane of the card with its CRTC and framebuffer.
    pub planes: Vec<(
        plane::Handle,
        Option<crtc::Handle>,
        Option<framebuffer::Handle>,
    )>,
}

impl AsFd for OtherProgram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl drm::Device for OtherProgram {}
impl drm::control::Device for OtherProgram {}

impl OtherProgram {
    /// Shows a picture on the first card with this driver, and controls the card no longer.
    ///
    /// # Panics
    /// When there is no such card, or it cannot show a picture.
    #[must_use]
    pub fn showing_on(driver: &str) -> Self {
        let mut other = Self::open(driver);
        let resources = other.resource_handles().expect("the card's parts");
        other.crtc = resources.crtcs()[0];
        let connector = other
            .get_connector(resources.connectors()[0], true)
            .expect("a connector");
        let mode = connector.modes()[3];
        let (width, height) = mode.size();
        let picture = other
            .create_dumb_buffer((width.into(), height.into()), DrmFourcc::Xrgb8888, 32)
            .and_then(|buffer| other.add_framebuffer(&buffer, 24, 32))
            .expect("a picture");
        let connectors = [connector.handle()];
        other
            .set_crtc(other.crtc, Some(picture), (0, 0), &connectors, Some(mode))
            .expect("a lit screen");
        other.release_master_lock().expect("the master's lock");
        other
    }

    fn open(driver: &str) -> Self {
        let nodes = fs::read_dir("/dev/dri").expect("displays");
        nodes
            .filter_map(|node| {
                let path = node.ok()?.path();
                let name = path.file_name()?.to_str()?;
                name.strip_prefix("card")?;
                let other = Self {
                    file: File::options().read(true).write(true).open(&path).ok()?,
                    crtc: drm::control::from_u32(1)?,
                };
                let known = other.get_driver().ok()?;
                other
                    .set_client_capability(ClientCapability::UniversalPlanes, true)
                    .ok()?;
                (known.name() == driver).then_some(other)
            })
            .next()
            .expect("a card with this driver")
    }

    /// What is shown now.
    ///
    /// # Panics
    /// When the card is gone.
    #[must_use]
    pub fn lit(&self) -> Lit {
        let crtc = self.get_crtc(self.crtc).expect("the CRTC");
        let planes = self.plane_handles().expect("the planes");
        let planes = planes.into_iter().map(|handle| {
            let plane = self.get_plane(handle).expect("a plane");
            (handle, plane.crtc(), plane.framebuffer())
        });
        Lit {
            mode: crtc.mode(),
            framebuffer: crtc.framebuffer(),
            planes: planes.collect(),
        }
    }
}
