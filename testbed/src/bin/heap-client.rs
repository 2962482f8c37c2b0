//! A client of a heap: `heap-client NODE LEN COUNT` allocates, says `has COUNT` and keeps the
//! buffers until its standard input ends. What it is refused it says, and ends with status 1.

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use dmaflow_core::heap::{Account, Heap};
use dmaflow_heaps::OpenHeap;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().context("heap-client NODE LEN COUNT");
    let node = PathBuf::from(argument()?);
    let (len, count): (usize, usize) = (argument()?.parse()?, argument()?.parse()?);
    let heap = Heap::open(node)?.for_account(&Account::new("heap-client"));
    let mut held = Vec::new();
    for _buffer in 0..count {
        held.push(heap.allocate(len)?);
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "has {}", held.len())?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
