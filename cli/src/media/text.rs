//! A media graph for people.

use dmaflow_v4l2::media::{Entity, Link, PadDirection};

use super::look::Look;

pub(super) fn text(looks: &[Look], refused: &[String]) -> String {
    let mut lines = Vec::new();
    for look in looks {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let info = &look.info;
        let (model, driver, node) = (&info.model, &info.driver, &look.node);
        lines.push(format!("{model} ({driver}, {node}), {}", info.bus));
        for entity in &look.topology.entities {
            add(&mut lines, look, entity);
        }
    }
    lines.extend(refused.iter().cloned());
    if lines.is_empty() {
        lines.push("none: no /dev/media* (is a driver loaded?)".to_owned());
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn add(lines: &mut Vec<String>, look: &Look, entity: &Entity) {
    let mut facts = vec![entity.function.to_string()];
    facts.extend(Look::node_of(entity));
    facts.extend(look.video(entity.id).map(str::to_owned));
    let companions = look.topology.companions.iter();
    let companions = companions.filter(|(of, _companion)| *of == entity.id);
    facts.extend(companions.map(|(_of, it)| format!("with {}", look.topology.name(*it))));
    lines.push(format!("  {}: {}", entity.name, facts.join(", ")));
    if let Some(why) = look.refused(entity.id) {
        lines.push(format!("    {why}"));
    }
    for pad in &entity.pads {
        let is_sink = pad.direction == PadDirection::Sink;
        let direction = if is_sink { "in" } else { "out" };
        let format = look.format(entity.id, pad.index);
        let format = format.map(|format| format!("  {format}"));
        let line = format!(
            "    {} {direction:<3}{}",
            pad.index,
            format.unwrap_or_default()
        );
        lines.push(line.trim_end().to_owned());
        if is_sink {
            for link in look.links_into(entity.id, pad.index) {
                let from = look.topology.pad_name(link.source);
                lines.push(format!("        ← {from}{}", state(link)));
            }
        } else {
            for link in look.links_from(entity.id, pad.index) {
                let to = look.topology.pad_name(link.sink);
                lines.push(format!("        → {to}{}", state(link)));
            }
        }
    }
}

fn state(link: &Link) -> &'static str {
    match (link.enabled, link.immutable) {
        (true, true) => " (fixed)",
        (true, false) => "",
        (false, true) => " (off, fixed)",
        (false, false) => " (off)",
    }
}
