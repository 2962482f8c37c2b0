//! The shape that links may have: from sources to sinks, without a cycle.

use super::{ARROW, Ends, Link, Node};
use crate::description::diagnostic::Finding;

/// Looks for one sort of mistake.
type Step = fn(&[Link], &[Node<'_>], Ends) -> Vec<Finding>;

/// The stages in an order in which a frame can pass them.
///
/// What is wrong goes to `findings`, in steps as it does when links are read.
pub(in crate::description) fn order(
    links: &[Link],
    nodes: &[Node<'_>],
    ends: Ends,
    findings: &mut Vec<Finding>,
) -> Option<Vec<usize>> {
    let steps: [Step; 3] = [directions, doubles, dead_ends];
    for step in steps {
        let found = step(links, nodes, ends);
        if !found.is_empty() {
            findings.extend(found);
            return None;
        }
    }
    sorted(links, nodes.len()).or_else(|| {
        findings.extend(cycle(links, nodes));
        None
    })
}

/// Links go out of what makes frames and into what takes them.
fn directions(links: &[Link], nodes: &[Node<'_>], _ends: Ends) -> Vec<Finding> {
    let wrong = |link: &Link| {
        let (from, to) = (&nodes[link.from], &nodes[link.to]);
        let at = |message: String| Finding::at(link.span.clone(), message);
        let turned = || format!("did you mean `{} {ARROW} {}`?", to.name, from.name);
        if link.from == link.to {
            Some(
                at(format!("`{}` is linked to itself", from.name))
                    .label("a frame would never leave"),
            )
        } else if from.role.is_some_and(|role| !role.gives()) {
            Some(
                at(format!("a link out of `{}`", from.name))
                    .label("this is a sink: frames end there")
                    .help(turned()),
            )
        } else if to.role.is_some_and(|role| !role.takes()) {
            Some(
                at(format!("a link into `{}`", to.name))
                    .label("this is a source: it takes no frames")
                    .help(turned()),
            )
        } else {
            None
        }
    };
    links.iter().filter_map(wrong).collect()
}

/// No link stands twice, and several lead only into what takes several.
fn doubles(links: &[Link], nodes: &[Node<'_>], _ends: Ends) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (later, link) in links.iter().enumerate() {
        let (from, to) = (&nodes[link.from], &nodes[link.to]);
        let mut earlier = links[..later].iter().filter(|first| first.to == link.to);
        let at = |message: String| Finding::at(link.span.clone(), message).label("a second link");
        if earlier.clone().any(|first| first.from == link.from) {
            findings.push(
                at(format!("`{}` is linked to `{}` twice", from.name, to.name))
                    .help("one of them is enough: leave the other out"),
            );
        } else if let (Some(first), false) = (
            earlier.next(),
            to.role.is_none_or(|role| role.takes_several()),
        ) {
            let first = nodes[first.from].name;
            findings.push(
                at(format!("two links lead into `{}`", to.name)).help(format!(
                    "to pass on `{first}` or `{}` by turns, put a `selector` before it; to show \
                     both at once, lead them into a `kms-sink`",
                    from.name
                )),
            );
        }
    }
    findings
}

/// Every stage has its frames from somewhere, and gives them to somebody unless ends are open.
fn dead_ends(links: &[Link], nodes: &[Node<'_>], ends: Ends) -> Vec<Finding> {
    let wrong = |(index, node): (usize, &Node<'_>)| {
        let role = node.role?;
        let gets = links.iter().any(|link| link.to == index);
        let open = ends == Ends::Open && role.gives();
        let gives = open || links.iter().any(|link| link.from == index);
        let (message, label, help) = match (gets, gives) {
            (false, false) => (
                "is not linked",
                "in no link",
                format!("add it to `links`, or leave `[stage.{}]` out", node.name),
            ),
            (_, false) if role.gives() => (
                "leads nowhere",
                "no link goes on",
                format!("add a link, as in `\"{} {ARROW} screen\"`", node.name),
            ),
            (false, _) if role.takes() => (
                "gets no frames",
                "no link comes in",
                format!("add a link, as in `\"camera {ARROW} {}\"`", node.name),
            ),
            _ => return None,
        };
        let finding = Finding::at(node.named.clone(), format!("`{}` {message}", node.name));
        Some(finding.label(label).help(help))
    };
    nodes.iter().enumerate().filter_map(wrong).collect()
}

/// Stages before those that they lead to, otherwise as they stand; `None` where there is a
/// cycle.
fn sorted(links: &[Link], count: usize) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = Vec::with_capacity(count);
    while order.len() < count {
        let is_next = |stage: &usize| {
            let mut before = links.iter().filter(|link| link.to == *stage);
            !order.contains(stage) && before.all(|link| order.contains(&link.from))
        };
        let next = (0..count).find(is_next)?;
        order.push(next);
    }
    Some(order)
}

/// A way that comes back to where it began.
fn cycle(links: &[Link], nodes: &[Node<'_>]) -> Option<Finding> {
    let way = (0..nodes.len()).find_map(|stage| way_back(links, stage))?;
    let names: Vec<_> = way.iter().map(|&stage| nodes[stage].name).collect();
    let first = &nodes[way[0]];
    let last = links
        .iter()
        .find(|link| link.to == way[0] && Some(&link.from) == way.last());
    let message = format!("`{}` is in a cycle", first.name);
    let finding = Finding::at(
        last.map_or(first.named.clone(), |link| link.span.clone()),
        message,
    );
    Some(
        finding
            .label("here its frames come back to it")
            .help(format!(
                "frames go round {} {ARROW} {}: leave one of these links out",
                names.join(&format!(" {ARROW} ")),
                first.name
            )),
    )
}

/// The shortest way from a stage back to it.
fn way_back(links: &[Link], stage: usize) -> Option<Vec<usize>> {
    let mut ways = std::collections::VecDeque::from([vec![stage]]);
    let mut seen = Vec::new();
    while let Some(way) = ways.pop_front() {
        let at = *way.last()?;
        for link in links.iter().filter(|link| link.from == at) {
            if link.to == stage {
                return Some(way);
            }
            if !seen.contains(&link.to) {
                seen.push(link.to);
                ways.push_back([&way[..], &[link.to]].concat());
            }
        }
    }
    None
}
