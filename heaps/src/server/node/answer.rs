//! What a client's request leads to.

use dmaflow_core::Errno;
use dmaflow_core::heap::{AllocError, AllocOptions, ExportError};

use super::{Node, Over, SessionId};
use crate::remote::protocol::{Answer, Ask, Label, Refusal};

/// What is to be said, and which of the session's buffers comes along.
type Said = (Result<Answer, Refusal>, Option<u64>);

impl Node {
    /// Answers, or ends the session.
    pub(super) fn answer(&mut self, id: SessionId, ask: Ask) -> Result<Option<Said>, Over> {
        let said = match ask {
            Ask::Hello { program } => {
                self.session(id)?.greet(program);
                Ok(Answer::Hello(self.heap.info().clone()))
            }
            Ask::Allocate {
                len,
                align,
                flags,
                label,
            } => {
                let lent = self.lend(id, (len, align, flags), label)?;
                let buffer = lent.as_ref().ok().map(|&(_, buffer)| buffer);
                let outcome = lent.map(|(len, id)| Answer::Allocated { len, id });
                return Ok(Some((outcome, buffer)));
            }
            Ask::Release { id: buffer } => {
                self.take_back(id, buffer)?;
                return Ok(None);
            }
            Ask::Available => Ok(Answer::Available(self.heap.available())),
            Ask::Stats { line } => self.line(id, line)?,
        };
        Ok(Some((said, None)))
    }

    pub(super) fn session(&mut self, id: SessionId) -> Result<&mut super::Session, Over> {
        self.sessions.get_mut(&id).ok_or(Over::Ended)
    }

    /// Allocates for a session and returns the buffer's length and id.
    fn lend(
        &mut self,
        id: SessionId,
        (len, align, flags): (u64, u64, u64),
        label: Label,
    ) -> Result<Result<(u64, u64), Refusal>, Over> {
        let (Ok(asked), Ok(align)) = (usize::try_from(len), usize::try_from(align)) else {
            return Ok(Err(Refusal {
                errno: Errno::ENOMEM,
                reason: format!("{len} bytes aligned to {align} are more than there can be"),
            }));
        };
        let options = AllocOptions { align, flags };
        let heap = self.session(id)?.heap_for(label).clone();
        // What somebody who died a moment ago had may be free by now, and be all there is.
        let given = heap.allocate_after(asked, options, |error| self.finds_room(id, error));
        let buffer = match given {
            Ok(buffer) => buffer,
            Err(error) => return Ok(Err(refusal(&error))),
        };
        let len = buffer.len() as u64;
        let Some(id) = self.session(id)?.hold(buffer) else {
            tracing::error!("a heap gave a buffer that is on loan");
            return Ok(Err(Refusal {
                errno: Errno::EIO,
                reason: "the heap gave a buffer that is on loan".to_owned(),
            }));
        };
        Ok(Ok((len, id)))
    }

    /// Looks at what lingers, for want of which a request failed, and tells whether some of it
    /// was free. Who is at a limit of their own has nobody else's looked at.
    fn finds_room(&mut self, id: SessionId, error: &AllocError) -> bool {
        let Some(session) = self.sessions.get(&id) else {
            return false;
        };
        let user = self.users.get_mut(&session.peer().uid);
        let own = match (error, user) {
            (AllocError::OverBudget { over, .. }, Some(user)) => {
                let own = over.is_of(session.account()) || over.is_of(user.account());
                own.then_some(user)
            }
            _ => None,
        };
        let Some(user) = own else {
            let before = self.lingering();
            return is_want(error) && before > 0 && self.look_again() < before;
        };
        let before = user.lingering();
        user.look_again(&self.alone);
        user.lingering() < before
    }

    pub(super) fn take_back(&mut self, id: SessionId, buffer: u64) -> Result<(), Over> {
        let session = self.session(id)?;
        let uid = session.peer().uid;
        let buffer = session.give_back(buffer).ok_or(Over::NotItsBuffer)?;
        if let Some(user) = self.users.get_mut(&uid) {
            user.take_back(buffer, &self.alone);
        }
        Ok(())
    }
}

/// Whether an allocation failed for want of what others may give back.
fn is_want(error: &AllocError) -> bool {
    matches!(
        error.errno(),
        Errno::EDQUOT | Errno::ENOMEM | Errno::ENOSPC | Errno::EMFILE
    )
}

/// What a client is told of a failed allocation: its own side says which heap and how much.
fn refusal(error: &AllocError) -> Refusal {
    let reason = match error {
        AllocError::OverBudget { over, .. } => over.to_string(),
        AllocError::Exporter { source, .. } => match source {
            ExportError::Os { call, source } => format!(
                "{call} gave the server {source}; use fewer or smaller buffers, or another heap"
            ),
            other => other.to_string(),
        },
        other => other.to_string(),
    };
    Refusal {
        errno: error.errno(),
        reason,
    }
}
