//! Boards that are not there, with a display that takes no YUV.

use dmaflow_core::format::Format;
use dmaflow_pipelines::ZeroCopy;
use dmaflow_pipelines::description::Description;
use dmaflow_pipelines::fixture::Fixture;

#[test]
fn a_plan_for_a_board_has_the_cpu_only_where_the_description_allows_it() {
    let board = include_str!("../../boards/fixtures/am62x-sk.toml");
    let display = r#"formats = ["UYVY", "YUYV", "NV12"]"#;
    assert!(board.contains(display));
    let board = board.replace(display, r#"formats = ["NV16"]"#);
    let board = Fixture::parse(&board, "a board").unwrap();
    let text = include_str!("../../boards/am62x-sk-camera-to-display.toml");
    let required = Description::parse(text, "required", &[]).unwrap();
    let refused = board.plan(&required).unwrap_err().to_string();
    assert!(
        refused.ends_with("a CPU conversion would: zero-copy = \"allow\")"),
        "{refused}"
    );

    let text = format!("zero-copy = \"allow\"\n{text}");
    let allowed = Description::parse(&text, "allowed", &[]).unwrap();
    assert_eq!(allowed.zero_copy, ZeroCopy::Allow);
    let plan = board.plan(&allowed).unwrap();
    let [inserted] = plan.inserted.as_slice() else {
        unreachable!("{:?}", plan.inserted);
    };
    assert_eq!(plan.problem.node(inserted.node).name, "CPU converter");
    let pools = plan.pools.iter();
    let formats: Vec<_> = pools.map(|pool| pool.placement.terms.format).collect();
    assert_eq!(formats.len(), 2);
    assert!(formats.contains(&Format::XRGB8888), "{formats:?}");
}
