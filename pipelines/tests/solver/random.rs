//! Random graphs, caps, heaps, and devices that refuse.

use dmaflow_core::caps::{Cap, MemoryNeeds, Properties, Property, Set, Split, Steps, Strides};
use dmaflow_core::format::{Colour, Encoding, Format};
use dmaflow_core::heap::Contiguity;
use dmaflow_core::layout::Modifier;
use dmaflow_core::time::Rate;
use dmaflow_pipelines::solver::{
    Alternative, Answer, Ask, HeapFacts, Kind, NodeId, Placement, PoolPlan, Port, PortId, Problem,
    Question, Refusal, Scale,
};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A random problem.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) stages: Vec<Stage>,
    /// From the how-manieth output to the how-manieth input, as far as there are so many, and as
    /// far as frames do not go in a circle.
    pub(crate) links: Vec<(usize, usize)>,
    pub(crate) heaps: Vec<HeapFacts>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Source(Vec<Cap>, Option<Vec<usize>>),
    Sink(Vec<Cap>),
    Mixer(Vec<Cap>, Vec<Cap>),
    Pass(Vec<Cap>, bool),
    Transform(Vec<(Cap, Cap, u32, u32)>),
}

/// What a device does of its own will. Ports and heaps are counted modulo how many there are.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// A port does not take a format, or a width, or both together.
    Refuses(usize, Option<Format>, Option<u32>),
    /// A port imports from a heap not at all, or in this format.
    RefusesHeap(usize, usize, Option<Format>),
    /// A heap gives no buffers of more bytes than so many.
    Short(usize, u32),
    /// A producer wants so many bytes more.
    Longer(usize, u32),
    /// A producer's strides are multiples of 256.
    Rounds(usize),
    /// A stage of several inputs does not show them where all have this format and memory.
    NotTogether(usize, Option<Format>, Option<usize>),
}

pub(crate) const TILED: Modifier = Modifier(0x0100_0000_0000_0001);

fn rare<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> BoxedStrategy<Set<T>> {
    let count = values.len();
    prop_oneof![
        12 => Just(Set::Any),
        1 => subsequence(values, 1..=count).prop_shuffle().prop_map(Set::Of),
    ]
    .boxed()
}

fn cap() -> impl Strategy<Value = Cap> {
    let formats = vec![Format::XRGB8888, Format::YUYV, Format::NV12];
    let count = formats.len();
    // Somebody has to name formats, or all that there are would be tried.
    let formats = prop_oneof![
        1 => subsequence(formats.clone(), 1..=count),
        3 => subsequence(formats, 2..=count),
    ]
    .prop_shuffle();
    let widths = select(vec![
        Steps {
            min: 8,
            max: 32,
            step: 8,
        },
        Steps {
            min: 16,
            max: 32,
            step: 16,
        },
        Steps::between(15, 17),
        Steps::only(16),
        Steps::only(17),
        Steps::only(32),
        Steps {
            min: 16,
            max: 40,
            step: 8,
        },
        Steps {
            min: 12,
            max: 36,
            step: 12,
        },
        Steps::between(15, 18),
    ]);
    let heights = select(vec![
        Steps::only(8),
        Steps::only(8),
        Steps::between(7, 8),
        Steps {
            min: 8,
            max: 16,
            step: 8,
        },
    ]);
    let strides = select(vec![
        Strides::ANY,
        Strides::ANY,
        Strides::ANY,
        Strides::ANY,
        Strides::padded(64, u32::MAX),
        Strides::padded(48, 4096),
        Strides::padded(1, 64),
        Strides::own(1),
        Strides::own(32),
        Strides {
            each: 4,
            ..Strides::padded(8, u32::MAX)
        },
    ]);
    let memory = select(vec![
        MemoryNeeds::NONE,
        MemoryNeeds::DEVICE,
        MemoryNeeds::DEVICE,
        MemoryNeeds::DEVICE,
        MemoryNeeds {
            contiguous: true,
            ..MemoryNeeds::DEVICE
        },
        MemoryNeeds {
            address_bits: Some(32),
            ..MemoryNeeds::DEVICE
        },
        MemoryNeeds {
            cpu: true,
            ..MemoryNeeds::NONE
        },
    ]);
    let rates = rare(vec![Rate::new(30, 1).unwrap(), Rate::new(60, 1).unwrap()]);
    let known = |encoding| Colour {
        encoding: Some(encoding),
        range: None,
    };
    let colours = rare(vec![
        Colour::default(),
        known(Encoding::Bt601),
        known(Encoding::Bt709),
    ]);
    let sets = (
        rare(vec![Modifier::LINEAR, TILED]),
        rare(vec![Split::Together, Split::Apart]),
        rates,
        colours,
    );
    let numbers = (
        select(vec![1_u32, 1, 1, 4, 6, 16]),
        select(vec![0_u32, 0, 0, 100]),
        select(vec![false, false, true]),
    );
    (formats, widths, heights, strides, memory, sets, numbers).prop_map(
        |(formats, width, height, strides, memory, sets, (rows, behind, whole_pixels))| Cap {
            formats: Set::Of(formats),
            modifiers: sets.0,
            width,
            height,
            strides,
            whole_pixels,
            rows,
            split: sets.1,
            rates: sets.2,
            colours: sets.3,
            memory,
            behind,
        },
    )
}

