//! What devices are asked, and what they answer.

use dmaflow_core::caps::{Properties, Property};

use super::{HeapId, Inserted, NodeId, Placement, PoolPlan, PortId};

/// Asks devices, or what is known of them.
pub trait Ask {
    /// Asks one thing. Nothing is asked twice in one solving.
    fn ask(&mut self, question: &Question<'_>) -> Answer;

    /// Tells that from now on these converters are part of the graph. Their ports are new ones,
    /// behind those of the problem. `false` where that cannot be: then nothing is asked of this
    /// graph.
    fn with_converters(&mut self, _inserted: &[Inserted]) -> bool {
        true
    }
}

/// Something that a device is asked.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// Do your frames, or those that you take, look like this? The producer of a pool is asked
    /// before its users.
    Format {
        /// Who is asked.
        port: PortId,
        /// Where pixels are to lie.
        placement: &'a Placement,
        /// Of a transform's output: where the pixels of its input lie.
        input: Option<&'a Placement>,
    },
    /// Does the heap give the buffers of a pool?
    Allocate {
        /// The pool's producer.
        producer: PortId,
        /// The heap.
        heap: HeapId,
        /// What a frame's buffers are to be.
        placement: &'a Placement,
        /// How many frames.
        buffers: usize,
        /// Bytes that other pools of the same plan take of this memory.
        beside: u64,
    },
    /// Do you import the buffers of a pool? They were allocated before.
    Attach {
        /// Who is asked: the pool's producer, then each user.
        port: PortId,
        /// The pool's producer.
        producer: PortId,
        /// Where its buffers come from.
        heap: HeapId,
        /// Where pixels lie.
        placement: &'a Placement,
        /// How many frames.
        buffers: usize,
    },
    /// Do you show the frames of all your inputs together? Each said yes to its own before, when
    /// others may have been something else.
    Arrange {
        /// Who is asked: a stage of several inputs.
        node: NodeId,
        /// All pools of the plan, as they are to be.
        pools: &'a [PoolPlan],
    },
}

/// What a device answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As asked.
    Yes,
    /// To [`Question::Format`]: not quite so, but with these strides and lengths. In whatever
    /// else the two differ, this is a no.
    Instead(Placement),
    /// No.
    No(Refusal),
}

/// A device's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for people.
    pub reason: String,
    /// What it depends on: whatever is the same in these properties would be refused as well.
    /// None at all: this port refuses everything. [`Property::Memory`] is the heap.
    pub about: Properties,
}

impl Refusal {
    /// A refusal of just this: of something else in any way, it says nothing.
    #[must_use]
    pub fn of_this(reason: impl Into<String>) -> Self {
        Self::about(reason, Properties::ALL)
    }

    /// A refusal of the heap's memory, whatever lies in it.
    #[must_use]
    pub fn of_the_heap(reason: impl Into<String>) -> Self {
        Self::about(reason, Properties::of(&[Property::Memory]))
    }

    /// A refusal of the format, whatever its size.
    #[must_use]
    pub fn of_the_format(reason: impl Into<String>) -> Self {
        Self::about(reason, Properties::of(&[Property::Format]))
    }

    /// A refusal that depends on these properties alone.
    #[must_use]
    pub fn about(reason: impl Into<String>, about: Properties) -> Self {
        Self {
            reason: reason.into(),
            about,
        }
    }
}

/// Believes what is stated: answers yes to everything. For descriptions of boards that are not
/// here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Believe;

impl Ask for Believe {
    fn ask(&mut self, _question: &Question<'_>) -> Answer {
        Answer::Yes
    }
}
