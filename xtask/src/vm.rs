//! One boot of the virtual board, from the job to how it ended.

mod session;

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::initramfs;
use crate::job::Job;
use crate::kernel::Kernel;
use crate::packages::{Purpose, ensure_installed};
use crate::profile::Profile;
use crate::qemu::{Accelerator, Machine};
use crate::workspace;
use session::{Channels, Outcome, Session};

/// Has what a boot needs, installing it if it can be had.
pub(crate) fn ensure_possible() -> Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "the board runs this machine's programs, and its kernels are for 64-bit PCs"
    );
    ensure_installed(&[Purpose::Board])
}

/// What to boot and what to run there.
pub(crate) struct Boot<'a> {
    pub(crate) root: &'a Path,
    pub(crate) kernel: &'a Kernel,
    pub(crate) profile: &'a Profile,
    /// MiB; the profile's own when absent.
    pub(crate) memory: Option<u32>,
    /// Whether the board's clock counts instructions.
    pub(crate) counted: bool,
    /// Where the guest's `/results` and the logs go.
    pub(crate) results: &'a Path,
    pub(crate) environment: &'a [(String, String)],
    pub(crate) time_limit: Duration,
    pub(crate) screenshot: Option<Screenshot>,
    pub(crate) command: &'a [String],
}

/// A picture of the monitor.
#[derive(Clone)]
pub(crate) struct Screenshot {
    pub(crate) file: PathBuf,
    /// From the command's start; when it has ended if absent.
    pub(crate) after: Option<Duration>,
}

/// How a boot ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The command ran and gave this status.
    Exited(u8),
    TimeLimit(Duration),
    /// With the kernel's own words.
    Panicked(String),
    /// The emulator or the guest ended on its own, with what is known of it.
    Died(String),
}

impl Ending {
    /// The status for xtask itself: the command's own, or one that commands do
    /// not use by custom.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Exited(status) => *status,
            Self::TimeLimit(_) => 124,
            Self::Panicked(_) => 121,
            Self::Died(_) => 122,
        }
    }

    /// Whether the command did what it was to do; an error names the kernel's log in `results`.
    pub(crate) fn succeeded(&self, results: &Path) -> Result<()> {
        ensure!(
            *self == Self::Exited(0),
            "{self}; the kernel's log: {}",
            results.join(KERNEL_LOG).display()
        );
        Ok(())
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "the command ended with status {status}"),
            Self::TimeLimit(limit) => write!(f, "the time limit of {} s passed", limit.as_secs()),
            Self::Panicked(words) => write!(f, "the kernel panicked: {words}"),
            Self::Died(words) => write!(f, "the board stopped before the command ended: {words}"),
        }
    }
}

/// What takes the command's output.
pub(crate) type Output = Box<dyn Write + Send>;

/// Where the kernel's messages go, in the results.
pub(crate) const KERNEL_LOG: &str = "kernel.log";

/// Boots of one board that are tried: now and then a kernel dies under an emulator before
/// anything of ours runs, and the next one does not.
const ATTEMPTS: u32 = 3;

/// A second boot in one process must not meet the first one's sockets.
static BOOTS: AtomicU32 = AtomicU32::new(0);

