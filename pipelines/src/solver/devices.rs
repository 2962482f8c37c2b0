//! Devices that are asked nothing twice, and what they said.

use dmaflow_core::caps::{Properties, Property};

use super::explanation::Explanation;
use super::graph::Graph;
use super::{Answer, Ask, HeapId, Placement, PoolPlan, PortId, Problem, Question, Refusal};

/// So many questions are asked before devices are left alone.
const MOST_QUESTIONS: usize = 4096;

/// Who is asked, what was answered, and the log of it.
pub(super) struct Devices<'a> {
    ask: &'a mut dyn Ask,
    answers: &'a mut Answers,
    pub(super) explanation: &'a mut Explanation,
    /// There was more to ask than may be asked: no answer of that kind proves anything.
    pub(super) exhausted: bool,
}

/// What was asked and answered so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers(Vec<Known>);

#[derive(Clone, Debug)]
struct Known {
    asked: Asked,
    answer: Answer,
}

impl Answers {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets whoever said yes.
    pub(super) fn keep_only_objections(&mut self) {
        self.0.retain(|known| known.answer != Answer::Yes);
    }

    /// All but one.
    pub(super) fn without(&self, index: usize) -> Self {
        let mut fewer = self.clone();
        fewer.0.remove(index);
        fewer
    }

    /// What refusals depend on.
    pub(super) fn about(&self) -> impl Iterator<Item = Properties> {
        self.0.iter().map(|known| match &known.answer {
            Answer::No(refusal) => refusal.about,
            Answer::Yes | Answer::Instead(_) => {
                Properties::of(&[Property::Stride, Property::Rows, Property::Length])
            }
        })
    }

    /// Whether something was asked of this port.
    pub(super) fn is_about(&self, port: usize) -> bool {
        self.0.iter().any(|known| match known.asked.what {
            What::Format { port: asked, .. } | What::Attach { port: asked, .. } => asked == port,
            What::Arrange { ref inputs, .. } => inputs.iter().any(|input| input.port == port),
            What::Allocate { .. } => false,
        })
    }

    /// For people, each once, with all that it was said of.
    pub(super) fn texts(&self, problem: &Problem) -> Vec<String> {
        let mut groups: Vec<(String, String, Vec<String>)> = Vec::new();
        for known in &self.0 {
            let who = known.asked.who(problem);
            let (reason, about) = match &known.answer {
                Answer::No(refusal) => (refusal.reason.clone(), refusal.about),
                Answer::Instead(other) => (format!("{other} instead"), Properties::ALL),
                Answer::Yes => continue,
            };
            let what = known.asked.what_of(problem, about);
            match groups
                .iter_mut()
                .find(|(by, why, _)| *by == who && *why == reason)
            {
                Some((_, _, same)) if same.contains(&what) => {}
                Some((_, _, same)) => same.push(what),
                None => groups.push((who, reason, vec![what])),
            }
        }
        let lines = groups.into_iter().map(|(who, reason, what)| {
            let what: Vec<_> = what.into_iter().filter(|what| !what.is_empty()).collect();
            match what.is_empty() {
                true => format!("{who}: {reason}"),
                false => format!("{who}, asked for {}: {reason}", what.join(", ")),
            }
        });
        lines.collect()
    }
}

/// A question, as it is compared with others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    what: What,
    /// Where pixels lie, or are to lie; of each input and pool of those that are arranged.
    placements: Vec<Placement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Format {
        port: usize,
        input: Option<Placement>,
    },
    Allocate {
        /// Whose pool, and who uses it: what these refused before is an answer to this as well.
        producer: usize,
        users: Vec<usize>,
        memory: usize,
        buffers: usize,
        beside: u64,
    },
    Attach {
        port: usize,
        memory: usize,
        buffers: usize,
    },
    Arrange {
        inputs: Vec<Arranged>,
        /// All pools: by producer, memory, and where pixels lie.
        pools: Vec<(usize, usize, Placement)>,
    },
}

/// An input of a stage that is to show several together, and a pool of which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Arranged {
    port: usize,
    producer: usize,
    memory: usize,
    buffers: usize,
}

