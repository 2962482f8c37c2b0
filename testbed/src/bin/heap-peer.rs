//! The other process of the conformance suite: receives a buffer over the socket on its
//! standard input, says what it sees and leaves something for the first process to see.

use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};
use dmaflow_core::dma_buf::{CpuUse, DmaBuf};
use dmaflow_testbed::peer::{self, FROM_PEER, FROM_US};

fn main() -> Result<()> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let (importable, fd) = peer::receive(&socket)?;
    let buffer = if importable {
        DmaBuf::new(fd)?
    } else {
        DmaBuf::from_memory(fd)?
    };
    let mut bytes = buffer.write(CpuUse::Draw)?;
    ensure!(
        bytes.iter().all(|&byte| byte == FROM_US),
        "not what was written"
    );
    bytes.fill(FROM_PEER);
    drop(bytes);
    peer::answer(&socket, buffer.len()).context("the first process is gone")
}
