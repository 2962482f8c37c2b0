//! A camera on a display: every frame accounted for, nothing copied, every pixel as committed.

use dmaflow_testbed::{Board, DmaBufs, Run, dmaflow};

const DESCRIPTION: &str = "examples/camera-to-display.toml";

#[test]
fn camera_to_display_shows_what_was_committed() {
    let Some(_board) = Board::for_test("camera_to_display_shows_what_was_committed") else {
        return;
    };
    let buffers = DmaBufs::now();
    let run = Run::of(&mut dmaflow(&[
        "run",
        DESCRIPTION,
        "--set=camera.device=vivid",
        "--set=screen.card=vkms",
        "--set=screen.verify=10",
        "--frames=300",
        "--json",
    ]));
    run.assert_went_well();
    assert_eq!(run.number("/frames/captured"), 300);
    assert!(run.number("/counters/screen/verified") >= 5, "{}", run.json);
    let compared = run.number("/counters/screen/verified_pixels");
    assert_eq!(
        compared,
        run.number("/counters/screen/verified") * 1280 * 720
    );
    assert_eq!(run.number("/counters/screen/differing_pixels"), 0);
    assert!(
        run.number("/latency_us/capture_to_flip/p50") > 0,
        "{}",
        run.json
    );
    // Each of these buffers is long enough to be timed.
    assert_eq!(
        run.number("/heap_stats/alloc_ns/count"),
        run.number("/heap_stats/total")
    );
    buffers.assert_none_since();
}

#[test]
fn every_frame_gets_its_turn_in_a_fifo() {
    let Some(_board) = Board::for_test("every_frame_gets_its_turn_in_a_fifo") else {
        return;
    };
    let run = Run::of(&mut dmaflow(&[
        "run",
        DESCRIPTION,
        "--set=camera.device=vivid",
        "--set=camera.width=640",
        "--set=camera.height=480",
        "--set=screen.card=vkms",
        "--set=screen.queue=fifo",
        "--frames=60",
        "--json",
    ]));
    run.assert_went_well();
    assert_eq!(run.number("/frames/captured"), 60);
    assert_eq!(run.number("/frames/shown"), 60, "{}", run.json);
}

#[test]
fn yuv_reaches_a_plane_that_takes_it() {
    let test = "yuv_reaches_a_plane_that_takes_it";
    let Some(board) = Board::for_test(test) else {
        return;
    };
    if !board.has_kernel(test, (6, 18), "YUV planes of vkms") {
        return;
    }
    let run = Run::of(&mut dmaflow(&[
        "run",
        DESCRIPTION,
        "--set=camera.device=vivid",
        "--set=camera.format=NV12",
        "--set=screen.card=vkms",
        "--frames=60",
        "--json",
    ]));
    run.assert_went_well();
    assert_eq!(run.json["format"], "NV12");
}

#[test]
fn a_check_tells_what_was_chosen_and_leaves_nothing() {
    let Some(board) = Board::for_test("a_check_tells_what_was_chosen_and_leaves_nothing") else {
        return;
    };
    let buffers = DmaBufs::now();
    let check = Run::of(&mut dmaflow(&[
        "check",
        DESCRIPTION,
        "--set=camera.device=vivid",
        "--set=screen.card=vkms",
        "--json",
    ]));
    assert_eq!(check.status, Some(0), "{}", check.messages);
    let heap = if board.is(&["ti"]) { "cma" } else { "system" };
    let chosen = check.json["heap"].as_str().unwrap_or_default();
    assert!(
        chosen.contains(heap) || (heap == "cma" && chosen == "reserved"),
        "{}",
        check.json
    );
    buffers.assert_none_since();
}

#[test]
fn scattered_memory_is_refused_where_it_cannot_be_used() {
    let test = "scattered_memory_is_refused_where_it_cannot_be_used";
    let Some(board) = Board::for_test(test) else {
        return;
    };
    let with_heap = |heap: &str| {
        Run::of(&mut dmaflow(&[
            "run",
            DESCRIPTION,
            "--set=camera.device=vivid",
            "--set=screen.card=vkms",
            &format!("--set=camera.heap={heap}"),
            "--frames=30",
            "--json",
        ]))
    };
    let buffers = DmaBufs::now();
    with_heap("default_cma_region").assert_went_well();
    let scattered = with_heap("system");
    if board.is(&["ti"]) {
        assert_eq!(scattered.status, Some(1), "{scattered:?}");
        for word in [
            "vivid",
            "`system`",
            "EFAULT",
            "contiguous",
            "default_cma_region",
        ] {
            let messages = &scattered.messages;
            assert!(messages.contains(word), "{word} in {messages}");
        }
    } else {
        scattered.assert_went_well();
    }
    buffers.assert_none_since();
}
