//! Pools: where pixels lie, and which heaps will do.

use dmaflow_core::caps::{Cap, MemoryNeeds, Set, Steps, Strides};
use dmaflow_core::caps::{Properties, Property};
use dmaflow_core::format::Format;
use dmaflow_core::layout::Modifier;

use super::Search;
use super::choices::Culprits;
use super::values::{Value, Values};
use crate::solver::graph::Graph;
use crate::solver::{Placement, PortId};

/// More widths are not looked through at once.
const MOST_WIDTHS: usize = 4096;

/// The strides that all users of a pool take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CommonStrides {
    strides: Strides,
    /// Of whole pixels only.
    whole: bool,
}

impl CommonStrides {
    /// The shortest stride for rows of so many pixels.
    fn shortest(&self, format: Format, width: u32) -> Option<u32> {
        self.strides.shortest(format, width, self.whole)
    }
}

/// What all users of a pool want of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    strides: CommonStrides,
    rows: Steps,
    pub(super) memory: MemoryNeeds,
    behind: u32,
}

impl Wanted {
    const NOTHING: Self = Self {
        strides: CommonStrides {
            strides: Strides::ANY,
            whole: false,
        },
        rows: Steps::multiples(1),
        memory: MemoryNeeds::NONE,
        behind: 0,
    };

    fn and(self, own: &Own) -> Option<Self> {
        Some(Self {
            strides: CommonStrides {
                strides: self.strides.strides.intersect(&own.strides)?,
                whole: self.strides.whole || own.whole,
            },
            rows: self.rows.intersect(&Steps::multiples(own.rows))?,
            memory: self.memory.and(own.memory),
            behind: self.behind.max(own.behind),
        })
    }
}

/// What one user wants at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    strides: Strides,
    whole: bool,
    rows: u32,
    memory: MemoryNeeds,
    behind: u32,
}

impl Own {
    fn of(cap: &Cap) -> Self {
        Self {
            strides: cap.strides,
            whole: cap.whole_pixels,
            rows: cap.rows.max(1),
            memory: cap.memory,
            behind: cap.behind,
        }
    }

    /// What both want.
    fn or(self, other: Self) -> Self {
        Self {
            strides: self.strides.either(&other.strides),
            whole: self.whole && other.whole,
            rows: if self.rows == other.rows {
                self.rows
            } else {
                1
            },
            memory: if self.memory == other.memory {
                self.memory
            } else {
                MemoryNeeds::NONE
            },
            behind: self.behind.min(other.behind),
        }
    }
}

