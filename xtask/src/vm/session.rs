//! A running board: what it says and what becomes of it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdout};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Boot, Ending, KERNEL_LOG, Output};
use crate::monitor::Monitor;
use crate::output;
use crate::qemu::Accelerator;

enum Event {
    Connected(UnixStream),
    Line(String),
    /// Whether the command's whole output came, and where it went; or why it could not be
    /// passed on.
    OutputEnded(io::Result<bool>, Output),
}

/// What became of a board.
pub(super) enum Outcome {
    Ended(Ending),
    /// It died before the command began, and gives back what was to take its output.
    NeverUp(Ending, Output),
}

/// A running board.
pub(super) struct Session<'a> {
    boot: &'a Boot<'a>,
    accelerator: Accelerator,
    started: Instant,
    qemu: Qemu,
    monitor_listener: UnixListener,
    monitor: Option<Monitor>,
    control: Option<UnixStream>,
    /// Whether the command has begun.
    up: bool,
    /// When the timed screenshot is to be taken.
    due: Option<Instant>,
    events: Receiver<Event>,
}

/// Where the board's words come out.
pub(super) struct Channels {
    /// For the guest's line protocol; the emulator connects.
    pub(super) control: UnixListener,
    /// For the emulator's own protocol.
    pub(super) monitor: UnixListener,
    /// Takes what the command writes.
    pub(super) output: Output,
    /// What init writes after that.
    pub(super) end_mark: String,
}

impl<'a> Session<'a> {
    /// Watches the emulator `qemu`, which was just started.
    pub(super) fn new(
        boot: &'a Boot<'a>,
        started: Instant,
        accelerator: Accelerator,
        mut qemu: Child,
        channels: Channels,
    ) -> Result<Self> {
        let stdout = qemu.stdout.take().context("QEMU has no output")?;
        let (sender, events) = mpsc::channel();
        watch_control(channels.control, sender.clone());
        watch_output(stdout, channels.output, channels.end_mark, sender);
        Ok(Self {
            boot,
            accelerator,
            started,
            qemu: Qemu(qemu),
            monitor_listener: channels.monitor,
            monitor: None,
            control: None,
            up: false,
            due: None,
            events,
        })
    }

