//! What is known of the drivers behind a graph's ports, beyond what they say themselves.

use std::fs;

use dmaflow_core::caps::{Cap, Caps, Properties};
use dmaflow_core::stage::DeviceKey;

use super::super::graph::Graph;
use super::stated::Stated;
use crate::solver::rules::{self, Holds, Rule};
use crate::solver::{Alternative, Unsolvable};

/// What a port can do by its driver's word, without what the driver would do wrong.
pub(super) fn narrowed(key: Option<&DeviceKey>, caps: Caps) -> Caps {
    match key {
        Some(key) => rules::apply(&key.driver, is_behind_iommu(key), &caps),
        None => caps,
    }
}

/// The same of both ends of a transform.
pub(super) fn narrowed_ways(key: Option<&DeviceKey>, ways: Vec<Alternative>) -> Vec<Alternative> {
    let one = |cap: Cap| narrowed(key, Caps::from(cap)).0;
    let narrow = |way: Alternative| {
        let outputs = one(way.output);
        let both = move |input: Cap| {
            let way = move |output| Alternative {
                input: input.clone(),
                output,
                scale: way.scale,
            };
            outputs.clone().into_iter().map(way)
        };
        one(way.input).into_iter().flat_map(both)
    };
    ways.into_iter().flat_map(narrow).collect()
}

/// Adds what is known of the drivers, where ports cannot agree because of it.
pub(super) fn explain(unsolvable: &mut Unsolvable, graph: &Graph, stated: &Stated) {
    let mut told: Vec<&Rule> = Vec::new();
    let known = unsolvable
        .ports
        .iter()
        .filter_map(|port| stated.stage(*port));
    let mapped_wrongly = (stated.problem.heaps_for(&unsolvable.ports).iter()).any(|it| !it.vmap);
    for key in known.filter_map(|stage| graph.nodes.get(stage)?.stage.key()) {
        let iommu = is_behind_iommu(&key);
        for rule in rules::of(&key.driver) {
            let matters = concerns(rule, unsolvable.properties)
                && !(rule.without_iommu && iommu)
                && (rule.holds != Holds::Mapped || mapped_wrongly);
            if matters && !told.iter().any(|known| std::ptr::eq(*known, rule)) {
                told.push(rule);
            }
        }
    }
    for rule in told {
        let note = format!("\n  the driver does not say it: {rule} ({})", rule.source);
        unsolvable.reason.push_str(&note);
    }
}

fn concerns(rule: &Rule, properties: Properties) -> bool {
    properties.contains(rule.property)
}

/// Whether an IOMMU translates a device's addresses. Where that cannot be seen, memory is left to
/// the device: it is asked with real buffers.
///
/// *Source:* `Documentation/ABI/testing/sysfs-kernel-iommu_groups` in Linux.
fn is_behind_iommu(key: &DeviceKey) -> bool {
    let name = key.bus.strip_prefix("platform:").unwrap_or(&key.bus);
    if name.is_empty() || name.contains('/') {
        return true;
    }
    let device = format!("/sys/bus/platform/devices/{name}");
    fs::metadata(&device).is_err() || fs::metadata(format!("{device}/iommu_group")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::caps::{Property, Set, Steps};
    use dmaflow_core::format::Format;

    fn key(driver: &str) -> DeviceKey {
        DeviceKey {
            driver: driver.to_owned(),
            bus: "platform:not-there".to_owned(),
            name: "paper".to_owned(),
        }
    }

    #[test]
    fn both_ends_of_a_transform_are_narrowed() {
        let any = |format| Cap {
            formats: Set::only(format),
            ..Cap::any()
        };
        let way = Alternative {
            input: any(Format::NV12),
            output: any(Format::NV12),
            scale: crate::solver::Scale::NONE,
        };
        let ways = narrowed_ways(Some(&key("rkvdec")), vec![way.clone()]);
        let [narrow] = ways.as_slice() else {
            panic!("{ways:?}");
        };
        assert_eq!(Some(narrow.input.width), Steps::multiples(64).normal());
        assert_eq!(Some(narrow.output.height), Steps::multiples(16).normal());
        assert_eq!(narrowed_ways(Some(&key("paper")), vec![way.clone()]), [way]);
    }

    #[test]
    fn memory_is_left_to_a_device_whose_iommu_cannot_be_seen() {
        let caps = narrowed(Some(&key("tidss")), Caps::any());
        assert!(!caps.0[0].memory.contiguous);
        assert!(caps.0[0].whole_pixels);
    }

    #[test]
    fn a_rule_is_told_where_its_property_is_in_the_way() {
        let stride = Properties::of(&[Property::Stride]);
        let told: Vec<_> = rules::of("rockchip")
            .filter(|rule| concerns(rule, stride))
            .collect();
        assert_eq!(told.len(), 2);
        let format = Properties::of(&[Property::Format]);
        assert!(!rules::of("rockchip").any(|rule| concerns(rule, format)));
    }
}
