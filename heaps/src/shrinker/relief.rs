//! Who gives back how much.

use std::sync::Arc;

use super::reclaim::{Cost, Reclaim};

/// A cache that a shrinker looks after.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) cost: Cost,
    pub(super) cache: Arc<dyn Reclaim>,
}

/// Takes half of what is spare in all, and at least a buffer, from the first that have it:
/// members come in the order of their cost. Returns how many bytes were freed.
pub(super) fn relieve(members: &[Member]) -> u64 {
    for member in members {
        member.cache.press(true);
    }
    let spare = members.iter().map(|member| member.cache.count().spare);
    let spare = spare.fold(0, u64::saturating_add);
    if spare == 0 {
        return 0;
    }
    let wanted = (spare / 2).max(1);
    let mut freed = 0_u64;
    for member in members {
        if freed >= wanted {
            break;
        }
        freed = freed.saturating_add(member.cache.scan(wanted - freed));
    }
    freed
}

/// Lets caches grow again, and has what is missing allocated with at most `room` bytes, the
/// dearest first. Returns how many bytes came back, and how many still miss.
pub(super) fn let_grow(members: &[Member], room: u64) -> (u64, u64) {
    let mut grown = 0_u64;
    let mut missing = 0_u64;
    for member in members.iter().rev() {
        member.cache.press(false);
        grown = grown.saturating_add(member.cache.refill(room.saturating_sub(grown)));
        missing = missing.saturating_add(member.cache.missing());
    }
    (grown, missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shrinker::Reclaimable;
    use std::sync::Mutex;

    /// A cache of so many buffers of one byte above its floor.
    struct Cache(Mutex<u64>);

    impl Reclaim for Cache {
        fn count(&self) -> Reclaimable {
            let spare = *self.0.lock().unwrap();
            Reclaimable {
                idle: spare + 100,
                spare,
                waiting: 0,
            }
        }

        fn scan(&self, bytes: u64) -> u64 {
            let mut spare = self.0.lock().unwrap();
            let freed = bytes.min(*spare);
            *spare -= freed;
            freed
        }
    }

    #[test]
    fn the_cheapest_goes_first_and_all_reach_their_floor() {
        let caches = [30, 30, 4].map(|spare| Arc::new(Cache(Mutex::new(spare))));
        let costs = [Cost::Memfd, Cost::Scattered, Cost::Cma];
        let members: Vec<_> = std::iter::zip(costs, &caches)
            .map(|(cost, cache)| Member {
                cost,
                cache: Arc::clone(cache) as Arc<dyn Reclaim>,
            })
            .collect();
        let mut seen = Vec::new();
        while relieve(&members) > 0 {
            seen.push(caches.each_ref().map(|cache| cache.count().spare));
        }
        let expected = [
            [0, 28, 4],
            [0, 12, 4],
            [0, 4, 4],
            [0, 0, 4],
            [0, 0, 2],
            [0, 0, 1],
            [0, 0, 0],
        ];
        assert_eq!(seen, expected);
    }
}
