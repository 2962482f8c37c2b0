//! Files on the board: what is recorded is played as it went in.

use std::fs;

use dmaflow_testbed::{Board, DmaBufs, Modules, Run, dmaflow};

#[test]
fn what_was_encoded_into_a_file_is_decoded_from_it() {
    let name = "what_was_encoded_into_a_file_is_decoded_from_it";
    let Some(_board) = Board::for_test_on(&["pc", "rockchip"], name) else {
        return;
    };
    let buffers = DmaBufs::now();
    let codecs = Modules::load(&["vicodec"]);
    for ending in ["fwht", "ivf"] {
        let path = format!("/tmp/clip.{ending}");
        let record = format!(
            "test-src width=1280 height=720 rate=25 frames=30 \
             ! v4l2-encode device=vicodec ! file-sink path={path}"
        );
        let run = Run::of(&mut dmaflow(&["run", &record, "--json"]));
        run.assert_went_well();
        let written = run.number("/counters/file-sink/written");
        assert_eq!(written, run.number("/frames/shown"), "{}", run.json);
        let play = format!(
            "file-src path={path} paced=false ! v4l2-decode device=vicodec format=XRGB8888 \
             ! kms-sink card=vkms verify=5 queue=block"
        );
        // What the stream does not have is told.
        let wrong = play
            .replace("XRGB8888", "NV12")
            .replace("kms-sink card=vkms verify=5 queue=block", "null-sink");
        let run = Run::of(&mut dmaflow(&["run", &wrong, "--json"]));
        assert_ne!(run.status, Some(0), "{}", run.json);
        let told = "makes no NV12 of this stream";
        assert!(run.messages.contains(told), "{}", run.messages);
        let run = Run::of(&mut dmaflow(&["run", &play, "--json"]));
        run.assert_went_well();
        assert_eq!(run.number("/frames/captured"), written, "{}", run.json);
        assert_eq!(run.number("/frames/shown"), written, "{}", run.json);
    }
    buffers.assert_none_since();
    drop(codecs);
}

#[test]
fn a_stream_that_changes_its_size_is_played_through() {
    let name = "a_stream_that_changes_its_size_is_played_through";
    let Some(_board) = Board::for_test_on(&["pc", "rockchip"], name) else {
        return;
    };
    let buffers = DmaBufs::now();
    let codecs = Modules::load(&["vicodec"]);
    let sizes = [
        (1280, 720),
        (640, 480),
        (1024, 768),
        (1280, 720),
        (1280, 720),
    ];
    let mut stream = Vec::new();
    for (at, (width, height)) in sizes.into_iter().enumerate() {
        let path = format!("/tmp/part{at}.fwht");
        let record = format!(
            "test-src width={width} height={height} rate=25 frames=6 \
             ! v4l2-encode device=vicodec queue=block ! file-sink path={path}"
        );
        Run::of(&mut dmaflow(&["run", &record, "--json"])).assert_went_well();
        stream.extend(fs::read(&path).unwrap());
    }
    fs::write("/tmp/parts.fwht", &stream).unwrap();
    let frames = fwht_frames(&stream);
    assert!(frames > 20, "{frames}");
    for sink in ["null-sink", "kms-sink card=vkms verify=3"] {
        let play = format!(
            "file-src path=/tmp/parts.fwht paced=false ! v4l2-decode device=vicodec format=XRGB8888 \
             ! {sink} queue=block"
        );
        let run = Run::of(&mut dmaflow(&["run", &play, "--json"]));
        run.assert_went_well();
        assert_eq!(run.number("/frames/captured"), frames, "{}", run.json);
        assert_eq!(run.number("/frames/shown"), frames, "{}", run.json);
        if sink.starts_with("kms") {
            let of = |name| run.number(&format!("/counters/kms-sink/{name}"));
            assert!(of("verified") > 0, "{}", run.json);
            assert_eq!(of("differing_pixels"), 0, "{}", run.json);
        }
    }
    buffers.assert_none_since();
    drop(codecs);
}

/// How many frames a stream has, by what each begins with.
fn fwht_frames(stream: &[u8]) -> u64 {
    let magic = [0x4f, 0x4f, 0x4f, 0x4f, 0xff, 0xff, 0xff, 0xff];
    stream
        .windows(magic.len())
        .filter(|at| *at == magic)
        .count() as u64
}
