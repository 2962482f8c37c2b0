//! Sources of frames: V4L2 capture and a built-in test pattern.
