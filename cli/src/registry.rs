//! The heaps that the program knows.

use dmaflow_core::heap::HeapRegistry;
use dmaflow_pipelines::description::Description;
use dmaflow_pipelines::{HeapRequest, PoolRequest};

/// The heaps of this machine; of its displays or its cameras and codecs too where one of `names`
/// is theirs. Their heaps are made by opening the devices, which is not done unasked.
pub(crate) fn of_names(names: &[String]) -> HeapRegistry {
    let asks_for = |kind: &str| {
        let mut kinds = names.iter().filter_map(|name| name.split_once(':'));
        kinds.any(|(asked, _device)| asked == kind)
    };
    let mut registry = dmaflow_heaps::registry();
    if asks_for("dumb") || asks_for("gbm") {
        add_cards(&mut registry);
    }
    if asks_for("expbuf") {
        add_videos(&mut registry);
    }
    registry
}

/// The heaps that a description can mean.
pub(crate) fn of_description(description: &Description) -> HeapRegistry {
    of_names(&named(description))
}

/// The heaps that a description names.
pub(crate) fn named(description: &Description) -> Vec<String> {
    description.pools().flat_map(of_pool).cloned().collect()
}

/// The heaps that a pool is to come from.
pub(crate) fn of_pool(pool: &PoolRequest) -> &[String] {
    match &pool.heaps {
        HeapRequest::Any => &[],
        HeapRequest::Names(names) => names,
    }
}

/// The heaps of this machine and of its devices.
pub(crate) fn with_devices() -> HeapRegistry {
    let mut registry = dmaflow_heaps::registry();
    add_cards(&mut registry);
    add_videos(&mut registry);
    registry
}

fn add_cards(registry: &mut HeapRegistry) {
    for (info, opened) in dmaflow_kms_sink::heaps::of_cards() {
        dmaflow_heaps::register(registry, info, opened);
    }
}

fn add_videos(registry: &mut HeapRegistry) {
    for (info, opened) in dmaflow_v4l2::expbuf::of_devices() {
        dmaflow_heaps::register(registry, info, opened);
    }
}
