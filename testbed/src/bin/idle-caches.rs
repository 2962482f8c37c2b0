//! The other processes of the test of memory pressure.
//!
//! `idle-caches keep all|stalls|nothing` holds an idle pool, trimmed by a shrinker that watches
//! its control group so, and tells of it in a line of JSON for each line it reads.
//! `idle-caches grow` takes a mebibyte for each line it reads, and tells how many it has.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dmaflow_core::heap::Exporter;
use dmaflow_heaps::shrinker::{Cgroup, Cost, ShrinkerStats, Stall};
use dmaflow_heaps::{Clearing, PagePool, PoolPolicy, Shrinker, ShrinkerConfig, Udmabuf};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
/// The length of a buffer.
const LEN: usize = 8 * MIB;
/// How many are prewarmed.
const COUNT: usize = 16;
/// How many stay under pressure.
const STAY: usize = 2;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["keep", watch] => keep(watch),
        ["grow"] => grow(),
        _ => bail!("usage: idle-caches keep all|stalls|nothing, or idle-caches grow"),
    }
}

fn answers(mut answer: impl FnMut() -> Value) -> Result<()> {
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        line?;
        writeln!(answers, "{}", answer())?;
        answers.flush()?;
    }
    Ok(())
}

fn keep(watch: &str) -> Result<()> {
    let pool = PagePool::new(
        Udmabuf::open().context("/dev/udmabuf")?,
        PoolPolicy {
            clearing: Clearing::BetweenClients,
            most: (COUNT * LEN) as u64,
            floor: (STAY * LEN) as u64,
            max_age: None,
        },
    );
    pool.prewarm(LEN, COUNT)?;
    let shrinker = shrinker(watch)?;
    if let Some(shrinker) = &shrinker {
        shrinker.add(Cost::of(&Udmabuf::info()), pool.weak());
    }
    answers(|| {
        let stats = shrinker.as_ref().map(Shrinker::stats).unwrap_or_default();
        let ShrinkerStats {
            pressures,
            trimmed,
            refilled,
            wakeups,
            ..
        } = stats;
        json!({
            "cached": pool.idle().cached,
            "floor": pool.policy().floor,
            "prewarmed": COUNT * LEN,
            "pressures": pressures,
            "trimmed": trimmed,
            "refilled": refilled,
            "wakeups": wakeups,
        })
    })
}

fn shrinker(watch: &str) -> Result<Option<Shrinker>> {
    let config = match watch {
        "all" => ShrinkerConfig::of_this_process(),
        "stalls" => {
            let group = Cgroup::of_this_process()?;
            let file = group.directory().join("memory.pressure");
            ShrinkerConfig {
                stalls: vec![Stall::of(file)],
                ..ShrinkerConfig::default()
            }
        }
        "nothing" => return Ok(None),
        other => bail!("cannot watch {other}"),
    };
    let config = ShrinkerConfig {
        calm: Duration::from_secs(10),
        ..config
    };
    Ok(Some(Shrinker::start(config)?))
}

fn grow() -> Result<()> {
    let mut held: Vec<Vec<u8>> = Vec::new();
    answers(|| {
        // Not zero, or the kernel would not have to give pages.
        held.push(vec![1; MIB]);
        held.len().into()
    })
}
