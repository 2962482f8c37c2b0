//! Pipelines that are refused, and that copy where they may.
