//! Setting a device up: what goes in, what comes out, and its controls.

use dmaflow_core::format::Format;
use dmaflow_core::layout::{Layout, MAX_PLANES};
use dmaflow_v4l2::{
    Direction, FormatRequest, FrameSizes, V4l2Error, VideoDevice, needed_bytes, same_place,
};

use crate::converter::V4l2ConverterConfig;
use crate::error::V4l2ConverterError;
use crate::info::{Conversion, ConverterInfo, PortFormat};

/// Buffers to queue where the driver does not say: the one to be filled.
const MIN_BUFFERS: usize = 1;

/// How many sizes an error names.
const NEAREST: usize = 4;

/// How a device is set up.
#[derive(Debug)]
pub(crate) struct Setup {
    /// How it reads what goes in.
    pub(crate) reads: Layout,
    /// How it writes what comes out.
    pub(crate) writes: Layout,
    pub(crate) min_buffers: usize,
    /// The bytes of each buffer that a whole picture fills at least.
    pub(crate) needed: [u32; MAX_PLANES],
}

/// Sets a device up to make frames of a format of frames that lie so.
pub(crate) fn configure(
    device: &VideoDevice,
    info: &ConverterInfo,
    asked: &V4l2ConverterConfig,
    input: &Layout,
    output: Format,
) -> Result<Setup, V4l2ConverterError> {
    let (conversion, makes) = find(info, input.format(), output)?;
    let size = asked.size.unwrap_or((input.width(), input.height()));
    if output.planes().is_empty() {
        // What an encoder takes may depend on what it makes, so that is set first
        // (`Documentation/userspace-api/media/v4l/dev-encoder.rst`).
        let code = makes.codes.first();
        let first = code.map(|code| FormatRequest::aligned(output, *code, size));
        if let Some(first) = first {
            device.set_format(Direction::Capture, &first)?;
        }
    }
    let reads = set_input(device, &conversion.input, input)?;
    // Before the output is set: to turn a picture changes what size it can have.
    for (name, value) in &asked.controls {
        device.set_control(name, value)?;
    }
    let writes = match (input.planes(), output.planes()) {
        // How long a compressed frame may get is known now; to set it again might shorten it.
        (_, []) => device.layout(Direction::Capture)?,
        ([], _) => seen(set_pictures(device, makes, size)?, size),
        _ => set_output(device, makes, size)?,
    };
    // One size may have changed the other.
    let (now, before) = (
        device.size(Direction::Output)?,
        (reads.width(), reads.height()),
    );
    if now != before && !input.planes().is_empty() {
        return Err(V4l2ConverterError::NoScaling {
            device: device.to_string(),
            asked: size,
            takes: now,
            input: before,
        });
    }
    Ok(Setup {
        needed: needed_bytes(&writes),
        writes: coloured(writes, input),
        reads,
        min_buffers: device
            .min_buffers(Direction::Capture)
            .unwrap_or(MIN_BUFFERS),
    })
}

/// What the device makes, if it makes it of what goes in.
pub(crate) fn find(
    info: &ConverterInfo,
    input: Format,
    output: Format,
) -> Result<(&Conversion, &PortFormat), V4l2ConverterError> {
    let name = |port: &PortFormat| port.format.to_string();
    let conversion = info.of(input).ok_or_else(|| V4l2ConverterError::NoInput {
        device: info.to_string(),
        asked: input.name(),
        takes: info.conversions.iter().map(|of| name(&of.input)).collect(),
    })?;
    let makes = conversion
        .output(output)
        .ok_or_else(|| V4l2ConverterError::NoOutput {
            device: info.to_string(),
            input: input.name(),
            asked: output.name(),
            makes: conversion.outputs.iter().map(name).collect(),
        })?;
    Ok((conversion, makes))
}

/// Has the device read frames as they lie; it must not want them otherwise.
fn set_input(
    device: &VideoDevice,
    takes: &PortFormat,
    input: &Layout,
) -> Result<Layout, V4l2ConverterError> {
    let size = (input.width(), input.height());
    let asked = FormatRequest::of(input).filter(|asked| takes.codes.contains(&asked.code));
    // What it would read instead is told by the error.
    let best = takes.codes.iter();
    let fallback = best.map(|code| FormatRequest::aligned(input.format(), *code, size));
    let request = asked.into_iter().chain(fallback).next();
    let request = request.ok_or_else(|| V4l2ConverterError::NoInput {
        device: device.to_string(),
        asked: input.format().name(),
        takes: Vec::new(),
    })?;
    let reads = device.set_format(Direction::Output, &request)?;
    if input.planes().is_empty() {
        // The size of a stream is its own to say; what a driver answers may be what is coded.
        return read_stream(device, &reads, input);
    }
    check_size(device, "takes", takes, size, &reads)?;
    if !same_place(&reads, input) {
        return Err(V4l2Error::OtherLayout {
            device: device.to_string(),
            does: "reads",
            expected: Box::new(reads),
            found: Box::new(input.clone()),
        }
        .into());
    }
    Ok(reads)
}

