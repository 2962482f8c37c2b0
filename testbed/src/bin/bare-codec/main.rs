//! Camera to encoder, and to decoder where one is named, with nothing between the ioctls: the
//! limit that dmaflow's codecs are measured by.
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
    /// The stream is let go without one.
    decoder: Option<String>,
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
        decoder: found.get("--decoder").cloned(),
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

/// A decoder that units are handed to.
struct Decoder<'d> {
    device: BorrowedFd<'d>,
    stream: Queue<'d>,
    made: Queue<'d>,
    size: (u32, u32),
    /// Units that it was handed; before the first, waiting for it ends at once.
    units: u32,
    /// There are some once it has told what its pictures are like.
    pictures: Option<Buffers>,
}

impl<'d> Decoder<'d> {
    fn new(device: BorrowedFd<'d>, size: (u32, u32)) -> Result<(Self, u32)> {
        let (stream, made) = (Queue::output(device), Queue::capture(device));
        let len = stream.set_format(size, FWHT)?;
        stream.request(BUFFERS)?;
        sys::subscribe(device)?;
        stream.stream_on()?;
        let decoder = Self {
            device,
            stream,
            made,
            size,
            units: 0,
            pictures: None,
        };
        Ok((decoder, len))
    }

    /// Does what it is ready for; pictures that came out.
    fn serve(
        &mut self,
        ready: PollFlags,
        heap: BorrowedFd<'_>,
        (units, coded): (&Buffers, Queue<'_>),
    ) -> Result<u32> {
        if ready.contains(PollFlags::POLLPRI) {
            sys::take_event(self.device)?;
            if self.pictures.is_none() {
                let len = self.made.set_format(self.size, RGB)?;
                self.made.request(BUFFERS)?;
                let pictures = self.pictures.insert(Buffers::new(heap, len)?);
                pictures.queue_all(self.made)?;
                self.made.stream_on()?;
            }
        }
        if ready.contains(PollFlags::POLLOUT) {
            give_back(units, self.stream, coded)?;
        }
        let mut shown = 0;
        if ready.contains(PollFlags::POLLIN)
            && let Some(pictures) = &self.pictures
        {
            while let Some((index, _used)) = self.made.dequeue()? {
                shown += 1;
                pictures.queue(self.made, index, 0)?;
            }
        }
        Ok(shown)
    }
}

fn main() -> Result<()> {
    let options = options()?;
    let (camera, encoder) = (open_node(&options.camera)?, open_node(&options.encoder)?);
    let decoder = options.decoder.as_deref().map(open_node).transpose()?;
    let taken = Queue::capture(camera.as_fd());
    let raw = Queue::output(encoder.as_fd());
    let coded = Queue::capture(encoder.as_fd());
    let size = options.size;
    let picture_len = taken.set_format(size, RGB)?.max(raw.set_format(size, RGB)?);
    taken.set_rate(options.rate)?;
    let mut stream_len = coded.set_format(size, FWHT)?;
    let mut decoder = match &decoder {
        None => None,
        Some(device) => {
            let (decoder, len) = Decoder::new(device.as_fd(), size)?;
            stream_len = stream_len.max(len);
            Some(decoder)
        }
    };

    let heap = open_node("/dev/dma_heap/system")?;
    let pictures = Buffers::new(heap.as_fd(), picture_len)?;
    let units = Buffers::new(heap.as_fd(), stream_len)?;
    for queue in [taken, raw, coded] {
        queue.request(BUFFERS)?;
    }
    pictures.queue_all(taken)?;
    units.queue_all(coded)?;
    for queue in [taken, raw, coded] {
        queue.stream_on()?;
    }

    let (mut captured, mut shown) = (0, 0);
    while shown < options.frames {
        let of_camera = match captured < options.frames {
            true => PollFlags::POLLIN,
            false => PollFlags::empty(),
        };
        let of_codec = PollFlags::POLLIN | PollFlags::POLLOUT;
        let mut fds = Vec::with_capacity(3);
        fds.extend([
            PollFd::new(camera.as_fd(), of_camera),
            PollFd::new(encoder.as_fd(), of_codec),
        ]);
        if let Some(decoder) = decoder.as_ref().filter(|decoder| decoder.units > 0) {
            fds.push(PollFd::new(decoder.device, of_codec | PollFlags::POLLPRI));
        }
        ensure!(
            poll(&mut fds, PollTimeout::from(10_000_u16))? > 0,
            "nothing for 10 s"
        );
        let ready = |at: usize| {
            let ready = fds.get(at).and_then(PollFd::revents);
            ready.unwrap_or(PollFlags::empty())
        };
        if ready(0).contains(PollFlags::POLLIN) {
            captured += hand_on(&pictures, taken, raw)?;
        }
        if ready(1).contains(PollFlags::POLLOUT) {
            give_back(&pictures, raw, taken)?;
        }
        let encoded = ready(1).contains(PollFlags::POLLIN);
        match &mut decoder {
            Some(decoder) => {
                if encoded {
                    decoder.units += hand_on(&units, coded, decoder.stream)?;
                }
                shown += decoder.serve(ready(2), heap.as_fd(), (&units, coded))?;
            }
            None if encoded => {
                while let Some((index, _used)) = coded.dequeue()? {
                    shown += 1;
                    units.queue(coded, index, 0)?;
                }
            }
            None => {}
        }
    }
    println!(
        "{{\"frames\":{{\"captured\":{captured},\"shown\":{shown},\"superseded\":0}},\
         \"bytes_copied\":0}}"
    );
    Ok(())
}
