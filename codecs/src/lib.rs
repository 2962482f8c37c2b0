//! V4L2 codecs as pipeline stages.
