//! What is still on loan, and to whom.

use std::fmt;
use std::time::Duration;

use crate::dma_buf::BufferId;

/// A buffer on loan to an account.
#[derive(Clone, Debug)]
pub struct Loan {
    /// The heap it came from.
    pub heap: String,
    /// Who has it.
    pub account: String,
    /// Which one it is.
    pub id: BufferId,
    /// Its length in bytes.
    pub len: usize,
    /// For how long.
    pub age: Duration,
}

/// What is on loan. At a program's end there should be nothing.
#[derive(Clone, Debug, Default)]
pub struct Loans {
    /// To accounts.
    pub named: Vec<Loan>,
    /// To nobody by name: heap, buffers, bytes.
    pub unnamed: Vec<(String, u64, u64)>,
}

impl Loans {
    /// Whether everything came back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.unnamed.is_empty()
    }
}

impl fmt::Display for Loans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for loan in &self.named {
            write!(
                f,
                "{between}`{}` has {} bytes of heap `{}` (dma-buf {}) for {:.1} s",
                loan.account,
                loan.len,
                loan.heap,
                loan.id.inode(),
                loan.age.as_secs_f64(),
            )?;
            between = "\n";
        }
        for (heap, buffers, bytes) in &self.unnamed {
            write!(
                f,
                "{between}somebody without an account has {buffers} buffers, {bytes} bytes, of \
                 heap `{heap}`"
            )?;
            between = "\n";
        }
        Ok(())
    }
}
