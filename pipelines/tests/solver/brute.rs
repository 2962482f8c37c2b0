//! Tries everything, as plainly as it can be written, and shares nothing with the solver.

use dmaflow_core::caps::{Cap, MemoryNeeds, Set, Split};
use dmaflow_core::format::{Colour, Format};
use dmaflow_core::heap::Contiguity;
use dmaflow_core::layout::Modifier;
use dmaflow_core::time::Rate;
use dmaflow_pipelines::solver::{Direction, Kind, Placement, Plan, Plane, PortId, Problem, Terms};

use crate::random::{Case, Rule};

/// All of a plan that can be seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    terms: Vec<Terms>,
    pools: Vec<(PortId, Placement, usize, usize)>,
    ways: Vec<(usize, usize)>,
}

struct Domain {
    producers: Vec<PortId>,
    takers: Vec<PortId>,
}

/// What a domain may be.
#[derive(Clone, Debug)]
struct Option_ {
    terms: Terms,
    /// Which caps ports use, producers first.
    ways: Vec<(PortId, usize)>,
    placements: Vec<Placement>,
}

pub(crate) struct Brute<'c> {
    problem: &'c Problem,
    case: &'c Case,
    memories: Vec<usize>,
    domains: Vec<Domain>,
    options: Vec<Vec<Option_>>,
    /// Producer, users, buffers, domain.
    pools: Vec<(PortId, Vec<PortId>, usize, usize)>,
}

impl<'c> Brute<'c> {
    pub(crate) fn new(problem: &'c Problem, case: &'c Case) -> Self {
        let mut brute = Self {
            problem,
            case,
            memories: case.memories(),
            domains: domains(problem),
            options: Vec::new(),
            pools: Vec::new(),
        };
        for (index, domain) in brute.domains.iter().enumerate() {
            for &producer in &domain.producers {
                let (users, buffers) = reached(problem, producer);
                brute.pools.push((producer, users, buffers, index));
            }
        }
        brute.options = (0..brute.domains.len())
            .map(|index| brute.options(index))
            .collect();
        brute
    }

    pub(crate) fn best(&self) -> Option<Seen> {
        if self.options.iter().any(Vec::is_empty) {
            return None;
        }
        self.extend(&mut Vec::new())
    }

    pub(crate) fn key_of(&self, plan: &Plan) -> Option<Seen> {
        Some(Seen {
            terms: plan.domains.iter().map(|domain| domain.terms).collect(),
            pools: (plan.pools.iter())
                .map(|p| (p.producer, p.placement.clone(), p.heap.index(), p.buffers))
                .collect(),
            ways: plan
                .ways
                .iter()
                .map(|(node, way)| (node.index(), *way))
                .collect(),
        })
    }

