//! The converters of this machine, for ends that share no format.

use dmaflow_codecs::{ConverterInfo, PortFormat, V4l2Converter, V4l2ConverterConfig};
use dmaflow_core::caps::{Cap, MemoryNeeds, Set};
use dmaflow_core::stage::StageError;

use super::super::graph::{Node, Stage};
use crate::error::PipelineError;
use crate::solver::{Alternative, ConverterCaps, Scale};

/// A converter that may be put in.
pub(super) struct Converter(ConverterInfo);

/// All that this machine has, and what the solver has to know of them.
pub(super) fn of_machine() -> (Vec<Converter>, Vec<ConverterCaps>) {
    let all = dmaflow_codecs::converters().into_iter();
    all.map(|info| {
        let caps = caps(&info);
        (Converter(info), caps)
    })
    .unzip()
}

impl Converter {
    /// Opens it as a stage.
    pub(super) fn open(&self, name: String) -> Result<Node, PipelineError> {
        let config = V4l2ConverterConfig {
            device: Some(self.0.node.to_string_lossy().into_owned()),
            ..V4l2ConverterConfig::default()
        };
        let opened = V4l2Converter::open(config).map_err(|error| PipelineError::Stage {
            stage: name.clone(),
            source: StageError::failed(error),
        })?;
        let stage = Stage::Transform(Box::new(opened));
        Ok(Node { name, stage })
    }
}

/// What it makes of what. Sizes are kept: to scale, a description names a converter.
fn caps(info: &ConverterInfo) -> ConverterCaps {
    let cap = |formats| Cap {
        formats: Set::Of(formats),
        memory: MemoryNeeds::of(true),
        ..Cap::any()
    };
    let name = |format: &PortFormat| format.format;
    let ways = info.conversions.iter().map(|conversion| Alternative {
        input: cap(vec![name(&conversion.input)]),
        output: cap(conversion.outputs.iter().map(name).collect()),
        scale: Scale::NONE,
    });
    ConverterCaps {
        name: info.to_string(),
        cpu: false,
        alternatives: ways.collect(),
        holds: (1, 1),
    }
}
