//! Small programs on the dmaflow libraries.