impl Asked {
    fn new(problem: &Problem, graph: &Graph, question: &Question<'_>) -> Self {
        let key = |port: PortId| problem.port(port).asked_as;
        let memory = |heap: HeapId| graph.memory_of[heap.0];
        let (what, placement) = match *question {
            Question::Format {
                port,
                input,
                placement,
            } => {
                let (port, input) = (key(port), input.cloned());
                (What::Format { port, input }, placement)
            }
            Question::Allocate {
                producer,
                heap,
                buffers,
                beside,
                placement,
            } => {
                let used = graph.pools_of[producer.0].iter();
                let users = used.flat_map(|&pool| &graph.pools[pool].users);
                let what = What::Allocate {
                    producer: key(producer),
                    users: users.map(|&user| key(user)).collect(),
                    memory: memory(heap),
                    buffers,
                    beside,
                };
                (what, placement)
            }
            Question::Attach {
                port,
                heap,
                buffers,
                placement,
                ..
            } => {
                let what = What::Attach {
                    port: key(port),
                    memory: memory(heap),
                    buffers,
                };
                (what, placement)
            }
            Question::Arrange { node, pools } => {
                let arranged = |port: PortId, pool: &PoolPlan| Arranged {
                    port: key(port),
                    producer: key(pool.producer),
                    memory: memory(pool.heap),
                    buffers: pool.buffers,
                };
                let inputs = problem.node(node).inputs.iter();
                let shown = inputs.flat_map(|&port| {
                    let of_port = pools.iter().filter(move |pool| pool.users.contains(&port));
                    of_port.map(move |pool| (arranged(port, pool), pool.placement.clone()))
                });
                let (inputs, placements) = shown.unzip();
                let all = pools.iter().map(|pool| {
                    let placement = pool.placement.clone();
                    (key(pool.producer), memory(pool.heap), placement)
                });
                let what = What::Arrange {
                    inputs,
                    pools: all.collect(),
                };
                return Self { what, placements };
            }
        };
        Self {
            what,
            placements: vec![placement.clone()],
        }
    }

    /// Who was asked, for people.
    fn who(&self, problem: &Problem) -> String {
        match self.what {
            What::Format { port, .. } | What::Attach { port, .. } => {
                let mut ports = problem.ports();
                let found = ports.find(|(_, placed)| placed.asked_as == port);
                found.map_or_else(|| "a converter".to_owned(), |(id, _)| problem.label(id))
            }
            What::Allocate { memory, .. } => format!("heap `{}`", problem.heaps[memory].name),
            What::Arrange { ref inputs, .. } => {
                let mut ports = problem.ports();
                let is_input = |port: usize| inputs.iter().any(|input| input.port == port);
                let found = ports.find(|(_, placed)| is_input(placed.asked_as));
                let name = found.map(|(_, placed)| &problem.node(placed.node).name);
                format!("`{}`", name.map_or("", String::as_str))
            }
        }
    }

