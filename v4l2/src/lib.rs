//! The V4L2 device layer that capture and codecs share.
