//! Files on the board: what is recorded is played as it went in.

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
            "test-src format=NV12 width=1280 height=720 rate=25 frames=30 \
             ! v4l2-encode device=vicodec ! file-sink path={path}"
        );
        let run = Run::of(&mut dmaflow(&["run", &record, "--json"]));
        run.assert_went_well();
        let written = run.number("/counters/file-sink/written");
        assert_eq!(written, run.number("/frames/captured"), "{}", run.json);
        let play = format!(
            "file-src path={path} paced=false ! v4l2-decode device=vicodec format=XRGB8888 \
             ! kms-sink card=vkms verify=5"
        );
        // The stream's pictures are NV12, which is told.
        let run = Run::of(&mut dmaflow(&["run", &play, "--json"]));
        assert_ne!(run.status, Some(0), "{}", run.json);
        let told = "makes no XRGB8888 of this stream";
        assert!(run.messages.contains(told), "{}", run.messages);
        let play = play.replace("XRGB8888", "NV12");
        let run = Run::of(&mut dmaflow(&["run", &play, "--json"]));
        run.assert_went_well();
        assert_eq!(run.number("/frames/captured"), written, "{}", run.json);
        assert_eq!(run.number("/frames/shown"), written, "{}", run.json);
    }
    buffers.assert_none_since();
    drop(codecs);
}