impl Boot<'_> {
    /// Boots, runs the command, writes its output to `output` as it comes. A board that dies
    /// before the command begins is booted again; the log of its kernel is kept.
    ///
    /// Call it from the main thread: the emulator ends with the thread.
    pub(crate) fn run(&self, output: Output) -> Result<Ending> {
        if self.screenshot.is_some() && !self.has_monitor() {
            bail!(
                "profile {} has no monitor to take a screenshot of",
                self.profile.name
            );
        }
        let started = Instant::now();
        // What an earlier run left must not be taken for this one's.
        for attempt in 1..ATTEMPTS {
            workspace::clear(&self.kept_log(attempt))?;
        }
        until_up(
            output,
            |output| self.attempt(started, output),
            |attempt| self.keep_log(attempt),
        )
    }

    /// Where the log of an attempt goes that failed.
    fn kept_log(&self, attempt: u32) -> PathBuf {
        self.results.join(format!("kernel-{attempt}.log"))
    }

    fn keep_log(&self, attempt: u32) -> Result<PathBuf> {
        let kept = self.kept_log(attempt);
        match fs::rename(self.results.join(KERNEL_LOG), &kept) {
            // The emulator may have died before it wrote anything.
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot write {}", kept.display()))
            }
            _ => Ok(kept),
        }
    }

    /// One boot.
    fn attempt(&self, started: Instant, output: Output) -> Result<Outcome> {
        workspace::clear(&self.results.join(KERNEL_LOG))?;
        let id = format!(
            "dmaflow-{}-{}",
            std::process::id(),
            BOOTS.fetch_add(1, Ordering::Relaxed)
        );
        let scratch = Scratch::new(self.results.join(".board"))?;
        let end_mark = format!("\n--{id} has ended--\n");
        let job = Job {
            root: self.root,
            kernel: self.kernel,
            profile: self.profile,
            environment: self.environment,
            command: self.command,
            end_mark: &end_mark,
        };
        let initramfs = scratch.0.join("initramfs");
        initramfs::write(
            &initramfs,
            &scratch.0.join("files"),
            self.root,
            self.kernel,
            &job.script(),
            &self.profile.modprobe_conf(),
        )?;

        let (control, monitor) = (format!("{id}-control"), format!("{id}-monitor"));
        let control_listener = listen(&control)?;
        let monitor_listener = listen(&monitor)?;
        let accelerator = match self.counted {
            true => Accelerator::Counted,
            false => Accelerator::probe(&scratch.0),
        };
        let machine = Machine {
            kernel: self.kernel,
            initramfs,
            cmdline: &self.profile.cmdline,
            memory: self.memory.unwrap_or(self.profile.memory),
            accelerator,
            devices: self
                .profile
                .monitor(&self.kernel.release)
                .map(|monitor| monitor.device.as_str())
                .into_iter()
                .collect(),
            results: self.results,
            control: &control,
            monitor: &monitor,
        };
        let channels = Channels {
            control: control_listener,
            monitor: monitor_listener,
            output,
            end_mark,
        };
        Session::new(self, started, accelerator, machine.start()?, channels)?.run()
    }

    fn has_monitor(&self) -> bool {
        self.profile.monitor(&self.kernel.release).is_some()
    }
}

/// Has a board booted until its command begins, [`ATTEMPTS`] times at most. `keep_log` keeps the
/// log of an attempt that failed, and says where.
fn until_up(
    mut output: Output,
    mut boot: impl FnMut(Output) -> Result<Outcome>,
    keep_log: impl Fn(u32) -> Result<PathBuf>,
) -> Result<Ending> {
    let mut attempt = 1;
    loop {
        match boot(output)? {
            Outcome::Ended(ending) => return Ok(ending),
            Outcome::NeverUp(ending, _output) if attempt == ATTEMPTS => return Ok(ending),
            Outcome::NeverUp(ending, back) => {
                let log = keep_log(attempt)?;
                attempt += 1;
                eprintln!(
                    "warning: {ending}\n  the command had not begun: booting again, attempt \
                     {attempt} of {ATTEMPTS}; the log of this one: {}",
                    log.display()
                );
                output = back;
            }
        }
    }
}

fn listen(name: &str) -> Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(name)?;
    UnixListener::bind_addr(&address).with_context(|| format!("cannot listen on @{name}"))
}

/// What a boot is assembled in, removed with everything in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: PathBuf) -> Result<Self> {
        workspace::clear(&path)?;
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("warning: cannot remove {}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boots that never come up for the first `deaths` times; how it ended, and how many there
    /// were.
    fn boots_with(deaths: u32) -> (Ending, u32) {
        let mut boots = 0;
        let boot = |output: Output| {
            boots += 1;
            Ok(if boots <= deaths {
                Outcome::NeverUp(Ending::Panicked("int3".to_owned()), output)
            } else {
                Outcome::Ended(Ending::Exited(7))
            })
        };
        let keep_log = |attempt: u32| Ok(PathBuf::from(format!("kernel-{attempt}.log")));
        let ending = until_up(Box::new(Vec::new()), boot, keep_log).unwrap();
        (ending, boots)
    }

    #[test]
    fn a_board_that_never_came_up_is_booted_again_and_not_for_ever() {
        assert_eq!(boots_with(0), (Ending::Exited(7), 1));
        assert_eq!(boots_with(2), (Ending::Exited(7), 3));
        assert_eq!(
            boots_with(100),
            (Ending::Panicked("int3".to_owned()), ATTEMPTS)
        );
    }

    #[test]
    fn endings_have_their_own_codes() {
        let endings = [
            Ending::TimeLimit(Duration::from_secs(1)),
            Ending::Panicked(String::new()),
            Ending::Died(String::new()),
        ];
        let codes: Vec<u8> = endings.iter().map(Ending::code).collect();
        assert_eq!(codes, [124, 121, 122]);
    }
}
