//! What is made of a description of raw pictures, which is the first line, and of the pictures.
#![no_main]

use std::io::Cursor;

use dmaflow_containers::raw::{self, RawMuxer, Sidecar};
use dmaflow_containers::{Input, Muxer, Output, Packet, ReadOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (text, pictures) = bytes.split_at(end.unwrap_or(bytes.len()));
    let Ok(sidecar) = Sidecar::read(Input::pipe(Cursor::new(text.to_vec()))) else {
        return;
    };
    let file = Input::file(Cursor::new(pictures.to_vec())).expect("memory can be sought in");
    let mut demuxer = raw::read(file, &sidecar, &ReadOptions::default()).expect("it was checked");
    let mut count = 0;
    while let Ok(Some(packet)) = demuxer.next_packet() {
        let mut data = vec![0; packet.len];
        demuxer
            .read(&mut data)
            .expect("a file holds what it announces");
        count += 1;
    }
    if let Ok(most) = usize::try_from(sidecar.frame_bytes) {
        assert!(count == pictures.len() / most || most > 64 << 20);
    }
    // What it says can be said again.
    let again = Sidecar::of(demuxer.track(), sidecar.frame_bytes).expect("it was read");
    let fourcc = format!("{:4}", sidecar.fourcc);
    assert_eq!(
        again,
        Sidecar {
            fourcc,
            ..without_useless_rate(sidecar)
        }
    );
    let sink = || Output::pipe(std::io::sink());
    let mut muxer = RawMuxer::new(demuxer.track(), sink(), sink()).expect("it was read");
    let packet = Packet {
        len: 0,
        presented: 0,
        decoded: 0,
        duration: 0,
        key: true,
        offset: 0,
    };
    let _may_be_too_short = muxer.write(&packet, &[pictures]).is_ok();
});

/// A rate of nothing is none.
fn without_useless_rate(sidecar: Sidecar) -> Sidecar {
    let rate = sidecar
        .rate
        .filter(|(pictures, seconds)| *pictures > 0 && *seconds > 0);
    Sidecar { rate, ..sidecar }
}