fn caps() -> impl Strategy<Value = Vec<Cap>> {
    vec(cap(), 1..=2)
}

fn stage() -> impl Strategy<Value = Stage> {
    let names = weighted(0.2, vec(0..3_usize, 1..=2));
    // A filter that does not care is the usual one.
    let indifferent = prop_oneof![3 => Just(vec![Cap::any()]), 1 => caps()];
    let scale = (cap(), cap(), 1..=2_u32, 1..=3_u32);
    prop_oneof![
        3 => (caps(), names).prop_map(|(caps, names)| Stage::Source(caps, names)),
        3 => caps().prop_map(Stage::Sink),
        2 => (caps(), caps()).prop_map(|(a, b)| Stage::Mixer(a, b)),
        1 => (indifferent, any::<bool>()).prop_map(|(caps, two)| Stage::Pass(caps, two)),
        2 => vec(scale, 1..=2).prop_map(Stage::Transform),
    ]
}

fn heap(index: usize) -> impl Strategy<Value = HeapFacts> {
    let contiguity = select(vec![
        Contiguity::Scattered,
        Contiguity::Contiguous,
        Contiguity::Contiguous,
        Contiguity::Pieces(2048.try_into().unwrap()),
        Contiguity::Unknown,
    ]);
    let alias = weighted(0.15, 0..3_usize);
    let bits = select(vec![None, Some(32), Some(32), Some(40)]);
    let room = select(vec![
        None,
        None,
        Some(4_000_u64),
        Some(10_000),
        Some(30_000),
    ]);
    let flags = (
        select(vec![true, true, true, true, false]),
        select(vec![false, false, false, true]),
        select(vec![None, Some(true), Some(false)]),
        select(vec![None, None, None, Some(1500_u64)]),
    );
    (contiguity, alias, bits, room, flags).prop_map(
        move |(contiguity, alias, address_bits, room, flags)| HeapFacts {
            aliases: alias
                .map(|other| format!("heap{other}"))
                .into_iter()
                .collect(),
            importable: flags.0,
            protected: flags.1,
            cached: flags.2,
            largest: flags.3,
            address_bits,
            room,
            ..HeapFacts::new(format!("heap{index}"), contiguity)
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let formats = || select(vec![Format::XRGB8888, Format::YUYV, Format::NV12]);
    let widths = select(vec![16_u32, 24, 32]);
    prop_oneof![
        (0..8_usize, weighted(0.7, formats()), weighted(0.5, widths))
            .prop_map(|(port, format, width)| Rule::Refuses(port, format, width)),
        (0..8_usize, 0..3_usize, weighted(0.5, formats()))
            .prop_map(|(port, heap, format)| Rule::RefusesHeap(port, heap, format)),
        (0..3_usize, 500..3000_u32).prop_map(|(heap, len)| Rule::Short(heap, len)),
        (0..8_usize, 1..2000_u32).prop_map(|(port, more)| Rule::Longer(port, more)),
        (0..8_usize).prop_map(Rule::Rounds),
        (
            0..6_usize,
            weighted(0.8, formats()),
            weighted(0.5, 0..3_usize)
        )
            .prop_map(|(stage, format, heap)| Rule::NotTogether(stage, format, heap)),
    ]
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let stages = (vec(stage(), 0..=3), caps(), caps()).prop_map(|(mut stages, first, last)| {
        stages.insert(0, Stage::Source(first, None));
        stages.push(Stage::Sink(last));
        stages
    });
    let links = vec((0..6_usize, 0..6_usize), 1..=5);
    let heaps =
        (heap(0), heap(1), heap(2), select(vec![0, 1, 2, 3, 3, 3])).prop_map(|(a, b, c, count)| {
            let mut heaps = vec![a, b, c];
            heaps.truncate(count);
            heaps
        });
    (stages, links, heaps, vec(rule(), 0..=2)).prop_map(|(stages, links, heaps, rules)| Case {
        stages,
        links,
        heaps,
        rules,
    })
}

impl Case {
    /// Which memory each heap is.
    pub(crate) fn memories(&self) -> Vec<usize> {
        let mut memory: Vec<usize> = (0..self.heaps.len()).collect();
        for _ in 0..self.heaps.len() {
            for (a, heap) in self.heaps.iter().enumerate() {
                for (b, other) in self.heaps.iter().enumerate() {
                    let alias = heap.name == other.name
                        || heap.aliases.contains(&other.name)
                        || heap.aliases.iter().any(|name| other.aliases.contains(name));
                    if alias {
                        let least = memory[a].min(memory[b]);
                        (memory[a], memory[b]) = (least, least);
                    }
                }
            }
        }
        memory
    }

    pub(crate) fn problem(&self) -> Problem {
        let mut problem = Problem::new();
        let port =
            |caps: &[Cap]| Port::new(caps.iter().cloned().collect::<dmaflow_core::caps::Caps>());
        for (index, stage) in self.stages.iter().enumerate() {
            let name = format!("stage{index}");
            match stage {
                Stage::Source(caps, names) => {
                    let heaps = match names {
                        None => Set::Any,
                        Some(names) => Set::Of(names.iter().map(|n| format!("heap{n}")).collect()),
                    };
                    problem.source(
                        name,
                        Port {
                            heaps,
                            ..port(caps)
                        }
                        .holding(1),
                    );
                }
                Stage::Sink(caps) => {
                    problem.sink(name, port(caps));
                }
                Stage::Mixer(a, b) => {
                    problem.add(name, Kind::Ends, vec![port(a), port(b)], Vec::new());
                }
                Stage::Pass(caps, two) => {
                    let mut outputs = vec![port(&[Cap::any()])];
                    if *two {
                        outputs.push(port(&[Cap::any()]));
                    }
                    problem.add(name, Kind::Passes, vec![port(caps)], outputs);
                }
                Stage::Transform(ways) => {
                    let ways = ways.iter().map(|(input, output, down, up)| Alternative {
                        input: input.clone(),
                        output: output.clone(),
                        scale: Scale {
                            down: *down,
                            up: *up,
                        },
                    });
                    problem.transform(name, ways.collect(), (0, 1));
                }
            }
        }
        for heap in &self.heaps {
            problem.heap(heap.clone());
        }
        let ends = |inputs: bool| -> Vec<_> {
            let nodes = problem.nodes();
            let ports = nodes.flat_map(|(node, of)| {
                let side = if inputs { &of.inputs } else { &of.outputs };
                side.iter().map(move |port| (node, *port))
            });
            ports.collect()
        };
        let (outputs, inputs) = (ends(false), ends(true));
        let mut linked = Vec::new();
        for &(from, to) in &self.links {
            let from = outputs[from % outputs.len()];
            // Forwards only.
            let later: Vec<_> = inputs.iter().filter(|(node, _)| *node > from.0).collect();
            if later.is_empty() {
                continue;
            }
            let &(_, to) = later[to % later.len()];
            if !linked.contains(&(from.1, to)) {
                linked.push((from.1, to));
                problem.link(from.1, to).unwrap();
            }
        }
        problem
    }
}

/// Devices that do as the rules say.
pub(crate) struct Device<'c> {
    problem: Problem,
    case: &'c Case,
    asked: Vec<String>,
    pub(crate) asked_twice: usize,
}

impl<'c> Device<'c> {
    pub(crate) fn new(problem: &Problem, case: &'c Case) -> Self {
        Self {
            problem: problem.clone(),
            case,
            asked: Vec::new(),
            asked_twice: 0,
        }
    }

    fn is(&self, port: PortId, rule: usize) -> bool {
        port.index() == rule % self.problem.ports().count()
    }

    fn format(&self, port: PortId, placement: &Placement) -> Answer {
        let mut answer = placement.clone();
        let terms = placement.terms;
        for rule in &self.case.rules {
            match rule {
                Rule::Refuses(of, format, width)
                    if self.is(port, *of)
                        && format.is_none_or(|format| format == terms.format)
                        && width.is_none_or(|width| width == terms.width) =>
                {
                    let mut about = Properties::NONE;
                    if format.is_some() {
                        about = about.with(Property::Format);
                    }
                    if width.is_some() {
                        about = about.with(Property::Width);
                    }
                    return Answer::No(Refusal::about("a rule", about));
                }
                Rule::Rounds(of) if self.is(port, *of) && terms.modifier == Modifier::LINEAR => {
                    round(&mut answer);
                }
                _ => {}
            }
        }
        for rule in &self.case.rules {
            if let Rule::Longer(of, more) = rule
                && self.is(port, *of)
                && is_made_here(&self.problem, port)
            {
                // So much more than the planes take.
                for (buffer, len) in answer.buffer_lens.iter_mut().enumerate() {
                    let ends = answer.planes.iter().zip(terms.format.planes());
                    let ends = ends.filter(|(plane, _)| plane.buffer == buffer);
                    let ends = ends
                        .map(|(plane, info)| plane.offset + plane.stride * info.rows(terms.height));
                    *len = (*len).max(ends.max().unwrap_or(0) + more);
                }
            }
        }
        if answer == *placement {
            Answer::Yes
        } else {
            Answer::Instead(answer)
        }
    }
}

fn is_made_here(problem: &Problem, port: PortId) -> bool {
    let placed = problem.port(port);
    placed.direction == dmaflow_pipelines::solver::Direction::Output
}

/// Rounds the first stride up to a multiple of 256, the others in proportion, and moves planes.
fn round(placement: &mut Placement) {
    let first = placement.stride();
    if first.is_multiple_of(256) {
        return;
    }
    let rounded = first.next_multiple_of(256);
    let terms = placement.terms;
    let mut ends = vec![0; placement.buffer_lens.len()];
    let old = placement.clone();
    for (index, plane) in placement.planes.iter_mut().enumerate() {
        let was = plane.stride;
        plane.stride = was * rounded / first;
        plane.offset = ends[plane.buffer];
        // As many rows as there were before the next plane; of the last, those of the picture.
        let next = old
            .planes
            .get(index + 1)
            .filter(|next| next.buffer == plane.buffer);
        let rows = match next {
            Some(next) => (next.offset - old.planes[index].offset) / was,
            None => terms.format.planes()[index].rows(terms.height),
        };
        ends[plane.buffer] += plane.stride * rows;
    }
    placement.buffer_lens = ends;
}

impl Ask for Device<'_> {
    fn ask(&mut self, question: &Question<'_>) -> Answer {
        let text = format!("{question:?}");
        if self.asked.contains(&text) {
            self.asked_twice += 1;
        }
        self.asked.push(text);
        match *question {
            Question::Format {
                port, placement, ..
            } => self.format(port, placement),
            Question::Allocate {
                heap, placement, ..
            } => {
                let longest = placement.buffer_lens.iter().max().unwrap();
                let short = self.case.rules.iter().any(|rule| match rule {
                    Rule::Short(of, most) => self.heap(heap.index(), *of) && longest > most,
                    _ => false,
                });
                match short {
                    true => Answer::No(Refusal::about(
                        "too long",
                        Properties::of(&[Property::Length, Property::Memory]),
                    )),
                    false => Answer::Yes,
                }
            }
            Question::Attach {
                port,
                heap,
                placement,
                ..
            } => {
                for rule in &self.case.rules {
                    if let Rule::RefusesHeap(of, heaps, format) = rule
                        && self.is(port, *of)
                        && self.heap(heap.index(), *heaps)
                        && format.is_none_or(|format| format == placement.terms.format)
                    {
                        let mut about = Properties::of(&[Property::Memory]);
                        if format.is_some() {
                            about = about.with(Property::Format);
                        }
                        return Answer::No(Refusal::about("not that memory", about));
                    }
                }
                Answer::Yes
            }
            Question::Arrange { node, pools } => self.arrange(node, pools),
        }
    }
}

impl Device<'_> {
    fn arrange(&self, node: NodeId, pools: &[PoolPlan]) -> Answer {
        let inputs = &self.problem.node(node).inputs;
        let shown = |pool: &&PoolPlan| pool.users.iter().any(|user| inputs.contains(user));
        for rule in &self.case.rules {
            let Rule::NotTogether(stage, format, heap) = rule else {
                continue;
            };
            let refused = |pool: &PoolPlan| {
                format.is_none_or(|format| format == pool.placement.terms.format)
                    && heap.is_none_or(|heap| self.heap(pool.heap.index(), heap))
            };
            let is_meant = node.index() == stage % self.problem.nodes().count();
            if is_meant && pools.iter().filter(shown).all(refused) {
                let mut about = Properties::NONE;
                if format.is_some() {
                    about = about.with(Property::Format);
                }
                if heap.is_some() {
                    about = about.with(Property::Memory);
                }
                return Answer::No(Refusal::about("not together", about));
            }
        }
        Answer::Yes
    }

    /// Whether a heap is the same memory as a rule's.
    fn heap(&self, heap: usize, rule: usize) -> bool {
        let memory = self.case.memories();
        memory[heap] == memory[rule % memory.len()]
    }
}
