//! `cargo xtask bench`: dmaflow beside its limit and its alternative.

mod contender;
mod table;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::cargo;
use crate::kernel::Choice;
use crate::packages::{Purpose, ensure_installed};
use crate::profile::Profile;
use crate::vm::{self, Boot, Ending};
use crate::workspace;
use contender::{Contender, LONG, Run, SHORT, SIZES};
use table::Row;

/// Times are of use only beside others of the same boot, so there is one.
const TIME_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Compares on the board, unless only the `micro` benchmarks are asked for,
/// which run on this machine.
pub(crate) fn bench(micro: bool) -> Result<()> {
    let root = workspace::root()?;
    ensure_installed(&[Purpose::Workspace])?;
    if !micro {
        compare(&root)?;
    }
    println!("\nmicro-benchmarks on this machine");
    let status = cargo::cargo(&root, &["bench", "--workspace", "--bench", "*"])
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo bench failed");
    Ok(())
}

fn compare(root: &Path) -> Result<()> {
    vm::ensure_possible()?;
    ensure_installed(&[Purpose::Bench])?;
    cargo::build(
        root,
        &[
            "--release",
            "--package",
            "dmaflow",
            "--package",
            "dmaflow-testbed",
        ],
    )?;
    let results = workspace::target(root).join("bench");
    let _held = workspace::claim(&results)?;
    let kernel = Choice::Built.kernel(root)?;
    let profile = Profile::load(root, "pc")?;
    let xtask = std::env::current_exe().context("cannot tell this program's path")?;
    let ending = Boot {
        root,
        kernel: &kernel,
        profile: &profile,
        memory: None,
        results: &results,
        environment: &[],
        time_limit: TIME_LIMIT,
        screenshot: None,
        command: &["sh".to_owned(), "-c".to_owned(), contender::script(&xtask)],
    }
    .run(Box::new(std::io::stdout()))?;
    ensure!(ending == Ending::Exited(0), "{ending}");

    let mut rows = Vec::new();
    for size in SIZES {
        for contender in Contender::ALL {
            let read = |frames| Run::read(&results, contender, size, frames);
            rows.push(Row::new(contender, size, &read(SHORT)?, &read(LONG)?));
        }
    }
    let text = table::markdown(&rows);
    let how = format!(
        "Linux {} in QEMU, profile pc, 30 frames a second, one boot. Processor time: \
         of a run of {LONG} frames without set-up and end, the round with the median; system calls \
         and context switches: a run of {LONG} frames less one of {SHORT}.\n\n",
        kernel.release
    );
    fs::write(results.join("results.md"), format!("{how}{text}"))?;
    let value = json!({ "kernel": kernel.release, "profile": profile.name, "rows": rows });
    fs::write(results.join("results.json"), format!("{value:#}\n"))?;
    println!(
        "\n{how}{text}\nkept in {}",
        results.join("results.md").display()
    );
    Ok(())
}
