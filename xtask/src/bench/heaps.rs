//! Heaps beside the raw ioctl, as the cover letter of the kernel's heaps framework measured.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Clock, on_pc};
use crate::cargo;
use crate::output::Tee;
use crate::vm;
use crate::workspace;

/// The long buffers take the emulated board some minutes to clear.
const TIME_LIMIT: Duration = Duration::from_secs(40 * 60);

/// Huge pages for a carve-out of 64 MiB; all contenders that do not clear what they give, then
/// fewer buffers of those that do. At last the least of the differences, which takes many rounds
/// to tell from chance.
const SCRIPT: &str = "\
set -e
echo 40 > /proc/sys/vm/nr_hugepages
dmaflow heaps bench --quiet --only heap --only pool --only carve-out --only carve-out-huge
echo
dmaflow heaps bench --quiet --quick --only pool-cleared --only carve-out-cleared
echo
dmaflow heaps bench --quiet --size 4K --only heap --count 200000 --rounds 4000";

/// Boots the board once and measures there.
pub(super) fn measure(root: &Path) -> Result<()> {
    vm::ensure_possible()?;
    cargo::build(root, &["--release", "--package", "dmaflow"])?;
    let results = workspace::target(root).join("bench-heaps");
    let _held = workspace::claim(&results)?;
    let text = results.join("heaps.txt");
    let kept = File::create(&text).with_context(|| format!("cannot write {}", text.display()))?;
    let output = Box::new(Tee(std::io::stdout(), kept));
    let script = SCRIPT.to_owned();
    on_pc(root, &results, TIME_LIMIT, script, Clock::Real, output)?;
    println!("\nkept in {}", text.display());
    Ok(())
}
