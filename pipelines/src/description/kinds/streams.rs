//! Reading the keys of the kinds that have to do with compressed streams.

use dmaflow_files::{FileSinkConfig, FileSrcConfig};
use dmaflow_v4l2_src::ControlValue;

use super::read::{pool, size, source};
use super::{Setup, StageKind};
use crate::description::reader::Reader;
use crate::description::value::{Codec, Container, Input};
use crate::description::{
    SinkKind, SourceKind, TransformKind, V4l2DecodeRequest, V4l2EncodeRequest,
};

pub(super) fn file_src(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let path = read
        .doc("the file")
        .required("path", "add `path = \"clip.mp4\"`");
    let codec = read
        .doc("how it is compressed; what the file says without it")
        .optional("codec")
        .map(|Codec(codec)| codec);
    let size = size(
        read,
        None,
        "pixels a row, goes with `height`; what the file says without them",
    );
    let rate = read
        .doc("frames a second, where the file says nothing of times; 25 without it")
        .optional("rate");
    let paced = read
        .doc("whether each frame comes at its time, or as soon as the next stage takes it; at its time without it")
        .optional("paced");
    let Input(path) = path?;
    let config = FileSrcConfig {
        codec,
        size,
        rate,
        paced: paced.unwrap_or(true),
        ..FileSrcConfig::new(path)
    };
    Some(source(SourceKind::File(config), read))
}

pub(super) fn file_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let path = read
        .doc("the file, written anew")
        .required("path", "add `path = \"clip.mp4\"`");
    let format = read
        .doc("what the file is to be; what its name says without it")
        .optional("format")
        .map(|Container(format)| format);
    let config = FileSinkConfig {
        format,
        ..FileSinkConfig::new(path?)
    };
    Some(Setup::Done(StageKind::Sink(SinkKind::File(config))))
}

pub(super) fn v4l2_decode(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let request = V4l2DecodeRequest {
        device: read
            .doc(
                "the device: its node, card name, driver or bus address; without it the first that takes \
                 the stream, a stateless one last",
            )
            .optional("device"),
        format: read
            .doc("pixel format of what it makes; what the next stage likes best without it")
            .optional("format"),
        controls: controls(read),
    };
    let kind = TransformKind::V4l2Decode(request);
    Some(Setup::Done(StageKind::Transform(kind, pool(read))))
}

pub(super) fn v4l2_encode(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let request = V4l2EncodeRequest {
        device: read
            .doc("the device: its node, card name, driver or bus address; the first one without it")
            .optional("device"),
        codec: read
            .doc("how it compresses; what the next stage likes best without it")
            .optional("codec")
            .map(|Codec(codec)| codec),
        controls: controls(read),
    };
    let kind = TransformKind::V4l2Encode(request);
    Some(Setup::Done(StageKind::Transform(kind, pool(read))))
}

fn controls(read: &mut Reader<'_, '_>) -> Vec<(String, ControlValue)> {
    read.doc("controls to set, by their names")
        .entries("controls")
}
