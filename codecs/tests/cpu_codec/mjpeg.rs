//! Decoding of Motion JPEG. The pictures were made of the formula by ffmpeg (`grey.jpg` and
//! `411.jpg` by libjpeg), with little loss.

use dmaflow_codecs::{CpuCodec, CpuCodecKind};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Transform;

use super::picture::psnr;
use super::stage::{Running, memfd};

/// A name, a picture, its size.
type Picture = (&'static str, &'static [u8], (u32, u32));

const PICTURES: [Picture; 9] = [
    ("4:1:1", include_bytes!("../jpeg/411.jpg"), (64, 48)),
    ("4:2:0", include_bytes!("../jpeg/420.jpg"), (64, 48)),
    ("4:2:2", include_bytes!("../jpeg/422.jpg"), (64, 48)),
    ("4:4:4", include_bytes!("../jpeg/444.jpg"), (64, 48)),
    ("odd", include_bytes!("../jpeg/odd.jpg"), (53, 37)),
    ("odd 4:2:2", include_bytes!("../jpeg/odd-422.jpg"), (53, 37)),
    ("restart", include_bytes!("../jpeg/restart.jpg"), (64, 48)),
    (
        "no tables",
        include_bytes!("../jpeg/no-tables.jpg"),
        (64, 48),
    ),
    ("grey", include_bytes!("../jpeg/grey.jpg"), (56, 37)),
];

fn stream(size: (u32, u32)) -> Layout {
    Layout::compressed("MJPG".parse().unwrap(), size, 1 << 13).unwrap()
}

fn decoder(size: (u32, u32), output: Format) -> Running {
    Running::new(CpuCodecKind::MjpegDecoder, &stream(size), output)
}

#[test]
fn every_picture_in_every_format_is_the_one_that_was_encoded() {
    for (name, bytes, size) in PICTURES {
        for output in CpuCodecKind::MjpegDecoder.outputs() {
            let mut decoder = decoder(size, output);
            let made = decoder.picture(bytes);
            let made = made.unwrap_or_else(|| panic!("{name} as {output}"));
            let found = psnr(decoder.output.layout(), &made, name == "grey");
            println!("{name} as {output}: {found:.1?} dB");
            // Each colour has the loss of all three.
            // Four pixels that share a colour are further from their own.
            let least = match (output.family(), name) {
                (Family::Rgb, "4:1:1") => [34.0; 3],
                (Family::Rgb, _) => [38.0; 3],
                (_, "4:1:1") => [48.0, 37.0, 37.0],
                _ => [48.0, 41.0, 41.0],
            };
            let enough = found.iter().zip(least).all(|(found, least)| *found > least);
            assert!(enough, "{name} as {output}: {found:?}");
            assert_eq!(decoder.damaged(), 0);
        }
    }
}

#[test]
fn rows_have_their_padding_and_no_byte_besides_is_written() {
    for (_name, bytes, size) in PICTURES {
        for output in CpuCodecKind::MjpegDecoder.outputs() {
            let mut decoder = decoder(size, output);
            let frame = decoder.output.acquire().unwrap();
            frame.buffers()[0].write(CpuUse::Draw).unwrap().fill(0xa5);
            drop(frame);
            let made = decoder.give(bytes).unwrap();
            let layout = made.layout();
            let mut seen = made.buffers()[0].read(CpuUse::Inspect).unwrap().to_vec();
            for (plane, info) in layout.planes().iter().zip(output.planes()) {
                let row = info.row_bytes(size.0).unwrap() as usize;
                for y in 0..info.rows(size.1) {
                    let begin = (plane.offset + y * plane.stride) as usize;
                    seen[begin..begin + row].fill(0xa5);
                }
            }
            assert!(seen.iter().all(|&byte| byte == 0xa5), "{output}");
        }
    }
}