    /// Follows the board to its end.
    pub(super) fn run(mut self) -> Result<Outcome> {
        let deadline = self.started + self.boot.time_limit;
        let (mut status, mut complete) = (None, None);
        let mut output = None;
        loop {
            let wake = self.due.map_or(deadline, |due| due.min(deadline));
            let patience = wake.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(patience) {
                Ok(Event::Connected(stream)) => {
                    self.control = Some(stream);
                    let (stream, _) = self.monitor_listener.accept()?;
                    // A stuck emulator must not hang us too.
                    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
                    // An emulator that dies at once is explained when its output ends.
                    self.monitor = Monitor::new(stream).ok();
                }
                Ok(Event::Line(line)) => match line.split_once(' ').unwrap_or((&line, "")) {
                    ("ready", words) => self.ready(words)?,
                    ("screenshot", name) => self.named_screenshot(name)?,
                    ("fail", words) => {
                        return Ok(Outcome::Ended(Ending::Died(words.to_owned())));
                    }
                    ("exit", code) => status = Some(code.parse()?),
                    _ => bail!("the board said {line:?}"),
                },
                Ok(Event::OutputEnded(whole, back)) => {
                    let whole = whole.context("cannot pass the command's output on")?;
                    (complete, output) = (Some(whole), Some(back));
                }
                Err(RecvTimeoutError::Timeout) if self.due.take().is_some_and(is_past) => {
                    self.final_screenshot()?;
                }
                Err(RecvTimeoutError::Timeout) if is_past(deadline) => {
                    let limit = Ending::TimeLimit(self.boot.time_limit);
                    return Ok(Outcome::Ended(limit));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => complete = Some(false),
            }
            match (status, complete) {
                (Some(status), Some(_)) => return self.power_off(status).map(Outcome::Ended),
                (None, Some(false)) => {
                    let death = self.explain_death()?;
                    return Ok(match output {
                        Some(output) if !self.up => Outcome::NeverUp(death, output),
                        _ => Outcome::Ended(death),
                    });
                }
                _ => {}
            }
        }
    }

    fn ready(&mut self, words: &str) -> Result<()> {
        self.up = true;
        let (release, clock) = words.split_once(' ').unwrap_or((words, "unknown"));
        eprintln!(
            "board {} with Linux {release} up in {:.1} s ({})",
            self.boot.profile.name,
            self.started.elapsed().as_secs_f32(),
            self.accelerator.name()
        );
        if clock != "tsc" {
            eprintln!(
                "warning: the board's clock is {clock}, not tsc: reading it is a system call, \
                 which counts of system calls will show"
            );
        }
        self.due = self
            .boot
            .screenshot
            .as_ref()
            .and_then(|screenshot| screenshot.after)
            .map(|after| Instant::now() + after);
        self.answer("ok")
    }

    fn named_screenshot(&mut self, name: &str) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return self.answer("a name has letters, digits, dots and dashes only");
        }
        let file = self.boot.results.join(format!("{name}.png"));
        match self.screenshot(&file) {
            Ok(()) => self.answer("ok"),
            Err(error) => self.answer(&format!("{error:#}").replace('\n', " ")),
        }
    }

    fn final_screenshot(&mut self) -> Result<()> {
        match &self.boot.screenshot {
            Some(screenshot) => self.screenshot(&screenshot.file),
            None => Ok(()),
        }
    }

    fn screenshot(&mut self, file: &Path) -> Result<()> {
        if !self.boot.has_monitor() {
            bail!("profile {} has no monitor", self.boot.profile.name);
        }
        let monitor = self.monitor.as_mut().context("QEMU is not connected")?;
        monitor.screenshot(&std::path::absolute(file)?)
    }

    fn power_off(&mut self, status: u8) -> Result<Ending> {
        if self
            .boot
            .screenshot
            .as_ref()
            .is_some_and(|s| s.after.is_none())
        {
            self.final_screenshot()?;
        }
        self.answer("ok")?;
        self.qemu.wait_at_most(Duration::from_secs(10))?;
        Ok(Ending::Exited(status))
    }

    fn explain_death(&mut self) -> Result<Ending> {
        self.qemu.wait_at_most(Duration::from_secs(10))?;
        let read = |name| fs::read(self.boot.results.join(name)).unwrap_or_default();
        let kernel_log = String::from_utf8_lossy(&read(KERNEL_LOG)).into_owned();
        if let Some(words) = kernel_log.lines().find_map(panic_words) {
            return Ok(Ending::Panicked(words.to_owned()));
        }
        let qemu_log = String::from_utf8_lossy(&read("qemu.log")).into_owned();
        let last = |log: &str| {
            log.lines()
                .rev()
                .find(|line| !line.trim().is_empty())
                .map(str::to_owned)
        };
        let words = last(&qemu_log)
            .or_else(|| last(&kernel_log))
            .unwrap_or_else(|| "it left no word".to_owned());
        Ok(Ending::Died(words))
    }

    fn answer(&mut self, line: &str) -> Result<()> {
        let control = self
            .control
            .as_mut()
            .context("the board is not connected")?;
        writeln!(control, "{line}").context("cannot answer the board")
    }
}

fn is_past(moment: Instant) -> bool {
    moment <= Instant::now()
}

/// What a line of the kernel's log says after `Kernel panic - not syncing:`.
fn panic_words(line: &str) -> Option<&str> {
    let (_, words) = line.split_once("Kernel panic - not syncing: ")?;
    Some(words.trim())
}

fn watch_control(listener: UnixListener, events: Sender<Event>) {
    thread::spawn(move || {
        let connect = || -> std::io::Result<(UnixStream, UnixStream)> {
            let (stream, _) = listener.accept()?;
            Ok((stream.try_clone()?, stream))
        };
        let Ok((writer, reader)) = connect() else {
            return;
        };
        if events.send(Event::Connected(writer)).is_err() {
            return;
        }
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if events.send(Event::Line(line)).is_err() {
                return;
            }
        }
    });
}

fn watch_output(stdout: ChildStdout, mut output: Output, mark: String, events: Sender<Event>) {
    thread::spawn(move || {
        let whole = output::copy_until(stdout, &mut *output, mark.as_bytes());
        // Nobody listens any more when the session has ended by itself.
        events.send(Event::OutputEnded(whole, output)).ok();
    });
}

/// The emulator's process, which does not outlive this value.
struct Qemu(Child);

impl Qemu {
    fn wait_at_most(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while self.0.try_wait()?.is_none() && !is_past(deadline) {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_found_in_the_log() {
        let line = "[    1.0] Kernel panic - not syncing: sysrq triggered crash\r";
        assert_eq!(panic_words(line), Some("sysrq triggered crash"));
        assert_eq!(panic_words("[    1.0] no panic here"), None);
    }
}
