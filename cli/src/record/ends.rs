//! Where in a pipeline a recording is taken from.

use dmaflow_pipelines::description::Description;

use crate::failure::Failure;

/// The stage whose frames are recorded, by its place: the one that is asked for, or else the one
/// that leads nowhere yet, or else the last one before a display or another sink.
pub(super) fn of(description: &Description, asked: Option<&str>) -> Result<usize, Failure> {
    let stages = &description.stages;
    if let Some(asked) = asked {
        let found = stages.iter().position(|stage| stage.name == asked);
        return match found {
            Some(place) if stages[place].kind.gives() => Ok(place),
            Some(_sink) => Err(Failure::Usage(format!(
                "`{asked}` makes no frames that could be recorded; these do: {}",
                names(description, 0..stages.len())
            ))),
            None => Err(Failure::Usage(format!(
                "no stage is called `{asked}`; these make frames: {}",
                names(description, 0..stages.len())
            ))),
        };
    }
    let leads_on = |place: usize| {
        description
            .links
            .iter()
            .any(|link| link.from.stage == place)
    };
    let open: Vec<_> = (0..stages.len())
        .filter(|&place| stages[place].kind.gives() && !leads_on(place))
        .collect();
    let ends = if open.is_empty() {
        before_sinks(description)
    } else {
        open
    };
    match ends[..] {
        [end] => Ok(end),
        _ => Err(Failure::Usage(format!(
            "which stage is to be recorded? Choose one with --from: {}",
            names(description, ends.iter().copied())
        ))),
    }
}

/// The stages that lead into sinks, each once.
fn before_sinks(description: &Description) -> Vec<usize> {
    let into_sinks = description
        .links
        .iter()
        .filter(|link| !description.stages[link.to.stage].kind.gives());
    let mut ends: Vec<_> = into_sinks.map(|link| link.from.stage).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// The names of those that make frames.
fn names(description: &Description, places: impl IntoIterator<Item = usize>) -> String {
    let stages = places.into_iter().map(|place| &description.stages[place]);
    let names: Vec<_> = stages
        .filter(|stage| stage.kind.gives())
        .map(|stage| format!("`{}`", stage.name))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(line: &str, asked: Option<&str>) -> Result<String, String> {
        let description = Description::unfinished(line, &[]).expect("a description");
        match of(&description, asked) {
            Ok(place) => Ok(description.stages[place].name.clone()),
            Err(failure) => Err(failure.render(false)),
        }
    }

    #[test]
    fn what_is_recorded_is_what_leads_nowhere() {
        let last = |line| end(line, None);
        assert_eq!(last("test-src"), Ok("test-src".to_owned()));
        let thin = last("test-src ! decimate every=2 name=thin");
        assert_eq!(thin, Ok("thin".to_owned()));
        let tapped = last("test-src name=t ! null-sink t. ! decimate every=2 name=thin");
        assert_eq!(tapped, Ok("thin".to_owned()));
    }

    #[test]
    fn without_an_open_end_it_is_what_the_display_shows() {
        let shown = end("test-src name=t ! kms-sink", None);
        assert_eq!(shown, Ok("t".to_owned()));
        let two = "test-src name=l ! kms-sink name=s  test-src name=r ! s.";
        let unclear = end(two, None).expect_err("two of them");
        assert!(unclear.contains("--from: `l`, `r`"), "{unclear}");
        assert_eq!(end(two, Some("r")), Ok("r".to_owned()));
        let wrong = end(two, Some("s")).expect_err("a sink");
        assert!(wrong.contains("makes no frames"), "{wrong}");
        let unknown = end(two, Some("x")).expect_err("nothing");
        assert!(unknown.contains("no stage is called `x`"), "{unknown}");
    }
}
