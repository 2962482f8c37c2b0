//! What the space allocator of carve-outs costs, and how it fragments, after a million random
//! allocations: `cargo bench -p dmaflow-heaps`.
//!
//! The lengths are those of video, from a page to a picture of 4K; half of what is freed is
//! young. The region is kept filled to a share of its length, so that every refusal is
//! fragmentation's. How many places were those of one of the last 32 pieces that were freed
//! tells how many dma-bufs a carve-out need not make.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dmaflow_heaps::carveout::{Extent, Space};

/// 256 MiB of 4 KiB.
const PAGES: u64 = 65_536;
const ALLOCATIONS: u32 = 1_000_000;
const READY: usize = 32;

/// Bytes and how often they are asked for: parameters, bitstreams, NV12 and XRGB pictures.
const VIDEO: [(u64, u64); 14] = [
    (4_096, 10),
    (8_192, 6),
    (65_536, 6),
    (320 * 180 * 4, 6),
    (256 << 10, 8),
    (640 * 480 * 3 / 2, 8),
    (640 * 480 * 4, 6),
    (1280 * 720 * 3 / 2, 10),
    (1 << 20, 8),
    (1280 * 720 * 4, 8),
    (1920 * 1080 * 3 / 2, 12),
    (1920 * 1080 * 4, 8),
    (3840 * 2160 * 3 / 2, 4),
    (3840 * 2160 * 4, 1),
];

/// Marsaglia's xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }

    fn len(&mut self) -> u64 {
        let mut rest = self.below(VIDEO.iter().map(|&(_, weight)| weight).sum());
        for (bytes, weight) in VIDEO {
            if rest < weight {
                return bytes.div_ceil(4096);
            }
            rest -= weight;
        }
        1
    }
}

/// A space as a carve-out uses it, and the time it takes.
struct Bench {
    space: Space,
    huge: bool,
    ready: VecDeque<Extent>,
    /// Allocations at a ready place.
    again: u32,
    times: Vec<Duration>,
}

impl Bench {
    fn allocate(&mut self, len: u64) -> Option<Extent> {
        let align = if self.huge {
            len.min(512).next_power_of_two()
        } else {
            1
        };
        let start = Instant::now();
        let taken = self.space.take(len, align);
        self.times.push(start.elapsed());
        if let Some(taken) = taken {
            self.again += u32::from(self.ready.contains(&taken));
            let apart = |ready: &Extent| ready.end() <= taken.start || taken.end() <= ready.start;
            self.ready.retain(apart);
        }
        taken
    }

    fn free(&mut self, piece: Extent) {
        let start = Instant::now();
        self.space.give(piece);
        self.times.push(start.elapsed());
        self.ready.push_back(piece);
        if self.ready.len() > READY {
            self.ready.pop_front();
        }
    }
}

fn run(percent: u64, huge: bool) {
    let mut bench = Bench {
        space: Space::new(PAGES, if huge { 512 } else { 1 }),
        huge,
        ready: VecDeque::new(),
        again: 0,
        times: Vec::new(),
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut live: Vec<Extent> = Vec::new();
    let (mut used, mut refused) = (0, 0_u32);
    let (mut fragmentation, mut pieces) = (0.0, 0.0);
    for allocation in 0..ALLOCATIONS {
        let len = random.len();
        while used + len > PAGES * percent / 100 {
            let young = live.len() > 8 && random.below(2) == 0;
            let which = if young {
                live.len() - 1 - random.index(8)
            } else {
                random.index(live.len())
            };
            let piece = live.swap_remove(which);
            used -= piece.len;
            bench.free(piece);
        }
        match bench.allocate(len) {
            Some(piece) => {
                used += piece.len;
                live.push(piece);
            }
            None => refused += 1,
        }
        if allocation % 64 == 0 {
            fragmentation += bench.space.fragmentation();
            pieces += bench.space.iter().map(|_piece| 1.0).sum::<f64>();
        }
    }
    let samples = f64::from(ALLOCATIONS / 64);
    bench.times.sort_unstable();
    let at = |per_mille: usize| bench.times[(bench.times.len() - 1) * per_mille / 1000];
    let hundredths = 100.0 / f64::from(ALLOCATIONS);
    println!(
        "{percent:>3} % full, {:<10}: fragmentation {:.3} in {:>4.0} free pieces, refused {:.3} %, \
         at a ready place {:.0} %; a call takes {:?}, 99.9 % of them at most {:?}",
        if huge { "huge pages" } else { "pages" },
        fragmentation / samples,
        pieces / samples,
        f64::from(refused) * hundredths,
        f64::from(bench.again) * hundredths,
        at(500),
        at(999),
    );
}

fn main() {
    println!("{ALLOCATIONS} random allocations in 256 MiB, means over the run:");
    for percent in [50, 70, 85] {
        for huge in [false, true] {
            run(percent, huge);
        }
    }
}
