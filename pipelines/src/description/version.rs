//! The version of what a description may say.

use super::diagnostic::Finding;
use super::reader::Value;
use super::value::wrong_type;

/// The one that is read here.
const VERSION: &str = "1";

/// What is wrong with a description's `version`.
pub(super) fn check(value: &Value<'_>) -> Option<Finding> {
    let Some(number) = value.get_ref().as_integer() else {
        return Some(wrong_type("version", value, "a whole number").help("as in `version = 1`"));
    };
    (number.as_str() != VERSION).then(|| {
        Finding::at(
            value.span(),
            format!("this description is of version {number}"),
        )
        .label(format!("this dmaflow reads version {VERSION}"))
        .help("a newer dmaflow may read it; docs/descriptions.md tells what changed")
    })
}
