//! Kernels compiled from Debian's source packages.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::debian::{Archive, Package};
use crate::packages::{Purpose, ensure_installed};
use crate::workspace;

/// To be raised when the steps below change what they make.
const RECIPE: u32 = 1;

/// The steps that `make` announces, by experience: for progress only.
const STEPS: usize = 2400;

/// The directory of the kernel for `series` (`None`: the newest), compiled now
/// if the cache does not have it.
pub(crate) fn built(root: &Path, cache: &Path, series: Option<&str>) -> Result<PathBuf> {
    let archive = Archive::open(cache)?;
    let package = match series {
        Some(series) => archive.package(&format!("linux-source-{series}"))?,
        None => archive.newest("linux-source-", "")?,
    };
    let fragment = root.join("testbed/kernel/config");
    let text = fs::read_to_string(&fragment)
        .with_context(|| format!("cannot read {}", fragment.display()))?;
    let directory = cache.join("kernels").join(cache_name(&package, &text));
    if !directory.exists() {
        compile(&archive, &package, &fragment, cache, &directory)?;
    }
    Ok(directory)
}

/// One name for one result: version, configuration, recipe.
fn cache_name(package: &Package, fragment: &str) -> String {
    let key = format!("{RECIPE}\n{}\n{fragment}", package.version);
    format!("{}-{:016x}", package.version, fnv1a(key.as_bytes()))
}

/// The 64-bit FNV-1a hash, the same on every machine and compiler.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn compile(
    archive: &Archive,
    package: &Package,
    fragment: &Path,
    cache: &Path,
    directory: &Path,
) -> Result<()> {
    ensure_installed(&[Purpose::Kernel])?;
    let _held = workspace::lock(&cache.join("lock"))?;
    if directory.exists() {
        return Ok(()); // another xtask was faster
    }
    let started = Instant::now();
    let work = cache.join("work");
    workspace::clear(&work)?;
    archive.unpack(package, &work)?;
    let log_path = cache.join(format!("{}.log", package.name));
    let mut log = Log::create(&log_path)?;

    let tarball = work.join(format!("usr/src/{}.tar.xz", package.name));
    println!("unpacking {}", package.name);
    log.run(
        Command::new("tar")
            .arg("-xf")
            .arg(&tarball)
            .arg("-C")
            .arg(&work),
    )?;
    fs::remove_file(&tarball)?;
    let source = work.join(&package.name);

    log.run(make(&source).arg("tinyconfig"))?;
    log.run(
        Command::new("scripts/kconfig/merge_config.sh")
            .current_dir(&source)
            .args(["-m", ".config"])
            .arg(fragment),
    )?;
    log.run(make(&source).arg("olddefconfig"))?;

    let jobs = thread::available_parallelism()?.get() + 1;
    println!(
        "compiling {} {}; log: {}",
        package.name,
        package.version,
        log_path.display()
    );
    log.watch(
        make(&source)
            .arg(format!("-j{jobs}"))
            .args(["bzImage", "modules"]),
    )?;

    let made = work.join("made");
    log.run(
        make(&source)
            .arg("modules_install")
            .arg(format!("INSTALL_MOD_PATH={}", made.display()))
            .arg("INSTALL_MOD_STRIP=1"),
    )?;
    fs::copy(source.join("arch/x86/boot/bzImage"), made.join("bzImage"))?;
    fs::copy(source.join(".config"), made.join("config"))?;
    for release in fs::read_dir(made.join("lib/modules"))? {
        // Points into the sources, which go.
        workspace::clear(&release?.path().join("build"))?;
    }
    fs::create_dir_all(directory.parent().context("the cache has no parent")?)?;
    fs::rename(&made, directory)?;
    workspace::clear(&work)?;
    println!(
        "{} is ready after {} s",
        package.name,
        started.elapsed().as_secs()
    );
    Ok(())
}

fn make(source: &Path) -> Command {
    let mut make = Command::new("nice");
    make.args(["make", "-C"]).arg(source);
    // A caller's own make must not rule this one.
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    make
}

/// The build's log; a failure names it and quotes its end.
struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    fn run(&mut self, command: &mut Command) -> Result<()> {
        let status = command
            .stdin(Stdio::null())
            .stdout(self.file.try_clone()?)
            .stderr(self.file.try_clone()?)
            .status()
            .with_context(|| format!("cannot run {command:?}"))?;
        self.judge(command, status.success())
    }

    /// Runs `make`, counting the steps it announces.
    fn watch(&mut self, command: &mut Command) -> Result<()> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.file.try_clone()?)
            .spawn()
            .with_context(|| format!("cannot run {command:?}"))?;
        let stdout = child.stdout.take().context("make has no output")?;
        let mut progress = Progress::new();
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            writeln!(self.file, "{line}")?;
            if line.starts_with("  ") {
                progress.step(line.trim());
            }
        }
        progress.end();
        let status = child.wait()?;
        self.judge(command, status.success())
    }

    fn judge(&self, command: &Command, success: bool) -> Result<()> {
        ensure!(
            success,
            "{command:?} failed; the end of {}:\n{}",
            self.path.display(),
            tail(&fs::read_to_string(&self.path)?, 15)
        );
        Ok(())
    }
}

fn tail(text: &str, lines: usize) -> String {
    let mut last = VecDeque::new();
    for line in text.lines() {
        if last.len() == lines {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join("\n")
}

/// A line that moves on a terminal, or one now and then in a log.
struct Progress {
    steps: usize,
    started: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            steps: 0,
            started: Instant::now(),
            shown: None,
            terminal: std::io::stdout().is_terminal(),
        }
    }

    fn step(&mut self, what: &str) {
        self.steps += 1;
        let pause = if self.terminal {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(20)
        };
        if self.shown.is_some_and(|shown| shown.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs();
        let (steps, minutes, seconds) = (self.steps, seconds / 60, seconds % 60);
        let line =
            format!("  {minutes:02}:{seconds:02}  step {steps} of about {STEPS}  {what:.50}");
        if self.terminal {
            print!("\r{line}\x1b[K");
            // A status line that cannot be shown is no reason to stop.
            std::io::stdout().flush().ok();
        } else {
            println!("{line}");
        }
    }

    fn end(&self) {
        if self.terminal {
            println!("\r\x1b[K  {} steps", self.steps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_change_has_its_own_name() {
        let package = |version: &str| Package {
            name: "linux-source-7.3".into(),
            version: version.into(),
        };
        let name = cache_name(&package("7.3.4-1"), "CONFIG_A=y");
        assert!(name.starts_with("7.3.4-1-"), "{name}");
        assert_ne!(name, cache_name(&package("7.3.4-1"), "CONFIG_A=m"));
        assert_ne!(name, cache_name(&package("7.3.4-2"), "CONFIG_A=y"));
    }

    #[test]
    fn tail_is_the_end() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
