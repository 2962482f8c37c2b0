//! Whether displays can be controlled, and take the frames.

use dmaflow_kms_sink::{CardDetails, CardInfo, KmsSinkError};

use super::{Finding, Needs, Verdict, lacking};
use crate::failure::with_causes;

const ABOUT: &str = "display";

pub(super) fn look(needs: Needs) -> Vec<Finding> {
    let cards = dmaflow_kms_sink::displays();
    let verdict = lacking(needs.display);
    cards
        .iter()
        .filter_map(|card| of_card(card, verdict))
        .collect()
}

/// `None` for a card that this user may not open: permissions are told elsewhere.
fn of_card(info: &CardInfo, verdict: Verdict) -> Option<Finding> {
    let node = info.node.display();
    let card = match &info.card {
        Ok(card) => card,
        Err(KmsSinkError::Open { .. }) => return None,
        Err(error) => {
            let remedy = "use another card for pipelines";
            return Some(Finding::bad(
                ABOUT,
                Verdict::Warning,
                with_causes(error),
                remedy,
            ));
        }
    };
    let name = format!("{} ({node})", card.driver);
    let finding = match &card.refusal {
        Some(KmsSinkError::NotMaster { holders, .. }) => Finding::bad(
            ABOUT,
            verdict,
            controlled(&name, holders),
            "stop it, switch to a free virtual terminal (Ctrl-Alt-F3), or name another card",
        ),
        Some(error) => {
            let remedy = "use another card for pipelines";
            Finding::bad(ABOUT, verdict, with_causes(error), remedy)
        }
        None if !card.imports => Finding::bad(
            ABOUT,
            Verdict::Warning,
            format!("{name} imports no dma-bufs"),
            import_remedy(&card.driver),
        ),
        None => Finding::ok(
            ABOUT,
            format!("{name} can be controlled; {}", screens(card)),
        ),
    };
    Some(finding)
}

fn controlled(card: &str, holders: &[String]) -> String {
    let by = match holders {
        [] => "another program, which this user is not told".to_owned(),
        holders => holders.join(", "),
    };
    format!("DRM master of {card} is held by {by}")
}

fn import_remedy(driver: &str) -> &'static str {
    // drivers/gpu/drm/tiny/bochs.c is GEM SHMEM, which imports, from Linux 6.13 on.
    if driver.starts_with("bochs") {
        "use Linux 6.13 or newer, where its driver does"
    } else {
        "use another card, or a newer kernel"
    }
}

fn screens(card: &CardDetails) -> String {
    let connected = card.connectors.iter().filter(|screen| screen.connected);
    match connected.count() {
        0 => "no screen is connected".to_owned(),
        1 => "a screen is connected".to_owned(),
        screens => format!("{screens} screens are connected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_named_where_it_is_known() {
        let told = controlled("vkms (/dev/dri/card0)", &["gnome-shell 1234".to_owned()]);
        assert!(told.ends_with("is held by gnome-shell 1234"), "{told}");
        assert!(controlled("vkms", &[]).contains("not told"));
    }
}
