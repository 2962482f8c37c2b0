//! The values of a choice, best first.

use dmaflow_core::caps::{Cap, Property, Set, Split};
use dmaflow_core::format::{Colour, Format};
use dmaflow_core::layout::Modifier;
use dmaflow_core::time::Rate;

use super::Search;
use super::choices::{Choice, Culprits};
use super::sizes::Sizes;
use crate::solver::PortId;

/// A value of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Way(usize),
    Format(Format),
    Modifier(Modifier),
    Split(Split),
    Rate(Option<Rate>),
    Colour(Colour),
    Width(u32),
    Height(u32),
    Heap(usize),
    Asked,
}

/// The values of a choice, best first, and the one that was taken last.
#[derive(Debug)]
pub(super) enum Values {
    /// With their places in the order of preference.
    List(Vec<(u32, Value)>, usize),
    Sizes(Sizes, fn(u32) -> Value),
}

impl Default for Values {
    fn default() -> Self {
        Self::List(Vec::new(), 0)
    }
}

impl Values {
    pub(super) fn of(values: impl IntoIterator<Item = Value>) -> Self {
        Self::List((0..).zip(values).collect(), 0)
    }

    pub(super) fn next(&mut self) -> Option<Value> {
        match self {
            Self::List(values, next) => {
                let &(_, value) = values.get(*next)?;
                *next += 1;
                Some(value)
            }
            Self::Sizes(sizes, value) => sizes.next().map(value),
        }
    }

    /// Adds how good the value is that was taken last.
    pub(super) fn rank(&self, rank: &mut Vec<u32>) {
        match self {
            Self::List(values, next) => {
                let taken = next.checked_sub(1).and_then(|taken| values.get(taken));
                if let Some(&(place, value)) = taken
                    && value != Value::Asked
                {
                    rank.push(place);
                }
            }
            Self::Sizes(sizes, _) => rank.extend(sizes.rank()),
        }
    }
}

