use std::time::Duration;

use dmaflow_heaps::carveout::{CarveOutConfig, Pages};
use dmaflow_heaps::{Clearing, PoolPolicy};

use super::*;

fn mistakes(text: &str) -> String {
    Serving::parse(text, "heaps.toml").unwrap_err().to_string()
}

#[test]
fn the_documented_file_says_all_there_is_to_say() {
    let docs = include_str!("../serving.rs");
    let lines = docs.lines().map_while(|line| line.strip_prefix("//!"));
    let inside = lines.skip_while(|line| line.trim() != "```toml").skip(1);
    let text: Vec<_> = inside.take_while(|line| line.trim() != "```").collect();
    let serving = Serving::parse(&text.join("\n"), "docs").unwrap();
    let camera = ServedHeap {
        name: "camera".to_owned(),
        from: Origin::Heap("default_cma_region".to_owned()),
        pool: Some(ServedPool {
            policy: PoolPolicy {
                clearing: Clearing::Always,
                most: 64 << 20,
                floor: 8 << 20,
                max_age: Some(Duration::from_secs(60)),
            },
            prewarm: Some((4 << 20, 4)),
        }),
        deferred_free: false,
        mode: 0o660,
        owner: Some("root".to_owned()),
        group: Some("video".to_owned()),
        budget: Some(96 << 20),
        quota: Quota {
            per_uid: Some(64 << 20),
            per_client: Some(32 << 20),
            buffers: Some(64),
        },
    };
    let scratch = ServedHeap {
        name: "scratch".to_owned(),
        from: Origin::CarveOut(CarveOutConfig {
            size: 64 << 20,
            pages: Pages::Normal,
            clearing: Clearing::Always,
        }),
        pool: None,
        owner: None,
        group: None,
        budget: None,
        quota: Quota::default(),
        ..camera.clone()
    };
    let expected = Serving {
        directory: DIRECTORY.into(),
        connections: Some(512),
        connections_per_uid: Some(64),
        heaps: vec![camera, scratch],
    };
    assert_eq!(serving, expected);
}

#[test]
fn most_may_be_left_out() {
    let serving = Serving::parse("[heap.a]\nfrom = \"system\"", "heaps.toml").unwrap();
    assert_eq!(serving.directory, Path::new(DIRECTORY));
    assert_eq!(
        (serving.heaps[0].mode, serving.heaps[0].budget),
        (0o660, None)
    );
    assert_eq!(serving.heaps[0].quota, Quota::default());
}

#[test]
fn every_mistake_is_shown_where_it_is() {
    let text = "\
directory = \"run\"
conections = 5

[heap.camera]
from = \"system\"
mode = \"0990\"
budget = 64

[heap.camera.quota]
per-uid = \"64MB\"
buffers = 0
per-uids = 1

[heap.camera.pool]
clearing = \"never\"
prewarm = { buffers = 3 }

[heap.region]
from = \"carve-out\"
pages = \"hug\"

[heap.none]
mode = \"0440\"

[heap.\"a/b\"]
from = \"system\"
";
    let shown = mistakes(text);
    for words in [
        "begins with no `/`",
        "did you mean `connections`?",
        "digits of 0 to 7",
        "for mebibytes `\"64MiB\"`",
        "as in `64MiB`",
        "must be at least 1",
        "did you mean `per-uid`?",
        "`from` is missing",
        "nobody could open this node",
        "one of: always, between-clients",
        "`size` is missing",
        "did you mean `huge`?",
        "cannot be called `a/b`",
        "heaps.toml:6",
    ] {
        assert!(shown.contains(words), "{words} in\n{shown}");
    }
}

#[test]
fn a_file_without_heaps_is_told_the_smallest() {
    assert!(mistakes("").contains("from = \"system\""));
    assert!(mistakes("[camera]\nfrom = \"system\"").contains("`[heap.camera]`"));
    assert!(mistakes("heap = 5").contains("`[heap.camera]`"));
    assert!(mistakes("[heap.a]\nfrom = \"b\"\n[heap.a]").contains("twice"));
    assert!(mistakes("[heap]\na = 5").contains("`[heap.a]`"));
}
