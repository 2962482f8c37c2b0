//! The pools of each input.

use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;

use super::KmsMixer;
use super::arranged::Picture;
use super::config::KmsInputConfig;
use crate::attach::planes_for;
use crate::error::KmsSinkError;
use crate::framebuffer::check;
use crate::imported::{Imported, Pools};
use crate::scene::{alike, look};
use crate::writeback::pixels;

/// What an input's frames are.
#[derive(Debug)]
pub(super) struct Input {
    /// The first pool's.
    pub(super) layout: Layout,
    pub(super) pools: Pools,
}

impl KmsMixer {
    pub(super) fn input(&self, asked: usize) -> Result<&KmsInputConfig, KmsSinkError> {
        let inputs = self.config.inputs.len();
        let found = self.config.inputs.get(asked);
        found.ok_or(KmsSinkError::NoInput { asked, inputs })
    }

    /// Whether the display has a way for a pool's frames, and imports them.
    pub(super) fn import(&self, input: usize, pool: &FramePool) -> Result<Imported, StageError> {
        let (output, layout) = (&self.screen.output, pool.layout());
        let config = self.input(input)?;
        let named = |error: KmsSinkError| error.of_input(&config.name);
        check(&output.card, layout).map_err(named)?;
        let verify = self.config.verify.is_some();
        planes_for(output, config.plane, verify, layout).map_err(named)?;
        if verify {
            pixels(layout).map_err(named)?;
        }
        if let Some(first) = &self.inputs[input]
            && !alike(layout, &first.layout)
        {
            let unlike = KmsSinkError::Unlike {
                device: output.label(),
                asked: look(layout),
                shown: look(&first.layout),
            };
            return Err(named(unlike).into());
        }
        let imported = Imported::new(&output.card, output.label(), pool)?;
        if let Some(arranged) = &self.arranged {
            let mut pictures = self.pictures()?;
            pictures[input].framebuffer = imported.sample();
            let all: Vec<_> = arranged.ways.iter().copied().enumerate().collect();
            let scene = arranged.ground.scene(output, &pictures, &all);
            scene
                .and_then(|mut scene| scene.test(output))
                .map_err(named)?;
        }
        Ok(imported)
    }

    /// A picture of each input.
    pub(super) fn pictures(&self) -> Result<Vec<Picture<'_>>, KmsSinkError> {
        let inputs = self.config.inputs.iter().zip(&self.inputs);
        inputs
            .map(|(config, input)| {
                let none = || KmsSinkError::NoPool.of_input(&config.name);
                let input = input.as_ref().ok_or_else(none)?;
                Ok(Picture {
                    config,
                    layout: &input.layout,
                    framebuffer: input.pools.sample().ok_or_else(none)?,
                })
            })
            .collect()
    }

    pub(super) fn framebuffer(&self, input: usize, frame: &Frame) -> Result<u64, KmsSinkError> {
        let found = self.inputs.get(input).and_then(Option::as_ref);
        let found = found.and_then(|input| input.pools.framebuffer(frame));
        found.ok_or(KmsSinkError::NotAttached)
    }
}
