//! Domains and pools of a problem, in the order in which they are settled.

use dmaflow_core::caps::{MemoryNeeds, Steps};

use super::problem::{Direction, Kind};
use super::{PortId, Problem};

/// Ports that agree on everything but where memory comes from.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    /// The outputs at which its frames are made.
    pub(super) producers: Vec<PortId>,
    /// All its other ports.
    pub(super) takers: Vec<PortId>,
    /// Its pools, one a producer.
    pub(super) pools: Vec<usize>,
    /// No width or height outside will do, whatever is chosen elsewhere.
    pub(super) hull: (Span, Span),
}

/// Numbers between two, both counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Span {
    const ALL: Self = Self {
        min: 0,
        max: u32::MAX,
    };

    fn and(self, (min, max): (u32, u32)) -> Self {
        Self {
            min: self.min.max(min),
            max: self.max.min(max),
        }
    }
}

/// The frames of one producer.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) producer: PortId,
    /// All ports that its frames come to, in order.
    pub(super) users: Vec<PortId>,
    pub(super) domain: usize,
    /// What its users keep, and one on its way over each link.
    pub(super) needed: usize,
    pub(super) buffers: usize,
}

/// A problem cut into domains.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    /// What makes the frames of a domain comes before it, as far as there is no circle.
    pub(super) domains: Vec<Domain>,
    pub(super) pools: Vec<Pool>,
    /// The domain of each port; `None` where no frames come.
    pub(super) domain_of: Vec<Option<usize>>,
    /// The pools of each port.
    pub(super) pools_of: Vec<Vec<usize>>,
    /// The first heap that is the same memory, for each.
    pub(super) memory_of: Vec<usize>,
    /// For each domain the others whose frames come as often, over however many transforms.
    pub(super) in_step: Vec<Vec<usize>>,
}

impl Graph {
    pub(super) fn new(problem: &Problem) -> Self {
        let groups = groups(problem);
        let mut domains = in_order(problem, &groups);
        let mut domain_of = vec![None; problem.ports.len()];
        for (index, domain) in domains.iter().enumerate() {
            for port in domain.producers.iter().chain(&domain.takers) {
                domain_of[port.0] = Some(index);
            }
        }
        let mut pools = Vec::new();
        let mut pools_of = vec![Vec::new(); problem.ports.len()];
        for (index, domain) in domains.iter_mut().enumerate() {
            for &producer in &domain.producers {
                let pool = pool(problem, producer, index);
                for port in pool.users.iter().chain([&producer]) {
                    pools_of[port.0].push(pools.len());
                }
                domain.pools.push(pools.len());
                pools.push(pool);
            }
        }
        narrow(problem, &mut domains, &domain_of);
        Self {
            memory_of: memories(problem),
            in_step: in_step(problem, &domain_of, domains.len()),
            domains,
            pools,
            domain_of,
            pools_of,
        }
    }

    /// Whether all ways in which a port works want the same of memory.
    pub(super) fn has_one_memory(problem: &Problem, port: PortId) -> bool {
        let mut needs = problem.caps(port).iter().map(|cap| cap.memory);
        let first = needs.next().unwrap_or(MemoryNeeds::NONE);
        needs.all(|other| other == first)
    }
}

/// The first heap that is the same memory as each: a third name may be what joins two.
fn memories(problem: &Problem) -> Vec<usize> {
    let heaps = &problem.heaps;
    let mut memory: Vec<usize> = (0..heaps.len()).collect();
    for (index, heap) in heaps.iter().enumerate() {
        for other in 0..index {
            if heap.is_same_memory(&heaps[other]) {
                let (a, b) = (memory[index], memory[other]);
                for known in &mut memory {
                    if *known == a.max(b) {
                        *known = a.min(b);
                    }
                }
            }
        }
    }
    memory
}

/// The domains that transforms join, directly or by way of others, to each.
fn in_step(problem: &Problem, domain_of: &[Option<usize>], domains: usize) -> Vec<Vec<usize>> {
    let mut rhythm: Vec<usize> = (0..domains).collect();
    for node in &problem.nodes {
        let (Kind::Transforms(_), [input, ..], [output, ..]) =
            (&node.kind, &node.inputs[..], &node.outputs[..])
        else {
            continue;
        };
        if let (Some(from), Some(to)) = (domain_of[input.0], domain_of[output.0]) {
            let (from, to) = (rhythm[from], rhythm[to]);
            for known in rhythm.iter_mut().filter(|known| **known == from) {
                *known = to;
            }
        }
    }
    let others = |domain: usize| {
        let same = (0..domains).filter(|&other| rhythm[other] == rhythm[domain]);
        same.filter(|&other| other != domain).collect()
    };
    (0..domains).map(others).collect()
}

/// The group of each port: the least port that is joined to it.
fn groups(problem: &Problem) -> Vec<usize> {
    let mut group: Vec<usize> = (0..problem.ports.len()).collect();
    fn root(group: &[usize], mut port: usize) -> usize {
        while group[port] != port {
            port = group[port];
        }
        port
    }
    let mut join = |a: PortId, b: PortId| {
        let (a, b) = (root(&group, a.0), root(&group, b.0));
        group[a.max(b)] = a.min(b);
    };
    for link in &problem.links {
        join(link.from, link.to);
    }
    for node in &problem.nodes {
        if let Kind::Passes = node.kind {
            let mut ports = node.inputs.iter().chain(&node.outputs);
            if let Some(&first) = ports.next() {
                ports.for_each(|&port| join(first, port));
            }
        }
    }
    (0..group.len()).map(|port| root(&group, port)).collect()
}

