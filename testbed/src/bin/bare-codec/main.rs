//! Camera to encoder to decoder with nothing between the ioctls: the limit that dmaflow's codecs
//! are measured by.
//!
//! ```text
//!   camera ──▶ pictures ──▶ encoder ──▶ stream ──▶ decoder ──▶ pictures
//! ```
//!
//! One thread, one `poll`, buffers of the `system` heap imported by each queue, 32-bit RGB and
//! FWHT, no error handling beyond giving up.
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]

mod sys;

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

use sys::Queue;

const BUFFERS: u32 = 4;
const RGB: [u8; 4] = *b"XR24";
const FWHT: [u8; 4] = *b"FWHT";

struct Options {
    camera: String,
    encoder: String,
    decoder: String,
    size: (u32, u32),
    rate: u32,
    frames: u32,
}

fn options() -> Result<Options> {
    let mut found: HashMap<String, String> = HashMap::new();
    let mut words = std::env::args().skip(1);
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        found.insert(key, value);
    }
    let get = |key: &str| found.get(key).with_context(|| format!("{key} is needed"));
    let size = get("--size")?;
    let (width, height) = size.split_once('x').context("--size WIDTHxHEIGHT")?;
    Ok(Options {
        camera: get("--camera")?.clone(),
        encoder: get("--encoder")?.clone(),
        decoder: get("--decoder")?.clone(),
        size: (width.parse()?, height.parse()?),
        rate: get("--rate")?.parse()?,
        frames: get("--frames")?.parse()?,
    })
}

fn open_node(path: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    open(path, flags, Mode::empty()).with_context(|| format!("cannot open {path}"))
}

/// Buffers that one queue fills and another reads.
struct Buffers(Vec<OwnedFd>);

impl Buffers {
    fn new(heap: BorrowedFd<'_>, len: u32) -> Result<Self> {
        let all = (0..BUFFERS).map(|_| sys::alloc(heap, len.into()));
        Ok(Self(all.collect::<Result<_, _>>()?))
    }

    fn queue(&self, queue: Queue<'_>, index: u32, used: u32) -> Result<()> {
        queue.queue(index, self.0[index as usize].as_fd(), used)?;
        Ok(())
    }

    fn queue_all(&self, queue: Queue<'_>) -> Result<()> {
        (0..BUFFERS).try_for_each(|index| self.queue(queue, index, 0))
    }
}

/// Hands on all that `from` has filled to `to`, and says how many that were.
fn hand_on(buffers: &Buffers, from: Queue<'_>, to: Queue<'_>) -> Result<u32> {
    let mut count = 0;
    while let Some((index, used)) = from.dequeue()? {
        buffers.queue(to, index, used)?;
        count += 1;
    }
    Ok(count)
}

/// Gives back all that `to` has read to `from`.
fn give_back(buffers: &Buffers, to: Queue<'_>, from: Queue<'_>) -> Result<()> {
    while let Some((index, _used)) = to.dequeue()? {
        buffers.queue(from, index, 0)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let options = options()?;
    let (camera, encoder, decoder) = (
        open_node(&options.camera)?,
        open_node(&options.encoder)?,
        open_node(&options.decoder)?,
    );
    let taken = Queue::capture(camera.as_fd());
    let (raw, coded) = (
        Queue::output(encoder.as_fd()),
        Queue::capture(encoder.as_fd()),
    );
    let (stream, made) = (
        Queue::output(decoder.as_fd()),
        Queue::capture(decoder.as_fd()),
    );
    let size = options.size;
    let picture_len = taken.set_format(size, RGB)?.max(raw.set_format(size, RGB)?);
    taken.set_rate(options.rate)?;
    let stream_len = coded
        .set_format(size, FWHT)?
        .max(stream.set_format(size, FWHT)?);

    let heap = open_node("/dev/dma_heap/system")?;
    let pictures = Buffers::new(heap.as_fd(), picture_len)?;
    let units = Buffers::new(heap.as_fd(), stream_len)?;
    for queue in [taken, raw, coded, stream] {
        queue.request(BUFFERS)?;
    }
    pictures.queue_all(taken)?;
    units.queue_all(coded)?;
    sys::subscribe(decoder.as_fd())?;
    for queue in [taken, raw, coded, stream] {
        queue.stream_on()?;
    }

    let mut decoded: Option<Buffers> = None;
    let (mut captured, mut shown) = (0, 0);
    while shown < options.frames {
        let of_camera = match captured < options.frames {
            true => PollFlags::POLLIN,
            false => PollFlags::empty(),
        };
        let of_codec = PollFlags::POLLIN | PollFlags::POLLOUT | PollFlags::POLLPRI;
        let mut fds = [
            PollFd::new(camera.as_fd(), of_camera),
            PollFd::new(encoder.as_fd(), PollFlags::POLLIN | PollFlags::POLLOUT),
            PollFd::new(decoder.as_fd(), of_codec),
        ];
        ensure!(
            poll(&mut fds, PollTimeout::from(10_000_u16))? > 0,
            "nothing for 10 s"
        );
        let [camera_has, encoder_has, decoder_has] =
            fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        if camera_has.contains(PollFlags::POLLIN) {
            captured += hand_on(&pictures, taken, raw)?;
        }
        if encoder_has.contains(PollFlags::POLLOUT) {
            give_back(&pictures, raw, taken)?;
        }
        if encoder_has.contains(PollFlags::POLLIN) {
            hand_on(&units, coded, stream)?;
        }
        if decoder_has.contains(PollFlags::POLLPRI) {
            sys::take_event(decoder.as_fd())?;
            if decoded.is_none() {
                let len = made.set_format(size, RGB)?;
                made.request(BUFFERS)?;
                let buffers = decoded.insert(Buffers::new(heap.as_fd(), len)?);
                buffers.queue_all(made)?;
                made.stream_on()?;
            }
        }
        if decoder_has.contains(PollFlags::POLLOUT) {
            give_back(&units, stream, coded)?;
        }
        if decoder_has.contains(PollFlags::POLLIN)
            && let Some(buffers) = &decoded
        {
            while let Some((index, _used)) = made.dequeue()? {
                shown += 1;
                buffers.queue(made, index, 0)?;
            }
        }
    }
    println!(
        "{{\"frames\":{{\"captured\":{captured},\"shown\":{shown},\"superseded\":0}},\
         \"bytes_copied\":0}}"
    );
    Ok(())
}