impl Search<'_, '_, '_> {
    pub(super) fn ports_of(&self, pool: usize) -> impl Iterator<Item = PortId> + '_ {
        let pool = &self.graph.pools[pool];
        [pool.producer]
            .into_iter()
            .chain(pool.users.iter().copied())
    }

    /// What users want of a pool: those whose caps are still open as little as any of them does.
    pub(super) fn wanted(&self, pool: usize, modifier: Option<Modifier>) -> Option<Wanted> {
        let mut wanted = Wanted::NOTHING;
        for port in self.ports_of(pool) {
            let caps = self.problem.caps(port);
            let mut left = self.state.left_of(port).map(|way| Own::of(&caps[way]));
            let Some(first) = left.next() else {
                continue;
            };
            let own = left.fold(first, Own::or);
            // Other modifiers have strides of their own, which nobody but drivers know.
            wanted = match modifier {
                Some(Modifier::LINEAR) | None => wanted.and(&own)?,
                Some(_) => Wanted {
                    memory: wanted.memory.and(own.memory),
                    ..wanted
                },
            };
        }
        Some(wanted)
    }

    /// Where the pixels of a pool's frames lie.
    pub(super) fn placement(&self, pool: usize) -> Option<Placement> {
        let terms = self.state.terms[self.graph.pools[pool].domain].whole()?;
        let wanted = self.wanted(pool, Some(terms.modifier))?;
        let stride = wanted.strides.shortest(terms.format, terms.width)?;
        Placement::new(terms, stride, wanted.rows.min, wanted.behind)
    }

    /// Whether frames of some width can lie somehow, whatever scalers reach.
    pub(super) fn some_width_fits(&mut self, domain: usize, widths: Vec<Steps>) -> bool {
        let terms = &self.state.terms[domain];
        let (Some(format), Some(modifier)) = (terms.format, terms.modifier) else {
            return true;
        };
        let pools = self.graph.domains[domain].pools.iter();
        let strides = pools.map(|&pool| Some(self.wanted(pool, Some(modifier))?.strides));
        let Some(strides) = strides.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let key = (format, widths, strides);
        if let Some(&known) = self.widths_known.get(&key) {
            return known;
        }
        let (_, widths, strides) = &key;
        let mut sizes = super::sizes::Sizes::new(widths.clone(), None);
        let fits = |width| {
            let mut all = strides.iter();
            all.all(|strides| strides.shortest(format, width).is_some())
        };
        // Whoever has more widths than these is taken at their word.
        let fits = (0..MOST_WIDTHS).any(|tried| match sizes.next() {
            Some(width) => fits(width) || tried + 1 == MOST_WIDTHS,
            None => false,
        });
        self.widths_known.insert(key, fits);
        fits
    }

    /// Whether frames can lie somehow, as far as that can be told.
    pub(super) fn pool_fits(&self, pool: usize, blamed: &mut Culprits) -> bool {
        let domain = self.graph.pools[pool].domain;
        let terms = &self.state.terms[domain];
        let (Some(format), Some(width)) = (terms.format, terms.width) else {
            return true;
        };
        let wanted = self.wanted(pool, terms.modifier);
        let stride = wanted.and_then(|wanted| wanted.strides.shortest(format, width));
        let fits = match stride {
            None => false,
            Some(_) => terms.height.is_none() || self.placement(pool).is_some(),
        };
        if !fits {
            for port in self.ports_of(pool) {
                self.blame_struck(port, blamed);
            }
            for property in [Property::Format, Property::Modifier, Property::Width] {
                blamed.add(self.choices.of(domain, property));
            }
            if stride.is_some() {
                blamed.add(self.choices.of(domain, Property::Split));
                blamed.add(self.choices.of(domain, Property::Height));
            }
        }
        fits
    }

    /// The heaps that a pool may come from, best first; blames whoever rules others out.
    pub(super) fn heaps_for(&mut self, pool: usize, blamed: &mut Culprits) -> Values {
        let shape = &self.graph.pools[pool];
        let (Some(wanted), Some(placement)) = (
            self.wanted(pool, self.state.terms[shape.domain].modifier),
            &self.state.placements[pool],
        ) else {
            return Values::default();
        };
        let heaps = self.heaps_that_fit(pool, wanted.memory, placement.longest(), blamed);
        Values::of(heaps.into_iter().map(Value::Heap))
    }

    pub(super) fn heaps_that_fit(
        &mut self,
        pool: usize,
        needs: MemoryNeeds,
        longest: u64,
        blamed: &mut Culprits,
    ) -> Vec<usize> {
        let shape = &self.graph.pools[pool];
        let asked_for = &self.problem.port(shape.producer).port.heaps;
        let mut candidates: Vec<usize> = match asked_for {
            Set::Any => {
                let heaps = 0..self.problem.heaps.len();
                // What keeps the CPU out is taken where it is asked for.
                heaps
                    .filter(|&heap| !self.problem.heaps[heap].protected)
                    .collect()
            }
            Set::Of(names) => {
                let heaps = self.problem.heaps.iter();
                let place = |name| heaps.clone().position(|heap| heap.answers_to(name));
                names.iter().filter_map(|name| place(name)).collect()
            }
        };
        if *asked_for == Set::Any {
            candidates.sort_by_key(|&heap| self.problem.heaps[heap].cost(needs));
        }
        for port in self.ports_of(pool) {
            if !Graph::has_one_memory(self.problem, port) {
                self.blame_struck(port, blamed);
            }
        }
        let mut heaps: Vec<usize> = Vec::with_capacity(candidates.len());
        for heap in candidates {
            let facts = &self.problem.heaps[heap];
            let memory = self.graph.memory_of[heap];
            if heaps
                .iter()
                .any(|&known| self.graph.memory_of[known] == memory)
            {
                continue;
            }
            if let Some(why) = facts.unfit(needs, longest) {
                // A shorter buffer might do.
                if facts.unfit(needs, 0).is_none() {
                    blamed.add_all(self.choices.everything(shape.domain));
                }
                self.devices
                    .note_unfit(self.problem, shape.producer, heap, why);
                continue;
            }
            heaps.push(heap);
        }
        heaps
    }

    /// The bytes that other pools take of a heap's memory.
    pub(super) fn beside(&self, pool: usize, heap: usize) -> u64 {
        let memory = self.graph.memory_of[heap];
        let others = self
            .state
            .heaps
            .iter()
            .enumerate()
            .filter(|(other, taken)| {
                *other != pool && taken.is_some_and(|taken| self.graph.memory_of[taken] == memory)
            });
        others.map(|(other, _)| self.bytes(other)).sum()
    }

    fn bytes(&self, pool: usize) -> u64 {
        let placement = self.state.placements[pool].as_ref();
        placement.map_or(0, |placement| self.bytes_of(pool, placement))
    }

    /// The bytes of a pool whose frames lie so.
    pub(super) fn bytes_of(&self, pool: usize, placement: &Placement) -> u64 {
        let buffers = u64::try_from(self.graph.pools[pool].buffers).unwrap_or(u64::MAX);
        placement.bytes().saturating_mul(buffers)
    }

    /// How many bytes a heap's memory can give, by whatever name; `None` where that is not known.
    pub(super) fn room(&self, heap: usize) -> Option<u64> {
        let memory = self.graph.memory_of[heap];
        let same = self.problem.heaps.iter().zip(&self.graph.memory_of);
        let same = same.filter(|(_, other)| **other == memory);
        same.filter_map(|(facts, _)| facts.room).min()
    }

    /// Takes a heap for a pool, if there is room for it beside others.
    pub(super) fn take_heap(&mut self, pool: usize, heap: usize, blamed: &mut Culprits) -> bool {
        self.state.heaps[pool] = Some(heap);
        let Some(room) = self.room(heap) else {
            return true;
        };
        if self.beside(pool, heap).saturating_add(self.bytes(pool)) <= room {
            return true;
        }
        self.devices
            .note_no_room(self.problem, self.graph.pools[pool].producer, heap, room);
        self.blame_room(pool, heap, blamed);
        false
    }

    /// Blames all that takes room in a heap's memory.
    pub(super) fn blame_room(&self, pool: usize, heap: usize, blamed: &mut Culprits) {
        let memory = self.graph.memory_of[heap];
        for (other, taken) in self.state.heaps.iter().enumerate() {
            if taken.is_some_and(|taken| self.graph.memory_of[taken] == memory) {
                blamed.add_all(self.choices.everything(self.graph.pools[other].domain));
                blamed.add(self.choices.heap(other));
            }
        }
        blamed.add_all(self.choices.everything(self.graph.pools[pool].domain));
    }

    /// The same placement with buffers as long as everybody wants them.
    pub(super) fn lengthened(&self, pool: usize, mut placement: Placement) -> Placement {
        let terms = placement.terms;
        let wanted = self.wanted(pool, Some(terms.modifier));
        let (Some(wanted), Modifier::LINEAR) = (wanted, terms.modifier) else {
            return placement;
        };
        let coded = terms.height.next_multiple_of(wanted.rows.min);
        for (plane, info) in placement.planes.iter().zip(terms.format.planes()) {
            let rows = plane.stride.saturating_mul(info.rows(coded));
            let end = plane.offset.saturating_add(rows);
            if let Some(len) = placement.buffer_lens.get_mut(plane.buffer) {
                *len = (*len).max(end.saturating_add(wanted.behind));
            }
        }
        placement
    }

    /// What keeps a placement from being what everybody wants of a pool.
    pub(super) fn misfits(&self, pool: usize, placement: &Placement) -> Properties {
        let mut misfits = Properties::NONE;
        if placement.planes.is_empty() {
            // Compressed frames have buffers alone, and these are made as long as anybody wants.
            return Properties::NONE;
        }
        let Ok(layout) = placement.layout() else {
            return Properties::of(&[Property::Stride, Property::Rows, Property::Length]);
        };
        for port in self.ports_of(pool) {
            if let Some(way) = self.state.only_one_of(port) {
                for property in self.problem.caps(port)[way].misfits(&layout).iter() {
                    misfits = misfits.with(property);
                }
            }
        }
        misfits
    }
}
