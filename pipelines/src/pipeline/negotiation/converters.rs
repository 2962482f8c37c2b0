//! The converters of this machine, for ends that share no format: its devices, and the CPU.

use dmaflow_codecs::{ConverterInfo, PortFormat, V4l2Converter, V4l2ConverterConfig};
use dmaflow_core::caps::{Cap, MemoryNeeds, Set};
use dmaflow_core::stage::{DeviceKey, StageError};

use super::super::graph::{AnyStage, Node, Stage};
use super::drivers::narrowed_ways;
use crate::cpu_conversion;
use crate::error::PipelineError;
use crate::solver::{Alternative, ConverterCaps, Scale};

/// A converter that may be put in.
pub(super) enum Converter {
    Device(Box<ConverterInfo>),
    /// What makes it.
    Cpu(fn() -> AnyStage),
}

/// All that this machine has, and what the solver has to know of them: the CPU last, which is
/// told of also where it is not to be used.
pub(super) fn of_machine() -> (Vec<Converter>, Vec<ConverterCaps>) {
    let all = dmaflow_codecs::converters().into_iter();
    let devices = all.map(|info| {
        let caps = caps(&info);
        (Converter::Device(Box::new(info)), caps)
    });
    let cpu = cpu_conversion::conversion().map(|cpu| (Converter::Cpu(cpu.open), cpu.caps));
    devices.chain(cpu).unzip()
}

impl Converter {
    /// Who it is from boot to boot.
    pub(super) fn key(&self) -> Option<DeviceKey> {
        match self {
            Self::Device(info) => Some(info.capabilities.key()),
            Self::Cpu(_) => None,
        }
    }

    /// Opens it as a stage.
    pub(super) fn open(&self, name: String) -> Result<Node, PipelineError> {
        let stage = match self {
            Self::Device(info) => open_device(info, &name)?,
            Self::Cpu(open) => open().0,
        };
        Ok(Node { name, stage })
    }
}

fn open_device(info: &ConverterInfo, name: &str) -> Result<Stage, PipelineError> {
    let config = V4l2ConverterConfig {
        device: Some(info.node.to_string_lossy().into_owned()),
        ..V4l2ConverterConfig::default()
    };
    let opened = V4l2Converter::open(config).map_err(|error| PipelineError::Stage {
        stage: name.to_owned(),
        source: StageError::failed(error),
    })?;
    Ok(Stage::Transform(Box::new(opened)))
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
        alternatives: narrowed_ways(Some(&info.capabilities.key()), ways.collect()),
        holds: (1, 1),
    }
}
