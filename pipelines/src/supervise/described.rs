//! Making a described pipeline again, of the same devices.

use std::collections::HashMap;

use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::stage::StageError;
use dmaflow_v4l2_src::Camera;

use super::Maker;
use crate::description::{Description, SourceKind, StageKind};
use crate::error::PipelineError;
use crate::pipeline::Pipeline;
use crate::probe::Answers;

/// A pipeline that is made by its description.
///
/// A camera is found again by what it is, whatever its node is called then: at the place where
/// it was plugged in, or else at another one. No other camera is taken in its stead.
pub struct Described<'d, A> {
    description: Description,
    registry: &'d HeapRegistry,
    answers: A,
    /// The cameras that there were, by their stages.
    known: HashMap<String, Camera>,
}

impl<'d, A: FnMut() -> Answers> Described<'d, A> {
    /// Makes pipelines of a description, with heaps of a registry and what devices answered
    /// before, which is asked for each time.
    pub fn new(description: Description, registry: &'d HeapRegistry, answers: A) -> Self {
        Self {
            description,
            registry,
            answers,
            known: HashMap::new(),
        }
    }

    /// The description, with each camera that is known at the node where it is now.
    fn located(&self) -> Result<Description, PipelineError> {
        let mut located = self.description.clone();
        for stage in &mut located.stages {
            let StageKind::Source(SourceKind::V4l2(config), _) = &mut stage.kind else {
                continue;
            };
            let Some(camera) = self.known.get(&stage.name) else {
                continue;
            };
            let Some(node) = camera.find() else {
                return Err(PipelineError::Stage {
                    stage: stage.name.clone(),
                    source: StageError::Gone {
                        device: camera.to_string(),
                    },
                });
            };
            config.device = Some(node.to_string_lossy().into_owned());
        }
        Ok(located)
    }

    fn remember(&mut self, pipeline: &Pipeline) {
        let devices: HashMap<_, _> = pipeline.devices().collect();
        for stage in &self.description.stages {
            if let StageKind::Source(SourceKind::V4l2(config), _) = &stage.kind
                && !self.known.contains_key(&stage.name)
                && let Some(key) = devices.get(stage.name.as_str())
            {
                let camera = Camera::new(key.clone(), config.device.as_deref());
                self.known.insert(stage.name.clone(), camera);
            }
        }
    }
}

impl<A: FnMut() -> Answers> Maker for Described<'_, A> {
    fn make(&mut self) -> Result<Pipeline, PipelineError> {
        let builder = self.located()?.build()?.answers((self.answers)());
        let pipeline = builder.prepare(self.registry)?;
        self.remember(&pipeline);
        Ok(pipeline)
    }

    fn is_back(&mut self, stage: &str) -> Option<bool> {
        // With any other away nothing can be made either.
        let mut cameras = self.known.values();
        let is_known = self.known.contains_key(stage);
        is_known.then(|| cameras.all(|camera| camera.find().is_some()))
    }
}
