//! Between two parts of a run: whether there is to be another one, and the wait for it.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::halt::{Nodes, Woken};
use super::{Look, Run, Situation, Supervisor};
use crate::description::RestartPolicy;
use crate::error::RunFailure;
use crate::report::Interruption;

/// How often somebody looks at a wait.
const LOOK: Duration = Duration::from_secs(1);

/// A signal that changed is often away for a moment, whatever the policy: so long it is waited
/// for, in tries that begin this far apart.
const SETTLING: RestartPolicy = RestartPolicy::OnFailure {
    first: Duration::from_millis(50),
    most: Duration::from_millis(200),
    attempts: Some(5),
};

/// What follows a part of a run.
pub(super) enum Next {
    /// The pipeline was made anew.
    Again,
    /// A limit or a stop ended the wait.
    End,
}

impl Supervisor<'_> {
    /// Makes the pipeline anew after a failure or a change, if that is to be done.
    pub(super) fn go_on(
        &mut self,
        run: &mut Run,
        cause: Box<RunFailure>,
        look: &mut Option<Look<'_>>,
    ) -> Result<Next, Box<RunFailure>> {
        let (stopped, at) = (Instant::now(), run.started.elapsed());
        let is_change = cause.is_change();
        let stage = cause.stage().to_owned();
        let reason = dmaflow_core::with_causes(&*cause);
        let policy = self.policies.get(&stage).copied().unwrap_or_default();
        let mut settling = Backoff::new(if is_change {
            SETTLING
        } else {
            RestartPolicy::Never
        });
        // Before it is asked whether the device is there, so that its return is not missed.
        let mut away = cause.is_gone().then(Away::new);
        let (mut tries, mut last) = (0, None);
        let next = loop {
            let backoff = run
                .backoffs
                .entry(stage.clone())
                .or_insert_with(|| Backoff::new(policy));
            let wait = if is_change && tries == 0 {
                Duration::ZERO
            } else if let Some(wait) = settling.next().or_else(|| backoff.next()) {
                wait
            } else {
                return Err(match last {
                    None => cause,
                    Some(source) => Box::new(RunFailure::NotAgain {
                        cause,
                        tries,
                        source: Box::new(source),
                    }),
                });
            };
            if tries == 0 {
                tracing::warn!("{reason}; trying again in {wait:?}");
            }
            let waiting = Waiting {
                stage: &stage,
                reason: &reason,
                until: Instant::now() + wait,
            };
            if !self.wait(run, &waiting, away.as_mut(), look) {
                break Next::End;
            }
            tries += 1;
            match self.maker.make() {
                Ok(pipeline) => {
                    self.pipeline = Some(pipeline);
                    break Next::Again;
                }
                Err(error) => {
                    tracing::debug!(
                        "try {tries} to go on: {}",
                        dmaflow_core::with_causes(&error)
                    );
                    last = Some(error);
                }
            }
        };
        run.whole.interruptions.add(Interruption {
            at,
            stage,
            reason,
            is_change,
            away: stopped.elapsed(),
            tries,
        });
        Ok(next)
    }

    /// Waits for the next try; tells whether there is to be one.
    fn wait(
        &mut self,
        run: &Run,
        waiting: &Waiting<'_>,
        mut away: Option<&mut Away>,
        look: &mut Option<Look<'_>>,
    ) -> bool {
        let deadline = run.deadline();
        loop {
            let now = Instant::now();
            if let Some(away) = &mut away
                && away.has_ended(self.maker.is_back(waiting.stage))
            {
                return !self.halt.is_stopped() && deadline.is_none_or(|deadline| deadline > now);
            }
            let end = deadline.map_or(waiting.until, |deadline| deadline.min(waiting.until));
            let left = end.saturating_duration_since(now);
            if let Some(look) = look
                && !left.is_zero()
            {
                let situation = Situation::Waiting {
                    stage: waiting.stage,
                    reason: waiting.reason,
                    left,
                };
                if look(&situation).is_break() {
                    return false;
                }
            }
            let time = if look.is_some() { left.min(LOOK) } else { left };
            let nodes = away.as_deref().and_then(|away| away.nodes.as_ref());
            match self.halt.wait(nodes, time) {
                Woken::Stopped => return false,
                Woken::Nodes => {
                    if let Some(nodes) = nodes {
                        nodes.drain();
                    }
                }
                Woken::Late if Instant::now() >= end => {
                    return deadline.is_none_or(|deadline| deadline > end);
                }
                Woken::Late => {}
            }
        }
    }
}

/// What the next try waits for.
struct Waiting<'w> {
    stage: &'w str,
    reason: &'w str,
    until: Instant,
}

/// A device that went away.
struct Away {
    /// Where its return is told; without, it is noticed when somebody looks, and at the next try.
    nodes: Option<Nodes>,
    /// It was not there when it was looked for last. Before the first time it counts as away.
    is_away: bool,
}

impl Away {
    fn new() -> Self {
        Self {
            nodes: Nodes::watch(),
            is_away: true,
        }
    }

    /// Whether it has come back since it was looked for last. One that is there and cannot be
    /// used has not: then the wait lasts as long as it does for any other failure.
    fn has_ended(&mut self, is_back: Option<bool>) -> bool {
        let was_away = std::mem::replace(&mut self.is_away, is_back == Some(false));
        was_away && is_back == Some(true)
    }
}
