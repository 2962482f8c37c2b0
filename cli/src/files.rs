//! Files as ends of pipelines: what is in the one that is read, and what the one that is written
//! is to hold.

use std::fs;
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dmaflow_core::format::Format;
use dmaflow_core::time::Rate;
use dmaflow_files::{FileError, FileFormat, FileSinkConfig, FileSrc, FileSrcConfig, Position};
use dmaflow_kms_sink::PictureSinkConfig;
use dmaflow_pipelines::PoolRequest;
use dmaflow_pipelines::description::{
    Description, RestartPolicy, SinkKind, SourceKind, Stage, StageKind,
};

use crate::failure::{Failure, with_causes};

/// Sizes as people write them: `1280x720`.
pub(crate) fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once(['x', '×']).and_then(|(width, height)| {
        let side = |text: &str| text.parse().ok().filter(|side| *side > 0);
        Some((side(width)?, side(height)?))
    });
    parsed.ok_or_else(|| "a size is written as 1280x720".to_owned())
}

/// What the user says of a file that does not say it itself.
#[derive(clap::Args)]
pub(crate) struct InputArgs {
    /// How large pictures are, where the file does not say it
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(u32, u32)>,
    /// Pictures a second, where the file says nothing of times
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
}

/// A file that is read.
pub(crate) struct Input {
    config: FileSrcConfig,
    /// Whether it is a stream, which has to be decoded, and no pictures.
    pub(crate) is_stream: bool,
    /// How long it is; 0 where that is not known.
    pub(crate) bytes: u64,
    pub(crate) position: Position,
}

impl Input {
    /// Looks into a file, but for a pipe, which gives its bytes once.
    pub(crate) fn look(path: &Path, said: &InputArgs) -> Result<Self, Failure> {
        let position = Position::default();
        let config = FileSrcConfig {
            size: said.size,
            rate: said.rate,
            position: Some(position.clone()),
            ..FileSrcConfig::new(path.to_owned())
        };
        let found = fs::metadata(path)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
        if found.is_dir() {
            let message = format!("cannot read {}: it is a directory", path.display());
            return Err(Failure::Usage(message));
        }
        let is_stream = if found.is_file() {
            is_stream(FileSrc::open(config.clone()).map_err(wrong)?.format())
        } else {
            !format_of(path).is_some_and(has_pictures)
        };
        Ok(Self {
            config,
            is_stream,
            bytes: found.len(),
            position,
        })
    }

    /// The stage that reads it.
    pub(crate) fn stage(&self, paced: bool) -> Stage {
        let config = FileSrcConfig {
            paced,
            ..self.config.clone()
        };
        let source = SourceKind::File(config);
        stage("file", StageKind::Source(source, PoolRequest::default()))
    }
}

/// What is in a file that a description reads, as far as it can be told.
pub(crate) fn holds_stream(config: &FileSrcConfig) -> Result<bool, Failure> {
    let is_file = fs::metadata(&config.path).is_ok_and(|found| found.is_file());
    if is_file {
        return Ok(is_stream(
            FileSrc::open(config.clone()).map_err(wrong)?.format(),
        ));
    }
    Ok(!format_of(&config.path).is_some_and(has_pictures))
}

/// Makes sure that a file can be there, and is none that the pipeline reads.
pub(crate) fn writable(path: &Path, description: &Description) -> Result<(), Failure> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        let (path, folder) = (path.display(), folder.display());
        return Err(Failure::Usage(format!(
            "cannot write {path}: there is no folder {folder}"
        )));
    }
    let found = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let Some(written) = found(path) else {
        return Ok(());
    };
    let reads = |stage: &Stage| match &stage.kind {
        StageKind::Source(SourceKind::File(config), _) => found(&config.path)
            .is_some_and(|read| (read.dev(), read.ino()) == (written.dev(), written.ino())),
        _ => false,
    };
    if let Some(stage) = description.stages.iter().find(|stage| reads(stage)) {
        return Err(Failure::Usage(format!(
            "{} is what `{}` reads: write into another file",
            path.display(),
            stage.name
        )));
    }
    Ok(())
}

/// What the user can mend is a wrong command line.
fn wrong(error: FileError) -> Failure {
    let message = with_causes(&error);
    match error {
        FileError::NoSize { path } => Failure::Usage(format!(
            "{} does not say how large its pictures are: add `--size 1280x720`, or whatever it is",
            path.display()
        )),
        FileError::OtherCodec { .. } => Failure::Usage(message),
        _ => Failure::Pipeline(message),
    }
}

/// Whether frames of a format are compressed.
pub(crate) fn is_stream(format: Format) -> bool {
    format.planes().is_empty()
}

/// What a file is by its name.
pub(crate) fn format_of(path: &Path) -> Option<FileFormat> {
    FileFormat::of_extension(path.extension()?.to_str()?)
}

/// Whether such files hold pictures that are not compressed.
pub(crate) const fn has_pictures(format: FileFormat) -> bool {
    matches!(format, FileFormat::Y4m | FileFormat::Raw)
}

/// A stage with no more than a name and a kind.
pub(crate) fn stage(name: &str, kind: StageKind) -> Stage {
    Stage {
        name: name.to_owned(),
        kind,
        restart: RestartPolicy::Never,
    }
}

/// The stage that writes a file.
pub(crate) fn sink(name: &str, file: FileSinkConfig) -> Stage {
    stage(name, StageKind::Sink(SinkKind::File(file)))
}

/// The stage that writes pictures as PNG files.
pub(crate) fn picture_sink(name: &str, path: PathBuf) -> Stage {
    let config = PictureSinkConfig {
        path,
        every: NonZeroU64::MIN,
    };
    stage(name, StageKind::Sink(SinkKind::Picture(config)))
}
