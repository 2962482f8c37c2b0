//! Other cameras than the profile's.

use crate::program::{modprobe, reload_vivid};

/// vivid with parameters of a test's own; dropped, the profile's are there again.
#[derive(Debug)]
pub struct Cameras(());

impl Cameras {
    /// Loads vivid anew, with a webcam for each pair: planes for `multiplanar` (1 or 2), and
    /// whether it wants contiguous memory.
    ///
    /// # Panics
    /// When vivid is in use, or cannot be loaded.
    #[must_use]
    pub fn load(cameras: &[(u32, bool)]) -> Self {
        let list = |values: &dyn Fn(&(u32, bool)) -> u32| {
            let values: Vec<_> = cameras.iter().map(|it| values(it).to_string()).collect();
            values.join(",")
        };
        modprobe(&["-r", "vivid"]);
        modprobe(&[
            "vivid",
            &format!("n_devs={}", cameras.len()),
            &format!("node_types={}", list(&|_camera| 1)),
            &format!("num_inputs={}", list(&|_camera| 1)),
            &format!("input_types={}", list(&|_camera| 0)),
            &format!("multiplanar={}", list(&|&(planes, _)| planes)),
            &format!("allocators={}", list(&|&(_, contiguous)| contiguous.into())),
        ]);
        Self(())
    }

    /// What a description calls one of them, counted from 0.
    #[must_use]
    pub fn device(number: usize) -> String {
        format!("platform:vivid-{number:03}")
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        // A test that fails may hold the driver still, and is to be told of its own failure.
        if !std::thread::panicking() {
            reload_vivid();
        }
    }
}
