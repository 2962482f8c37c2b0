//! The search for formats that every device of a chain takes.

mod beside;
mod sizes;

use std::collections::HashSet;

use dmaflow_core::fourcc::FourCc;

use super::ask::{Ask, PadFormat};
use super::chain::{Branches, Chain, branches};
use super::error::{MediaError, Refused};
use super::mbus_code::MbusCode;
use super::plan::{LinkChange, Plan, Setting, Wish};
use super::topology::{PadId, Topology};
use crate::modes::FrameSizes;
use sizes::ranked_sizes;

/// How many sizes of a sensor are tried for each code.
const SIZES: usize = 8;

/// Somebody refused, and how far the pictures had come.
struct Refusal {
    depth: usize,
    pad: String,
    asked: String,
    offers: String,
}

/// Goes through the chain from the sensor on, and back where a device refuses.
pub(super) struct Search<'a> {
    topology: &'a Topology,
    chain: &'a Chain,
    branches: Branches,
    wish: &'a Wish,
    ask: &'a mut dyn Ask,
    /// Links and what came over them: what follows from that is known.
    seen: HashSet<(usize, PadFormat)>,
    /// What the formats so far are set by.
    settings: Vec<Setting>,
    found: Vec<Plan>,
    refusals: Vec<Refusal>,
    /// Sizes that are wished and that the sensor lacks.
    sizes: Vec<Refused>,
    first_only: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        topology: &'a Topology,
        chain: &'a Chain,
        wish: &'a Wish,
        ask: &'a mut dyn Ask,
    ) -> Self {
        Self {
            topology,
            chain,
            branches: branches(topology, chain),
            wish,
            ask,
            seen: HashSet::new(),
            settings: Vec::new(),
            found: Vec::new(),
            refusals: Vec::new(),
            sizes: Vec::new(),
            first_only: false,
        }
    }

    /// The first plan, or none and who refused.
    pub(super) fn first(mut self) -> Result<(Vec<Plan>, Vec<Refused>), MediaError> {
        self.first_only = true;
        self.all()
    }

    /// A plan for each pixel format, and who refused.
    pub(super) fn all(mut self) -> Result<(Vec<Plan>, Vec<Refused>), MediaError> {
        self.begin()?;
        let mut refused = self.sizes;
        refused.extend(summary(&self.refusals));
        Ok((self.found, refused))
    }

    fn is_done(&self) -> bool {
        self.first_only && !self.found.is_empty()
    }

    fn refuse(&mut self, depth: usize, pad: String, asked: impl ToString, offers: impl ToString) {
        self.refusals.push(Refusal {
            depth,
            pad,
            asked: asked.to_string(),
            offers: offers.to_string(),
        });
    }

    /// Tries what the sensor can give.
    fn begin(&mut self) -> Result<(), MediaError> {
        let Some(link) = self.link(0) else {
            return Ok(());
        };
        let pad = link.source;
        for asked in self.sensor_formats(pad)? {
            let Some(got) = self.ask.try_format(pad, asked)? else {
                self.refuse(0, self.topology.pad_name(pad), asked, "no pictures");
                break;
            };
            let (code, size) = self.wish.of(pad);
            let forced = code.is_some() || size.is_some();
            if got.code != asked.code || (forced && got != asked) {
                let offers = self.offers(pad, asked)?;
                self.refuse(0, self.topology.pad_name(pad), asked, offers);
                continue;
            }
            self.settings.push(Setting::Pad(pad, got));
            self.onward(0, got)?;
            self.settings.pop();
            if self.is_done() {
                break;
            }
        }
        Ok(())
    }

    /// What the sensor is asked for, the likeliest first: the size that is wished in any code,
    /// then larger ones, which something on the way may scale down.
    fn sensor_formats(&mut self, pad: PadId) -> Result<Vec<PadFormat>, MediaError> {
        let active = self.ask.active(pad)?;
        let (code, size) = self.wish.of(pad);
        let codes = match code {
            Some(code) => vec![code],
            None => first_of(active.code, self.ask.codes(pad)?),
        };
        let mut ranked = Vec::new();
        for code in codes {
            if let Some(size) = size {
                ranked.push((0, PadFormat { code, size }));
                continue;
            }
            let sizes = self.ask.sizes(pad, code)?;
            if let Some(wished) = self.wish.size
                && sizes.contain(wished) == Some(false)
            {
                self.sensor_lacks(pad, wished, &sizes);
            }
            for (rank, size) in ranked_sizes(&sizes, self.wish.size, active.size) {
                ranked.push((rank, PadFormat { code, size }));
            }
        }
        ranked.sort_by_key(|(rank, _format)| *rank);
        Ok(ranked.into_iter().map(|(_rank, format)| format).collect())
    }

    /// Keeps that the sensor does not have the size, which an error names whoever else refuses.
    fn sensor_lacks(&mut self, pad: PadId, (width, height): (u32, u32), sizes: &FrameSizes) {
        let refused = Refused {
            pad: self.topology.pad_name(pad),
            asked: vec![format!("{width}×{height}")],
            offers: sizes.to_string(),
        };
        if !self.sizes.contains(&refused) {
            self.sizes.push(refused);
        }
    }

    fn link(&self, depth: usize) -> Option<super::topology::Link> {
        let index = self.chain.links.get(depth)?;
        self.topology.links.get(*index).copied()
    }

    /// Follows the chain's link of this number, over which pictures of this format come.
    fn onward(&mut self, depth: usize, format: PadFormat) -> Result<(), MediaError> {
        let Some(link) = self.link(depth) else {
            return Ok(());
        };
        if !self.seen.insert((depth, format)) {
            return Ok(());
        }
        let before = self.settings.len();
        if self.serve_branches(depth, link.source, format)? {
            if depth + 1 == self.chain.links.len() {
                self.arrive(depth, link.sink, format)?;
            } else {
                self.enter(depth, link.sink, format)?;
            }
        }
        self.settings.truncate(before);
        Ok(())
    }

    /// Tries a format on the sink pad of an entity in the middle of the chain, and goes on with
    /// what comes out of it.
    fn enter(&mut self, depth: usize, sink: PadId, format: PadFormat) -> Result<(), MediaError> {
        let Some(next) = self.link(depth + 1) else {
            return Ok(());
        };
        if !self.ask.speaks(sink.entity) {
            return self.onward(depth + 1, format);
        }
        if !self.sink_takes(depth, sink, format)? {
            return Ok(());
        }
        self.settings.push(Setting::Pad(sink, format));
        if !self.serve_other_pads(depth, next.source)? {
            return Ok(());
        }
        let mut tried = Vec::new();
        let proposed = self.ask.tried(next.source)?;
        if proposed.is_none() {
            let pad = self.topology.pad_name(next.source);
            self.refuse(depth + 1, pad, format, "nothing routed to it");
        }
        for asked in self.source_formats(next.source, proposed)? {
            let Some(got) = self.ask.try_format(next.source, asked)? else {
                continue;
            };
            let (code, size) = self.wish.of(next.source);
            let forced = code.is_some_and(|code| code != got.code)
                || size.is_some_and(|size| size != got.size);
            if forced {
                let offers = self.offers(next.source, asked)?;
                self.refuse(
                    depth + 1,
                    self.topology.pad_name(next.source),
                    asked,
                    offers,
                );
            }
            if forced || tried.contains(&got) {
                continue;
            }
            tried.push(got);
            self.settings.push(Setting::Pad(next.source, got));
            self.onward(depth + 1, got)?;
            self.settings.pop();
            if self.is_done() {
                break;
            }
        }
        Ok(())
    }

    /// Whether a sink pad takes just this format, and nobody asked for another.
    fn sink_takes(
        &mut self,
        depth: usize,
        sink: PadId,
        format: PadFormat,
    ) -> Result<bool, MediaError> {
        let (code, size) = self.wish.of(sink);
        let wanted = PadFormat {
            code: code.unwrap_or(format.code),
            size: size.unwrap_or(format.size),
        };
        if wanted != format {
            let pad = self.topology.pad_name(sink);
            self.refuse(depth, pad, format, format!("to be {wanted}, as asked"));
            return Ok(false);
        }
        if self.ask.try_format(sink, format)? == Some(format) {
            return Ok(true);
        }
        let offers = self.offers(sink, format)?;
        self.refuse(depth, self.topology.pad_name(sink), format, offers);
        Ok(false)
    }

    /// What to ask of a source pad whose entity has got its pictures: what it proposes, and in
    /// the size that is wished.
    fn source_formats(
        &mut self,
        pad: PadId,
        proposed: Option<PadFormat>,
    ) -> Result<Vec<PadFormat>, MediaError> {
        let Some(proposed) = proposed else {
            return Ok(Vec::new());
        };
        let (code, size) = self.wish.of(pad);
        let codes = match code {
            Some(code) => vec![code],
            None => first_of(proposed.code, self.ask.codes(pad)?),
        };
        let sizes = match (size, self.wish.size) {
            (Some(size), _) => vec![size],
            (None, Some(wished)) if wished != proposed.size => vec![wished, proposed.size],
            (None, _) => vec![proposed.size],
        };
        let all = sizes
            .iter()
            .flat_map(|&size| codes.iter().map(move |&code| PadFormat { code, size }));
        Ok(all.collect())
    }

    /// The video node: what it writes must be what is wished.
    fn arrive(&mut self, depth: usize, sink: PadId, format: PadFormat) -> Result<(), MediaError> {
        let node = sink.entity;
        let name = self.topology.name(node);
        if let Some(wished) = self.wish.size
            && wished != format.size
        {
            let (width, height) = format.size;
            let offers = format!("{width}×{height} coming in");
            let asked = format!("{}×{}", wished.0, wished.1);
            self.refuse(depth, name, asked, offers);
            return Ok(());
        }
        let Some(formats) = self.ask.pixel_formats(node, format.code)? else {
            self.refuse(depth, name, "pictures", "no video capture");
            return Ok(());
        };
        let wished = |code: &FourCc| {
            self.wish.pixel_formats.is_empty() || self.wish.pixel_formats.contains(code)
        };
        let fitting: Vec<_> = formats.iter().copied().filter(wished).collect();
        if fitting.is_empty() {
            let offers = list(&formats);
            let offers = format!("{offers} for {}", format.code);
            self.refuse(depth, name.clone(), self.wish, offers);
        }
        for code in fitting {
            if self.found.iter().any(|plan| plan.pixel_format == code) {
                continue;
            }
            match self.ask.try_pixel_format(node, code, format.size)? {
                Some(size) if size == format.size => self.keep(code, size),
                Some((width, height)) => {
                    let asked = format!("{}×{} {code}", format.size.0, format.size.1);
                    self.refuse(depth, name.clone(), asked, format!("{width}×{height}"));
                }
                None => self.refuse(depth, name.clone(), code, "another pixel format"),
            }
            if self.is_done() {
                break;
            }
        }
        Ok(())
    }

    fn keep(&mut self, pixel_format: FourCc, size: (u32, u32)) {
        let cut = self.branches.cut.iter().map(|&link| LinkChange {
            link,
            enable: false,
        });
        let mut links: Vec<_> = cut.collect();
        for change in &self.chain.changes {
            if !links.contains(change) {
                links.push(*change);
            }
        }
        self.found.push(Plan {
            chain: self.chain.clone(),
            links,
            settings: self.settings.clone(),
            pixel_format,
            size,
        });
    }

    /// What a pad has, for an error: its codes where the code is not among them, else its sizes.
    fn offers(&mut self, pad: PadId, asked: PadFormat) -> Result<String, MediaError> {
        let codes = self.ask.codes(pad)?;
        if codes.contains(&asked.code) {
            return Ok(format!(
                "{} in {}",
                self.ask.sizes(pad, asked.code)?,
                asked.code
            ));
        }
        Ok(list(&codes))
    }
}

