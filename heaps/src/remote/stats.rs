//! Who has how much of a served heap.

use std::path::Path;

use dmaflow_core::heap::ExportError;

use super::client::told;
use super::link::{Link, LinkError};
use super::protocol::{Answer, Ask, Figures, Label};

/// The longest list that is believed.
const MOST: u32 = 1 << 16;

/// Lists who has how much of the heap behind a server's node: the heap as a whole, its users,
/// each client with its pipelines behind it.
///
/// *Needs:* to be root, or the user that the server runs as.
///
/// # Errors
/// [`ExportError::Refused`]: EPERM for other users, and as [`crate::RemoteHeap::open`].
pub fn stats(node: &Path) -> Result<Vec<Figures>, ExportError> {
    lines(node).map_err(|error| told(node, error))
}

fn lines(node: &Path) -> Result<Vec<Figures>, LinkError> {
    let mut link = Link::connect(node)?;
    let program = Label::new("statistics");
    link.ask(&Ask::Hello { program }, Answer::hello)?;
    let mut all = Vec::new();
    for line in 0..MOST {
        match link.ask(&Ask::Stats { line }, Answer::stats)? {
            (Some(figures), _) => all.push(figures),
            (None, _) => return Ok(all),
        }
    }
    Err(LinkError::Broken("a list without end".to_owned()))
}
