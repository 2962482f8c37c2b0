//! Outputs: a connector with the CRTC that feeds it and the planes that the CRTC can show.

use std::sync::Arc;

use dmaflow_core::stage::DeviceKey;
use drm::control::connector::{Info, Interface, State};
use drm::control::{Device, Mode, ResourceHandles, connector, crtc};

use crate::card::{Card, Opened, is_node, nodes};
use crate::error::KmsSinkError;
use crate::mode::{ModeInfo, ModeRequest, asked_for, nearest};
use crate::plane::{Plane, PlaneRequest, planes};
use crate::props::Properties;

/// Which output somebody wants, and what they want to do with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'w> {
    pub(crate) card: Option<&'w str>,
    pub(crate) connector: Option<&'w str>,
    pub(crate) mode: ModeRequest,
    /// Planes that must be there.
    pub(crate) planes: &'w [PlaneRequest],
    /// Whether what is shown is to be written back.
    pub(crate) writeback: bool,
}

/// A way out of a card: nothing is changed yet, but the card is under our control.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) card: Arc<Card>,
    /// The connector's name.
    pub(crate) name: String,
    pub(crate) connector: Properties,
    pub(crate) crtc: Properties,
    /// The screen's modes that show whole pictures, and what they are.
    pub(crate) modes: Vec<Mode>,
    pub(crate) mode_infos: Vec<ModeInfo>,
    /// The planes that the CRTC can show, primary ones first.
    pub(crate) planes: Vec<Plane>,
    /// All other connectors of the card.
    pub(crate) others: Vec<Properties>,
    /// A connector that sees what the CRTC shows, where one was asked for.
    pub(crate) writeback: Option<Properties>,
}

impl Output {
    /// Opens the first output that is meant and that can be used.
    pub(crate) fn open(wanted: Wanted<'_>) -> Result<Self, KmsSinkError> {
        let mut found = Vec::new();
        let mut refusals = Vec::new();
        for node in nodes() {
            let selector = wanted.card;
            if selector
                .is_some_and(|selector| selector.starts_with('/') && !is_node(selector, &node))
            {
                found.push(node.display().to_string());
                continue;
            }
            match Opened::new(&node) {
                Ok(card) if selector.is_some_and(|selector| !card.answers_to(selector)) => {
                    found.push(card.label());
                }
                Ok(card) => match Self::on(card, wanted) {
                    Ok(output) => return Ok(output),
                    Err(error) => refusals.push(error),
                },
                Err(error) => refusals.push(error),
            }
        }
        match (refusals.len(), wanted.card) {
            (0, None) => Err(KmsSinkError::NoCards),
            (0, Some(_)) if found.is_empty() => Err(KmsSinkError::NoCards),
            (0, Some(asked)) => Err(KmsSinkError::UnknownCard {
                asked: asked.to_owned(),
                found,
            }),
            (1, _) => Err(refusals.remove(0)),
            _ => Err(KmsSinkError::NoUsableCard(refusals)),
        }
    }

    fn on(card: Opened, wanted: Wanted<'_>) -> Result<Self, KmsSinkError> {
        let card = card.into_atomic()?;
        card.master()?;
        let resources = card.asked("the connectors", card.resource_handles())?;
        let connectors = connectors(&card, &resources)?;
        let screen = find_screen(&card, &connectors, wanted.connector)?;
        let name = screen.to_string();

        let (modes, mode_infos): (Vec<_>, Vec<_>) = screen
            .modes()
            .iter()
            .filter_map(|mode| Some((*mode, ModeInfo::of(mode)?)))
            .unzip();
        if asked_for(&mode_infos, wanted.mode).is_empty() {
            return Err(KmsSinkError::NoMode {
                connector: name,
                asked: wanted.mode.to_string(),
                nearest: nearest(&mode_infos, wanted.mode),
            });
        }

        let connector = Properties::read(&card, screen.handle())?;
        let others = connectors
            .iter()
            .filter(|other| other.handle() != screen.handle())
            .map(|other| Properties::read(&card, other.handle()))
            .collect::<Result<Vec<_>, _>>()?;
        let free = free_crtcs(&card, &resources, screen, &connector, &others)?;
        let no_crtc = || KmsSinkError::NoCrtc {
            connector: name.clone(),
            card: card.label(),
        };
        let (crtc, writeback) = if wanted.writeback {
            let watched = find_writeback(&card, &resources, &connectors, &free)?;
            let (crtc, handle) = watched.ok_or_else(|| KmsSinkError::NoWriteback {
                connector: name.clone(),
                card: card.label(),
            })?;
            (crtc, Some(Properties::read(&card, handle)?))
        } else {
            (*free.first().ok_or_else(no_crtc)?, None)
        };

        let shown_by = |plane: &Plane| {
            let crtcs = resources.filter_crtcs(plane.info.possible_crtcs());
            crtcs.contains(&crtc) && plane.info.crtc().is_none_or(|current| current == crtc)
        };
        let mut planes = planes(&card)?;
        planes.retain(shown_by);
        let missing = |asked: &&PlaneRequest| {
            let mut planes = planes.iter();
            !planes.any(|plane| plane.answers_to(Some(**asked)))
        };
        if let Some(asked) = wanted.planes.iter().find(missing) {
            return Err(KmsSinkError::UnknownPlane {
                connector: name,
                asked: asked.to_string(),
                planes: planes.iter().map(Plane::to_string).collect(),
            });
        }
        let crtc = Properties::read(&card, crtc)?;
        Ok(Self {
            card: Arc::new(card),
            name,
            connector,
            crtc,
            modes,
            mode_infos,
            planes,
            others,
            writeback,
        })
    }

