//! A client's connection and what it holds.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::vec;

use dmaflow_core::heap::{Account, Heap, HeapBuffer};

use super::user::User;
use super::{Peer, Quotas};
use crate::remote::protocol::{Ask, Figures, Label};

/// A client's connection and what it holds.
pub(super) struct Session {
    peer: Peer,
    account: Account,
    /// The heap, charging this client.
    heap: Heap,
    /// The heap, charging one of this client's pipelines.
    pipelines: BTreeMap<Label, Heap>,
    /// What the client calls itself, once it has said hello.
    program: Option<Label>,
    held: BTreeMap<u64, HeapBuffer>,
    /// The list it is being told line by line.
    pub(super) list: Vec<Figures>,
}

/// How many pipelines of a client are told apart.
const PIPELINES: usize = 32;

impl Session {
    pub(super) fn new(peer: Peer, user: &User, heap: &Heap, quotas: &Quotas) -> Self {
        let Peer { uid, pid } = peer;
        let account = user
            .account()
            .client_below(format!("process {pid} of user {uid}"));
        account.set_budget(quotas.client);
        Self {
            peer,
            heap: heap.for_account(&account),
            account,
            pipelines: BTreeMap::new(),
            program: None,
            held: BTreeMap::new(),
            list: Vec::new(),
        }
    }

    pub(super) const fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) const fn account(&self) -> &Account {
        &self.account
    }

    /// What it calls itself.
    pub(super) const fn program(&self) -> Option<&Label> {
        self.program.as_ref()
    }

    pub(super) fn greet(&mut self, program: Label) {
        self.program = Some(program);
    }

    /// A hello comes first, and once.
    pub(super) const fn is_out_of_turn(&self, ask: &Ask) -> bool {
        matches!(ask, Ask::Hello { .. }) == self.program.is_some()
    }

    /// The heap to allocate from for a pipeline.
    ///
    /// A client may invent names; what is beyond [`PIPELINES`] is charged to the client alone.
    pub(super) fn heap_for(&mut self, label: Label) -> &Heap {
        let label = match &self.program {
            Some(program) if label.is_empty() => program.clone(),
            _ => label,
        };
        if label.is_empty() {
            return &self.heap;
        }
        if !self.pipelines.contains_key(&label) && self.pipelines.len() >= PIPELINES {
            let uses = |heap: &Heap| heap.account().is_some_and(|known| known.usage().live > 0);
            self.pipelines.retain(|_, heap| uses(heap));
            if self.pipelines.len() >= PIPELINES {
                return &self.heap;
            }
        }
        let (heap, account) = (&self.heap, &self.account);
        self.pipelines.entry(label).or_insert_with_key(|label| {
            let member = account.member(label.as_str());
            heap.for_account(&member)
        })
    }

    /// Its pipelines and their accounts.
    pub(super) fn pipelines(&self) -> impl Iterator<Item = (&Label, &Account)> {
        let all = self.pipelines.iter();
        all.filter_map(|(label, heap)| Some((label, heap.account()?)))
    }

    /// Lends it a buffer, and returns how it is called; the buffer goes back to the heap where
    /// the session has one that is called so.
    pub(super) fn hold(&mut self, buffer: HeapBuffer) -> Option<u64> {
        let id = buffer.id().inode();
        match self.held.entry(id) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                place.insert(buffer);
                Some(id)
            }
        }
    }

    pub(super) fn buffer(&self, id: u64) -> Option<&HeapBuffer> {
        self.held.get(&id)
    }

    pub(super) fn give_back(&mut self, id: u64) -> Option<HeapBuffer> {
        self.held.remove(&id)
    }

    pub(super) fn into_buffers(self) -> vec::IntoIter<HeapBuffer> {
        self.held.into_values().collect::<Vec<_>>().into_iter()
    }
}