/// How a device reads a stream, if it needs no more room for a frame than there is.
fn read_stream(
    device: &VideoDevice,
    reads: &Layout,
    input: &Layout,
) -> Result<Layout, V4l2ConverterError> {
    let (needed, given) = (reads.buffer_lens(), input.buffer_lens());
    let size = (input.width(), input.height());
    if let (true, [room]) = (reads.format() == input.format() && needed <= given, needed)
        && let Ok(reads) = Layout::compressed(input.format(), size, *room)
    {
        return Ok(reads.with_colour(input.colour()));
    }
    Err(V4l2Error::OtherLayout {
        device: device.to_string(),
        does: "reads",
        expected: Box::new(reads.clone()),
        found: Box::new(input.clone()),
    }
    .into())
}

fn set_output(
    device: &VideoDevice,
    makes: &PortFormat,
    size: (u32, u32),
) -> Result<Layout, V4l2ConverterError> {
    let writes = set_pictures(device, makes, size)?;
    check_size(device, "makes", makes, size, &writes)?;
    Ok(writes)
}

/// What is to be seen of pictures of which more is coded; all of smaller ones.
pub(crate) fn seen(coded: Layout, size: (u32, u32)) -> Layout {
    coded.clone().seen(size).unwrap_or(coded)
}

fn set_pictures(
    device: &VideoDevice,
    makes: &PortFormat,
    size: (u32, u32),
) -> Result<Layout, V4l2ConverterError> {
    let no_code = || V4l2ConverterError::NoOutput {
        device: device.to_string(),
        input: "what comes in",
        asked: makes.format.name(),
        makes: Vec::new(),
    };
    let code = *makes.codes.first().ok_or_else(no_code)?;
    let request = FormatRequest::aligned(makes.format, code, size);
    let writes = device.set_format(Direction::Capture, &request)?;
    if writes.format() != makes.format {
        return Err(no_code());
    }
    Ok(writes)
}

/// Checks that the driver chose the size that was asked for.
fn check_size(
    device: &VideoDevice,
    does: &'static str,
    port: &PortFormat,
    asked: (u32, u32),
    chosen: &Layout,
) -> Result<(), V4l2ConverterError> {
    let proposed = (chosen.width(), chosen.height());
    if proposed == asked {
        return Ok(());
    }
    Err(V4l2ConverterError::NoSize {
        device: device.to_string(),
        does,
        format: port.format.name(),
        asked,
        nearest: nearest(&port.sizes, asked, proposed),
    })
}

/// The sizes that are most like the one asked for, or else the driver's proposal.
fn nearest(sizes: &FrameSizes, asked: (u32, u32), proposed: (u32, u32)) -> Vec<(u32, u32)> {
    let mut nearest = sizes.nearest(asked, NEAREST);
    // A driver may refuse what it lists.
    nearest.retain(|size| *size != asked);
    if nearest.is_empty() {
        nearest.push(proposed);
    }
    nearest
}

/// What comes out with the colours of what goes in, where only the arrangement is converted and
/// the driver says nothing of them.
pub(crate) fn coloured(writes: Layout, input: &Layout) -> Layout {
    let same_family = writes.format().family() == input.format().family();
    if same_family && writes.colour() == dmaflow_core::format::Colour::default() {
        return writes.with_colour(input.colour());
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::format::{Colour, Encoding, Range};

    #[test]
    fn colours_pass_where_only_the_arrangement_changes() {
        let colour = Colour {
            encoding: Some(Encoding::Bt709),
            range: Some(Range::Full),
        };
        let input = Layout::packed(Format::YUYV, 64, 32).unwrap();
        let input = input.with_colour(colour);
        let of = |format| Layout::packed(format, 64, 32).unwrap();
        assert_eq!(coloured(of(Format::NV12), &input).colour(), colour);
        let other = coloured(of(Format::XRGB8888), &input).colour();
        assert_eq!(other, Colour::default());
        let said = Colour {
            encoding: Some(Encoding::Bt601),
            range: Some(Range::Limited),
        };
        let own = of(Format::NV12).with_colour(said);
        assert_eq!(coloured(own, &input).colour(), said);
    }

    #[test]
    fn what_cannot_be_converted_is_told_with_what_can() {
        let port = |format| PortFormat {
            format,
            codes: Vec::new(),
            sizes: FrameSizes::Unknown,
        };
        let info = ConverterInfo {
            node: "/dev/video1".into(),
            capabilities: dmaflow_v4l2::Capabilities::default(),
            conversions: vec![Conversion {
                input: port(Format::YUYV),
                outputs: vec![port(Format::NV12), port(Format::XRGB8888)],
            }],
        };
        let told = |input, output| find(&info, input, output).unwrap_err().to_string();
        let input = told(Format::NV12, Format::YUYV);
        assert!(
            input.ends_with("does not take NV12; it takes: YUYV"),
            "{input}"
        );
        let output = told(Format::YUYV, Format::YUYV);
        let expected = "makes no YUYV of YUYV; it makes: NV12, XRGB8888";
        assert!(output.ends_with(expected), "{output}");
        assert!(find(&info, Format::YUYV, Format::NV12).is_ok());
    }

    #[test]
    fn an_error_never_proposes_what_was_refused() {
        let listed = FrameSizes::Discrete(vec![(640, 480), (320, 240)]);
        assert_eq!(nearest(&listed, (640, 480), (320, 240)), [(320, 240)]);
        assert_eq!(nearest(&FrameSizes::Unknown, (9, 9), (16, 16)), [(16, 16)]);
    }
}
