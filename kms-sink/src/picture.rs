//! The sink that writes pictures.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmaflow_core::dma_buf::{CpuUse, DmaBufError};
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool, PoolId};
use dmaflow_core::pixels::Pixels;
use dmaflow_core::stage::{Choice, Counter, DeviceKey, Sink, StageError};
use dmaflow_core::time::{Clock, Timestamp};

/// Where pictures go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureSinkConfig {
    /// The PNG file. `{n}` in its name becomes the frame's sequence number; without it every
    /// picture takes the place of the one before.
    pub path: PathBuf,
    /// Writes the first frame and every Nth after it.
    pub every: NonZeroU64,
}

impl PictureSinkConfig {
    /// The file of the frame of a number.
    #[must_use]
    pub fn path_of(&self, sequence: u64) -> PathBuf {
        numbered(&self.path, sequence)
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// Such pixels cannot be turned into red, green and blue.
    #[error(
        "a picture cannot be made of {0} frames: choose another format, such as XRGB8888 or NV12"
    )]
    Format(Format),
    /// A frame came before its pool.
    #[error("a frame came before its pool was attached")]
    NotAttached,
    /// The frame cannot be looked at.
    #[error("cannot read frame {sequence}")]
    Look {
        /// The frame's number.
        sequence: u64,
        /// What the buffer says.
        source: DmaBufError,
    },
    /// The file cannot be written.
    #[error("cannot write the picture {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// ENOENT without the folder, EACCES without permission, ENOSPC on a full disk.
        source: io::Error,
    },
}

impl From<PictureError> for StageError {
    fn from(error: PictureError) -> Self {
        Self::failed(error)
    }
}

/// Writes frames as PNG files; a file is there in whole or not at all.
///
/// It copies: the CPU reads every frame that it writes.
#[derive(Debug)]
pub struct PictureSink {
    config: PictureSinkConfig,
    /// By pool.
    pixels: Vec<(PoolId, Pixels)>,
    /// Red, green and blue of the last picture; reused.
    rgb: Vec<u8>,
    frames: u64,
    written: u64,
    flipped: Vec<Timestamp>,
}

impl PictureSink {
    /// Writes nothing yet.
    #[must_use]
    pub fn new(config: PictureSinkConfig) -> Self {
        Self {
            config,
            pixels: Vec::new(),
            rgb: Vec::new(),
            frames: 0,
            written: 0,
            flipped: Vec::new(),
        }
    }

    fn write(&mut self, frame: &Frame) -> Result<(), PictureError> {
        let sequence = frame.meta().sequence;
        let (_pool, pixels) = self
            .pixels
            .iter()
            .find(|(pool, _pixels)| *pool == frame.pool())
            .ok_or(PictureError::NotAttached)?;
        let guards = frame
            .buffers()
            .iter()
            .map(|buffer| buffer.read(CpuUse::Copy))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| PictureError::Look { sequence, source })?;
        let buffers: Vec<&[u8]> = guards.iter().map(|guard| &**guard).collect();
        pixels.rgb(frame.layout(), &buffers, &mut self.rgb);
        let path = self.config.path_of(sequence);
        save(
            &path,
            frame.layout().width(),
            frame.layout().height(),
            &self.rgb,
        )
        .map_err(|source| PictureError::Write { path, source })?;
        self.written += 1;
        Ok(())
    }
}

impl Sink for PictureSink {
    fn device(&self) -> String {
        format!("picture sink {}", self.config.path.display())
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(DeviceKey::built_in(
            "picture-sink",
            env!("CARGO_PKG_VERSION"),
        ))
    }

    fn imports(&self) -> bool {
        false
    }

    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        let convertible = |&format: &Format| Pixels::of(format).is_some();
        Ok(Some(Format::all().filter(convertible).collect()))
    }

    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        let format = pool.layout().format();
        let pixels = Pixels::of(format).ok_or(PictureError::Format(format))?;
        self.pixels.push((pool.id(), pixels));
        Ok(Vec::new())
    }

    fn detach(&mut self) {
        self.pixels.clear();
    }

    fn frames_held(&self) -> usize {
        0
    }

    fn settles_within(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        if self.frames == 0 {
            self.written = 0;
        }
        if self.frames.is_multiple_of(self.config.every.get()) {
            self.write(&frame)?;
        }
        self.frames += 1;
        let now = Clock::Monotonic.now();
        self.flipped.push(now);
        Ok(now)
    }

    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        flipped.append(&mut self.flipped);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.flipped.clear();
        self.frames = 0;
        Ok(())
    }

    fn counters(&self) -> Vec<Counter> {
        vec![Counter {
            name: "pictures",
            count: self.written,
        }]
    }
}

/// The path with the frame's number in its name.
fn numbered(path: &Path, sequence: u64) -> PathBuf {
    match path.file_name().and_then(|name| name.to_str()) {
        Some(name) => path.with_file_name(name.replace("{n}", &sequence.to_string())),
        None => path.to_owned(),
    }
}

/// Writes a PNG beside its place and moves it there, so that whoever looks at it meanwhile
/// never sees half a picture.
fn save(path: &Path, width: u32, height: u32, rgb: &[u8]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let moved = encode(&part, width, height, rgb).and_then(|()| fs::rename(&part, path));
    if moved.is_err()
        && let Err(error) = fs::remove_file(&part)
    {
        tracing::debug!(%error, file = %part.display(), "cannot remove half a picture");
    }
    moved
}

fn encode(path: &Path, width: u32, height: u32, rgb: &[u8]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::BufReader;

    #[test]
    fn the_number_goes_into_the_name_alone() {
        let path = numbered(Path::new("/a/{n}/frame-{n}.png"), 12);
        assert_eq!(path, Path::new("/a/{n}/frame-12.png"));
        assert_eq!(numbered(Path::new("still.png"), 12), Path::new("still.png"));
    }

    #[test]
    fn a_saved_picture_reads_back() {
        let path = std::env::temp_dir().join(format!("picture-{}.png", std::process::id()));
        let rgb: Vec<u8> = (0..24).collect();
        save(&path, 4, 2, &rgb).unwrap();
        let decoder = png::Decoder::new(BufReader::new(File::open(&path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!((info.width, info.height), (4, 2));
        assert_eq!(pixels, rgb);
    }

    #[test]
    fn a_picture_that_cannot_be_written_leaves_nothing() {
        let missing = Path::new("/nonexistent-folder/picture.png");
        let error = save(missing, 1, 1, &[0; 3]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
