//! What the solver asks, and how it is answered.

use dmaflow_core::caps::{Properties, Property};
use dmaflow_core::format::Format;
use dmaflow_core::heap::Heap;
use dmaflow_core::stage::StageError;

use super::super::importers;
use super::super::stated::Side;
use super::{Devices, Port};
use crate::error::{Refusal, RefusalReason};
use crate::pipeline::graph::Stage;
use crate::probe::{Unfit, Wanted, is_for_good};
use crate::solver::{
    Answer, Ask, HeapId, Inserted, NodeId, Placement, PoolPlan, Question, Refusal as No,
};

impl Ask for Devices<'_> {
    fn with_converters(&mut self, inserted: &[Inserted]) -> bool {
        let done = self.put_in(inserted);
        if let Err(error) = &done {
            tracing::warn!(%error, "a converter cannot be put in");
        }
        done.is_ok()
    }

    fn ask(&mut self, question: &Question<'_>) -> Answer {
        match *question {
            Question::Format {
                port,
                placement,
                input,
            } => self.format(self.place(port), placement, input),
            Question::Allocate {
                producer,
                heap,
                placement,
                ..
            } => {
                let (stage, _) = self.place(producer);
                self.allocation(stage, heap, placement)
            }
            Question::Attach {
                port,
                producer,
                heap,
                placement,
                ..
            } => {
                let (format, heap) = (placement.terms.format, heap.index());
                let (port, (maker, _)) = (self.place(port), self.place(producer));
                let input = self.input_of(maker);
                let done = self
                    .set(maker, format, input.as_ref())
                    .and_then(|()| self.allocate(maker, heap))
                    .and_then(|()| self.attach(port, maker));
                match done {
                    Ok(()) => Answer::Yes,
                    Err(reason) => self.refuse(Some(format), Some(heap), reason),
                }
            }
            Question::Arrange { node, pools } => self.arrangement(node, pools),
        }
    }
}

impl Devices<'_> {
    fn format(&mut self, port: Port, placement: &Placement, input: Option<&Placement>) -> Answer {
        let (stage, Side::Output(_)) = port else {
            // Whoever takes frames is asked with the frames themselves.
            return Answer::Yes;
        };
        if matches!(
            self.graph.nodes[stage].stage,
            Stage::Filter(_) | Stage::Router(_)
        ) {
            return Answer::Yes;
        }
        let format = placement.terms.format;
        let input = input.and_then(|input| input.layout().ok());
        if let Err(reason) = self.set(stage, format, input.as_ref()) {
            return self.refuse(Some(format), None, reason);
        }
        let Some(set) = &self.making(stage).set else {
            return Answer::Yes;
        };
        let mut given = Placement::of(&set.plan.layout, placement.terms.rate);
        // What nobody asked for is nobody's disagreement.
        given.terms.colour = placement.terms.colour;
        if given == *placement {
            Answer::Yes
        } else {
            Answer::Instead(given)
        }
    }

    fn allocation(&mut self, stage: usize, heap: HeapId, placement: &Placement) -> Answer {
        let (format, heap) = (placement.terms.format, heap.index());
        // Another format may have been tried meanwhile.
        let input = self.input_of(stage);
        if let Err(reason) = self.set(stage, format, input.as_ref()) {
            return self.refuse(Some(format), None, reason);
        }
        if let Some(reasons) = self.refused_before(stage, heap) {
            let answers = reasons
                .into_iter()
                .map(|reason| self.refuse(Some(format), Some(heap), reason));
            if let Some(no) = answers.last() {
                return no;
            }
        }
        match self.allocate(stage, heap) {
            Ok(()) => Answer::Yes,
            Err(reason) => self.refuse(Some(format), Some(heap), reason),
        }
    }

    fn arrangement(&mut self, node: NodeId, pools: &[PoolPlan]) -> Answer {
        let Some(&input) = self.stated.problem.node(node).inputs.first() else {
            return Answer::Yes;
        };
        let (stage, _) = self.place(input);
        let (answer, about) = match self.bring(pools) {
            // Somebody took it before, when others had something else.
            Err(answer) => (answer, Properties::ALL),
            Ok(()) => match self.arrange(stage) {
                Ok(()) => return Answer::Yes,
                Err(reason) => (self.refuse(None, None, reason), Properties::of(PICTURE)),
            },
        };
        match answer {
            Answer::No(no) if !no.about.is_empty() => Answer::No(No::about(no.reason, about)),
            answer => answer,
        }
    }

    /// What an importer of a pool said before, if it was a no.
    fn refused_before(&mut self, stage: usize, heap: usize) -> Option<Vec<RefusalReason>> {
        let domain = self
            .domains
            .iter()
            .find(|domain| domain.producers.contains(&stage))?;
        let set = self.making.get(&stage)?.set.as_ref()?;
        let wanted = Wanted {
            layout: set.plan.layout.clone(),
            buffers: set.buffers,
        };
        let mut importers = importers::of_pool(self.graph, domain, stage);
        let importers = importers::borrowed(&mut importers);
        let heap = &self.heaps.heaps[heap];
        let known = self.answers.on(heap, &importers, &wanted);
        if known.refused.is_empty() {
            return None;
        }
        let keys = importers.iter().filter_map(|importer| importer.key());
        self.passed_over |= !keys.into_iter().all(|key| self.afresh.contains(&key));
        Some(Unfit::Refused(known.refused).reasons())
    }

    pub(super) fn refuse(
        &mut self,
        format: Option<Format>,
        heap: Option<usize>,
        reason: RefusalReason,
    ) -> Answer {
        let heap = heap.map(|heap| &self.heaps.heaps[heap]);
        let about = match self.lied {
            // Everything is asked afresh: the search is to end.
            true => Properties::NONE,
            false => about(&reason, heap),
        };
        let no = No::about(reason.to_string(), about);
        self.refusals.push(Refusal {
            format,
            heap: heap.map(|heap| heap.name().to_owned()),
            reason,
        });
        Answer::No(no)
    }
}

/// What a picture is and where it lies, whatever memory it lies in.
const PICTURE: &[Property] = &[
    Property::Format,
    Property::Modifier,
    Property::Split,
    Property::Width,
    Property::Height,
    Property::Stride,
    Property::Rows,
];

/// What a refusal depends on: what is the same in these would be refused as well.
fn about(reason: &RefusalReason, heap: Option<&Heap>) -> Properties {
    match (reason, heap) {
        (RefusalReason::TooFewBuffers { .. }, _) => Properties::NONE,
        // The memory itself will not do.
        (RefusalReason::Stage(reason), Some(heap)) if is_for_good(reason, heap) => {
            Properties::of(&[Property::Memory])
        }
        (RefusalReason::Stage(StageError::Refused(_)) | RefusalReason::Pool(_), _) => {
            Properties::ALL
        }
        (_, None) => Properties::of(&[Property::Format, Property::Split]),
        _ => Properties::of(PICTURE),
    }
}
