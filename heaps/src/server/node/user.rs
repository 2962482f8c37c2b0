//! A user: whose clients share a quota, and to whom charged what lingers stays.

use std::collections::VecDeque;

use dmaflow_core::heap::{Account, HeapBuffer};

use super::{Alone, Quotas};

/// How many lingering buffers are looked at in one go, each a read of a file.
const LOOKS: usize = 64;

pub(super) struct User {
    account: Account,
    lingering: VecDeque<HeapBuffer>,
}

impl User {
    pub(super) fn new(uid: u32, server: &Account, quotas: &Quotas) -> Self {
        let account = server.client_below(format!("user {uid}"));
        account.set_budget(quotas.user);
        Self {
            account,
            lingering: VecDeque::new(),
        }
    }

    pub(super) const fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn lingering(&self) -> usize {
        self.lingering.len()
    }

    /// Bytes that linger.
    pub(super) fn lingering_bytes(&self) -> u64 {
        let lens = self.lingering.iter().map(|buffer| buffer.len() as u64);
        lens.sum()
    }

    /// Takes a buffer that one of its clients no longer has, for the heap where nobody else
    /// has it either.
    pub(super) fn take_back(&mut self, buffer: HeapBuffer, alone: &Alone) {
        if !alone(&buffer) {
            self.lingering.push_back(buffer);
        }
    }

    pub(super) fn look_again(&mut self, alone: &Alone) {
        for _look in 0..self.lingering.len().min(LOOKS) {
            if let Some(buffer) = self.lingering.pop_front() {
                self.take_back(buffer, alone);
            }
        }
    }
}
