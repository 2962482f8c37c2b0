//! Setting a stateless decoder up, before and as it reads what its pictures are like.

use dmaflow_core::format::Format;
use dmaflow_core::fourcc::FourCc;
use dmaflow_core::layout::Layout;
use dmaflow_stateless::{Ability, Sequence};
use dmaflow_v4l2::{
    Control, Direction, FormatRequest, V4l2Error, VideoDevice, needed_bytes, same_place,
};

use super::ability;
use super::formats::Coded;
use crate::converter::V4l2ConverterConfig;
use crate::error::V4l2ConverterError;
use crate::info::ConverterInfo;
use crate::setup::{Setup, coloured, find};

/// Frames that are filled beside those that are kept: one at work, one to go on with.
pub(super) const FILLED: usize = 2;

/// What was agreed on, and how the driver is told of it again.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    /// What is read.
    pub(super) stream: Format,
    pub(super) ability: Ability,
    /// What goes in, as the driver has it.
    output: FormatRequest,
    /// What comes out, as the driver has it.
    capture: FormatRequest,
    /// Where what is to be seen lies in it.
    pub(super) writes: Layout,
}

/// Sets a device up to decode frames of a stream into pictures of a format. How large the pictures
/// are as they are coded is a guess until the stream is read.
pub(super) fn configure(
    device: &VideoDevice,
    info: &ConverterInfo,
    asked: &V4l2ConverterConfig,
    input: &Layout,
    output: Format,
) -> Result<(Setup, Agreed), V4l2ConverterError> {
    let (conversion, makes) = find(info, input.format(), output)?;
    let stream = conversion.input.format;
    let no_input = || V4l2ConverterError::NoInput {
        device: device.to_string(),
        asked: input.format().name(),
        takes: Vec::new(),
    };
    let coded = Coded::of(stream).ok_or_else(no_input)?;
    let code = *conversion.input.codes.first().ok_or_else(no_input)?;
    let size = (input.width(), input.height());
    let room = input.buffer_lens().first().copied().unwrap_or_default();
    let takes = FormatRequest {
        room,
        colour: input.colour(),
        ..FormatRequest::aligned(stream, code, coded.blocks(size))
    };
    let reads = set_output(device, &takes, input)?;
    for (name, value) in &asked.controls {
        device.set_control(name, value)?;
    }
    let ability = ability::settle(device, stream, |control: &Control| {
        let mut names = asked.controls.iter().map(|(name, _value)| name);
        names.any(|name| *name == control.name || *name == control.key())
    })?;
    let code: FourCc = *makes.codes.first().ok_or_else(no_input)?;
    let capture = FormatRequest::aligned(makes.format, code, coded.blocks(size));
    let writes = set_capture(device, &capture, size)?;
    let writes = coloured(writes, input);
    let setup = Setup {
        needed: needed_bytes(&writes),
        writes: writes.clone(),
        reads,
        min_buffers: coded.kept + FILLED,
    };
    let agreed = Agreed {
        stream,
        ability,
        output: takes,
        capture,
        writes,
    };
    Ok((setup, agreed))
}

/// Has the device read frames of the stream, as the link calls them.
fn set_output(
    device: &VideoDevice,
    request: &FormatRequest,
    input: &Layout,
) -> Result<Layout, V4l2ConverterError> {
    let chosen = device.set_format(Direction::Output, request)?;
    let size = (input.width(), input.height());
    let takes = (chosen.width(), chosen.height());
    if chosen.format().v4l2() != Some(request.code) || takes.0 < size.0 || takes.1 < size.1 {
        return Err(V4l2ConverterError::NoSize {
            device: device.to_string(),
            does: "takes",
            format: input.format().name(),
            asked: size,
            nearest: vec![takes],
        });
    }
    let room = chosen.buffer_lens().first().copied().unwrap_or_default();
    let reads = Layout::compressed(input.format(), size, room);
    let reads = reads.map_err(|source| V4l2Error::Layout {
        device: device.to_string(),
        code: request.code,
        source,
    })?;
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

/// Has the device make pictures, of which a part is to be seen.
fn set_capture(
    device: &VideoDevice,
    request: &FormatRequest,
    size: (u32, u32),
) -> Result<Layout, V4l2ConverterError> {
    let writes = device.set_format(Direction::Capture, request)?;
    let (found, format) = ((writes.width(), writes.height()), writes.format());
    let codes = [format.v4l2(), format.v4l2_multi()];
    if !codes.contains(&Some(request.code)) {
        return Err(V4l2ConverterError::NoOutput {
            device: device.to_string(),
            input: "the stream",
            asked: Format::from_v4l2(request.code).map_or("that", Format::name),
            makes: vec![format.to_string()],
        });
    }
    writes.seen(size).ok_or_else(|| V4l2ConverterError::NoSize {
        device: device.to_string(),
        does: "makes",
        format: format.name(),
        asked: size,
        nearest: vec![found],
    })
}

impl Agreed {
    /// Width and height that are to be seen.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.writes.width(), self.writes.height())
    }

    /// Whether what goes in was set to other blocks than the stream has.
    pub(super) fn is_other_output(&self, sequence: &Sequence) -> bool {
        (self.output.width, self.output.height) != sequence.coded
    }

    /// Tells the driver how large the stream's pictures are.
    pub(super) fn set_output(
        &mut self,
        device: &VideoDevice,
        sequence: &Sequence,
    ) -> Result<(), V4l2Error> {
        (self.output.width, self.output.height) = sequence.coded;
        device.set_format(Direction::Output, &self.output).map(drop)
    }

    /// Sets what comes out again, as the sequence makes it.
    pub(super) fn set_capture(
        &mut self,
        device: &VideoDevice,
        sequence: &Sequence,
    ) -> Result<Writes, V4l2Error> {
        (self.capture.width, self.capture.height) = sequence.coded;
        let found = device.set_format(Direction::Capture, &self.capture)?;
        let size = (sequence.visible.width, sequence.visible.height);
        let seen = found.clone().seen(size);
        let seen = seen.filter(|seen| seen.format() == self.writes.format());
        Ok(match seen {
            None => Writes::Other(found),
            Some(seen) if size == self.size() && same_place(&seen, &self.writes) => {
                Writes::AsBefore
            }
            Some(seen) => Writes::Changed(seen.with_colour(self.writes.colour())),
        })
    }
}

/// How pictures lie after a driver was told what they are like.
pub(super) enum Writes {
    AsBefore,
    Changed(Layout),
    /// As nobody has agreed to.
    Other(Layout),
}
