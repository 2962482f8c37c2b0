//! What gets the pictures of a chain beside it.

use super::Search;
use crate::media::ask::PadFormat;
use crate::media::error::MediaError;
use crate::media::plan::Setting;
use crate::media::topology::{Entity, PadDirection, PadId};

impl Search<'_> {
    /// Serves what hangs on the other source pads of an entity of the chain.
    pub(super) fn serve_other_pads(
        &mut self,
        depth: usize,
        on_chain: PadId,
    ) -> Result<bool, MediaError> {
        for pad in self.source_pads(on_chain) {
            if pad != on_chain
                && !self.branch_links(pad).is_empty()
                && let Some(format) = self.ask.tried(pad)?
                && !self.serve_branches(depth, pad, format)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether all that gets a source pad's pictures beside the chain takes their format, which
    /// the kernel insists on.
    pub(super) fn serve_branches(
        &mut self,
        depth: usize,
        source: PadId,
        format: PadFormat,
    ) -> Result<bool, MediaError> {
        for index in self.branch_links(source) {
            let sink = self.topology.links[index].sink;
            let entity = self.topology.entity(sink.entity);
            let taken = if entity.is_some_and(Entity::is_capture_node) {
                self.other_node_takes(depth, sink, format)?
            } else if self.ask.speaks(sink.entity) {
                self.other_entity_takes(depth, sink, format)?
            } else {
                true
            };
            if !taken {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn other_entity_takes(
        &mut self,
        depth: usize,
        sink: PadId,
        format: PadFormat,
    ) -> Result<bool, MediaError> {
        if self.chain.entities(self.topology).contains(&sink.entity) {
            return Ok(true);
        }
        if !self.sink_takes(depth, sink, format)? {
            return Ok(false);
        }
        self.settings.push(Setting::Pad(sink, format));
        for pad in self.source_pads(sink) {
            if self.branch_links(pad).is_empty() {
                continue;
            }
            let Some(format) = self.ask.tried(pad)? else {
                continue;
            };
            if !self.serve_branches(depth, pad, format)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn other_node_takes(
        &mut self,
        depth: usize,
        sink: PadId,
        format: PadFormat,
    ) -> Result<bool, MediaError> {
        let node = sink.entity;
        // Statistics are no pictures, and their format is their driver's.
        let Some(formats) = self.ask.pixel_formats(node, format.code)? else {
            return Ok(true);
        };
        for code in formats {
            if self.ask.try_pixel_format(node, code, format.size)? == Some(format.size) {
                self.settings.push(Setting::Node(node, code, format.size));
                return Ok(true);
            }
        }
        let offers = "nothing that fits, and its link cannot be disabled";
        self.refuse(depth, self.topology.name(node), format, offers);
        Ok(false)
    }

    fn source_pads(&self, of: PadId) -> Vec<PadId> {
        let entity = self.topology.entity(of.entity);
        let pads = entity.into_iter().flat_map(|entity| &entity.pads);
        pads.filter(|pad| pad.direction == PadDirection::Source)
            .map(|pad| PadId {
                entity: of.entity,
                index: pad.index,
            })
            .collect()
    }

    fn branch_links(&self, source: PadId) -> Vec<usize> {
        let links = self.branches.stay.iter().copied();
        links
            .filter(|index| self.topology.links[*index].source == source)
            .collect()
    }
}
