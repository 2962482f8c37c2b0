//! Finding what all ports of a graph can agree on.
//!
//! A [`Problem`] states what is there: stages with ports, what each port can do as
//! [`Caps`](dmaflow_core::caps::Caps), links, heaps. [`solve`] finds the best [`Plan`]: what the
//! frames of each domain are, where each pool's pixels lie, and which heap it comes from; or the
//! shortest reason why there is none. Devices are asked through [`Ask`], and nothing here knows
//! one: with [`Believe`] a problem is solved from what is stated alone.
//!
//! ```text
//!   camera ──▶ converter ──▶ tee ─┬─▶ screen          one domain before the converter,
//!                                 └─▶ file            one behind it; a pool in each
//! ```
//!
//! ```
//! use dmaflow_core::caps::{Cap, MemoryNeeds, Set, Steps};
//! use dmaflow_core::format::Format;
//! use dmaflow_core::heap::Contiguity;
//! use dmaflow_pipelines::solver::{Believe, HeapFacts, Port, Problem, solve};
//!
//! let mut problem = Problem::new();
//! let camera = problem.source(
//!     "camera",
//!     Port::new(Cap {
//!         formats: Set::Of(vec![Format::YUYV, Format::XRGB8888]),
//!         width: Steps::between(320, 3840),
//!         height: Steps::between(200, 2160),
//!         memory: MemoryNeeds::DEVICE,
//!         ..Cap::any()
//!     })
//!     .holding(2),
//! );
//! let screen = problem.sink(
//!     "screen",
//!     Port::new(Cap {
//!         formats: Set::only(Format::XRGB8888),
//!         width: Steps::between(1, 1920),
//!         height: Steps::between(1, 1080),
//!         memory: MemoryNeeds::DEVICE,
//!         ..Cap::any()
//!     })
//!     .holding(2),
//! );
//! problem.link(camera, screen)?;
//! problem.heap(HeapFacts::new("system", Contiguity::Scattered));
//!
//! let plan = solve(&problem, &mut Believe)?;
//! let pool = &plan.pools[0];
//! assert_eq!(pool.placement.to_string(), "1920×1080 XRGB8888, stride 7680, 8294400 bytes");
//! assert_eq!(pool.buffers, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Ranking
//! What stands higher decides; what stands lower decides among equals.
//!
//! | what | better |
//! |--|--|
//! | converters | fewer of the CPU's; then fewer |
//! | then for each domain, sources first: | |
//! | which of its caps a producer uses | the earlier |
//! | format | the earlier in the list of the first port that has one, producers first; where nobody has, [`Format::cost`](dmaflow_core::format::Format::cost) |
//! | modifier, split, rate, colour | likewise; where nobody has a list: linear, one buffer before one a plane, none, none |
//! | width, then height | unscaled, then the larger |
//! | which of its caps another port uses | the earlier |
//! | then for each pool: | |
//! | heap | the earlier in its producer's list; otherwise addresses that are known where that matters, importable memory where a device is among the users and other memory where none is, unprotected, scattered before pieces before contiguous before unknown, through the CPU's caches where it touches pixels |

mod ask;
mod converters;
mod devices;
mod explanation;
mod finding;
mod graph;
mod heaps;
mod plan;
mod problem;
pub mod rules;
mod search;
mod terms;
mod unsolvable;

pub use ask::{Answer, Ask, Believe, Question, Refusal};
pub use converters::ConverterCaps;
pub use explanation::{Entry, Explanation};
pub use heaps::HeapFacts;
pub use plan::{DomainPlan, Inserted, Plan, PoolPlan, Rank};
pub use problem::{
    Alternative, Direction, HeapId, Kind, Link, LinkId, Node, NodeId, Placed, Port, PortId,
    Problem, ProblemError, Scale,
};
pub use terms::{Placement, Plane, Terms};
pub use unsolvable::Unsolvable;

use devices::{Answers, Devices};
use finding::Finding;
use graph::Graph;
use search::{Limits, Outcome, Search};

/// Finds the best plan that all devices take.
///
/// # Errors
/// [`Unsolvable`] with the shortest sufficient reason.
pub fn solve(problem: &Problem, ask: &mut dyn Ask) -> Result<Plan, Unsolvable> {
    solve_explained(problem, ask, &mut Explanation::default())
}

/// The same as [`solve`], with a log of all that was tried.
///
/// # Errors
/// As of [`solve`].
pub fn solve_explained(
    problem: &Problem,
    ask: &mut dyn Ask,
    explanation: &mut Explanation,
) -> Result<Plan, Unsolvable> {
    let mut answers = Answers::default();
    attempt(problem, ask, &mut answers, explanation)?.map_err(|finding| {
        let joining = converters::Joining::none(problem, &finding);
        finding.unsolvable(problem, &joining)
    })
}

/// Finds the best plan as [`solve`] does; where there is none, puts converters into links, as
/// few as will do: those that use the CPU only where that is allowed, and where no others do.
/// [`Plan::inserted`] tells which link got which converter, and why.
///
/// # Errors
/// As of [`solve`], for the problem without converters.
pub fn solve_with_converters(
    problem: &Problem,
    converters: &[ConverterCaps],
    allow_cpu: bool,
    ask: &mut dyn Ask,
) -> Result<Plan, Unsolvable> {
    let mut silent = Explanation::default();
    solve_with_converters_explained(problem, converters, allow_cpu, ask, &mut silent)
}

/// The same as [`solve_with_converters`], with a log of all that was tried.
///
/// # Errors
/// As of [`solve`], for the problem without converters.
pub fn solve_with_converters_explained(
    problem: &Problem,
    converters: &[ConverterCaps],
    allow_cpu: bool,
    ask: &mut dyn Ask,
    explanation: &mut Explanation,
) -> Result<Plan, Unsolvable> {
    converters::with_converters(problem, converters, allow_cpu, ask, explanation)
}

/// Looks for a plan, and where there is none, for the reason. What is wrong with the problem
/// itself is the outer error.
fn attempt(
    problem: &Problem,
    ask: &mut dyn Ask,
    answers: &mut Answers,
    explanation: &mut Explanation,
) -> Result<Result<Plan, Finding>, Unsolvable> {
    let graph = Graph::new(problem);
    unsolvable::check(problem, &graph)?;
    let mut devices = Devices::new(ask, answers, explanation);
    let outcome = Search::new(problem, &graph, &mut devices, Limits::FULL).run();
    Ok(match outcome {
        Outcome::Solved(plan) => Ok(*plan),
        Outcome::Unsolvable => Err(Finding::new(problem, answers, false)),
        Outcome::GaveUp => Err(Finding::new(problem, answers, true)),
    })
}
