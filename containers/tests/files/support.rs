//! Streams to try, and ways to read and write them.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use dmaflow_bitstream::fwht::FwhtHeader;
use dmaflow_containers::{ContainerError, Demuxer, Format, Input, Packet, ReadOptions, read};

/// A stream, its format, how many packets it has, and how many of them are keys.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    pub(crate) data: Vec<u8>,
    pub(crate) packets: usize,
    pub(crate) keys: usize,
}

impl Stream {
    /// Whether a packet's length stands in the file, so that a cut packet is known to be none.
    pub(crate) fn has_lengths(&self) -> bool {
        !matches!(self.format, Format::H264 | Format::Hevc | Format::Mpeg2)
    }
}

pub(crate) fn streams() -> Vec<Stream> {
    macro_rules! stream {
        ($name:literal, $format:ident, $packets:literal, $keys:literal) => {
            Stream {
                name: $name,
                format: Format::$format,
                data: include_bytes!(concat!("../streams/", $name)).to_vec(),
                packets: $packets,
                keys: $keys,
            }
        };
    }
    vec![
        stream!("slices.h264", H264, 8, 2),
        stream!("b-frames.h265", Hevc, 8, 2),
        stream!("b-frames.m2v", Mpeg2, 6, 2),
        stream!("a.mjpeg", Mjpeg, 3, 3),
        stream!("low-overhead.obu", Obu, 6, 2),
        stream!("length-delimited.obu", ObuAnnexB, 6, 2),
        stream!("vp8.ivf", Ivf, 5, 2),
        stream!("vp9.ivf", Ivf, 5, 2),
        stream!("av1.ivf", Ivf, 6, 2),
        stream!("a.y4m", Y4m, 3, 3),
        fwht(),
    ]
}

/// Headers as vicodec writes them, before data that nobody decodes.
fn fwht() -> Stream {
    let mut data = Vec::new();
    for number in 0..5_u8 {
        let size = 40 + u32::from(number);
        let header = FwhtHeader {
            version: 3,
            width: 640,
            height: 360,
            flags: if number % 3 == 0 {
                FwhtHeader::I_FRAME
            } else {
                0
            } | 2 << 16
                | 1 << 19,
            colorspace: 3,
            xfer_func: 1,
            ycbcr_enc: 1,
            quantization: 2,
            size,
        };
        data.extend(header.to_bytes());
        data.extend(std::iter::repeat_n(number, size as usize));
    }
    Stream {
        name: "made.fwht",
        format: Format::Fwht,
        data,
        packets: 5,
        keys: 2,
    }
}

/// A packet and its data.
pub(crate) type Whole = (Packet, Vec<u8>);

/// All packets of a reader with their data, and how it ended.
pub(crate) fn all(demuxer: &mut dyn Demuxer) -> (Vec<Whole>, Result<(), ContainerError>) {
    let mut all = Vec::new();
    loop {
        match demuxer.next_packet() {
            Ok(None) => return (all, Ok(())),
            Ok(Some(packet)) => {
                // Bytes behind the packet are left alone.
                let mut data = vec![0xa5; packet.len + 3];
                if let Err(error) = demuxer.read(&mut data) {
                    return (all, Err(error));
                }
                assert_eq!(data.split_off(packet.len), [0xa5; 3]);
                all.push((packet, data));
            }
            Err(error) => {
                assert!(matches!(demuxer.next_packet(), Ok(None)), "errors stay");
                return (all, Err(error));
            }
        }
    }
}

pub(crate) fn from_file(format: Format, data: &[u8]) -> Result<Box<dyn Demuxer>, ContainerError> {
    let input = Input::file(Cursor::new(data.to_vec())).unwrap();
    read(format, input, &ReadOptions::default())
}

pub(crate) fn from_pipe(format: Format, data: &[u8]) -> Result<Box<dyn Demuxer>, ContainerError> {
    read(
        format,
        Input::pipe(Dribble::new(data)),
        &ReadOptions::default(),
    )
}

/// A pipe that gives few bytes at a time, and is interrupted now and then.
pub(crate) struct Dribble {
    data: Cursor<Vec<u8>>,
    reads: usize,
}

impl Dribble {
    pub(crate) fn new(data: &[u8]) -> Self {
        Self {
            data: Cursor::new(data.to_vec()),
            reads: 0,
        }
    }
}

impl Read for Dribble {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = into.len().min(1 + self.reads * 7 % 23);
        self.data.read(&mut into[..most])
    }
}

/// A file that can be looked at while it is written, takes few bytes at a time, is interrupted now
/// and then, and becomes full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    data: Vec<u8>,
    at: usize,
    room: Option<usize>,
    most_at_once: Option<usize>,
    writes: usize,
}

impl Disk {
    pub(crate) fn new(room: Option<usize>, most_at_once: Option<usize>) -> Self {
        Self(Arc::new(Mutex::new(State {
            room,
            most_at_once,
            ..State::default()
        })))
    }

    pub(crate) fn data(&self) -> Vec<u8> {
        self.0.lock().unwrap().data.clone()
    }
}

impl Write for Disk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock().unwrap();
        state.writes += 1;
        if state.most_at_once.is_some() && state.writes.is_multiple_of(4) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = state.room.unwrap_or(usize::MAX) - state.at;
        let some = data
            .len()
            .min(room)
            .min(state.most_at_once.unwrap_or(usize::MAX));
        if some == 0 && !data.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let (from, to) = (state.at, state.at + some);
        if state.data.len() < to {
            state.data.resize(to, 0);
        }
        state.data[from..to].copy_from_slice(&data[..some]);
        state.at = to;
        Ok(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut state = self.0.lock().unwrap();
        let SeekFrom::Start(at) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        state.at = usize::try_from(at).unwrap();
        Ok(at)
    }
}