    /// The best plan that begins with these domains.
    fn extend(&self, chosen: &mut Vec<Option_>) -> Option<Seen> {
        let at = chosen.len();
        if at == self.domains.len() {
            return self.with_heaps(chosen);
        }
        let mut ranked: Vec<_> = self.options[at]
            .iter()
            .filter(|option| self.joins(chosen, at, option))
            .filter_map(|option| Some((self.key(chosen, at, option)?, option)))
            .collect();
        ranked.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, option) in ranked {
            chosen.push(option.clone());
            let found = self.extend(chosen);
            chosen.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn mate(&self, port: PortId) -> Option<PortId> {
        let placed = self.problem.port(port);
        let node = self.problem.node(placed.node);
        matches!(node.kind, Kind::Transforms(_)).then(|| match placed.direction {
            Direction::Input => node.outputs[0],
            Direction::Output => node.inputs[0],
        })
    }

    /// Whether transforms can make of each other what was chosen.
    fn joins(&self, chosen: &[Option_], at: usize, option: &Option_) -> bool {
        let mut all: Vec<(usize, &Option_)> = chosen.iter().enumerate().collect();
        all.push((at, option));
        self.problem.nodes().all(|(_, node)| {
            let Kind::Transforms(ways) = &node.kind else {
                return true;
            };
            let side = |port: PortId| {
                all.iter().find_map(|(_, option)| {
                    let way = option.ways.iter().find(|(of, _)| *of == port)?;
                    Some((option.terms, way.1))
                })
            };
            let (Some((from, way)), Some((to, other))) =
                (side(node.inputs[0]), side(node.outputs[0]))
            else {
                return true;
            };
            let scale = ways[way].scale;
            let fits = |a: u32, b: u32| b * scale.down >= a && b <= a * scale.up;
            way == other && fits(from.width, to.width) && fits(from.height, to.height)
        }) && self.keeps_step(&all)
    }

    /// Whether frames come as often wherever transforms lead, as far as that is named.
    fn keeps_step(&self, all: &[(usize, &Option_)]) -> bool {
        let has = |port: PortId| {
            let mut all = all.iter();
            all.position(|(_, option)| option.ways.iter().any(|(of, _)| *of == port))
        };
        let mut rates: Vec<_> = all.iter().map(|(_, option)| option.terms.rate).collect();
        let transforms = self
            .problem
            .nodes()
            .filter_map(|(_, node)| match node.kind {
                Kind::Transforms(_) => Some((has(node.inputs[0])?, has(node.outputs[0])?)),
                _ => None,
            });
        let transforms: Vec<_> = transforms.collect();
        // Each round carries a rate one transform further.
        for _round in 0..rates.len() {
            for &(from, to) in &transforms {
                match (rates[from], rates[to]) {
                    (Some(a), Some(b)) if a != b => return false,
                    (a, b) => (rates[from], rates[to]) = (a.or(b), a.or(b)),
                }
            }
        }
        true
    }

    /// How good an option is, as the solver's table says.
    fn key(&self, chosen: &[Option_], at: usize, option: &Option_) -> Option<Vec<u32>> {
        let domain = &self.domains[at];
        let way = |port: PortId| option.ways.iter().find(|(of, _)| *of == port).unwrap().1;
        let decided = |port: PortId| {
            let before = |port: PortId| {
                chosen
                    .iter()
                    .any(|other| other.ways.iter().any(|(of, _)| *of == port))
            };
            domain.producers.contains(&port)
                || self
                    .mate(port)
                    .is_some_and(|mate| before(mate) || domain.producers.contains(&mate))
        };
        let mut alive: Vec<(PortId, Vec<&Cap>)> = Vec::new();
        for &port in domain.producers.iter().chain(&domain.takers) {
            let caps = &self.problem.port(port).port.caps.0;
            alive.push(match decided(port) {
                true => (port, vec![&caps[way(port)]]),
                false => (port, caps.iter().collect()),
            });
        }
        let mut key: Vec<u32> = Vec::new();
        let number = |number: usize| u32::try_from(number).unwrap();
        key.extend(domain.producers.iter().map(|&port| number(way(port))));
        let terms = &option.terms;

        let all: Vec<_> = Format::all().collect();
        key.push(place(&alive, |cap| &cap.formats, all, &terms.format)?);
        retain(&mut alive, |cap| cap.formats.contains(&terms.format));
        key.push(place(
            &alive,
            |cap| &cap.modifiers,
            vec![Modifier::LINEAR],
            &terms.modifier,
        )?);
        retain(&mut alive, |cap| cap.modifiers.contains(&terms.modifier));
        if terms.format.planes().len() > 1 {
            key.push(place(
                &alive,
                |cap| &cap.split,
                vec![Split::Together, Split::Apart],
                &terms.split,
            )?);
            retain(&mut alive, |cap| cap.split.contains(&terms.split));
        }
        let rates = |cap: &Cap| match &cap.rates {
            Set::Any => Set::Any,
            Set::Of(rates) => Set::Of(rates.iter().copied().map(Some).collect()),
        };
        key.push(place_of(&alive, rates, vec![None], &terms.rate)?);
        retain(&mut alive, |cap| rate_fits(cap, terms.rate));
        key.push(place(
            &alive,
            |cap| &cap.colours,
            vec![Colour::default()],
            &terms.colour,
        )?);

        let made_of = domain
            .producers
            .iter()
            .filter_map(|&port| self.mate(port))
            .find_map(|mate| {
                let of = chosen
                    .iter()
                    .find(|other| other.ways.iter().any(|(of, _)| *of == mate))?;
                Some(of.terms)
            });
        let reference = made_of.map(|made_of| (made_of.width, made_of.height));
        for (size, unscaled) in [
            (terms.width, reference.map(|size| size.0)),
            (terms.height, reference.map(|size| size.1)),
        ] {
            key.push(u32::from(unscaled != Some(size)));
            key.push(u32::MAX - size);
        }
        key.extend(domain.takers.iter().map(|&port| number(way(port))));
        Some(key)
    }

    /// All that a domain may be, by itself.
    fn options(&self, index: usize) -> Vec<Option_> {
        let domain = &self.domains[index];
        let ports: Vec<_> = domain
            .producers
            .iter()
            .chain(&domain.takers)
            .copied()
            .collect();
        let named: Vec<&Cap> = (ports.iter())
            .flat_map(|&port| &self.problem.port(port).port.caps.0)
            .collect();
        let mut options = Vec::new();
        let counts: Vec<_> = (ports.iter())
            .map(|&port| self.problem.port(port).port.caps.0.len())
            .collect();
        let total: usize = counts.iter().product();
        for number in 0..total {
            let mut rest = number;
            let mut ways: Vec<(PortId, usize)> = Vec::new();
            for (&port, &count) in ports.iter().zip(&counts) {
                ways.push((port, rest % count));
                rest /= count;
            }
            let same_way = ways.iter().all(|&(port, way)| {
                let mate = self.mate(port);
                let other = mate.and_then(|mate| ways.iter().find(|(of, _)| *of == mate));
                other.is_none_or(|(_, other)| *other == way)
            });
            if !same_way {
                continue;
            }
            let caps: Vec<&Cap> = ways
                .iter()
                .map(|&(port, way)| &self.problem.port(port).port.caps.0[way])
                .collect();
            for terms in terms(&caps, &named) {
                if let Some(placements) = self.placements(index, &ways, terms) {
                    options.push(Option_ {
                        terms,
                        ways: ways.clone(),
                        placements,
                    });
                }
            }
        }
        options
    }

    /// The placement of each of a domain's pools, where its devices allow one and a heap may do.
    fn placements(
        &self,
        index: usize,
        ways: &[(PortId, usize)],
        terms: Terms,
    ) -> Option<Vec<Placement>> {
        let pools = self.pools.iter().filter(|pool| pool.3 == index);
        let placements = pools.map(|(producer, users, ..)| {
            let ports: Vec<PortId> = [producer].into_iter().chain(users).copied().collect();
            let caps: Vec<&Cap> = ports
                .iter()
                .map(|port| {
                    let way = ways.iter().find(|(of, _)| of == port).unwrap().1;
                    &self.problem.port(*port).port.caps.0[way]
                })
                .collect();
            self.placement(*producer, &ports, &caps, terms)
        });
        placements.collect()
    }

    fn placement(
        &self,
        producer: PortId,
        ports: &[PortId],
        caps: &[&Cap],
        terms: Terms,
    ) -> Option<Placement> {
        let is_end = |port: &&PortId| {
            let node = self.problem.node(self.problem.port(**port).node);
            !matches!(node.kind, Kind::Passes)
        };
        let count = self.problem.ports().count();
        let is = |port: PortId, rule: usize| port.index() == rule % count;
        let mut rounds = false;
        let mut more = 0;
        for &port in ports.iter().filter(is_end) {
            for rule in &self.case.rules {
                match rule {
                    Rule::Refuses(of, format, width)
                        if is(port, *of)
                            && format.is_none_or(|format| format == terms.format)
                            && width.is_none_or(|width| width == terms.width) =>
                    {
                        return None;
                    }
                    Rule::Rounds(of) if is(port, *of) => rounds = true,
                    Rule::Longer(of, len) if is(producer, *of) => more = more.max(*len),
                    _ => {}
                }
            }
        }
        let linear = terms.modifier == Modifier::LINEAR;
        let wanted: Vec<&Cap> = if linear { caps.to_vec() } else { Vec::new() };
        let fits = |stride: u32| {
            wanted
                .iter()
                .all(|cap| stride_fits(cap, &wanted, stride, terms))
        };
        let mut stride = (1..4096).find(|&stride| holds_row(stride, terms) && fits(stride))?;
        if rounds && linear {
            stride = stride.div_ceil(256) * 256;
            if !fits(stride) {
                return None;
            }
        }
        let mut rows = terms.height;
        while !wanted.iter().all(|cap| rows.is_multiple_of(cap.rows)) {
            rows += 1;
        }
        let behind = wanted.iter().map(|cap| cap.behind).max().unwrap_or(0);
        let mut planes = Vec::new();
        let mut lens: Vec<u32> = Vec::new();
        let mut longer: Vec<u32> = Vec::new();
        for (index, info) in terms.format.planes().iter().enumerate() {
            if index == 0 || terms.split == Split::Apart {
                lens.push(0);
                longer.push(0);
            }
            let buffer = lens.len() - 1;
            // Of the formats tried, each plane has as many bytes a row as the first.
            planes.push(Plane {
                buffer,
                offset: lens[buffer],
                stride,
            });
            longer[buffer] = lens[buffer] + stride * info.rows(terms.height) + more;
            lens[buffer] += stride * info.rows(rows);
        }
        let lens = lens
            .iter()
            .zip(longer)
            .map(|(len, longer)| (len + behind).max(if more > 0 { longer } else { 0 }));
        Some(Placement {
            terms,
            planes,
            buffer_lens: lens.collect(),
        })
    }

    /// The best heaps for what was chosen.
    fn with_heaps(&self, chosen: &[Option_]) -> Option<Seen> {
        let mut pools = Vec::new();
        for (index, option) in chosen.iter().enumerate() {
            let of_domain = self.pools.iter().filter(|pool| pool.3 == index);
            for (pool, placement) in of_domain.zip(&option.placements) {
                pools.push((pool, placement, option));
            }
        }
        let candidates: Vec<Vec<usize>> = (pools.iter())
            .map(|(pool, placement, option)| self.heaps(pool, placement, option))
            .collect();
        let mut taken = Vec::new();
        self.take(&pools, &candidates, &mut taken)?;
        let ways = self.problem.nodes().filter_map(|(id, node)| {
            let output = *node.outputs.first()?;
            self.mate(output)?;
            let mut all = chosen.iter().flat_map(|option| &option.ways);
            Some((id.index(), all.find(|(of, _)| *of == output)?.1))
        });
        Some(Seen {
            terms: chosen.iter().map(|option| option.terms).collect(),
            pools: (pools.iter().zip(taken))
                .map(|((pool, placement, _), heap)| (pool.0, (*placement).clone(), heap, pool.2))
                .collect(),
            ways: ways.collect(),
        })
    }

    #[expect(clippy::type_complexity, reason = "plain tuples, used once")]
    fn take(
        &self,
        pools: &[(&(PortId, Vec<PortId>, usize, usize), &Placement, &Option_)],
        candidates: &[Vec<usize>],
        taken: &mut Vec<usize>,
    ) -> Option<()> {
        let at = taken.len();
        if at == pools.len() {
            return self.are_shown_together(pools, taken).then_some(());
        }
        for &heap in &candidates[at] {
            taken.push(heap);
            let facts = &self.case.heaps;
            let same = |other: usize| self.memories[heap] == self.memories[other];
            let used: u64 = (taken.iter().zip(pools))
                .filter(|(other, _)| same(**other))
                .map(|(_, (pool, placement, _))| placement.bytes() * pool.2 as u64)
                .sum();
            let rooms = (0..facts.len()).filter(|&other| same(other));
            let fits = rooms
                .filter_map(|other| facts[other].room)
                .all(|room| used <= room);
            if fits && self.take(pools, candidates, taken).is_some() {
                return Some(());
            }
            taken.pop();
        }
        None
    }

    /// Whether every stage of several inputs shows them with these heaps.
    #[expect(clippy::type_complexity, reason = "as above")]
    fn are_shown_together(
        &self,
        pools: &[(&(PortId, Vec<PortId>, usize, usize), &Placement, &Option_)],
        taken: &[usize],
    ) -> bool {
        self.case.rules.iter().all(|rule| {
            let Rule::NotTogether(stage, format, heap) = rule else {
                return true;
            };
            let mut nodes = self.problem.nodes();
            let count = self.problem.nodes().count();
            let (_, node) = nodes.nth(stage % count).unwrap();
            if !matches!(node.kind, Kind::Ends) || node.inputs.len() < 2 {
                return true;
            }
            let shown: Vec<_> = (pools.iter().zip(taken))
                .filter(|((pool, ..), _)| pool.1.iter().any(|user| node.inputs.contains(user)))
                .collect();
            let taken_so = |((_, placement, _), from): &(&(_, &Placement, _), &usize)| {
                let memory = |heap: &usize| {
                    self.memories[**from] == self.memories[heap % self.memories.len()]
                };
                format.is_none_or(|format| format == placement.terms.format)
                    && heap.as_ref().is_none_or(memory)
            };
            shown.is_empty() || !shown.iter().all(taken_so)
        })
    }

    /// The heaps that a pool may come from, best first.
    fn heaps(
        &self,
        (producer, users, ..): &(PortId, Vec<PortId>, usize, usize),
        placement: &Placement,
        option: &Option_,
    ) -> Vec<usize> {
        let ports: Vec<PortId> = [producer].into_iter().chain(users).copied().collect();
        let mut needs = MemoryNeeds::NONE;
        for port in &ports {
            let way = option.ways.iter().find(|(of, _)| of == port).unwrap().1;
            let own = self.problem.port(*port).port.caps.0[way].memory;
            needs.import |= own.import;
            needs.cpu |= own.cpu;
            needs.contiguous |= own.contiguous;
            needs.address_bits = needs.address_bits.or(own.address_bits);
        }
        let facts = &self.case.heaps;
        let mut order: Vec<usize> = match &self.problem.port(*producer).port.heaps {
            Set::Any => (0..facts.len())
                .filter(|&heap| !facts[heap].protected)
                .collect(),
            Set::Of(names) => names
                .iter()
                .filter_map(|name| {
                    facts
                        .iter()
                        .position(|heap| heap.name == *name || heap.aliases.contains(name))
                })
                .collect(),
        };
        if self.problem.port(*producer).port.heaps == Set::Any {
            order.sort_by_key(|&heap| {
                let heap = &facts[heap];
                let scarce = match heap.contiguity {
                    Contiguity::Scattered => 0,
                    Contiguity::Pieces(_) => 1,
                    Contiguity::Contiguous => 2,
                    Contiguity::Unknown => 3,
                };
                (
                    needs.address_bits.is_some() && heap.address_bits.is_none(),
                    heap.importable != needs.import,
                    scarce,
                    needs.cpu && heap.cached == Some(false),
                )
            });
        }
        let longest = placement.buffer_lens.iter().copied().max().unwrap();
        let mut fitting: Vec<usize> = Vec::new();
        for heap in order {
            let known = &facts[heap];
            let one_piece = match known.contiguity {
                Contiguity::Scattered => false,
                Contiguity::Pieces(len) => u64::from(longest) <= len.get(),
                Contiguity::Contiguous | Contiguity::Unknown => true,
            };
            let fits = (!needs.import || known.importable)
                && !(needs.cpu && known.protected)
                && (!needs.contiguous || one_piece)
                && !(needs.address_bits.is_some() && known.address_bits == Some(40))
                && known
                    .largest
                    .is_none_or(|largest| u64::from(longest) <= largest)
                && self.heap_is_taken(heap, &ports, placement, longest);
            // Of two names of one memory, the first that will do.
            let mut known_names = fitting.iter();
            let double = known_names.any(|&other| self.memories[other] == self.memories[heap]);
            if fits && !double {
                fitting.push(heap);
            }
        }
        fitting
    }

    fn heap_is_taken(
        &self,
        heap: usize,
        ports: &[PortId],
        placement: &Placement,
        longest: u32,
    ) -> bool {
        let facts = &self.case.heaps;
        let count = self.problem.ports().count();
        let same = |rule: usize| self.memories[heap] == self.memories[rule % facts.len()];
        self.case.rules.iter().all(|rule| match rule {
            Rule::Short(of, most) => !(same(*of) && longest > *most),
            Rule::RefusesHeap(of, heaps, format) => {
                let asked = ports.iter().any(|port| {
                    let node = self.problem.node(self.problem.port(*port).node);
                    port.index() == of % count && !matches!(node.kind, Kind::Passes)
                });
                let refused = asked
                    && same(*heaps)
                    && format.is_none_or(|format| format == placement.terms.format);
                !refused
            }
            _ => true,
        })
    }
}

fn rate_fits(cap: &Cap, rate: Option<Rate>) -> bool {
    match (rate, &cap.rates) {
        (_, Set::Any) => true,
        (None, Set::Of(_)) => false,
        (Some(rate), Set::Of(rates)) => rates.contains(&rate),
    }
}

fn retain(alive: &mut [(PortId, Vec<&Cap>)], keep: impl Fn(&Cap) -> bool) {
    for (_, caps) in alive {
        caps.retain(|cap| keep(cap));
    }
}

fn place<T: Clone + PartialEq>(
    alive: &[(PortId, Vec<&Cap>)],
    set: impl Fn(&Cap) -> &Set<T>,
    usual: Vec<T>,
    value: &T,
) -> Option<u32> {
    place_of(alive, |cap| set(cap).clone(), usual, value)
}

/// The place of a value in the list of the first port that leaves nothing to others; `None`
/// where nobody names it.
fn place_of<T: Clone + PartialEq>(
    alive: &[(PortId, Vec<&Cap>)],
    set: impl Fn(&Cap) -> Set<T>,
    usual: Vec<T>,
    value: &T,
) -> Option<u32> {
    let mut list = None;
    for (_, caps) in alive {
        let lists: Option<Vec<Vec<T>>> = caps
            .iter()
            .map(|cap| match set(cap) {
                Set::Any => None,
                Set::Of(values) => Some(values),
            })
            .collect();
        if let Some(lists) = lists {
            list = Some(lists.concat());
            break;
        }
    }
    let list = list.unwrap_or_else(|| {
        let mut list = usual;
        for (_, caps) in alive {
            for cap in caps {
                if let Set::Of(values) = set(cap) {
                    list.extend(values);
                }
            }
        }
        list
    });
    let place = list.iter().position(|known| known == value)?;
    Some(u32::try_from(place).unwrap())
}

/// All terms that these caps let pass, as far as any cap names them or they are the usual.
fn terms(caps: &[&Cap], named: &[&Cap]) -> Vec<Terms> {
    let modifiers = all(caps, named, |cap| &cap.modifiers, vec![Modifier::LINEAR]);
    let mut found = Vec::new();
    let colours = all(caps, named, |cap| &cap.colours, vec![Colour::default()]);
    let mut rates: Vec<Option<Rate>> = vec![None];
    for cap in named {
        if let Set::Of(named) = &cap.rates {
            rates.extend(named.iter().copied().map(Some));
        }
    }
    rates.retain(|rate| caps.iter().all(|cap| rate_fits(cap, *rate)));
    for format in all(caps, named, |cap| &cap.formats, vec![Format::XRGB8888]) {
        let whole = caps.iter().any(|cap| cap.whole_pixels);
        let even = whole && format != Format::XRGB8888;
        let splits = match format == Format::NV12 {
            true => all(
                caps,
                named,
                |cap| &cap.split,
                vec![Split::Together, Split::Apart],
            ),
            false => vec![Split::Together],
        };
        for width in (1..=48).filter(|width| {
            caps.iter().all(|cap| among(cap.width, *width)) && (!even || width % 2 == 0)
        }) {
            for height in (1..=16).filter(|height| {
                caps.iter().all(|cap| among(cap.height, *height))
                    && (!(whole && format == Format::NV12) || height % 2 == 0)
            }) {
                for &modifier in &modifiers {
                    for &split in &splits {
                        for &rate in &rates {
                            for &colour in &colours {
                                found.push(Terms {
                                    format,
                                    modifier,
                                    split,
                                    rate,
                                    colour,
                                    width,
                                    height,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
    found
}

fn all<T: Clone + PartialEq>(
    caps: &[&Cap],
    named: &[&Cap],
    set: fn(&Cap) -> &Set<T>,
    usual: Vec<T>,
) -> Vec<T> {
    let mut values = usual;
    for cap in named {
        if let Set::Of(named) = set(cap) {
            values.extend(named.iter().cloned());
        }
    }
    let fits = |value: &T| {
        caps.iter().all(|cap| match set(cap) {
            Set::Any => true,
            Set::Of(values) => values.contains(value),
        })
    };
    let mut found: Vec<T> = Vec::new();
    for value in values {
        if fits(&value) && !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn among(steps: dmaflow_core::caps::Steps, number: u32) -> bool {
    let mut at = steps.min;
    while at <= steps.max && at <= number {
        if at == number {
            return true;
        }
        at += steps.step;
    }
    false
}

/// The bytes of a row, so that chroma rows fit as well.
fn row(terms: Terms) -> u32 {
    match terms.format.name() {
        "XRGB8888" => terms.width * 4,
        "YUYV" => terms.width.div_ceil(2) * 4,
        _ => terms.width.div_ceil(2) * 2,
    }
}

fn holds_row(stride: u32, terms: Terms) -> bool {
    stride >= row(terms)
}

fn stride_fits(cap: &Cap, all: &[&Cap], stride: u32, terms: Terms) -> bool {
    let whole = all.iter().any(|cap| cap.whole_pixels);
    // A chroma sample pair of NV12 has two bytes, and so its rows.
    let block = match (whole, terms.format.name()) {
        (false, _) => 1,
        (true, "NV12") => 2,
        (true, _) => 4,
    };
    let strides = cap.strides;
    stride.is_multiple_of(strides.align)
        && stride.is_multiple_of(strides.each)
        && stride.is_multiple_of(block)
        && stride <= strides.max
        && stride - row(terms) < strides.padding
}

fn reached(problem: &Problem, producer: PortId) -> (Vec<PortId>, usize) {
    let mut users: Vec<PortId> = Vec::new();
    let mut links = 0;
    let mut outputs = vec![producer];
    let mut at = 0;
    while at < outputs.len() {
        let from = outputs[at];
        for (_, link) in problem.links().filter(|(_, link)| link.from == from) {
            links += 1;
            if users.contains(&link.to) {
                continue;
            }
            users.push(link.to);
            let node = problem.node(problem.port(link.to).node);
            if matches!(node.kind, Kind::Passes) {
                for &output in &node.outputs {
                    users.push(output);
                    outputs.push(output);
                }
            }
        }
        at += 1;
    }
    users.sort();
    users.dedup();
    let held: usize = [producer]
        .iter()
        .chain(&users)
        .map(|port| problem.port(*port).port.holds)
        .sum();
    (users, (links + held).max(1))
}

fn domains(problem: &Problem) -> Vec<Domain> {
    let count = problem.ports().count();
    let ids: Vec<PortId> = problem.ports().map(|(id, _)| id).collect();
    let mut group: Vec<usize> = (0..count).collect();
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (_, link) in problem.links() {
        pairs.push((link.from.index(), link.to.index()));
    }
    for (_, node) in problem.nodes() {
        if matches!(node.kind, Kind::Passes) {
            let ports: Vec<_> = node.inputs.iter().chain(&node.outputs).collect();
            pairs.extend(ports.windows(2).map(|two| (two[0].index(), two[1].index())));
        }
    }
    for _ in 0..count {
        for &(a, b) in &pairs {
            let least = group[a].min(group[b]);
            group[a] = least;
            group[b] = least;
        }
    }
    let makes = |port: PortId| {
        let placed = problem.port(port);
        placed.direction == Direction::Output
            && !matches!(problem.node(placed.node).kind, Kind::Passes)
    };
    let mut left: Vec<usize> = Vec::new();
    for &port in ids.iter().filter(|port| makes(**port)) {
        if !left.contains(&group[port.index()]) {
            left.push(group[port.index()]);
        }
    }
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let ready = left.iter().position(|&of| {
            problem.nodes().all(|(_, node)| {
                let Kind::Transforms(_) = node.kind else {
                    return true;
                };
                let (from, to) = (
                    group[node.inputs[0].index()],
                    group[node.outputs[0].index()],
                );
                to != of || from == of || !left.contains(&from)
            })
        });
        let of = left.remove(ready.unwrap_or(0));
        let members = ids.iter().copied().filter(|port| group[port.index()] == of);
        let (producers, takers) = members.partition(|port| makes(*port));
        ordered.push(Domain { producers, takers });
    }
    ordered
}
