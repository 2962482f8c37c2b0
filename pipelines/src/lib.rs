//! Pipelines: stages that agree on a format and a heap, and the threads that run them.
//!
//! A [`Pipeline`] is made from stages in code ([`Pipeline::link`]) or from a description file
//! ([`description`]). Before anything flows, it asks the devices which heap and format all of
//! them take; then a thread a stage passes frames on, and what happened is in a [`Report`].

pub mod audit;
mod bell;
pub mod control;
mod cpu_conversion;
mod decimate;
pub mod description;
pub mod drawing;
pub mod error;
pub mod fixture;
mod latency;
mod link;
mod pipeline;
pub mod probe;
mod rate_limit;
mod report;
mod selector;
pub mod solver;
mod supervise;
mod sync;

pub use audit::AuditReport;
pub use control::{Control, ControlError};
pub use decimate::Decimate;
pub use error::{PipelineError, RunError};
pub use latency::Step;
pub use link::{QueuePolicy, SHARED_DEPTH};
pub use pipeline::{
    Agreement, AnySink, AnySource, AnyStage, Builder, HeapRequest, InputId, Limits, LinkAgreement,
    OutputId, Pipeline, PoolAgreement, PoolRequest, StageId, StopHandle, ZeroCopy,
};
pub use rate_limit::RateLimit;
pub use report::{Dropped, Interruption, Interruptions, LinkReport, Progress, Report, StageReport};
pub use selector::{Selected, Selector};
pub use supervise::{Described, Halt, Maker, Situation, Supervisor};