    /// Connector and card, for people.
    pub(crate) fn label(&self) -> String {
        format!("{} of {}", self.name, self.card.label())
    }

    /// Connector, driver and where the card sits, where sysfs tells.
    pub(crate) fn key(&self) -> Option<DeviceKey> {
        Some(DeviceKey {
            driver: self.card.driver().to_owned(),
            bus: self.card.bus()?,
            name: self.name.clone(),
        })
    }
}

/// All connectors; those for screens are looked at afresh where we control the card, which may
/// take a while.
pub(crate) fn connectors(
    card: &Card,
    resources: &ResourceHandles,
) -> Result<Vec<Info>, KmsSinkError> {
    let ask = |&handle| {
        let look = |afresh| card.asked("a connector", card.get_connector(handle, afresh));
        let known = look(false)?;
        if is_screen(&known) {
            look(true)
        } else {
            Ok(known)
        }
    };
    resources.connectors().iter().map(ask).collect()
}

/// Whether it is a connector for screens.
pub(crate) fn is_screen(connector: &Info) -> bool {
    connector.interface() != Interface::Writeback
}

fn find_screen<'c>(
    card: &Card,
    connectors: &'c [Info],
    asked: Option<&str>,
) -> Result<&'c Info, KmsSinkError> {
    let screens = || connectors.iter().filter(|connector| is_screen(connector));
    let connected = |connector: &&Info| connector.state() == State::Connected;
    let names = || screens().map(Info::to_string).collect();
    let Some(asked) = asked else {
        return screens()
            .find(connected)
            .ok_or_else(|| KmsSinkError::NoScreen {
                card: card.label(),
                connectors: names(),
            });
    };
    let named = screens().find(|connector| connector.to_string() == asked);
    let named = named.ok_or_else(|| KmsSinkError::UnknownConnector {
        card: card.label(),
        asked: asked.to_owned(),
        connectors: names(),
    })?;
    Some(named)
        .filter(connected)
        .ok_or_else(|| KmsSinkError::Disconnected {
            connector: asked.to_owned(),
            card: card.label(),
        })
}

/// The CRTCs that can feed a screen and feed no other: the one that does so now comes first.
fn free_crtcs(
    card: &Card,
    resources: &ResourceHandles,
    screen: &Info,
    connector: &Properties,
    others: &[Properties],
) -> Result<Vec<crtc::Handle>, KmsSinkError> {
    let mut possible = possible_crtcs(card, resources, screen)?;
    let current = connector.value("CRTC_ID");
    let is_current = |crtc: &crtc::Handle| current == Some(u32::from(*crtc).into());
    let busy = |crtc: &crtc::Handle| {
        let id = Some(u64::from(u32::from(*crtc)));
        others.iter().any(|other| other.value("CRTC_ID") == id)
    };
    possible.retain(|crtc| is_current(crtc) || !busy(crtc));
    possible.sort_by_key(|crtc| !is_current(crtc));
    Ok(possible)
}

fn possible_crtcs(
    card: &Card,
    resources: &ResourceHandles,
    connector: &Info,
) -> Result<Vec<crtc::Handle>, KmsSinkError> {
    let mut possible = Vec::new();
    for &encoder in connector.encoders() {
        let encoder = card.asked("an encoder", card.get_encoder(encoder))?;
        for crtc in resources.filter_crtcs(encoder.possible_crtcs()) {
            if !possible.contains(&crtc) {
                possible.push(crtc);
            }
        }
    }
    Ok(possible)
}

/// The first of these CRTCs that a writeback connector can watch, with that connector.
fn find_writeback(
    card: &Card,
    resources: &ResourceHandles,
    connectors: &[Info],
    crtcs: &[crtc::Handle],
) -> Result<Option<(crtc::Handle, connector::Handle)>, KmsSinkError> {
    for connector in connectors.iter().filter(|connector| !is_screen(connector)) {
        let possible = possible_crtcs(card, resources, connector)?;
        if let Some(&crtc) = crtcs.iter().find(|crtc| possible.contains(crtc)) {
            return Ok(Some((crtc, connector.handle())));
        }
    }
    Ok(None)
}
