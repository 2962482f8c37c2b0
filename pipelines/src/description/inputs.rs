//! What a stage is once the links name its inputs.

use std::ops::Range;

use super::diagnostic::{Finding, did_you_mean, listed};
use super::kinds::{Named, Setup};
use super::links::Link;
use super::{MixerInput, MixerKind, Place, RouterKind, SinkKind, StageKind};

/// Joins what a stage says of its inputs with the links that lead there.
pub(super) fn join(
    setup: Setup,
    stage: &str,
    links: &[&Link],
    findings: &mut Vec<Finding>,
) -> StageKind {
    let inputs: Vec<String> = links.iter().map(|link| link.name.clone()).collect();
    match setup {
        Setup::Done(kind) => kind,
        Setup::Selector(select) => StageKind::Router(RouterKind::Selector {
            selected: select.map_or(0, |select| find(&select, stage, &inputs, findings)),
            inputs,
        }),
        Setup::Display { config, places, .. } if places.is_empty() && inputs.len() < 2 => {
            StageKind::Sink(SinkKind::Kms(config))
        }
        Setup::Display {
            config,
            plane,
            places,
        } => {
            if config.plane.is_some() {
                findings.push(plane_of_several(stage, plane, &inputs));
            }
            let mut placed = vec![Place::default(); inputs.len()];
            for place in places {
                let input = find(&place, stage, &inputs, findings);
                if let Some(slot) = placed.get_mut(input) {
                    *slot = place.what;
                }
            }
            let inputs = inputs.into_iter().zip(placed);
            let inputs = inputs.map(|(name, place)| MixerInput { name, place });
            StageKind::Mixer(MixerKind::Kms {
                config,
                inputs: inputs.collect(),
            })
        }
    }
}

/// The input of a name; the first one where there is none, which is reported.
fn find<T>(named: &Named<T>, stage: &str, inputs: &[String], findings: &mut Vec<Finding>) -> usize {
    let Named { name, at, .. } = named;
    let names = || inputs.iter().map(String::as_str);
    names().position(|input| input == name).unwrap_or_else(|| {
        findings.push(
            Finding::at(at.clone(), format!("`{stage}` has no input `{name}`"))
                .label(did_you_mean(name, names(), || {
                    format!("no link leads from there to `{stage}`")
                }))
                .help(format!(
                    "inputs are called by the stages that lead there; here: {}",
                    listed(names())
                )),
        );
        0
    })
}

fn plane_of_several(stage: &str, plane: Range<usize>, inputs: &[String]) -> Finding {
    let input = inputs.first().map_or("NAME", String::as_str);
    let message = format!("`plane` says nothing where `{stage}` shows several");
    Finding::at(plane, message)
        .label("each input has a plane of its own")
        .help(format!("as in `place.{input} = {{ plane = \"primary\" }}`"))
}