fn is_producer(problem: &Problem, port: PortId) -> bool {
    problem.is_end(port) && problem.port(port).direction == Direction::Output
}

fn in_order(problem: &Problem, groups: &[usize]) -> Vec<Domain> {
    let mut names: Vec<usize> = Vec::new();
    for (port, &group) in groups.iter().enumerate() {
        if is_producer(problem, PortId(port)) && !names.contains(&group) {
            names.push(group);
        }
    }
    let mut ordered = Vec::with_capacity(names.len());
    while !names.is_empty() {
        // One into which no transform leads from a domain that is still to come; in a circle,
        // the first.
        let ready = names.iter().position(|name| {
            let mut members = (0..groups.len()).filter(|&port| groups[port] == *name);
            members.all(|port| {
                let id = PortId(port);
                is_producer(problem, id)
                    .then(|| problem.mate(id))
                    .flatten()
                    .is_none_or(|input| {
                        let from = groups[input.0];
                        from == *name || !names.contains(&from)
                    })
            })
        });
        let name = names.remove(ready.unwrap_or(0));
        let members = (0..groups.len())
            .filter(|&port| groups[port] == name)
            .map(PortId);
        let (producers, takers) = members.partition(|&port| is_producer(problem, port));
        ordered.push(Domain {
            producers,
            takers,
            pools: Vec::new(),
            hull: (Span::ALL, Span::ALL),
        });
    }
    ordered
}

/// The ports that a producer's frames come to, and what all of them keep.
fn pool(problem: &Problem, producer: PortId, domain: usize) -> Pool {
    let mut reached = vec![false; problem.ports.len()];
    let mut ahead = vec![producer];
    let mut needed = problem.port(producer).port.holds;
    while let Some(output) = ahead.pop() {
        for link in problem.links.iter().filter(|link| link.from == output) {
            needed += 1;
            if std::mem::replace(&mut reached[link.to.0], true) {
                continue;
            }
            needed += problem.port(link.to).port.holds;
            let node = problem.node(problem.port(link.to).node);
            if let Kind::Passes = node.kind {
                for &onward in &node.outputs {
                    if !std::mem::replace(&mut reached[onward.0], true) {
                        needed += problem.port(onward).port.holds;
                        ahead.push(onward);
                    }
                }
            }
        }
    }
    let users = (0..reached.len()).filter(|&port| reached[port]).map(PortId);
    Pool {
        producer,
        users: users.collect(),
        domain,
        needed: needed.max(1),
        buffers: problem.port(producer).port.buffers.unwrap_or(needed.max(1)),
    }
}

/// Narrows hulls to what ports and scalers leave of them, until nothing changes.
fn narrow(problem: &Problem, domains: &mut [Domain], domain_of: &[Option<usize>]) {
    for domain in domains.iter_mut() {
        for &port in domain.producers.iter().chain(&domain.takers) {
            let caps = problem.caps(port);
            let span = |side: fn(&dmaflow_core::caps::Cap) -> Steps| {
                let sides = caps.iter().map(side).filter(|steps| !steps.is_empty());
                let ends = sides.map(|steps| (steps.min, steps.max));
                ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
            };
            // A port without caps leaves nothing, which is found when it is looked at.
            if let (Some(width), Some(height)) = (span(|cap| cap.width), span(|cap| cap.height)) {
                domain.hull = (domain.hull.0.and(width), domain.hull.1.and(height));
            }
        }
    }
    // A change takes a round a transform to come to the other end.
    for _round in 0..=domains.len() {
        let before: Vec<_> = domains.iter().map(|domain| domain.hull).collect();
        for node in &problem.nodes {
            let (Kind::Transforms(ways), [input], [output]) =
                (&node.kind, &node.inputs[..], &node.outputs[..])
            else {
                continue;
            };
            let (Some(from), Some(to)) = (domain_of[input.0], domain_of[output.0]) else {
                continue;
            };
            let Some(up) = ways.iter().map(|way| way.scale.up.max(1)).max() else {
                continue;
            };
            let down = ways
                .iter()
                .map(|way| way.scale.down.max(1))
                .max()
                .unwrap_or(1);
            let shrink = |span: Span, down: u32, up: u32| {
                (span.min.div_ceil(down), span.max.saturating_mul(up))
            };
            let (a, b) = (domains[from].hull, domains[to].hull);
            domains[to].hull = (
                b.0.and(shrink(a.0, down, up)),
                b.1.and(shrink(a.1, down, up)),
            );
            domains[from].hull = (
                a.0.and(shrink(b.0, up, down)),
                a.1.and(shrink(b.1, up, down)),
            );
        }
        if before
            .iter()
            .zip(domains.iter())
            .all(|(was, now)| *was == now.hull)
        {
            break;
        }
    }
}
