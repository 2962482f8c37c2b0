//! `dmaflow heaps bench`: what a buffer costs, from the bare ioctl up.
//!
//! As the cover letter of the kernel's heaps framework measured: a buffer is allocated and
//! closed, thousands of times a size. All contenders take part in each round, a block of
//! buffers each, so that whatever else the machine does hits all alike.

mod contenders;
mod figures;
mod report;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use dmaflow_heaps::kernel::{KernelNode, NODES, list};

use crate::failure::Failure;
use crate::numbers::{bytes, parse_bytes};
use crate::output;
use crate::status::Status;
use contenders::{CONTENDERS, Contender};
use figures::Series;

pub(super) const EXAMPLES: &str = "\
Each contender allocates a buffer and closes it, --count times a size. In each of --rounds rounds
each contender has a block of them, which is timed as a whole; blocks are long, since a block's
first buffers find the processor's caches as the contender before left them. The figures are
microseconds a buffer; the ratio is the median over the rounds of a contender's block to the raw
ioctl's in the same round, so that a machine that gets slower meanwhile changes it little.

All of it takes long: 5,000 buffers of 32 MiB are 156 GiB to clear, for each contender.

Examples:
  dmaflow heaps bench
  dmaflow heaps bench --quick --size 4K --size 8M
  dmaflow heaps bench --heap default_cma_region --json > bench.json

Compare figures of one run only.";

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// The kernel's heap that memory comes from
    #[arg(long, value_name = "NAME", default_value = "system")]
    heap: String,
    /// A length to measure, as 4K or 8M; may be repeated
    #[arg(long = "size", value_name = "SIZE", value_parser = parse_bytes)]
    #[arg(default_values = ["4K", "1M", "8M", "32M"])]
    sizes: Vec<NonZeroUsize>,
    /// Buffers of each size that each contender allocates and closes; a few more where they do not
    /// go into blocks of one length
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = value_parser!(u32).range(1..))]
    count: u32,
    /// Into how many blocks they are divided
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    #[arg(default_value_if("quick", "true", "20"))]
    rounds: u32,
    /// 200 buffers of each size instead of 5000, in 20 blocks
    #[arg(long, conflicts_with = "count")]
    quick: bool,
    /// Let only this contender run beside the raw ioctl; may be repeated
    #[arg(long, value_name = "NAME", value_parser = contenders::names())]
    only: Vec<String>,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Tell nothing while it runs
    #[arg(short, long)]
    quiet: bool,
}

/// What is measured, and how often.
struct Bench {
    node: KernelNode,
    rounds: u32,
    /// Buffers a block, of which each contender has one a round.
    block: u32,
}

/// What came out for one length.
struct Outcome {
    len: NonZeroUsize,
    /// A contender's figures, or why there are none.
    results: Vec<(&'static Contender, Result<Series, String>)>,
}

pub(super) fn bench(args: &BenchArgs) -> Result<(), Failure> {
    let count = if args.quick { 200 } else { args.count };
    let bench = Bench::new(kernel_node(&args.heap)?, count, args.rounds);
    let entered = CONTENDERS.iter().enumerate().filter(|(place, contender)| {
        // The first is what the others are compared with.
        *place == 0 || args.only.is_empty() || args.only.iter().any(|only| only == contender.name)
    });
    let entered: Vec<_> = entered.map(|(_place, contender)| contender).collect();
    let mut told = Told::new(args.quiet);
    let outcomes: Vec<_> = args
        .sizes
        .iter()
        .map(|&len| bench.measure(len, &entered, &mut told))
        .collect();
    told.end();
    if args.json {
        output::json(&report::json(&bench, &outcomes))
    } else {
        output::result(report::text(&bench, &outcomes).as_bytes())
    }
}

fn kernel_node(asked: &str) -> Result<KernelNode, Failure> {
    let nodes = list(std::path::Path::new(NODES)).map_err(|error| {
        Failure::Pipeline(format!(
            "cannot list {NODES}: {error}; the raw ioctl needs a kernel with \
             CONFIG_DMABUF_HEAPS and CONFIG_DMABUF_HEAPS_SYSTEM"
        ))
    })?;
    let names: Vec<_> = nodes.iter().map(|node| node.info.name.clone()).collect();
    let mut found = nodes.into_iter();
    found
        .find(|node| node.info.answers_to(asked))
        .ok_or_else(|| {
            Failure::Pipeline(format!(
                "the kernel has no heap called `{asked}`; it has: {}",
                names.join(", ")
            ))
        })
}

impl Bench {
    /// Divides `count` buffers into blocks of one length, with some more where that does not go
    /// evenly.
    fn new(node: KernelNode, count: u32, rounds: u32) -> Self {
        let rounds = rounds.min(count);
        Self {
            node,
            rounds,
            block: count.div_ceil(rounds),
        }
    }

