//! A camera on a display that is looked at and changed while it streams, by `dmaflow ctl`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use dmaflow_testbed::{Board, DmaBufs, Run, Running, dmaflow, eventually};

const DESCRIPTION: &str = "examples/camera-to-display.toml";

/// The colour of a picture where vivid writes no text over it: near its right lower corner.
fn colour(path: &Path) -> [u8; 3] {
    let file = BufReader::new(File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
    let len = reader.output_buffer_size().expect("a picture that fits");
    let mut pixels = vec![0; len];
    let info = reader.next_frame(&mut pixels).expect("its pixels");
    assert_eq!((info.width, info.height), (640, 480));
    let at = (460 * 640 + 620) * 3;
    [pixels[at], pixels[at + 1], pixels[at + 2]]
}

/// Pixels of red, green and blue are at full or at none, give or take vivid's own rounding.
fn is_about(found: [u8; 3], wanted: [u8; 3]) -> bool {
    let pairs = found.iter().zip(wanted);
    pairs
        .into_iter()
        .all(|(found, wanted)| found.abs_diff(wanted) < 24)
}

#[test]
fn a_control_is_set_and_seen_while_the_display_shows() {
    let Some(_board) = Board::for_test("a_control_is_set_and_seen_while_the_display_shows") else {
        return;
    };
    let buffers = DmaBufs::now();
    let directory = std::env::temp_dir();
    let socket = directory.join("control-test.sock");
    let socket = socket.to_str().expect("UTF-8");
    let pipeline = Running::start(&mut dmaflow(&[
        "run",
        DESCRIPTION,
        "--set=camera.device=vivid",
        "--set=camera.width=640",
        "--set=camera.height=480",
        "--set=screen.card=vkms",
        "--control",
        socket,
        "--quiet",
        "--json",
    ]));
    let ctl = |arguments: &[&str]| {
        Run::of(&mut dmaflow(
            &[&["ctl", "--json", socket], arguments].concat(),
        ))
    };
    let done = |arguments: &[&str]| {
        let run = ctl(arguments);
        assert_eq!(run.status, Some(0), "{arguments:?}: {}", run.messages);
        run.json
    };
    eventually("the pipeline runs", || ctl(&["state"]).status == Some(0));

    let picture = directory.join("control-test.png");
    for (pattern, wanted) in [
        ("100% Red", [255, 0, 0]),
        ("100% Blue", [0, 0, 255]),
        ("100% White", [255, 255, 255]),
    ] {
        done(&["set", &format!("camera.test_pattern={pattern}")]);
        let mut found = [0; 3];
        // What was filled before may come first.
        eventually(pattern, || {
            done(&["snapshot", "camera", picture.to_str().expect("UTF-8")]);
            found = colour(&picture);
            is_about(found, wanted)
        });
        println!("{pattern}: {found:?}");
    }
    let refused = ctl(&["set", "camera.test_pattern=Plaid"]);
    assert_eq!(refused.status, Some(1));
    assert!(
        refused.messages.contains("100% Red"),
        "{}",
        refused.messages
    );
    let refused = ctl(&["set", "camera.no_such=1"]);
    assert!(
        refused.messages.contains("test_pattern"),
        "{}",
        refused.messages
    );

    // One more sink, another queue, and all of it goes on.
    done(&["add", "null-sink", "--from", "camera"]);
    done(&["queue", "camera->screen", "fifo:2"]);
    let taken = |link: usize| {
        let seen = done(&["stats"]);
        seen["links"][link]["taken"].as_u64().expect("a number")
    };
    let before = [taken(0), taken(1)];
    eventually("both sinks have frames", || {
        taken(0) > before[0] + 10 && taken(1) > before[1] + 10
    });
    // The display lets go of its frames, and the camera goes on.
    done(&["drop", "camera->screen"]);
    eventually("the display ends", || {
        done(&["state"])["stages"][1]["running"] == false
    });
    let before = taken(0);
    eventually("the other sink has frames", || taken(0) > before + 10);
    // A camera keeps its controls; others are to find them as they were.
    done(&["set", "camera.test_pattern=75% Colorbar"]);
    done(&["stop"]);
    let run = pipeline.ended();
    assert_eq!(run.status, Some(0), "{}", run.messages);
    assert_eq!(run.number("/frames/unaccounted"), 0);
    assert_eq!(
        run.number("/bytes_copied") % (640 * 480 * 4),
        0,
        "pictures alone"
    );
    buffers.assert_none_since();
}
