//! That the header says what the library does.

use std::fs;
use std::path::Path;

/// Set, and the header is written instead of compared.
const WRITE: &str = "DMAFLOW_WRITE_HEADER";

#[test]
fn the_header_is_that_of_the_source() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generated = cbindgen::Builder::new()
        .with_config(cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap())
        .with_src(here.join("src/sys.rs"))
        .generate()
        .unwrap();
    let mut text = Vec::new();
    generated.write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let header = here.join("include/dmaflow.h");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&header, &text).unwrap();
    }
    let committed = fs::read_to_string(&header).unwrap_or_default();
    assert!(
        committed == text,
        "{} is not what the source says; run `cargo xtask header`",
        header.display()
    );
}
