//! Recordings whose process is killed at random moments open and hold all but the fragment at work.
//!
//! It needs `ffprobe` and a minute: `cargo test -p dmaflow-containers --test kill -- --ignored
//! --nocapture recordings`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use dmaflow_containers::matroska::MatroskaMuxer;
use dmaflow_containers::mp4::{self, Mp4Muxer, Mp4Options};
use dmaflow_containers::{Input, Muxer, Output, Packet, ReadOptions, open};

const KILLS: usize = 100;
const AT_ONCE: usize = 10;
const FRAGMENT: Duration = Duration::from_millis(200);
/// A packet lasts 20 ms: a fragment is ten of them.
const PACKETS: usize = 10;
const PATH: &str = "DMAFLOW_TEST_RECORDING";
/// Microseconds from a packet to the next.
const PERIOD: &str = "DMAFLOW_TEST_PERIOD";

/// Writes a recording at some pace, and a byte to standard output after each packet.
#[test]
#[ignore = "is started and killed by the test beside it"]
fn the_one_that_is_killed() {
    let Ok(path) = std::env::var(PATH) else {
        return;
    };
    let period = std::env::var(PERIOD).unwrap().parse().unwrap();
    let period = Duration::from_micros(period);
    let input = Input::file(Cursor::new(include_bytes!("streams/plain.mp4"))).unwrap();
    let mut demuxer = mp4::read(input, &ReadOptions::default()).unwrap();
    let mut track = demuxer.track().clone();
    track.timescale = 1000;
    track.rate = Some((50, 1));
    let mut pictures = Vec::new();
    while let Some(packet) = demuxer.next_packet().unwrap() {
        let mut data = vec![0; packet.len];
        demuxer.read(&mut data).unwrap();
        // A picture of the file lasts 512 units.
        let delay = (packet.presented - packet.decoded) / 512 * 20;
        pictures.push((packet, delay, data));
    }
    let output = Output::file(File::create_new(&path).unwrap());
    let mut muxer: Box<dyn Muxer> = if path.ends_with("mp4") {
        let options = Mp4Options { fragment: FRAGMENT };
        Box::new(Mp4Muxer::new(&track, output, options).unwrap())
    } else {
        Box::new(MatroskaMuxer::new(&track, output).unwrap())
    };
    let begin = Instant::now();
    // The test harness has the macros' standard output.
    let mut told = File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    for (number, (packet, delay, data)) in pictures.iter().cycle().enumerate() {
        let decoded = i64::try_from(number).unwrap() * 20;
        let packet = Packet {
            presented: decoded + delay,
            decoded,
            duration: 20,
            ..*packet
        };
        muxer.write(&packet, &[data]).unwrap();
        told.write_all(b"!").unwrap();
        let next = period * u32::try_from(number + 1).unwrap();
        std::thread::sleep(next.saturating_sub(begin.elapsed()));
    }
}

/// Records until it is killed, and says how many packets were written by then.
fn record(path: &Path, period: u32, kill: Duration) -> usize {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "the_one_that_is_killed",
            "--nocapture",
        ])
        .env(PATH, path)
        .env(PERIOD, period.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    // From its first packet on.
    let mut said = Vec::new();
    while !said.ends_with(b"!") {
        let mut byte = [0];
        pipe.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    std::thread::sleep(kill);
    child.kill().unwrap();
    child.wait().unwrap();
    pipe.read_to_end(&mut said).unwrap();
    said.iter().filter(|&&byte| byte == b'!').count()
}

/// Packets by the reader here, and whether the file ends in one that is cut.
fn kept(path: &Path) -> (usize, bool) {
    let mut demuxer = open(path, &ReadOptions::default()).unwrap();
    let mut count = 0;
    while let Some(packet) = demuxer.next_packet().unwrap() {
        demuxer.read(&mut vec![0; packet.len]).unwrap();
        count += 1;
    }
    (count, demuxer.cut().is_some())
}

/// Packets by ffprobe, which has to open the file.
fn probed(path: &Path) -> usize {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "packet=pts",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {output:?}", path.display());
    output.stdout.iter().filter(|&&byte| byte == b'\n').count()
}

fn kill_all(directory: &Path, extension: &'static str, period: u32, lost_at_most: usize) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = u64::try_from(since.unwrap().as_nanos() & 0xffff_ffff).unwrap();
    println!("{extension}, a packet every {period} us: seed {seed}");
    let mut random = seed | 1;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // As long as a hundred packets take, or a twentieth of a second.
        let most = u64::from(period) * 100;
        Duration::from_micros((random >> 33) % most.max(50_000))
    };
    let (mut most_lost, mut all, mut cuts, mut empty) = (0, 0, 0, 0);
    for round in 0..KILLS / AT_ONCE {
        let recordings: Vec<_> = (0..AT_ONCE)
            .map(|at| {
                let path: PathBuf = directory.join(format!("{round}-{at}.{extension}"));
                let kill = next();
                std::thread::spawn(move || (record(&path, period, kill), path))
            })
            .collect();
        for recording in recordings {
            let (written, path) = recording.join().unwrap();
            let (kept, cut) = kept(&path);
            let lost = written.saturating_sub(kept);
            assert!(
                lost <= lost_at_most,
                "{}: {kept} of {written}",
                path.display()
            );
            assert_eq!(probed(&path), kept, "{}", path.display());
            std::fs::remove_file(&path).unwrap();
            empty += usize::from(kept == 0);
            most_lost = most_lost.max(lost);
            all += written;
            cuts += usize::from(cut);
        }
    }
    println!(
        "{extension}: {KILLS} recordings of {all} packets in all: at most {most_lost} of one lost \
         ({lost_at_most} allowed), {cuts} ended in a cut, {empty} without a whole fragment"
    );
}

#[test]
#[ignore = "needs ffprobe, and a minute"]
fn recordings_that_are_killed_hold_all_but_a_fragment() {
    let directory = std::env::temp_dir().join(format!("dmaflow-kill-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    // In real time, and as fast as it goes, so that some are killed while they write.
    for period in [20_000, 0] {
        kill_all(&directory, "mp4", period, PACKETS);
        kill_all(&directory, "mkv", period, 0);
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
