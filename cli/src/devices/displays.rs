//! The displays of this machine.

use dmaflow_kms_sink::{CardDetails, CardInfo, ConnectorInfo, PlaneKind};
use serde_json::{Value, json};

use crate::failure::with_causes;
use crate::table::{Row, some};

pub(super) fn rows(cards: &[CardInfo]) -> Vec<Row> {
    cards.iter().flat_map(card).collect()
}

fn card(info: &CardInfo) -> Vec<Row> {
    let node = info.node.display();
    let card = match &info.card {
        Ok(card) => card,
        Err(error) => return vec![Row::Remark(node.to_string(), with_causes(error))],
    };
    let name = |connector: &str| format!("{connector} on {node} ({})", card.driver);
    let mut rows: Vec<_> = card
        .connectors
        .iter()
        .map(|connector| {
            Row::Cells(vec![
                name(&connector.name),
                screen(connector),
                abilities(card),
            ])
        })
        .collect();
    if rows.is_empty() {
        rows.push(Row::Remark(
            name("nothing"),
            "the card has no connector".to_owned(),
        ));
    }
    if let Some(refusal) = &card.refusal {
        rows.push(Row::Remark(String::new(), with_causes(refusal)));
    }
    rows
}

fn screen(connector: &ConnectorInfo) -> String {
    if connector.connected {
        some(&connector.modes, 1, "mode")
    } else {
        "nothing connected".to_owned()
    }
}

fn abilities(card: &CardDetails) -> String {
    let of = |kind: PlaneKind| {
        card.planes
            .iter()
            .filter(|plane| plane.kind == kind)
            .count()
    };
    let mut notes = vec![format!(
        "{} primary and {} overlay planes",
        of(PlaneKind::Primary),
        of(PlaneKind::Overlay)
    )];
    let imports = if card.imports {
        "imports dma-bufs"
    } else {
        "cannot import dma-bufs"
    };
    notes.push(imports.to_owned());
    if card.writeback {
        notes.push("writeback".to_owned());
    }
    notes.join("; ")
}

pub(super) fn json(cards: &[CardInfo]) -> Value {
    cards.iter().map(card_json).collect()
}

fn card_json(info: &CardInfo) -> Value {
    let node = info.node.display().to_string();
    let card = match &info.card {
        Ok(card) => card,
        Err(error) => return json!({ "node": node, "refused": with_causes(error) }),
    };
    let connectors = card.connectors.iter().map(|connector| {
        let modes: Vec<_> = connector.modes.iter().map(ToString::to_string).collect();
        json!({ "name": connector.name, "connected": connector.connected, "modes": modes })
    });
    let planes = card.planes.iter().map(|plane| {
        let formats: Vec<_> = plane.formats.iter().map(|format| format.name()).collect();
        json!({ "id": plane.id, "kind": plane.kind.to_string(), "formats": formats })
    });
    json!({
        "node": node,
        "driver": card.driver,
        "bus": card.bus,
        "imports": card.imports,
        "writeback": card.writeback,
        "connectors": connectors.collect::<Vec<_>>(),
        "planes": planes.collect::<Vec<_>>(),
        "refused": card.refusal.as_ref().map(|refusal| with_causes(refusal)),
    })
}
