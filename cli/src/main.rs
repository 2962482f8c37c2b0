//! The program `dmaflow`.

fn main() {}
