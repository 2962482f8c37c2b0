//! What was tried, in order.

use std::fmt;

use dmaflow_core::caps::Property;

use super::{Answer, Inserted, PoolPlan, PortId, Problem, Question};

/// A log of all that was tried, for people. One that nobody wants costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    wanted: bool,
    entries: Vec<Entry>,
}

/// Something that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was tried.
    pub tried: String,
    /// What came of it.
    pub outcome: String,
    /// How often in a row.
    pub times: usize,
}

impl Explanation {
    /// A log that is kept.
    #[must_use]
    pub fn wanted() -> Self {
        Self {
            wanted: true,
            entries: Vec::new(),
        }
    }

    /// What was tried, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn add(&mut self, entry: impl FnOnce() -> (String, String)) {
        if !self.wanted {
            return;
        }
        let (tried, outcome) = entry();
        match self.entries.last_mut() {
            Some(last) if last.tried == tried && last.outcome == outcome => last.times += 1,
            _ => self.entries.push(Entry {
                tried,
                outcome,
                times: 1,
            }),
        }
    }

    pub(super) fn asked(&mut self, problem: &Problem, question: &Question<'_>, answer: &Answer) {
        self.add(|| {
            let tried = match question {
                Question::Format {
                    port, placement, ..
                } => format!("{}: {placement}", problem.label(*port)),
                Question::Allocate {
                    heap,
                    buffers,
                    placement,
                    ..
                } => format!(
                    "heap `{}`: {buffers} buffers of {} bytes",
                    problem.heaps[heap.0].name,
                    placement.bytes()
                ),
                Question::Attach {
                    port,
                    heap,
                    placement,
                    ..
                } => format!(
                    "{}: import from heap `{}`, {placement}",
                    problem.label(*port),
                    problem.heaps[heap.0].name
                ),
                Question::Arrange { node, pools } => {
                    let node = problem.node(*node);
                    let of_node = |pool: &&PoolPlan| {
                        (pool.users.iter()).any(|user| node.inputs.contains(user))
                    };
                    let shown = pools.iter().filter(of_node);
                    let shown: Vec<_> = shown.map(|pool| pool.placement.to_string()).collect();
                    format!("`{}`: together {}", node.name, shown.join(" and "))
                }
            };
            let outcome = match answer {
                Answer::Yes => "yes".to_owned(),
                Answer::Instead(other) => format!("{other} instead"),
                Answer::No(refusal) => format!("no: {}", refusal.reason),
            };
            (tried, outcome)
        });
    }

    pub(super) fn heap_passed_over(
        &mut self,
        problem: &Problem,
        producer: PortId,
        heap: usize,
        why: impl FnOnce() -> String,
    ) {
        self.add(|| {
            let name = &problem.heaps[heap].name;
            let tried = format!("heap `{name}` for the pool of {}", problem.label(producer));
            (tried, why())
        });
    }

    pub(super) fn inserted(&mut self, problem: &Problem, inserted: Option<&Inserted>) {
        self.with_converter(problem, inserted, |inserted| {
            format!("put in, because {}", inserted.reason)
        });
    }

    pub(super) fn not_inserted(&mut self, problem: &Problem, inserted: Option<&Inserted>) {
        self.with_converter(problem, inserted, |_| "it cannot be put in".to_owned());
    }

    fn with_converter(
        &mut self,
        problem: &Problem,
        inserted: Option<&Inserted>,
        outcome: impl FnOnce(&Inserted) -> String,
    ) {
        let Some(inserted) = inserted else {
            return;
        };
        self.add(|| {
            let name = &problem.node(inserted.node).name;
            let from = problem.links[inserted.link.0].from;
            let to = problem.links[inserted.onward.0].to;
            let tried = format!(
                "converter `{name}` from {} to {}",
                problem.label(from),
                problem.label(to)
            );
            (tried, outcome(inserted))
        });
    }

    pub(super) fn nothing_left(&mut self, problem: &Problem, port: PortId, property: Property) {
        self.add(|| {
            let tried = format!("a {property} for {}", problem.label(port));
            (tried, "nothing of what others offer".to_owned())
        });
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            write!(f, "{}: {}", entry.tried, entry.outcome)?;
            if entry.times > 1 {
                write!(f, " ({} times)", entry.times)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
