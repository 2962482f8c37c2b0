//! Devices that are asked nothing twice, and what they said.

use dmaflow_core::caps::{MemoryNeeds, Property};

use super::explanation::Explanation;
use super::graph::Graph;
use super::{Answer, Ask, HeapId, Placement, PortId, Problem, Question, Refusal};

/// So many questions are asked before devices are left alone.
const MOST_QUESTIONS: usize = 4096;

/// Who is asked, what was answered, and the log of it.
pub(super) struct Devices<'a> {
    ask: &'a mut dyn Ask,
    known: Vec<Known>,
    pub(super) explanation: &'a mut Explanation,
}

/// What was asked and answered.
#[derive(Clone, Debug)]
struct Known {
    asked: Asked,
    answer: Answer,
}

/// A question, as it is compared with others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    what: What,
    placement: Placement,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Format {
        port: usize,
        input: Option<Placement>,
    },
    Allocate {
        memory: usize,
        buffers: usize,
        beside: u64,
    },
    Attach {
        port: usize,
        memory: usize,
        buffers: usize,
    },
}

impl Asked {
    fn new(problem: &Problem, graph: &Graph, question: &Question<'_>) -> Self {
        let key = |port: PortId| problem.port(port).asked_as;
        let memory = |heap: HeapId| graph.memory_of[heap.0];
        let what = match *question {
            Question::Format { port, input, .. } => What::Format {
                port: key(port),
                input: input.cloned(),
            },
            Question::Allocate {
                heap,
                buffers,
                beside,
                ..
            } => What::Allocate {
                memory: memory(heap),
                buffers,
                beside,
            },
            Question::Attach {
                port,
                heap,
                buffers,
                ..
            } => What::Attach {
                port: key(port),
                memory: memory(heap),
                buffers,
            },
        };
        Self {
            what,
            placement: question.placement().clone(),
        }
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
                    memory,
                    buffers,
                    beside,
                },
                What::Allocate {
                    memory: other,
                    buffers: others,
                    beside: more,
                },
            ) => {
                // With less beside it there may be room.
                memory == other
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
            _ => false,
        };
        let differs = self.placement.differs(&other.placement);
        same && !differs.iter().any(|property| about.contains(property))
    }
}

impl<'a> Devices<'a> {
    pub(super) fn new(ask: &'a mut dyn Ask, explanation: &'a mut Explanation) -> Self {
        Self {
            ask,
            known: Vec::new(),
            explanation,
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
        for known in &self.known {
            match &known.answer {
                Answer::No(refusal) if known.asked.covers(refusal, &asked) => {
                    return known.answer.clone();
                }
                answer if known.asked == asked => return answer.clone(),
                _ => {}
            }
        }
        if self.known.len() >= MOST_QUESTIONS {
            return Answer::No(Refusal::of_this("devices were asked too often"));
        }
        let answer = self.ask.ask(question);
        self.explanation.asked(problem, question, &answer);
        self.known.push(Known {
            asked,
            answer: answer.clone(),
        });
        answer
    }

    /// The refusals so far.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.known.iter().filter_map(|known| match &known.answer {
            Answer::No(refusal) => Some(refusal),
            Answer::Yes | Answer::Instead(_) => None,
        })
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
        &self,
        _problem: &Problem,
        _producer: PortId,
        _heap: usize,
        _needs: MemoryNeeds,
        _longest: u64,
    ) {
    }

    pub(super) fn note_no_room(
        &mut self,
        _problem: &Problem,
        _producer: PortId,
        _heap: usize,
        _room: u64,
    ) {
    }
}
