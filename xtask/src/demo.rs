//! `cargo xtask demo`: camera to display, on devices if there are any.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::kernel::Choice;
use crate::packages::{Purpose, ensure_installed};
use crate::profile::Profile;
use crate::report::Report;
use crate::vm::{self, Boot, Screenshot};
use crate::workspace;

const DESCRIPTION: &str = "examples/camera-to-display.toml";
const BUILT_IN: &str = "examples/built-in.toml";

/// When in the run of ten seconds the monitor is photographed.
const PICTURE_AFTER: Duration = Duration::from_secs(7);

/// Runs the demo and says where its results are.
pub(crate) fn demo() -> Result<()> {
    let root = workspace::root()?;
    ensure_installed(&[Purpose::Workspace])?;
    println!("compiling dmaflow");
    cargo::build(&root, &["--release", "--package", "dmaflow"])?;
    let results = workspace::target(&root).join("demo");
    let _held = workspace::claim(&results)?;
    for old in ["monitor.png", "picture.png", "latency.json", "latency.txt"] {
        workspace::clear(&results.join(old))?;
    }

    let missing = devices_missing(&root)?;
    if let Some(words) = &missing {
        println!("no camera and display of use here:");
        for line in words.lines().filter(|line| !line.trim().is_empty()) {
            println!("  {line}");
        }
    }
    let (picture, devices) = if missing.is_none() {
        println!("running on this machine's camera and display");
        run_here(&root, &results, &["run", DESCRIPTION, "--for", "10s"])?;
        (None, true)
    } else if let Err(error) = vm::ensure_possible() {
        println!("no virtual board either: {error:#}");
        println!("running on the built-in camera and display");
        let picture = results.join("picture.png");
        let place = format!("picture.path={}", picture.display());
        run_here(&root, &results, &["run", BUILT_IN, "--set", &place])?;
        (Some(picture), false)
    } else {
        println!("running on the virtual board");
        run_on_board(&root, &results)?;
        (Some(results.join("monitor.png")), true)
    };

    let json = results.join("latency.json");
    let text = fs::read_to_string(&json).with_context(|| format!("no {}", json.display()))?;
    let report = Report::parse(&text)?;
    let summary = report.summary();
    fs::write(results.join("latency.txt"), &summary)?;
    println!("\n{summary}");
    report.ensure_shown()?;
    // A picture on disk is a copy, which is what it is for.
    if devices {
        report.ensure_zero_copy()?;
    }
    if let Some(picture) = picture {
        ensure!(picture.is_file(), "{} was not written", picture.display());
        println!("what was shown: {}", picture.display());
    }
    println!("latency:        {}", results.join("latency.txt").display());
    println!("                {}", json.display());
    Ok(())
}

/// Why the description cannot run on a camera and a display of this machine, if it cannot.
fn devices_missing(root: &Path) -> Result<Option<String>> {
    let output = dmaflow(root)
        .args(["check", DESCRIPTION])
        .output()
        .context("cannot run dmaflow")?;
    let words = || String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((!output.status.success()).then(words))
}

fn run_here(root: &Path, results: &Path, arguments: &[&str]) -> Result<()> {
    let json = File::create(results.join("latency.json"))?;
    let status = dmaflow(root)
        .args(arguments)
        .arg("--json")
        .stdin(Stdio::null())
        .stdout(json)
        .status()
        .context("cannot run dmaflow")?;
    ensure!(status.success(), "dmaflow {} failed", arguments.join(" "));
    Ok(())
}

fn dmaflow(root: &Path) -> Command {
    let mut command = Command::new(workspace::target(root).join("release/dmaflow"));
    command.current_dir(root);
    command
}

fn run_on_board(root: &Path, results: &Path) -> Result<()> {
    let profile = Profile::load(root, "demo")?;
    let kernel = Choice::Stock.kernel(root)?;
    println!("booting: {}", profile.about);
    // By default vivid stamps the end of a frame long before that end; from the start of
    // exposure there is a latency to be told.
    let script = format!(
        "exec dmaflow run {DESCRIPTION} --for 10s --json \
         --set 'camera.controls={{ timestamp_source = \"Start of Exposure\" }}' \
         > $DMAFLOW_RESULTS/latency.json"
    );
    let ending = Boot {
        root,
        kernel: &kernel,
        profile: &profile,
        memory: None,
        counted: false,
        results,
        environment: &[],
        time_limit: Duration::from_secs(120),
        screenshot: Some(Screenshot {
            file: results.join("monitor.png"),
            after: Some(PICTURE_AFTER),
        }),
        command: &["sh".to_owned(), "-c".to_owned(), script],
    }
    .run(Box::new(std::io::stdout()))?;
    ending.succeeded(results)
}
