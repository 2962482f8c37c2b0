//! Descriptions, negotiation and the threads that run a pipeline.
