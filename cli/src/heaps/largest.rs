//! The longest buffer that a heap can give now.

use std::fmt;
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::heap::{AllocError, Contiguity, Heap, page_size};
use serde_json::{Value, json};

use crate::memory::Memory;
use crate::numbers::bytes;

/// How long a buffer can be, and how that is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Largest {
    /// Its exporter says so.
    Told(u64),
    /// It was allocated, and given back. A 64th longer did not go, or time was up.
    Tried { len: u64, tries: u32, exact: bool },
    /// What the kernel calls available, of which others may take some.
    Estimated(u64),
    /// Trying it failed for a reason of its own.
    Failed(String),
    /// Neither told nor tried.
    Unknown,
}

const MOST_TRIES: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(1);

/// Finds out, by trying where that takes contiguous memory only: that is a region of its own,
/// and a machine that has none left goes on.
pub(super) fn largest_now(heap: &Heap, memory: &Memory, may_try: bool) -> Largest {
    let limit = |bytes: u64| heap.info().largest.map_or(bytes, |most| most.min(bytes));
    if let Some(told) = heap.available() {
        return Largest::Told(told);
    }
    match heap.info().contiguity {
        Contiguity::Scattered => memory.available.map_or(Largest::Unknown, |available| {
            Largest::Estimated(limit(available))
        }),
        Contiguity::Contiguous if may_try => {
            // CmaFree leaves out what the kernel has lent to memory that it can move away, and
            // moves away for us.
            let ceiling = heap.info().largest.or(memory.cma_total);
            ceiling.map_or(Largest::Unknown, |ceiling| {
                tried(heap, memory.cma_free.unwrap_or(ceiling), ceiling)
            })
        }
        _ => Largest::Unknown,
    }
}

fn tried(heap: &Heap, first: u64, ceiling: u64) -> Largest {
    let began = Instant::now();
    let fits = |len: u64| match usize::try_from(len).map(|len| heap.allocate(len)) {
        Ok(Ok(buffer)) => {
            drop(buffer);
            Ok(true)
        }
        Ok(Err(error)) if error.errno() == Errno::ENOMEM => Ok(false),
        Ok(Err(error)) => Err(error),
        // Longer than any address space.
        Err(_too_long) => Ok(false),
    };
    match search(first, ceiling, || began.elapsed() < PATIENCE, fits) {
        Ok(found) => found,
        Err(error) => Largest::Failed(error.to_string()),
    }
}

/// Goes up or down from a first try, in steps that grow from a 64th of the ceiling, until one fits
/// and one does not; then halves what is between. What a kernel calls free is close to the truth,
/// and each try takes a slow board a good part of its time.
fn search(
    first: u64,
    ceiling: u64,
    mut has_time: impl FnMut() -> bool,
    mut fits: impl FnMut(u64) -> Result<bool, AllocError>,
) -> Result<Largest, AllocError> {
    let page = page_size() as u64;
    let whole = |len: u64| len / page * page;
    let (mut fitting, mut failing) = (0, whole(ceiling) + page);
    let (mut len, mut tries) = (whole(first.min(ceiling)).max(page), 0);
    let mut step = whole(ceiling / 64).max(page);
    let close = |fitting: u64, failing: u64| failing - fitting <= page.max(fitting / 64);
    while !close(fitting, failing) && tries < MOST_TRIES && has_time() {
        tries += 1;
        if fits(len)? {
            fitting = len;
        } else {
            failing = len;
        }
        let halfway = whole(fitting + (failing - fitting) / 2).max(page);
        len = match (fitting, failing) {
            (0, failing) => failing.checked_sub(step).unwrap_or(halfway).max(page),
            (fitting, failing) if failing > ceiling => whole(ceiling).min(fitting + step),
            _ => halfway,
        };
        step = step.saturating_mul(4);
    }
    Ok(Largest::Tried {
        len: fitting,
        tries,
        exact: close(fitting, failing),
    })
}

impl Largest {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Told(len) => json!({ "bytes": len, "how": "exporter" }),
            Self::Tried { len, tries, exact } => {
                json!({ "bytes": len, "how": "tried", "tries": tries, "exact": exact })
            }
            Self::Estimated(len) => json!({ "bytes": len, "how": "estimate" }),
            Self::Failed(reason) => json!({ "bytes": null, "how": "failed", "reason": reason }),
            Self::Unknown => json!({ "bytes": null, "how": "unknown" }),
        }
    }
}

impl fmt::Display for Largest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(len) => f.write_str(&bytes(*len)),
            Self::Tried {
                len, exact: true, ..
            } => write!(f, "{}, tried", bytes(*len)),
            Self::Tried { len, .. } => write!(f, "{} or more, tried", bytes(*len)),
            Self::Estimated(len) => write!(f, "about {}, estimated", bytes(*len)),
            Self::Failed(reason) => f.write_str(reason),
            Self::Unknown => f.write_str("not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(ceiling: u64, truth: u64) -> (u64, u32, bool) {
        searched_from(ceiling, ceiling, truth)
    }

    fn searched_from(first: u64, ceiling: u64, truth: u64) -> (u64, u32, bool) {
        let found = search(first, ceiling, || true, |len| Ok(len <= truth)).unwrap();
        let Largest::Tried { len, tries, exact } = found else {
            panic!("{found:?}");
        };
        (len, tries, exact)
    }

    #[test]
    fn a_search_finds_the_longest_to_a_64th() {
        assert_eq!(searched(128 << 20, u64::MAX), (128 << 20, 1, true));
        for truth in [4096, 100_000, 1 << 20, 50 << 20, 127 << 20] {
            let (len, tries, exact) = searched(128 << 20, truth);
            assert!(exact && tries <= MOST_TRIES, "{truth}: {tries}");
            assert!(
                len <= truth && truth - len <= (len / 64).max(4096),
                "{truth}: {len}"
            );
        }
        let (none, tries, exact) = searched(128 << 20, 0);
        assert!(none == 0 && exact && tries <= MOST_TRIES);
        assert_eq!(searched(0, 0), (0, 0, true));
    }

    #[test]
    fn a_search_goes_beyond_its_first_try() {
        let (all, truth) = (128 << 20, 100 << 20);
        for first in [0, 4096, 64 << 20, 100 << 20, 120 << 20, 200 << 20] {
            let (len, tries, exact) = searched_from(first, all, truth);
            assert!(exact && tries <= MOST_TRIES, "{first}: {tries}");
            assert!(len <= truth && truth - len <= len / 64, "{first}: {len}");
        }
        assert_eq!(
            searched_from(127 << 20, all, u64::MAX),
            (127 << 20, 1, true)
        );
    }

    #[test]
    fn a_good_guess_takes_few_tries() {
        let (all, free) = (128 << 20, 122 << 20);
        for truth in [free, free - (1 << 20), free + (1 << 20)] {
            let (_len, tries, exact) = searched_from(free, all, truth);
            assert!(exact && tries <= 3, "{truth}: {tries}");
        }
    }

    #[test]
    fn without_time_it_says_so() {
        let mut left = 3;
        let has_time = || {
            left -= 1;
            left > 0
        };
        let found = search(128 << 20, 128 << 20, has_time, |len| Ok(len < 128 << 20)).unwrap();
        let expected = Largest::Tried {
            len: 126 << 20,
            tries: 2,
            exact: false,
        };
        assert_eq!(found, expected);
    }
}
