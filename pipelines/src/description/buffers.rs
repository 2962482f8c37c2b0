//! Whether pools have as many buffers as the stages keep that their frames come to.

use super::StageKind;
use super::diagnostic::Finding;
use super::document::Draft;
use super::kinds::{Kind, Setup};
use super::links::Link;

/// Reports pools that are too small.
pub(super) fn enough(drafts: &[Draft<'_>], links: &[Link], findings: &mut Vec<Finding>) {
    for (index, draft) in drafts.iter().enumerate() {
        let Some((buffers, span)) = pool(draft) else {
            continue;
        };
        let span = span.unwrap_or(0..0);
        for user in users(index, drafts, links) {
            let user = &drafts[user];
            if let Some(Kind {
                name,
                min_buffers: Some((least, why)),
                ..
            }) = user.kind
                && buffers < *least
            {
                findings.push(
                    Finding::at(span.clone(), "`buffers` is out of range")
                        .label(format!("`{}` is a {name}, which needs {least}", user.name))
                        .help(format!(
                            "{why}; leave `buffers` out to have as many as are needed"
                        )),
                );
            }
        }
    }
}

/// How many buffers a stage's pool was asked to have, and where.
fn pool(draft: &Draft<'_>) -> Option<(usize, Option<std::ops::Range<usize>>)> {
    match draft.read.as_ref()?.setup.as_ref()? {
        Setup::Done(StageKind::Source(_, pool) | StageKind::Transform(_, pool)) => {
            Some((pool.buffers?, draft.buffers.clone()))
        }
        _ => None,
    }
}

/// The stages that a pool's frames come to.
fn users(maker: usize, drafts: &[Draft<'_>], links: &[Link]) -> Vec<usize> {
    let (mut users, mut open) = (Vec::new(), vec![maker]);
    while let Some(stage) = open.pop() {
        for link in links.iter().filter(|link| link.from == stage) {
            if users.contains(&link.to) {
                continue;
            }
            users.push(link.to);
            // Behind a stage with a pool of its own there are other frames.
            if pool_maker(&drafts[link.to]) {
                continue;
            }
            open.push(link.to);
        }
    }
    users.sort_unstable();
    users
}

fn pool_maker(draft: &Draft<'_>) -> bool {
    let setup = draft.read.as_ref().and_then(|read| read.setup.as_ref());
    matches!(
        setup,
        Some(Setup::Done(
            StageKind::Source(..) | StageKind::Transform(..)
        ))
    )
}
