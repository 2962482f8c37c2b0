//! What comes out of solving.

use super::{HeapId, LinkId, NodeId, Placement, PortId, Problem, Terms};

/// How everything can run: what each domain agrees on, and where each pool comes from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The problem that was solved: the one that was put, with the converters that were inserted.
    pub problem: Problem,
    /// What each domain agrees on.
    pub domains: Vec<DomainPlan>,
    /// The pool of each producer.
    pub pools: Vec<PoolPlan>,
    /// Which way each transform works.
    pub ways: Vec<(NodeId, usize)>,
    /// The converters that were put in, the first one first.
    pub inserted: Vec<Inserted>,
    /// How good it is: the least is best. Two ranks of one problem can be compared.
    pub rank: Rank,
}

/// What the ports of a domain agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainPlan {
    /// Its ports.
    pub ports: Vec<PortId>,
    /// What they agree on.
    pub terms: Terms,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolPlan {
    /// The output whose frames it holds.
    pub producer: PortId,
    /// All other ports that its frames come to.
    pub users: Vec<PortId>,
    /// Which of [`Plan::domains`] it is part of.
    pub domain: usize,
    /// Where pixels lie.
    pub placement: Placement,
    /// Where its buffers come from.
    pub heap: HeapId,
    /// How many frames it has.
    pub buffers: usize,
}

/// A converter that was put into a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// Which of the converters that there were.
    pub converter: usize,
    /// The link that it was put into. It now leads to the converter's input; a new link leads on.
    pub link: LinkId,
    /// The link that leads on.
    pub onward: LinkId,
    /// The stage that it is.
    pub node: NodeId,
    /// Why it was needed.
    pub reason: String,
}

/// How good a plan is; see the table in [`solver`](super).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub Vec<u32>);

impl Plan {
    /// What the frames of a port are.
    #[must_use]
    pub fn terms(&self, port: PortId) -> Option<&Terms> {
        let domain = self
            .domains
            .iter()
            .find(|found| found.ports.contains(&port));
        domain.map(|found| &found.terms)
    }

    /// The pools whose frames come to a port, or start there.
    pub fn pools_of(&self, port: PortId) -> impl Iterator<Item = &PoolPlan> {
        (self.pools.iter()).filter(move |pool| pool.producer == port || pool.users.contains(&port))
    }
}
