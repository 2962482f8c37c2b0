//! Tests and benchmarks that run on the virtual board.