#[test]
fn colours_are_told_as_jfif_has_them() {
    let mut codec = CpuCodec::new(CpuCodecKind::MjpegDecoder);
    let told = |codec: &mut CpuCodec, output| {
        let plan = codec.configure(&stream((64, 48)), output).unwrap();
        plan.layout.colour()
    };
    let full = Some(Range::Full);
    let of = |encoding| Colour {
        encoding,
        range: full,
    };
    assert_eq!(told(&mut codec, Format::NV12), of(Some(Encoding::Bt601)));
    assert_eq!(told(&mut codec, Format::XRGB8888), of(None));
    let how = codec.copies().unwrap();
    assert_eq!(how, "the CPU makes XRGB8888 of MJPEG");
}

/// Numbers that look as if by chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

#[test]
fn damaged_pictures_are_left_out_and_counted_and_the_next_one_comes() {
    let mut decoders: Vec<_> = PICTURES
        .iter()
        .map(|(_name, bytes, size)| {
            let mut decoder = decoder(*size, Format::NV12);
            let whole = decoder.picture(bytes).unwrap();
            (decoder, *bytes, whole)
        })
        .collect();
    let (mut left_out, mut made) = (0, 0);
    for seed in 0..1000 {
        let mut chance = Chance(seed);
        let at = chance.below(decoders.len());
        let (decoder, bytes, whole) = &mut decoders[at];
        let mut wrong = bytes.to_vec();
        for _flip in 0..chance.below(4) {
            let at = chance.below(wrong.len());
            wrong[at] ^= 1 << chance.below(8);
        }
        if seed % 2 == 0 {
            wrong.truncate(chance.below(wrong.len()));
        }
        let before = decoder.damaged();
        match decoder.give(&wrong) {
            Some(_picture) => made += 1,
            None => {
                left_out += 1;
                assert_eq!(decoder.damaged(), before + 1);
            }
        }
        assert_eq!((decoder.input.free(), decoder.output.free()), (1, 1));
        // Nothing stays of it.
        assert!(
            decoder.picture(bytes).as_ref() == Some(whole),
            "seed {seed}"
        );
    }
    println!("{left_out} left out, {made} decoded all the same");
    assert!(left_out > 500 && made > 50, "{left_out}, {made}");
}

#[test]
fn what_cannot_be_is_refused() {
    let mut codec = CpuCodec::new(CpuCodecKind::MjpegDecoder);
    let why = codec.configure(&stream((64, 48)), "P010".parse().unwrap());
    let why = why.unwrap_err().to_string();
    assert_eq!(why, "the CPU MJPEG decoder makes no P010 of MJPEG");
    codec = codec.with_format(Some(Format::YUYV));
    let mjpeg = "MJPEG".parse().unwrap();
    assert_eq!(codec.output_formats(mjpeg).unwrap(), [Format::YUYV]);
    assert_eq!(codec.output_formats(Format::NV12).unwrap(), []);
    assert!(codec.start().is_err());
    let pictures = Layout::packed(Format::NV12, 64, 48).unwrap();
    assert!(codec.configure(&pictures, Format::YUYV).is_err());
    // Of another size than was agreed on: no picture.
    let mut decoder = decoder((64, 32), Format::NV12);
    assert!(decoder.give(PICTURES[0].1).is_none());
    assert_eq!(decoder.damaged(), 1);
}

#[test]
fn a_stopped_decoder_wakes_from_waiting_for_a_frame() {
    let Running {
        mut codec,
        input,
        output,
        ..
    } = decoder((64, 48), Format::NV12);
    let stopper = codec.start().unwrap();
    let taken = output.acquire().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut sent = 0;
            let done = codec.transform(input.acquire().unwrap(), &mut |_| sent += 1);
            done.map(|()| sent)
        });
        stopper.stop();
        assert_eq!(waits.join().unwrap().unwrap(), 0);
    });
    drop(taken);
    // The frame was let go; one of a strange pool is not taken.
    assert_eq!(input.free(), 1);
    let foreign = FramePool::allocate(&memfd(), &stream((64, 48)), 1).unwrap();
    let foreign = codec.transform(foreign.acquire().unwrap(), &mut |_| ());
    assert!(foreign.is_err());
}
