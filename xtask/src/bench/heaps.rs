//! Heaps beside the raw ioctl, as the cover letter of the kernel's heaps framework measured.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo;
use crate::kernel::Choice;
use crate::output::Tee;
use crate::profile::Profile;
use crate::vm::{self, Boot};
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
    let kernel = Choice::Built.kernel(root)?;
    let profile = Profile::load(root, "pc")?;
    let ending = Boot {
        root,
        kernel: &kernel,
        profile: &profile,
        memory: None,
        results: &results,
        environment: &[],
        time_limit: TIME_LIMIT,
        screenshot: None,
        command: &["sh".to_owned(), "-c".to_owned(), SCRIPT.to_owned()],
    }
    .run(Box::new(Tee(std::io::stdout(), kept)))?;
    ending.succeeded(&results)?;
    println!("\nkept in {}", text.display());
    Ok(())
}
