//! The heaps that the program knows.

use dmaflow_core::heap::{Exporter, HeapInfo, HeapRegistry};
use dmaflow_pipelines::HeapRequest;
use dmaflow_pipelines::description::Description;

/// The heaps of this machine; of its devices too where one of `names` is theirs. Their heaps
/// are made by opening the devices, which is not done unasked.
pub(crate) fn of_names<'n>(names: impl IntoIterator<Item = &'n String>) -> HeapRegistry {
    // `dumb:vkms`, `expbuf:vivid`; a path has a `/`.
    let of_a_device = |name: &String| name.contains(':') && !name.contains('/');
    if names.into_iter().any(of_a_device) {
        with_devices()
    } else {
        dmaflow_heaps::registry()
    }
}

/// The heaps that a description can mean.
pub(crate) fn of_description(description: &Description) -> HeapRegistry {
    of_names(named(description))
}

/// The heaps that a description names.
pub(crate) fn named(description: &Description) -> &[String] {
    match &description.source.pool.heaps {
        HeapRequest::Any => &[],
        HeapRequest::Names(names) => names,
    }
}

/// The heaps of this machine and of its devices.
pub(crate) fn with_devices() -> HeapRegistry {
    let mut registry = dmaflow_heaps::registry();
    for (info, opened) in dmaflow_kms_sink::heaps::of_cards() {
        let opened = opened.map_err(|error| error.to_string());
        add(&mut registry, info, opened);
    }
    for (info, opened) in dmaflow_v4l2::expbuf::of_devices() {
        let opened = opened.map_err(|error| error.to_string());
        add(&mut registry, info, opened);
    }
    registry
}

fn add(
    registry: &mut HeapRegistry,
    info: HeapInfo,
    opened: Result<impl Exporter + 'static, String>,
) {
    match opened {
        Ok(exporter) => {
            if let Err(error) = registry.register(info, exporter) {
                tracing::warn!(%error, "a device's heap is left out");
            }
        }
        Err(reason) => registry.refuse(info, reason),
    }
}
