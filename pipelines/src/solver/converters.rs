//! Converters that are put in where two ends cannot agree.

use super::devices::Answers;
use super::finding::Finding;
use super::{
    Alternative, Ask, Believe, Explanation, Inserted, Link, LinkId, NodeId, Plan, Problem,
    Unsolvable, attempt,
};

/// So many converters are put in at most.
const MOST: usize = 3;
/// So many graphs with converters are tried at most, with each number of the CPU's.
const MOST_TRIED: usize = 512;
/// So many are tried to tell what the CPU could do where it may not.
const MOST_FOR_A_HINT: usize = 32;
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
    let mut known = Answers::default();
    let finding = match attempt(problem, ask, &mut known, explanation)? {
        Ok(plan) => return Ok(plan),
        Err(finding) => finding,
    };
    let tries = Tries {
        converters,
        allow_cpu,
        most: MOST_TRIED,
    };
    let more = match tries.put_in(problem, &finding, ask, &mut known, explanation) {
        Ok(plan) => return Ok(plan),
        Err(more) => more,
    };
    ask.with_converters(&[]);
    let cpu_would = !allow_cpu && would_join(problem, converters, &finding);
    let joining = Joining::new(problem, &finding, converters, cpu_would);
    let mut unsolvable = finding.unsolvable(problem, &joining);
    if more && !unsolvable.gave_up {
        unsolvable.gave_up = true;
        (unsolvable.reason).push_str("; not all ways of putting converters in were tried");
    }
    Err(unsolvable)
}

/// Whether conversions by the CPU would join the ports that have no format in common, as far as
/// ports say what they can do.
fn would_join(problem: &Problem, converters: &[ConverterCaps], failure: &Finding) -> bool {
    let cpus = converters.iter().filter(|converter| converter.cpu);
    let cpus: Vec<_> = cpus.cloned().collect();
    let tries = Tries {
        converters: &cpus,
        allow_cpu: true,
        most: MOST_FOR_A_HINT,
    };
    let (mut known, mut silent) = (Answers::default(), Explanation::default());
    failure.is_about_formats()
        && !cpus.is_empty()
        && (tries.put_in(problem, failure, &mut Believe, &mut known, &mut silent)).is_ok()
}

/// What may be tried.
#[derive(Clone, Copy)]
struct Tries<'c> {
    converters: &'c [ConverterCaps],
    allow_cpu: bool,
    /// So many graphs, with each number of converters of the CPU's.
    most: usize,
}

impl Tries<'_> {
    /// Puts converters in: those that use the CPU only where no others do, and as few as will
    /// do. Otherwise tells whether there was more to try.
    fn put_in(
        self,
        problem: &Problem,
        finding: &Finding,
        ask: &mut dyn Ask,
        known: &mut Answers,
        explanation: &mut Explanation,
    ) -> Result<Plan, bool> {
        let mut gave_up = false;
        // What came to nothing with one converter less of the CPU's, by how many there are.
        let mut less: Vec<Vec<Extended>> = Vec::new();
        for cpu in 0..=(if self.allow_cpu { MOST } else { 0 }) {
            let mut failed = vec![Vec::new(); MOST + 1];
            if cpu == 0 {
                failed[0].push(Extended {
                    problem: problem.clone(),
                    inserted: Vec::new(),
                    finding: finding.clone(),
                });
            }
            let mut tried = 0;
            for count in cpu.max(1)..=MOST {
                let devices = with_one_more(&failed[count - 1], self.converters, false);
                let cpus = less.get(count - 1).map_or(&[][..], Vec::as_slice);
                let cpus = with_one_more(cpus, self.converters, true);
                for extended in devices.into_iter().chain(cpus) {
                    tried += 1;
                    if tried > self.most {
                        gave_up = true;
                        break;
                    }
                    explanation.inserted(&extended.problem, extended.inserted.last());
                    if !ask.with_converters(&extended.inserted) {
                        explanation.not_inserted(&extended.problem, extended.inserted.last());
                        continue;
                    }
                    match attempt(&extended.problem, ask, known, explanation) {
                        Ok(Ok(plan)) => {
                            return Ok(Plan {
                                inserted: extended.inserted,
                                ..plan
                            });
                        }
                        Ok(Err(finding)) => {
                            gave_up |= finding.gave_up;
                            failed[count].push(Extended {
                                finding,
                                ..extended
                            });
                        }
                        // Converters change nothing about pools that are too small.
                        Err(_unsolvable) => {}
                    }
                }
            }
            less = failed;
        }
        Err(gave_up)
    }
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
        cpu_would: bool,
    ) -> Self {
        let Some((from, to)) = finding.formats(problem) else {
            let hint = "a CPU conversion would join them: zero-copy = \"allow\"";
            return Self {
                text: if cpu_would { hint } else { "" }.to_owned(),
            };
        };
        let joins = |converter: &&ConverterCaps| {
            converter.alternatives.iter().any(|way| {
                from.iter().any(|format| way.input.formats.contains(format))
                    && to.iter().any(|format| way.output.formats.contains(format))
            })
        };
        let text = match converters.iter().find(joins) {
            Some(converter) if !converter.cpu || !cpu_would => {
                format!("`{}` does not fit in", converter.name)
            }
            None if !cpu_would => "none is here".to_owned(),
            _ => "no device here does it".to_owned(),
        };
        let hint = if cpu_would {
            "; a CPU conversion would: zero-copy = \"allow\""
        } else {
            ""
        };
        Self {
            text: format!(
                "a converter from {} to {} would join them ({text}{hint})",
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
