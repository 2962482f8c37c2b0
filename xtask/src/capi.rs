//! The C interface: its header written anew, its library installed.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::cargo;
use crate::workspace;

const PACKAGE: &str = "dmaflow-capi";

/// The name by which programs ask for the library, as its build script says.
const SONAME: &str = "libdmaflow.so.0";

#[derive(Args)]
pub(crate) struct InstallArgs {
    /// Where lib/ and include/ are
    #[arg(long, value_name = "DIR", default_value = "/usr/local")]
    prefix: std::path::PathBuf,
    /// Put it below this directory instead, as packagers do
    #[arg(long, value_name = "DIR")]
    destdir: Option<std::path::PathBuf>,
    /// As it is while being worked on: compiled sooner, and slower
    #[arg(long)]
    debug: bool,
}

/// Writes `dmaflow.h` from the source.
pub(crate) fn header(root: &Path) -> Result<()> {
    let arguments = ["test", "--quiet", "--package", PACKAGE, "--test", "header"];
    let mut command = cargo::cargo(root, &arguments);
    let status = command.env("DMAFLOW_WRITE_HEADER", "1").status();
    let status = status.context("cannot run cargo")?;
    ensure!(status.success(), "the header could not be written");
    Ok(())
}

/// Builds the libraries and puts them, the header and the pkg-config file below a prefix.
pub(crate) fn install(root: &Path, args: &InstallArgs) -> Result<()> {
    let (profile, built) = match args.debug {
        true => ("dev", "debug"),
        false => ("release", "release"),
    };
    cargo::build(
        root,
        &["--quiet", "--profile", profile, "--package", PACKAGE],
    )?;
    let built = workspace::target(root).join(built);
    let version = env!("CARGO_PKG_VERSION");
    let prefix = std::path::absolute(&args.prefix)?;
    let base = match &args.destdir {
        Some(destdir) => destdir.join(prefix.strip_prefix("/").unwrap_or(&prefix)),
        None => prefix.clone(),
    };
    let (lib, include) = (base.join("lib"), base.join("include"));
    for directory in [&lib.join("pkgconfig"), &include] {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let capi = root.join("capi");
    let shared = format!("libdmaflow.so.{version}");
    copy(&built.join("libdmaflow.so"), &lib.join(&shared))?;
    link(&shared, &lib.join(SONAME))?;
    link(SONAME, &lib.join("libdmaflow.so"))?;
    copy(&built.join("libdmaflow.a"), &lib.join("libdmaflow.a"))?;
    copy(&capi.join("include/dmaflow.h"), &include.join("dmaflow.h"))?;
    let template = capi.join("dmaflow.pc.in");
    let text = fs::read_to_string(&template)
        .with_context(|| format!("cannot read {}", template.display()))?;
    let prefix = prefix.to_str().context("pkg-config reads UTF-8 only")?;
    let text = text
        .replace("@prefix@", prefix)
        .replace("@version@", version);
    let file = lib.join("pkgconfig/dmaflow.pc");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("installed dmaflow {version} below {}", base.display());
    Ok(())
}

/// Copies, also over a file that a running program has mapped.
fn copy(from: &Path, to: &Path) -> Result<()> {
    workspace::clear(to)?;
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn link(target: &str, at: &Path) -> Result<()> {
    workspace::clear(at)?;
    symlink(target, at).with_context(|| format!("cannot link {}", at.display()))
}
