//! The emulator's command line and process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::kernel::Kernel;
use crate::vm::KERNEL_LOG;

/// The emulator for the one architecture the board has.
pub(crate) const PROGRAM: &str = "qemu-system-x86_64";

/// What one boot is made of.
pub(crate) struct Machine<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) initramfs: PathBuf,
    pub(crate) cmdline: &'a [String],
    pub(crate) memory: u32,
    pub(crate) accelerator: Accelerator,
    /// `-device` arguments.
    pub(crate) devices: Vec<&'a str>,
    pub(crate) results: &'a Path,
    /// Abstract socket names that xtask listens on.
    pub(crate) control: &'a str,
    pub(crate) monitor: &'a str,
}

/// How the processor is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accelerator {
    Kvm,
    Tcg,
    /// As `Tcg`, with a clock that counts instructions and stands still while the emulator does:
    /// times do not tell how busy this machine is, nor how long instructions took to emulate. Of
    /// one processor: several would take turns, and wait for each other's turns by counting.
    Counted,
}

/// Nanoseconds of the guest's an instruction, as a power of two: a slow processor's.
const SHIFT: u32 = 2;

impl Accelerator {
    /// KVM where it runs code: some machines have the node without a processor
    /// for it, or with one that stops at the first instruction.
    pub(crate) fn probe(scratch: &Path) -> Self {
        let works = Path::new("/dev/kvm").exists() && kvm_runs_code(scratch).unwrap_or(false);
        if works { Self::Kvm } else { Self::Tcg }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
            Self::Counted => "tcg, instructions counted",
        }
    }
}

impl Machine<'_> {
    /// Starts the emulator. The guest's output comes on the child's stdout,
    /// the kernel's log goes to `kernel.log` in the results, what the emulator
    /// has to say to `qemu.log`.
    ///
    /// The kernel kills the emulator when the thread that called this ends,
    /// however it ends: call it from the main thread.
    pub(crate) fn start(&self) -> Result<Child> {
        let results = escape(self.results);
        let all = self.kernel.processors();
        let (accelerator, processors) = match self.accelerator {
            Accelerator::Kvm => ("kvm", all),
            Accelerator::Tcg => ("tcg,thread=multi", all),
            Accelerator::Counted => ("tcg,thread=single", 1),
        };
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "--", PROGRAM])
            .args(["-nodefaults", "-no-user-config", "-no-reboot"])
            .args(["-M", "q35", "-cpu", "max", "-smp", &processors.to_string()])
            .args(["-accel", accelerator, "-m", &self.memory.to_string()])
            .args(["-display", "none", "-vga", "none"])
            .arg("-kernel")
            .arg(self.kernel.image())
            .arg("-initrd")
            .arg(&self.initramfs)
            .args(["-append", &self.kernel_arguments()])
            .args([
                "-chardev",
                &format!("file,id=log,path={results}/{KERNEL_LOG}"),
            ])
            .args(["-serial", "chardev:log"])
            .args(["-device", "virtio-serial-pci"])
            .args(["-chardev", "stdio,id=output,signal=off"])
            .args([
                "-device",
                "virtserialport,chardev=output,name=dmaflow.output",
            ])
            // In this order: whoever has the control connection finds the
            // monitor's waiting.
            .args(["-chardev", &socket("monitor", self.monitor)])
            .args(["-mon", "chardev=monitor,mode=control"])
            .args(["-chardev", &socket("control", self.control)])
            .args([
                "-device",
                "virtserialport,chardev=control,name=dmaflow.control",
            ])
            .args([
                "-fsdev",
                "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            ])
            .args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"])
            .args([
                "-fsdev",
                &format!("local,id=results,path={results},security_model=none"),
            ])
            .args(["-device", "virtio-9p-pci,fsdev=results,mount_tag=results"]);
        if self.accelerator == Accelerator::Counted {
            qemu.args(["-icount", &format!("shift={SHIFT},sleep=off")]);
        }
        for device in &self.devices {
            qemu.args(["-device", device]);
        }
        let log = self.results.join("qemu.log");
        let log = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        // An input at its end would count as a closed output port.
        qemu.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot run setpriv")
    }

    fn kernel_arguments(&self) -> String {
        let fixed = [
            "console=ttyS0",
            "loglevel=6",
            "printk.time=1",
            "panic=-1",
            "oops=panic",
            // Clock reads stay in user space, so that system calls can be counted.
            "tsc=reliable",
            "clocksource=tsc",
        ];
        let mut words: Vec<&str> = fixed.to_vec();
        words.extend(self.cmdline.iter().map(String::as_str));
        words.join(" ")
    }
}

/// Boots a firmware of three instructions that leaves with a status of its own.
fn kvm_runs_code(scratch: &Path) -> std::io::Result<bool> {
    // At the reset vector, 16 bytes before the end: `mov al, 16; out 0xf4, al; hlt`.
    let mut firmware = vec![0; 64 * 1024];
    let vector = firmware.len() - 16;
    firmware[vector..vector + 5].copy_from_slice(&[0xb0, 0x10, 0xe6, 0xf4, 0xf4]);
    let bios = scratch.join("probe.bin");
    fs::write(&bios, firmware)?;
    let status = Command::new("timeout")
        .args(["--signal=KILL", "3", PROGRAM])
        .args(["-accel", "kvm", "-M", "q35", "-cpu", "max", "-nodefaults"])
        .args(["-display", "none", "-device", "isa-debug-exit,iobase=0xf4"])
        .arg("-bios")
        .arg(&bios)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    // The device turns 16 into 2 × 16 + 1.
    Ok(status.code() == Some(33))
}

fn socket(id: &str, name: &str) -> String {
    format!("socket,id={id},path={name},abstract=on")
}

/// QEMU separates options by commas and reads a doubled one as a comma.
fn escape(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
