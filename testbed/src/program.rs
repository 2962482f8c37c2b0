//! The program `dmaflow`, run as a user would.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A run of `dmaflow … --json`, ended.
#[derive(Debug)]
pub struct Run {
    /// The exit status, where it was not ended by a signal.
    pub status: Option<i32>,
    /// What it printed for programs; null when it printed none.
    pub json: Value,
    /// What it printed for people.
    pub messages: String,
}

impl Run {
    /// A number in the report, by its path, as in `/frames/shown`.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn number(&self, path: &str) -> u64 {
        self.json
            .pointer(path)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("no number {path} in {}\n{}", self.json, self.messages))
    }

    /// Checks what holds for every run that went well.
    ///
    /// # Panics
    /// When the run failed, showed nothing, lost sight of a frame, or copied a byte.
    pub fn assert_went_well(&self) {
        assert_eq!(self.status, Some(0), "{}\n{}", self.json, self.messages);
        let captured = self.number("/frames/captured");
        let shown = self.number("/frames/shown");
        assert!(shown > 0, "nothing was shown: {}", self.json);
        assert_eq!(
            captured,
            shown + self.number("/frames/dropped"),
            "{}",
            self.json
        );
        assert_eq!(self.number("/bytes_copied"), 0, "{}", self.json);
    }
}

/// The description of a camera on a display, with vivid's small pictures on vkms: for any of the
/// program's commands that take one.
pub const VIVID_ON_VKMS: &[&str] = &[
    "examples/camera-to-display.toml",
    "--set=camera.device=vivid",
    "--set=camera.width=640",
    "--set=camera.height=480",
    "--set=screen.card=vkms",
];

/// The program with its arguments, in the checkout.
#[must_use]
pub fn dmaflow(arguments: &[&str]) -> Command {
    command("dmaflow", arguments)
}

/// The same as another user, without root's rights.
#[must_use]
pub fn dmaflow_as(user: u32, arguments: &[&str]) -> Command {
    as_user(user, Path::new("dmaflow"), arguments)
}

/// Any program as another user, without root's rights.
#[must_use]
pub fn as_user(user: u32, program: &Path, arguments: &[&str]) -> Command {
    let mut command = command("setpriv", &[]);
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .arg("--clear-groups")
        .arg(program)
        .args(arguments);
    command
}

/// A copy of a file of the checkout for [other users](as_user), to whom a checkout may be closed.
///
/// # Panics
/// When it cannot be copied.
#[must_use]
pub fn world_readable(file: &str) -> String {
    let name = file.replace('/', "-");
    let copy = std::env::temp_dir().join(name);
    fs::copy(checkout().join(file), &copy).expect("a file that can be copied");
    fs::set_permissions(&copy, Permissions::from_mode(0o644)).expect("a copy of ours");
    copy.to_string_lossy().into_owned()
}

/// Unloads vivid's driver and loads it again, with the profile's parameters.
///
/// # Panics
/// When it is in use, or cannot be loaded.
pub fn reload_vivid() {
    modprobe(&["-r", "vivid"]);
    modprobe(&["vivid"]);
}

/// Loads a driver, or unloads it with `-r`.
///
/// # Panics
/// When it is in use, or there is none.
pub fn modprobe(arguments: &[&str]) {
    let modprobe = Command::new("modprobe").args(arguments).status();
    assert!(modprobe.expect("modprobe").success(), "{arguments:?}");
}

/// Any program with its arguments, in the checkout.
#[must_use]
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(checkout())
        // What one run learns is not to change the next.
        .env("DMAFLOW_CACHE", "")
        .stdin(Stdio::null());
    command
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A command at work, which does not outlive its test.
#[derive(Debug)]
pub struct Running(Option<Child>);

impl Running {
    /// Starts a command, of which [`Running::ended`] tells what it printed.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("a program that starts")))
    }

    fn child(&self) -> &Child {
        self.0.as_ref().expect("not ended")
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// Whether it ended by itself.
    ///
    /// # Panics
    /// When the kernel does not know it.
    pub fn has_ended(&mut self) -> bool {
        let child = self.0.as_mut().expect("not ended");
        child.try_wait().expect("a child").is_some()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process");
        kill(Pid::from_raw(pid), signal).expect("a process that runs");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When what it printed cannot be read.
    #[must_use]
    pub fn ended(mut self) -> Run {
        let child = self.0.take().expect("not ended");
        Run::ended(&child.wait_with_output().expect("its output"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended already.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Run {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        Self::ended(&command.output().expect("a program that starts"))
    }

    /// Reads what an ended command printed.
    #[must_use]
    pub fn ended(output: &Output) -> Self {
        Self {
            status: output.status.code(),
            json: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            messages: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
