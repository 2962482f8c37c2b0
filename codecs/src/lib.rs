//! V4L2 codecs as pipeline stages. Nothing is here yet: stateful and stateless decoders, encoders
//! and converters will come, on the device layer that capture uses (`dmaflow-v4l2`).