fn list<T: ToString>(entries: &[T]) -> String {
    if entries.is_empty() {
        return "nothing".to_owned();
    }
    let texts: Vec<_> = entries.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// The codes, and this one first where it is one of them or there are none.
fn first_of(code: MbusCode, mut codes: Vec<MbusCode>) -> Vec<MbusCode> {
    match codes.iter().position(|known| *known == code) {
        Some(place) => codes[..=place].rotate_right(1),
        None if codes.is_empty() => codes.push(code),
        None => {}
    }
    codes
}

/// The refusals of those who were reached last.
fn summary(refusals: &[Refusal]) -> Vec<Refused> {
    let deepest = refusals.iter().map(|it| it.depth).max().unwrap_or_default();
    let mut summary: Vec<Refused> = Vec::new();
    for refusal in refusals.iter().filter(|it| it.depth == deepest) {
        let known = summary
            .iter_mut()
            .find(|known| known.pad == refusal.pad && known.offers == refusal.offers);
        match known {
            Some(known) if known.asked.contains(&refusal.asked) => {}
            Some(known) => known.asked.push(refusal.asked.clone()),
            None => summary.push(Refused {
                pad: refusal.pad.clone(),
                asked: vec![refusal.asked.clone()],
                offers: refusal.offers.clone(),
            }),
        }
    }
    summary.truncate(SIZES);
    summary
}