impl Search<'_, '_, '_> {
    /// Lists the values of a choice that earlier ones leave, and blames these for what they
    /// take.
    pub(super) fn values_of(&mut self, at: usize, blamed: &mut Culprits) -> Values {
        match self.choice(at) {
            Choice::Way(port) => self.ways_of(port, blamed),
            Choice::Agreed(domain, property) => {
                for port in self.domain_choices(domain) {
                    self.blame_struck(port, blamed);
                }
                if property == Property::Width && !self.some_width(domain, blamed) {
                    return Values::default();
                }
                self.agreeable(domain, property, blamed)
            }
            Choice::Heap(pool) => self.heaps_for(pool, blamed),
            Choice::AskFormats | Choice::AskMemory => Values::of([Value::Asked]),
        }
    }

    fn ways_of(&self, port: PortId, blamed: &mut Culprits) -> Values {
        self.blame_struck(port, blamed);
        let caps = self.problem.caps(port);
        // Once frames are agreed on, caps of a port that passes them on differ in what they want
        // of pools. A transform's way decides about its other side as well.
        let domain = self.graph.domain_of[port.0];
        let agreed = domain.is_some_and(|domain| self.state.terms[domain].whole().is_some());
        let alike = |a: &Cap, b: &Cap| {
            let wants = |cap: &Cap| {
                (
                    cap.strides,
                    cap.whole_pixels,
                    cap.rows,
                    cap.memory,
                    cap.behind,
                )
            };
            wants(a) == wants(b)
        };
        let mut ways: Vec<usize> = Vec::new();
        for way in self.state.left_of(port) {
            let mut known = ways.iter();
            let double = agreed
                && self.problem.mate(port).is_none()
                && known.any(|&other| alike(&caps[other], &caps[way]));
            if !double && !self.state.dead[port.0][way] {
                ways.push(way);
            }
        }
        let place = |way: usize| u32::try_from(way).unwrap_or(u32::MAX);
        let ways = ways.into_iter().map(|way| (place(way), Value::Way(way)));
        Values::List(ways.collect(), 0)
    }

    fn agreeable(&self, domain: usize, property: Property, blamed: &mut Culprits) -> Values {
        match property {
            Property::Modifier => {
                let linear = || vec![Modifier::LINEAR];
                let known = self.preferred(domain, |cap| &cap.modifiers, linear);
                Values::of(known.into_iter().map(Value::Modifier))
            }
            Property::Split => {
                // Where planes lie is the device's matter, which tells when it is asked.
                let both = || vec![Split::Together, Split::Apart];
                let format = self.state.terms[domain].format;
                if format.is_some_and(|format| format.planes().len() < 2) {
                    return Values::of([Value::Split(Split::Together)]);
                }
                let known = self.preferred(domain, |cap| &cap.split, both);
                Values::of(known.into_iter().map(Value::Split))
            }
            Property::Rate => self.rates(domain, blamed),
            Property::Colour => {
                let unknown = || vec![Colour::default()];
                let known = self.preferred(domain, |cap| &cap.colours, unknown);
                Values::of(known.into_iter().map(Value::Colour))
            }
            Property::Width => {
                let sizes = self.sizes(domain, property, blamed);
                Values::Sizes(sizes, Value::Width)
            }
            Property::Height => {
                let sizes = self.sizes(domain, property, blamed);
                Values::Sizes(sizes, Value::Height)
            }
            _ => {
                let known =
                    self.preferred(domain, |cap| &cap.formats, || cheapest_first().to_vec());
                Values::of(known.into_iter().map(Value::Format))
            }
        }
    }

    /// The values that a domain's ports name: those of the first port that leaves nothing to
    /// others, producers first; or the usual ones, and then whatever anybody names.
    fn preferred<T: Clone + PartialEq>(
        &self,
        domain: usize,
        set: impl Fn(&Cap) -> &Set<T>,
        usual: impl FnOnce() -> Vec<T>,
    ) -> Vec<T> {
        let named = |port: PortId, known: &mut Vec<T>| {
            let mut all = true;
            for cap in self.state.left_of(port) {
                match set(&self.problem.caps(port)[cap]) {
                    Set::Any => all = false,
                    Set::Of(values) => {
                        for value in values {
                            if !known.contains(value) {
                                known.push(value.clone());
                            }
                        }
                    }
                }
            }
            all
        };
        for port in self.domain_choices(domain) {
            let mut known = Vec::new();
            if named(port, &mut known) {
                return known;
            }
        }
        let mut known = usual();
        for port in self.domain_choices(domain) {
            named(port, &mut known);
        }
        known
    }

    /// Rates that ports name; what is made of frames comes as often as they do.
    fn rates(&self, domain: usize, blamed: &mut Culprits) -> Values {
        let usual = Vec::new;
        let mut known: Vec<Option<Rate>> = Vec::new();
        let named = self.preferred(domain, |cap| &cap.rates, usual);
        let all_name = self.domain_choices(domain).any(|port| {
            let caps = self.problem.caps(port);
            (self.state.left_of(port)).all(|cap| caps[cap].rates != Set::Any)
        });
        if !all_name {
            known.push(None);
        }
        known.extend(named.into_iter().map(Some));
        for &other in &self.graph.in_step[domain] {
            if let Some(Some(rate)) = self.state.terms[other].rate {
                blamed.add(self.choices.of(other, Property::Rate));
                known.retain(|known| known.is_none_or(|known| known == rate));
            }
        }
        Values::of(known.into_iter().map(Value::Rate))
    }
}

/// Formats with pixels, for when nobody names any.
fn cheapest_first() -> &'static [Format] {
    static KNOWN: std::sync::OnceLock<Vec<Format>> = std::sync::OnceLock::new();
    KNOWN.get_or_init(|| {
        let with_planes = Format::all().filter(|format| !format.planes().is_empty());
        let mut formats: Vec<_> = with_planes.collect();
        formats.sort_by_key(|format| format.cost());
        formats
    })
}
