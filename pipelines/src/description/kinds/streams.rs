//! Reading the keys of the kinds that have to do with compressed streams.

use dmaflow_files::{FileSinkConfig, FileSrcConfig, KeptBefore, Rotation};
use dmaflow_v4l2_src::ControlValue;

use super::read::{pool, size, source};
use super::{Setup, StageKind};
use crate::description::diagnostic::Finding;
use crate::description::reader::Reader;
use crate::description::serving::Size;
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
        .doc("the file, written anew; of several, `{number}` or `{time}` in its name, or `-00001` and so on")
        .required("path", "add `path = \"clip.mp4\"`");
    let format = read
        .doc("what the file is to be; what its name says without it")
        .optional("format")
        .map(|Container(format)| format);
    let rotate = rotation(read);
    let before = before(read);
    let fragment = read
        .doc("how long a fragment of an MP4 file is, which is what a crash costs; 1s without it")
        .optional("fragment");
    let config = FileSinkConfig {
        format,
        rotate,
        before,
        fragment,
        ..FileSinkConfig::new(path?)
    };
    Some(Setup::Done(StageKind::Sink(SinkKind::File(config))))
}

/// When the next file is begun.
fn rotation(read: &mut Reader<'_, '_>) -> Option<Rotation> {
    read.doc("when the next file is begun, with a key frame: after a time, at a size; one file without it");
    let written_out = read.within("rotate", |read| {
        if !read.has("size") && !read.has("time") {
            let place = read.named();
            read.report(
                Finding::at(place, "`rotate` without a limit")
                    .label("neither `size` nor `time` is in here")
                    .help("write `rotate = { time = \"10m\" }`, or leave it out"),
            );
        }
        Rotation {
            bytes: read
                .doc("bytes of a file")
                .optional("size")
                .map(|Size(bytes)| bytes),
            time: read.doc("time of a file").optional("time"),
        }
    });
    written_out.or_else(|| {
        let time = read.optional("rotate")?;
        Some(Rotation {
            time: Some(time),
            bytes: None,
        })
    })
}

/// What is kept until a recording begins.
fn before(read: &mut Reader<'_, '_>) -> Option<KeptBefore> {
    read.doc("how much of the time before is kept: it records from when `dmaflow ctl set STAGE.record=true` comes, that first");
    let written_out = read.within("before", |read| {
        let time = read
            .doc("how much time, where the bytes suffice")
            .required("time", "add `time = \"10s\"`");
        let bytes = read
            .doc("how many bytes at most; 64MiB without it")
            .optional("size")
            .map(|Size(bytes)| bytes);
        let bytes = bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        time.map(|time| KeptBefore {
            time,
            bytes: bytes.unwrap_or(KeptBefore::USUAL_BYTES),
        })
    });
    written_out.unwrap_or_else(|| {
        let time = read.optional("before")?;
        let bytes = KeptBefore::USUAL_BYTES;
        Some(KeptBefore { time, bytes })
    })
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
