//! Files by their names.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::packet::Track;
use crate::probe::{PROBED, probe};
use crate::raw::{RawMuxer, Sidecar, sidecar_of};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::writer::{Muxer, Output};
use crate::{elementary, fwht, ivf, obu_annex_b, y4m};

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}

/// Opens a file to read from, whatever format it has.
///
/// # Errors
/// [`ContainerError::Read`]; [`ContainerError::UnknownFormat`]; those of the format's reader.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let failed = |source| ContainerError::Read { offset: 0, source };
    let mut input = Input::file(File::open(path).map_err(failed)?)?;
    let beginning = input.peek(PROBED)?;
    let format = probe(beginning, extension(path));
    let found = || Found::bytes(beginning);
    let format = format.ok_or_else(|| ContainerError::UnknownFormat { found: found() })?;
    if format == Format::Raw {
        let sidecar = File::open(sidecar_of(path)).map_err(failed)?;
        let sidecar = Sidecar::read(Input::file(sidecar)?)?;
        return crate::raw::read(input, &sidecar, options);
    }
    read(format, input, options)
}

/// Reads a format from a file or pipe. All but MP4 can come through a pipe.
///
/// # Errors
/// Those of the format's reader; [`ContainerError::CannotHold`] for raw pictures, which have to be
/// described ([`crate::raw::read`]).
pub fn read(
    format: Format,
    input: Input,
    options: &ReadOptions,
) -> Result<Box<dyn Demuxer>, ContainerError> {
    match format {
        Format::H264 => elementary::read_h264(input, options),
        Format::Hevc => elementary::read_hevc(input, options),
        Format::Mpeg2 => elementary::read_mpeg2(input, options),
        Format::Obu => elementary::read_obu(input, options),
        Format::ObuAnnexB => obu_annex_b::read(input, options),
        Format::Fwht => fwht::read(input, options),
        Format::Mjpeg => elementary::read_mjpeg(input, options),
        Format::Ivf => ivf::read(input, options),
        Format::Y4m => y4m::read(input, options),
        Format::Mp4 | Format::Matroska | Format::Raw => Err(ContainerError::CannotHold {
            format,
            what: "a file without more than its bytes".to_owned(),
        }),
    }
}

/// Creates a file to write a track to, of which none must be there yet.
///
/// # Errors
/// [`ContainerError::Write`]; those of the format's writer.
pub fn create(
    path: &Path,
    format: Format,
    track: &Track,
) -> Result<Box<dyn Muxer>, ContainerError> {
    let output = Output::file(create_new(path)?);
    if format == Format::Raw {
        let sidecar = Output::file(create_new(&sidecar_of(path))?);
        return Ok(Box::new(RawMuxer::new(track, output, sidecar)?));
    }
    write(format, track, output)
}

fn create_new(path: &Path) -> Result<File, ContainerError> {
    let file: io::Result<File> = File::create_new(path);
    file.map_err(|source| ContainerError::Write {
        written: 0,
        whole: 0,
        source,
    })
}

/// Writes a format into a file or pipe.
///
/// # Errors
/// Those of the format's writer; [`ContainerError::CannotHold`] where the codec is not that of the
/// format, and for raw pictures, which have to be described ([`RawMuxer`]).
pub fn write(
    format: Format,
    track: &Track,
    output: Output,
) -> Result<Box<dyn Muxer>, ContainerError> {
    match format {
        Format::Ivf => Ok(Box::new(ivf::IvfMuxer::new(track, output)?)),
        Format::Y4m => Ok(Box::new(y4m::Y4mMuxer::new(track, output)?)),
        Format::ObuAnnexB => Ok(Box::new(obu_annex_b::ObuAnnexBMuxer::new(track, output)?)),
        Format::Mp4 | Format::Matroska | Format::Raw => Err(ContainerError::CannotHold {
            format,
            what: "a track with nothing beside".to_owned(),
        }),
        Format::H264
        | Format::Hevc
        | Format::Mpeg2
        | Format::Obu
        | Format::Fwht
        | Format::Mjpeg => {
            let muxer = elementary::ElementaryMuxer::new(track, output)?;
            if muxer.format() != format {
                return Err(ContainerError::CannotHold {
                    format,
                    what: format!("{:?}", track.codec),
                });
            }
            Ok(Box::new(muxer))
        }
    }
}
