//! A finding in words.

use dmaflow_core::caps::{Cap, MemoryNeeds, Property, Set};

use super::Finding;
use crate::solver::{Direction, HeapFacts, PortId, Problem};

impl Finding {
    /// In words: who offers and takes what, and what is missing.
    pub(in crate::solver) fn text(&self, problem: &Problem) -> String {
        if self.gave_up {
            return format!(
                "the search was given up: too much can be combined and nothing fits; name formats \
                 and sizes{}",
                list_of_refusals(&self.refusals)
            );
        }
        if !self.refusals.is_empty() {
            return match self.refusals.as_slice() {
                [one] => one.clone(),
                _ => format!(
                    "devices refuse all that fits{}",
                    list_of_refusals(&self.refusals)
                ),
            };
        }
        if let [port] = self.ports[..]
            && problem.caps(port).is_empty()
        {
            return format!("{} can do nothing", problem.label(port));
        }
        let mut parts: Vec<String> = Vec::new();
        for &port in &self.ports {
            if let Some(part) = self.part(problem, port) {
                parts.push(part);
            }
        }
        let said = parts.join("; ");
        let missing = self.missing(problem);
        match said.is_empty() {
            true => missing,
            false => format!("{said}: {missing}"),
        }
    }

    /// What a port says about what cannot be agreed on; nothing where it leaves that to others.
    fn part(&self, problem: &Problem, port: PortId) -> Option<String> {
        let mut facts: Vec<String> = Vec::new();
        for cap in problem.caps(port) {
            let words = self
                .properties
                .iter()
                .filter_map(|property| fact(cap, property));
            let words: Vec<_> = words.collect();
            let fact = words.join(", ");
            if !fact.is_empty() && !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        let verb = match problem.port(port).direction {
            Direction::Output => "offers",
            Direction::Input => "takes",
        };
        // Formats alone are one list, however many caps they are of.
        let comma = if self.properties.iter().count() == 1 {
            " "
        } else {
            " or "
        };
        let facts = facts.join(comma);
        (!facts.is_empty()).then(|| format!("{} {verb} {facts}", problem.label(port)))
    }

    fn missing(&self, problem: &Problem) -> String {
        if self.properties.is_empty() {
            return "nothing can be agreed on".to_owned();
        }
        if self.properties.contains(Property::Memory) {
            return self.no_heap(problem);
        }
        let names: Vec<_> = self
            .properties
            .iter()
            .map(|property| property.to_string())
            .collect();
        format!("no {} in common", names.join(" and "))
    }

    /// That no heap will do, of those that were asked for if any were.
    fn no_heap(&self, problem: &Problem) -> String {
        let caps = self.ports.iter().flat_map(|&port| problem.caps(port));
        let needs: Vec<_> = caps.map(|cap| cap.memory).collect();
        let meant = problem.heaps_for(&self.ports);
        let some = match meant.len() < problem.heaps.len() {
            true => "no heap that may be taken will do:",
            false => "no heap will do; there are",
        };
        let heaps: Vec<_> = meant.into_iter().map(|it| heap(it, &needs)).collect();
        match heaps.as_slice() {
            [] => "there is no heap".to_owned(),
            heaps => format!("{some} {}", heaps.join(", ")),
        }
    }
}

/// A heap, and why it will not do as far as that is known.
fn heap(heap: &HeapFacts, needs: &[MemoryNeeds]) -> String {
    let room = heap.room.map(|room| format!(", {} KiB", room >> 10));
    let why = needs.iter().find_map(|needs| heap.unfit(*needs, 0));
    format!(
        "`{}` ({}{}{})",
        heap.name,
        heap.contiguity,
        room.unwrap_or_default(),
        why.map(|why| format!(": {why}")).unwrap_or_default()
    )
}

fn list_of_refusals(refusals: &[String]) -> String {
    let lines = refusals.iter().map(|refusal| format!("\n  {refusal}"));
    let lines: String = lines.collect();
    if lines.is_empty() {
        lines
    } else {
        format!(":{lines}")
    }
}

/// What a cap says of a property, if anything.
fn fact(cap: &Cap, property: Property) -> Option<String> {
    fn named<T: std::fmt::Display>(set: &Set<T>) -> Option<String> {
        match set {
            Set::Any => None,
            Set::Of(_) => Some(set.to_string()),
        }
    }
    let any = Cap::any();
    match property {
        Property::Format => named(&cap.formats),
        Property::Modifier => named(&cap.modifiers),
        Property::Split => named(&cap.split),
        Property::Rate => named(&cap.rates).map(|rates| format!("{rates} frames a second")),
        Property::Colour => named(&cap.colours),
        Property::Width => (cap.width != any.width).then(|| format!("{} wide", cap.width)),
        Property::Height => (cap.height != any.height).then(|| format!("{} high", cap.height)),
        Property::Stride => match (cap.strides == any.strides, cap.whole_pixels) {
            (true, false) => None,
            (true, true) => Some("strides of whole pixels".to_owned()),
            (false, _) => Some(format!("strides: {}", cap.strides)),
        },
        Property::Rows => (cap.rows > 1).then(|| format!("rows by {}", cap.rows)),
        Property::Memory => (cap.memory != any.memory).then(|| format!("memory: {}", cap.memory)),
        Property::Length => {
            (cap.behind > 0).then(|| format!("{} bytes behind the picture", cap.behind))
        }
        Property::Buffers => None,
    }
}
