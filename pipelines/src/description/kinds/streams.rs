//! Reading the keys of the kinds that have to do with compressed streams.

use dmaflow_v4l2_src::ControlValue;

use super::read::{pool, size, source};
use super::{Setup, StageKind};
use crate::description::reader::Reader;
use crate::description::value::{Codec, Input};
use crate::description::{
    FileSrcRequest, SourceKind, TransformKind, V4l2DecodeRequest, V4l2EncodeRequest,
};

pub(super) fn file_src(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let path = read
        .doc("the file")
        .required("path", "add `path = \"clip.h264\"`");
    let codec = read
        .doc("how it is compressed")
        .required("codec", "add `codec = \"H264\"`, or what it is");
    let size = size(
        read,
        None,
        "pixels a row, goes with `height`; what the file says without them",
    );
    let (Input(path), Codec(codec)) = (path?, codec?);
    let request = FileSrcRequest { path, codec, size };
    Some(source(SourceKind::File(request), read))
}

pub(super) fn v4l2_decode(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let request = V4l2DecodeRequest {
        device: read
            .doc("the device: its node, card name, driver or bus address; the first one without it")
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