    /// Buffers of a size that each contender allocates.
    fn count(&self) -> u64 {
        u64::from(self.rounds) * u64::from(self.block)
    }

    /// Has every contender take part in every round, in an order of its own, so that none always
    /// follows the same one.
    fn measure(
        &self,
        len: NonZeroUsize,
        entered: &[&'static Contender],
        told: &mut Told,
    ) -> Outcome {
        let Self { rounds, block, .. } = *self;
        let warm = |contender: &&'static Contender| -> Result<_, String> {
            let entrant = (contender.enter)(&self.node)?;
            entrant.block(len, block)?;
            Ok((entrant, Series::default()))
        };
        let mut running: Vec<_> = entered.iter().map(warm).collect();
        let mut order = Order::of(running.len());
        let began = Instant::now();
        for round in 0..rounds {
            told.progress(len, round, rounds, began.elapsed());
            for &place in order.shuffled() {
                let contender = &mut running[place];
                let Ok((entrant, series)) = contender else {
                    continue;
                };
                match entrant.block(len, block) {
                    Ok(took) => series.add(took, block),
                    // What it measured so far would be of another mix of rounds.
                    Err(why) => *contender = Err(why),
                }
            }
        }
        let series = running
            .into_iter()
            .map(|ran| ran.map(|(_entrant, series)| series));
        Outcome {
            len,
            results: entered.iter().copied().zip(series).collect(),
        }
    }
}

/// Places in ever other orders, the same in every run.
struct Order {
    places: Vec<usize>,
    random: u64,
}

impl Order {
    fn of(places: usize) -> Self {
        Self {
            places: (0..places).collect(),
            random: 1,
        }
    }

    fn shuffled(&mut self) -> &[usize] {
        for last in (1..self.places.len()).rev() {
            // Knuth's generator for MMIX; its upper bits are the good ones.
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let among = last as u64 + 1;
            let chosen = usize::try_from((self.random >> 33) % among);
            self.places.swap(last, chosen.unwrap_or(last));
        }
        &self.places
    }
}

/// What is told while it runs, once a second at most.
struct Told {
    status: Option<Status>,
    last: Option<Instant>,
}

impl Told {
    fn new(quiet: bool) -> Self {
        Self {
            status: (!quiet).then(Status::new),
            last: None,
        }
    }

    fn progress(&mut self, len: NonZeroUsize, round: u32, rounds: u32, elapsed: Duration) {
        let recent = |last: Instant| last.elapsed() < Duration::from_secs(1);
        if self.last.is_some_and(recent) {
            return;
        }
        let Some(status) = &self.status else { return };
        self.last = Some(Instant::now());
        let mut line = format!(
            "{}   round {} of {rounds}",
            bytes(len.get() as u64),
            round + 1
        );
        if round > 0 {
            let left = elapsed.mul_f64(f64::from(rounds - round) / f64::from(round));
            line.push_str(&format!(", about {} s left", left.as_secs() + 1));
        }
        status.tell(line);
    }

    fn end(&self) {
        if let Some(status) = &self.status {
            status.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::heap::HeapInfo;
    use std::collections::HashMap;

    #[test]
    fn what_is_told_is_what_is_measured() {
        let of = |count, rounds| {
            let node = KernelNode {
                path: "/nowhere".into(),
                info: HeapInfo::new("none"),
            };
            let bench = Bench::new(node, count, rounds);
            (bench.rounds, bench.block, bench.count())
        };
        assert_eq!(of(5000, 100), (100, 50, 5000));
        assert_eq!(of(15, 100), (15, 1, 15));
        assert_eq!(of(15, 10), (10, 2, 20));
    }

    #[test]
    fn each_contender_follows_each_other_one() {
        let mut order = Order::of(4);
        let mut pairs: HashMap<(usize, usize), u32> = HashMap::new();
        for _round in 0..1200 {
            let places = order.shuffled();
            let mut sorted = places.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            for pair in places.windows(2) {
                *pairs.entry((pair[0], pair[1])).or_default() += 1;
            }
        }
        // 3 pairs a round, and 12 of them: 300 each.
        assert_eq!(pairs.len(), 12);
        assert!(pairs.values().all(|&seen| seen > 200), "{pairs:?}");
    }
}
