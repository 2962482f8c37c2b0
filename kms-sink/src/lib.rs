//! Sinks for frames: an atomic KMS display, pictures, and nothing.
