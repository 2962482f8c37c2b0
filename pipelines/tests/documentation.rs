//! Every description that is shown somewhere is right: examples, README, docs, rustdoc.

use std::fs;
use std::path::{Path, PathBuf};

use dmaflow_pipelines::control::protocol::{Answer, NewStage, Request};
use dmaflow_pipelines::control::{Picture, State, Statistics};
use dmaflow_pipelines::description::serving::Serving;
use dmaflow_pipelines::description::{Description, reference};

/// The files below a directory that end with one of `endings`.
fn files(directory: &str, endings: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(files(&path.display().to_string(), endings));
        } else if path
            .extension()
            .is_some_and(|ending| endings.iter().any(|wanted| *wanted == ending))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The `toml` blocks of a text, and the line each begins on. In Rust they stand in comments.
fn blocks(path: &Path) -> Vec<(usize, String)> {
    blocks_of(path, "```toml")
}

/// The blocks that begin so.
fn blocks_of(path: &Path, begin: &str) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a text of ours");
    let in_rust = path.extension().is_some_and(|ending| ending == "rs");
    let (mut blocks, mut open) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        let line = match line.trim_start() {
            comment if in_rust => {
                let comment = comment.strip_prefix("//!").or(comment.strip_prefix("///"));
                let Some(comment) = comment else { continue };
                comment.strip_prefix(' ').unwrap_or(comment)
            }
            _ => line,
        };
        match &mut open {
            None if line.trim() == begin => open = Some((number + 1, String::new())),
            None => {}
            Some(_) if line.trim() == "```" => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    assert!(open.is_none(), "{}: a block without end", path.display());
    blocks
}

/// Blocks that tell of heaps are a server's, those of packages cargo's.
fn check(block: &str, place: &str) -> bool {
    let wrong = if block.contains("[heap.") {
        Serving::parse(block, place).err()
    } else if block.contains("[dependencies]") || block.contains("[package]") {
        return false;
    } else {
        Description::parse(block, place, &[]).err()
    };
    assert!(wrong.is_none(), "{}", wrong.expect("what is wrong"));
    true
}

#[test]
fn every_example_is_right() {
    let examples = files("../examples", &["toml"]);
    let descriptions = examples.iter().filter(|path| !path.ends_with("Cargo.toml"));
    let mut count = 0;
    for path in descriptions {
        if let Err(diagnostics) = Description::load(path, &[]) {
            panic!("{diagnostics}");
        }
        count += 1;
    }
    assert!(count >= 4, "{count} examples are left");
}

#[test]
fn every_description_in_the_documentation_is_right() {
    let mut texts = vec![PathBuf::from("../README.md")];
    texts.extend(files("../docs", &["md"]));
    texts.extend(files("src", &["rs"]));
    let mut checked = Vec::new();
    for text in &texts {
        for (line, block) in blocks(text) {
            if check(&block, &format!("{}, from line {line} on", text.display())) {
                checked.push(text);
            }
        }
    }
    let has = |name: &str| checked.iter().any(|text| text.ends_with(name));
    assert!(has("README.md"), "the README shows a description");
    assert!(
        has("descriptions.md"),
        "the documentation shows descriptions"
    );
    assert!(has("description.rs"), "rustdoc shows a description");
    assert!(has("serving.rs"), "rustdoc shows a server's file");
}

#[test]
fn the_tables_of_keys_are_todays() {
    const PATH: &str = "../docs/descriptions.md";
    let (begin, end) = ("documentation` -->\n", "<!-- end of keys -->");
    let kept = fs::read_to_string(PATH).expect("the documentation");
    let (before, rest) = kept.split_once(begin).expect("where the tables begin");
    let (_, after) = rest.split_once(end).expect("where they end");
    let right = format!("{before}{begin}\n{}\n{end}{after}", reference());
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(PATH, &right).expect("written");
    }
    let kept = fs::read_to_string(PATH).expect("the documentation");
    assert!(kept == right, "write them anew with UPDATE_EXPECTED=1");
}

/// Whether an answer is one to the request.
fn answers(request: &Request, answer: &str) -> serde_json::Result<()> {
    fn read<T: serde::de::DeserializeOwned>(answer: &str) -> serde_json::Result<()> {
        serde_json::from_str::<Answer<T>>(answer).map(drop)
    }
    match request {
        Request::State {} => read::<State>(answer),
        Request::Stats {} => read::<Statistics>(answer),
        Request::Add { .. } => read::<NewStage>(answer),
        Request::Snapshot { .. } => read::<Picture>(answer),
        _ => read::<std::collections::BTreeMap<String, ()>>(answer),
    }
}

#[test]
fn every_request_in_the_documentation_is_right() {
    let text = PathBuf::from("../docs/control.md");
    let mut asked = Vec::new();
    for (line, block) in blocks_of(&text, "```json") {
        let lines: Vec<&str> = block.lines().collect();
        assert!(lines.len().is_multiple_of(2), "from line {line} on");
        for pair in lines.chunks(2) {
            let request: Request = match serde_json::from_str(pair[0]) {
                Ok(request) => request,
                Err(error) => panic!("{error}: {}", pair[0]),
            };
            if let Err(error) = answers(&request, pair[1]) {
                panic!("{error}: {}", pair[1]);
            }
            asked.push(pair[0].split('"').nth(3).expect("what to do").to_owned());
        }
    }
    for known in [
        "state", "stats", "set", "queue", "select", "add", "drop", "snapshot", "stop",
    ] {
        assert!(
            asked.iter().any(|asked| asked == known),
            "no example of {known}"
        );
    }
    assert!(serde_json::from_str::<Request>(r#"{"do":"dance"}"#).is_err());
    let more = r#"{"do":"drop","link":"a->b","too":1}"#;
    assert!(
        serde_json::from_str::<Request>(more).is_err(),
        "what is not known is refused"
    );
}