    /// What it was asked for, as far as that matters.
    fn what_of(&self, problem: &Problem, about: Properties) -> String {
        let heap = |memory: usize| {
            let matters = about.contains(Property::Memory);
            matters.then(|| format!("heap `{}`", problem.heaps[memory].name))
        };
        let parts: Vec<String> = match &self.what {
            What::Arrange { inputs, .. } => (inputs.iter().zip(&self.placements))
                .map(|(input, placement)| in_words(heap(input.memory), placement, about))
                .collect(),
            What::Attach { memory, .. } => (self.placements.iter())
                .map(|placement| in_words(heap(*memory), placement, about))
                .collect(),
            What::Format { .. } | What::Allocate { .. } => (self.placements.iter())
                .map(|placement| in_words(None, placement, about))
                .collect(),
        };
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" beside ")
    }

    /// Whether a refusal of this one is one of another too.
    fn covers(&self, refusal: &Refusal, other: &Self) -> bool {
        let about = refusal.about;
        let counts = |a: usize, b: usize| a == b || !about.contains(Property::Buffers);
        let same = match (&self.what, &other.what) {
            (
                What::Format { port, input },
                What::Format {
                    port: other,
                    input: other_input,
                },
            ) => port == other && (input == other_input || about.is_empty()),
            (
                What::Allocate {
                    producer,
                    users,
                    memory,
                    buffers,
                    beside,
                },
                What::Allocate {
                    producer: maker,
                    users: takers,
                    memory: other,
                    buffers: others,
                    beside: more,
                },
            ) => {
                // With less beside it there may be room.
                (producer, users, memory) == (maker, takers, other)
                    && counts(*buffers, *others)
                    && (beside <= more || !about.contains(Property::Length))
            }
            (
                What::Attach {
                    port,
                    memory,
                    buffers,
                },
                What::Attach {
                    port: other,
                    memory: others,
                    buffers: count,
                },
            ) => {
                port == other
                    && (memory == others || !about.contains(Property::Memory))
                    && counts(*buffers, *count)
            }
            (
                What::Arrange { inputs, pools },
                What::Arrange {
                    inputs: others,
                    pools: all,
                },
            ) => {
                let alike = |(a, b): (&Arranged, &Arranged)| {
                    (a.port, a.producer) == (b.port, b.producer)
                        && (a.memory == b.memory || !about.contains(Property::Memory))
                        && counts(a.buffers, b.buffers)
                };
                // Others' pools may be what was in the way.
                (about != Properties::ALL || pools == all)
                    && inputs.len() == others.len()
                    && inputs.iter().zip(others).all(alike)
            }
            _ => false,
        };
        let mut pairs = self.placements.iter().zip(&other.placements);
        let differ = |(a, b): (&Placement, &Placement)| {
            let differs = a.differs(b);
            differs.iter().any(|property| about.contains(property))
        };
        same && !pairs.any(differ)
    }
}

/// A heap and a placement, as far as they matter.
fn in_words(heap: Option<String>, placement: &Placement, about: Properties) -> String {
    let mut words = Vec::from_iter(heap);
    if about == Properties::ALL {
        words.push(placement.to_string());
    } else {
        let terms = &placement.terms;
        if about.contains(Property::Format) {
            words.push(terms.format.to_string());
        }
        if about.contains(Property::Width) || about.contains(Property::Height) {
            words.push(format!("{}×{}", terms.width, terms.height));
        }
    }
    words.join(" with ")
}

impl<'a> Devices<'a> {
    pub(super) fn new(
        ask: &'a mut dyn Ask,
        answers: &'a mut Answers,
        explanation: &'a mut Explanation,
    ) -> Self {
        Self {
            ask,
            answers,
            explanation,
            exhausted: false,
        }
    }

    /// Asks, unless the answer is known.
    pub(super) fn ask(
        &mut self,
        problem: &Problem,
        graph: &Graph,
        question: &Question<'_>,
    ) -> Answer {
        let asked = Asked::new(problem, graph, question);
        for known in &self.answers.0 {
            match &known.answer {
                Answer::No(refusal) if known.asked.covers(refusal, &asked) => {
                    return known.answer.clone();
                }
                answer if known.asked == asked => return answer.clone(),
                _ => {}
            }
        }
        if self.answers.len() >= MOST_QUESTIONS {
            self.exhausted = true;
            return Answer::No(Refusal::of_this("devices were asked too often"));
        }
        let answer = self.ask.ask(question);
        self.explanation.asked(problem, question, &answer);
        self.answers.0.push(Known {
            asked,
            answer: answer.clone(),
        });
        answer
    }

    pub(super) fn note_refusal(
        &mut self,
        problem: &Problem,
        question: &Question<'_>,
        refusal: &Refusal,
    ) {
        let answer = Answer::No(refusal.clone());
        self.explanation.asked(problem, question, &answer);
    }

    pub(super) fn note_nothing_left(
        &mut self,
        problem: &Problem,
        port: PortId,
        property: Property,
    ) {
        self.explanation.nothing_left(problem, port, property);
    }

    pub(super) fn note_unfit(
        &mut self,
        problem: &Problem,
        producer: PortId,
        heap: usize,
        why: &str,
    ) {
        self.explanation
            .heap_passed_over(problem, producer, heap, || why.to_owned());
    }

    pub(super) fn note_no_room(
        &mut self,
        problem: &Problem,
        producer: PortId,
        heap: usize,
        room: u64,
    ) {
        (self.explanation).heap_passed_over(problem, producer, heap, || {
            format!("it has room for {room} bytes, and all pools in it take more")
        });
    }
}
