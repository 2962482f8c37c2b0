//! The initramfs: busybox, what the kernel needs to reach the host, and the job.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::kernel::Kernel;

/// Needed before the kernel can read its own modules from the host's disk.
/// A driver that is built in is passed over.
const FOR_THE_ROOT: [&str; 5] = [
    "virtio_pci",
    "virtio_console",
    "9pnet_virtio",
    "9p",
    "overlay",
];

/// Writes the initramfs for one boot to `image`, assembling it in `staging`.
pub(crate) fn write(
    image: &Path,
    staging: &Path,
    root: &Path,
    kernel: &Kernel,
    job: &str,
    modprobe_conf: &str,
) -> Result<()> {
    for directory in ["bin", "dev", "proc", "sys", "modules"] {
        fs::create_dir_all(staging.join(directory))?;
    }
    fs::copy(root.join("testbed/init"), staging.join("init"))
        .context("cannot copy testbed/init")?;
    fs::copy("/bin/busybox", staging.join("bin/busybox")).context("cannot copy /bin/busybox")?;
    fs::write(staging.join("job"), job)?;
    fs::write(staging.join("modprobe.conf"), modprobe_conf)?;
    for (position, module) in boot_modules(kernel)?.iter().enumerate() {
        let copy = staging.join(format!("modules/{position:02}.ko"));
        unpack_module(Path::new(module), &copy)?;
    }
    archive(staging, image)
}

/// The module files to insert, in order, to have [`FOR_THE_ROOT`].
fn boot_modules(kernel: &Kernel) -> Result<Vec<String>> {
    let output = Command::new("modprobe")
        .arg("--dirname")
        .arg(&kernel.directory)
        .args(["--set-version", &kernel.release, "--show-depends", "--all"])
        .args(FOR_THE_ROOT)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .context("cannot run modprobe")?;
    ensure!(
        output.status.success(),
        "{} lacks a driver that every boot needs: {}",
        kernel.directory.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let mut modules: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(module) = line.strip_prefix("insmod ") {
            let module = module.split_whitespace().next().unwrap_or_default();
            if !modules.iter().any(|known| known == module) {
                modules.push(module.to_owned());
            }
        }
    }
    Ok(modules)
}

fn unpack_module(module: &Path, copy: &Path) -> Result<()> {
    let tool = match module.extension().and_then(|ending| ending.to_str()) {
        Some("ko") => {
            fs::copy(module, copy).with_context(|| format!("cannot copy {}", module.display()))?;
            return Ok(());
        }
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => bail!("{} is compressed in an unknown way", module.display()),
    };
    let status = Command::new(tool)
        .arg("--decompress")
        .arg("--stdout")
        .arg(module)
        .stdout(fs::File::create(copy)?)
        .status()
        .with_context(|| format!("cannot run {tool}"))?;
    ensure!(status.success(), "cannot unpack {}", module.display());
    Ok(())
}

fn archive(staging: &Path, image: &Path) -> Result<()> {
    let mut cpio = Command::new("cpio")
        .args(["--create", "--format=newc", "--quiet"])
        .current_dir(staging)
        .stdin(Stdio::piped())
        .stdout(fs::File::create(image)?)
        .spawn()
        .context("cannot run cpio")?;
    let mut names = cpio.stdin.take().context("cpio has no input")?;
    list(staging, Path::new(""), &mut names)?;
    drop(names);
    ensure!(cpio.wait()?.success(), "cpio failed");
    Ok(())
}

/// Names everything under `directory`, parents first.
fn list(staging: &Path, directory: &Path, names: &mut impl std::io::Write) -> Result<()> {
    for entry in fs::read_dir(staging.join(directory))? {
        let entry = entry?;
        let name = directory.join(entry.file_name());
        writeln!(names, "{}", name.display())?;
        if entry.file_type()?.is_dir() {
            list(staging, &name, names)?;
        }
    }
    Ok(())
}
