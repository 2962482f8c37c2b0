//! Who has how much.

use dmaflow_core::Errno;
use dmaflow_core::heap::Account;

use super::{Node, Over, Peer, SessionId};
use crate::remote::protocol::{Answer, Figures, Label, Refusal, Whose};

impl Node {
    /// Who has how much: the heap as a whole, its users, each client with its pipelines behind
    /// it.
    #[must_use]
    pub fn figures(&self) -> Vec<Figures> {
        let mut all = vec![Figures {
            whose: Whose::Heap {
                name: Label::new(self.heap.name()),
            },
            usage: self.heap.stats().usage,
            budget: self.heap.budget(),
            lingering: self.users.values().map(|user| user.lingering_bytes()).sum(),
        }];
        all.extend(self.users.iter().map(|(&uid, user)| Figures {
            lingering: user.lingering_bytes(),
            ..figures(Whose::User { uid }, user.account())
        }));
        for session in self.sessions.values() {
            let Peer { uid, pid } = session.peer();
            let program = session.program().cloned().unwrap_or_default();
            let client = Whose::Client { uid, pid, program };
            all.push(figures(client, session.account()));
            all.extend(session.pipelines().map(|(label, account)| {
                let label = label.clone();
                figures(Whose::Pipeline { uid, pid, label }, account)
            }));
        }
        all
    }

    /// Tells one line, to those who may know.
    pub(super) fn line(
        &mut self,
        id: SessionId,
        line: u32,
    ) -> Result<Result<Answer, Refusal>, Over> {
        let uid = self.session(id)?.peer().uid;
        if uid != 0 && uid != self.owner {
            return Ok(Err(Refusal {
                errno: Errno::EPERM,
                reason: format!(
                    "only root and user {} may see who has how much of this heap",
                    self.owner
                ),
            }));
        }
        if line == 0 {
            let list = self.figures();
            self.session(id)?.list = list;
        }
        let list = &mut self.session(id)?.list;
        let line = usize::try_from(line).ok().and_then(|at| list.get(at));
        let line = line.cloned();
        if line.is_none() {
            list.clear();
        }
        Ok(Ok(Answer::Stats(line)))
    }
}

fn figures(whose: Whose, account: &Account) -> Figures {
    Figures {
        whose,
        usage: account.usage(),
        budget: account.budget(),
        lingering: 0,
    }
}
