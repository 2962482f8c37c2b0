//! Converters that are put in where two ends cannot agree.

use super::finding::Finding;
use super::{
    Alternative, Ask, Explanation, Inserted, Link, LinkId, NodeId, Plan, Problem, Unsolvable,
    attempt,
};

/// So many converters are put in at most.
const MOST: usize = 3;
/// So many graphs with converters are tried at most, with each number of the CPU's.
const MOST_TRIED: usize = 512;
/// Where the ports of converters begin, as devices know them.
const PORTS_OF_CONVERTERS: usize = usize::MAX / 2;

/// A converter that can be put into a link.
#[derive(Clone, Debug)]
pub struct ConverterCaps {
    /// Its name.
    pub name: String,
    /// Whether the CPU does the work: frames are then copied.
    pub cpu: bool,
    /// What it makes of what, best first.
    pub alternatives: Vec<Alternative>,
    /// How many frames it keeps of its input and of its output.
    pub holds: (usize, usize),
}

/// A problem with converters put in.
#[derive(Clone, Debug)]
struct Extended {
    problem: Problem,
    inserted: Vec<Inserted>,
    finding: Finding,
}

/// Puts converters in: those that use the CPU only where no others do, and as few as will do.
pub(super) fn with_converters(
    problem: &Problem,
    converters: &[ConverterCaps],
    allow_cpu: bool,
    ask: &mut dyn Ask,
    explanation: &mut Explanation,
) -> Result<Plan, Unsolvable> {
    let mut known = super::devices::Answers::default();
    let finding = match attempt(problem, ask, &mut known, explanation)? {
        Ok(plan) => return Ok(plan),
        Err(finding) => finding,
    };
    let mut failure = finding.clone();
    let none = Extended {
        problem: problem.clone(),
        inserted: Vec::new(),
        finding,
    };
    // What came to nothing with one converter less of the CPU's, by how many there are.
    let mut less = Vec::new();
    for cpu in 0..=(if allow_cpu { MOST } else { 0 }) {
        let mut failed = vec![Vec::new(); MOST + 1];
        if cpu == 0 {
            failed[0].push(none.clone());
        }
        let mut tried = 0;
        for count in cpu.max(1)..=MOST {
            let devices = with_one_more(&failed[count - 1], converters, false);
            let cpus = less.get(count - 1).map_or(&[][..], Vec::as_slice);
            let cpus = with_one_more(cpus, converters, true);
            for extended in devices.into_iter().chain(cpus) {
                tried += 1;
                if tried > MOST_TRIED {
                    failure.gave_up = true;
                    break;
                }
                explanation.inserted(&extended.problem, extended.inserted.last());
                ask.with_converters(&extended.inserted);
                match attempt(&extended.problem, ask, &mut known, explanation) {
                    Ok(Ok(plan)) => {
                        return Ok(Plan {
                            inserted: extended.inserted,
                            ..plan
                        });
                    }
                    Ok(Err(finding)) => failed[count].push(Extended {
                        finding,
                        ..extended
                    }),
                    // Converters change nothing about pools that are too small.
                    Err(_unsolvable) => {}
                }
            }
        }
        less = failed;
    }
    ask.with_converters(&[]);
    Err(failure.unsolvable(
        problem,
        &Joining::new(problem, &failure, converters, allow_cpu),
    ))
}

/// All ways of putting in one converter more, which uses the CPU or does not: only links matter
/// between ports that cannot agree.
fn with_one_more(failed: &[Extended], converters: &[ConverterCaps], cpu: bool) -> Vec<Extended> {
    let mut all = Vec::new();
    for extended in failed {
        for link in extended.finding.links_to_part(&extended.problem) {
            let known = converters.iter().enumerate();
            for (index, converter) in known.filter(|(_, converter)| converter.cpu == cpu) {
                all.push(insert(extended, link, index, converter));
            }
        }
    }
    all
}

/// Puts a converter into a link: the link leads to it, and a new one leads on.
fn insert(before: &Extended, link: LinkId, index: usize, converter: &ConverterCaps) -> Extended {
    let mut problem = before.problem.clone();
    let (input, output) = problem.transform(
        converter.name.clone(),
        converter.alternatives.clone(),
        converter.holds,
    );
    // One converter is the same device wherever it is put in.
    problem.ports[input.0].asked_as = PORTS_OF_CONVERTERS + 2 * index;
    problem.ports[output.0].asked_as = PORTS_OF_CONVERTERS + 2 * index + 1;
    let Link { from, to } = problem.links[link.0];
    problem.links[link.0] = Link { from, to: input };
    problem.links.push(Link { from: output, to });
    let mut inserted = before.inserted.clone();
    inserted.push(Inserted {
        converter: index,
        link,
        onward: LinkId(problem.links.len() - 1),
        node: NodeId(problem.nodes.len() - 1),
        reason: before.finding.text(&before.problem),
    });
    Extended {
        problem,
        inserted,
        finding: before.finding.clone(),
    }
}

/// What would join ports that have no format in common.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// For people; empty where nothing can be said.
    pub(super) text: String,
}

impl Joining {
    pub(super) fn none(problem: &Problem, finding: &Finding) -> Self {
        Self::new(problem, finding, &[], false)
    }

    fn new(
        problem: &Problem,
        finding: &Finding,
        converters: &[ConverterCaps],
        allow_cpu: bool,
    ) -> Self {
        let Some((from, to)) = finding.formats(problem) else {
            return Self::default();
        };
        let joins = |converter: &&ConverterCaps| {
            converter.alternatives.iter().any(|way| {
                from.iter().any(|format| way.input.formats.contains(format))
                    && to.iter().any(|format| way.output.formats.contains(format))
            })
        };
        let mut joining = converters.iter().filter(joins);
        let mut devices = joining.clone().filter(|converter| !converter.cpu);
        let text = match (devices.next(), joining.next()) {
            (Some(converter), _) => format!("`{}` does not fit in", converter.name),
            (None, Some(converter)) if allow_cpu => {
                format!("`{}` does not fit in", converter.name)
            }
            (None, Some(_cpu)) => {
                "no device here does it; a CPU conversion would: zero-copy = \"allow\"".to_owned()
            }
            (None, None) => "none is here".to_owned(),
        };
        Self {
            text: format!(
                "a converter from {} to {} would join them ({text})",
                one_of(&from),
                one_of(&to)
            ),
        }
    }
}

fn one_of(formats: &[dmaflow_core::format::Format]) -> String {
    let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
    match names.as_slice() {
        [] => "anything".to_owned(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}
