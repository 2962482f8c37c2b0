//! A camera that is to be found again.

use std::fmt;
use std::path::{Path, PathBuf};

use dmaflow_core::stage::DeviceKey;
use dmaflow_v4l2::{VideoNode, video_nodes};

/// A camera as it was known, to be found again after it was away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    key: DeviceKey,
    /// Which of the nodes with this key: some devices have several.
    rank: usize,
    /// Where others of its kind were, which are not it.
    others: Vec<String>,
}

/// Where a node's device is, as far as it can be asked and is a camera.
struct Place {
    path: PathBuf,
    key: DeviceKey,
}

fn places() -> Vec<Place> {
    let place = |node: VideoNode| {
        let capabilities = node.capabilities.ok()?;
        capabilities.captures().then(|| Place {
            path: node.path,
            key: capabilities.key(),
        })
    };
    video_nodes().into_iter().filter_map(place).collect()
}

impl Camera {
    /// The camera with this key, which was asked for by this name; a path tells which of several
    /// nodes it is.
    #[must_use]
    pub fn new(key: DeviceKey, asked: Option<&str>) -> Self {
        let asked = asked.filter(|asked| asked.contains('/')).map(Path::new);
        Self::among(&places(), key, asked)
    }

    fn among(places: &[Place], key: DeviceKey, asked: Option<&Path>) -> Self {
        let others = places.iter().filter(|place| place.key.bus != key.bus);
        Self {
            rank: asked.map_or(0, |path| rank(places, &key, path)),
            others: others.map(|place| place.key.bus.clone()).collect(),
            key,
        }
    }

    /// The node where it is now: of the same driver and name at the same place, or else at
    /// another one. `None` while there is none that can be opened.
    #[must_use]
    pub fn find(&self) -> Option<PathBuf> {
        find(&places(), self).map(Path::to_owned)
    }
}

impl fmt::Display for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

fn rank(places: &[Place], key: &DeviceKey, path: &Path) -> usize {
    let same = places.iter().filter(|place| place.key == *key);
    let before = same.take_while(|place| place.path != path);
    before.count()
}

fn find<'p>(places: &'p [Place], camera: &Camera) -> Option<&'p Path> {
    let here = places.iter().filter(|place| place.key == camera.key);
    let elsewhere = places.iter().filter(|place| {
        (&place.key.driver, &place.key.name) == (&camera.key.driver, &camera.key.name)
            && !camera.others.contains(&place.key.bus)
    });
    let found = here.clone().nth(camera.rank).or_else(|| {
        // While some of its nodes are there, the others are still to come.
        here.clone()
            .next()
            .is_none()
            .then(|| elsewhere.clone().nth(camera.rank))
            .flatten()
    });
    found.map(|place| place.path.as_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str, bus: &str, name: &str) -> Place {
        Place {
            path: PathBuf::from(path),
            key: DeviceKey {
                driver: "uvcvideo".to_owned(),
                bus: bus.to_owned(),
                name: name.to_owned(),
            },
        }
    }

    #[test]
    fn a_camera_is_found_whatever_its_node_is_called() {
        let before = [
            place("/dev/video0", "usb-1", "Webcam"),
            place("/dev/video2", "usb-2", "Webcam"),
            place("/dev/video3", "usb-2", "Webcam"),
        ];
        let path = Path::new("/dev/video3");
        let camera = Camera::among(&before, before[1].key.clone(), Some(path));
        assert_eq!(find(&before, &camera), Some(path));
        let after = [
            place("/dev/video0", "usb-1", "Webcam"),
            place("/dev/video4", "usb-2", "Webcam"),
            place("/dev/video5", "usb-2", "Webcam"),
        ];
        assert_eq!(find(&after, &camera), Some(Path::new("/dev/video5")));
        assert_eq!(
            find(&after[..2], &camera),
            None,
            "its node is still to come"
        );
    }

    #[test]
    fn no_other_camera_is_taken_in_its_stead() {
        let before = [
            place("/dev/video0", "usb-1", "Webcam"),
            place("/dev/video1", "usb-2", "Webcam"),
        ];
        let camera = Camera::among(&before, before[0].key.clone(), None);
        assert_eq!(find(&before[1..], &camera), None, "that is another");
        let other = [place("/dev/video0", "usb-1", "Capture card")];
        assert_eq!(find(&other, &camera), None);
        let moved = [place("/dev/video1", "usb-3", "Webcam")];
        assert_eq!(find(&moved, &camera), Some(Path::new("/dev/video1")));
    }
}
