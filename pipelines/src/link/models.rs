//! Every order in which the ends of a link can meet.

use dmaflow_core::frame::{FrameMeta, FramePool};
use loom::thread;

use super::frames::{numbered, pool};
use super::*;

/// A pool and all its frames.
fn frames<const N: usize>() -> (FramePool, [Frame; N]) {
    let pool = pool(N);
    let frames = std::array::from_fn(|_frame| numbered(&pool, 0));
    (pool, frames)
}

/// Sends all frames, numbered from 1; how many were refused.
fn send(outlet: &Outlet, frames: impl IntoIterator<Item = Frame>) -> u64 {
    let numbered = frames.into_iter().zip(1..).map(|(mut frame, sequence)| {
        frame.set_meta(FrameMeta {
            sequence,
            ..FrameMeta::default()
        });
        frame
    });
    let sent = numbered.map(|frame| outlet.send(frame));
    sent.filter(Result::is_err).count() as u64
}

/// Takes frames until `most` of them or the end.
fn receive(inlet: &Inlet, most: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < most {
        inlet.wait();
        match inlet.take() {
            Ok(frame) => seen.push(frame.meta().sequence),
            Err(Empty::Yet) => {}
            Err(Empty::ForGood) => break,
        }
    }
    seen
}

#[test]
fn loom_latest_shows_the_newest_and_accounts_for_the_others() {
    loom::model(|| {
        let (pool, frames) = frames::<2>();
        let (outlet, inlet, link) = link(QueuePolicy::Latest, pool.len(), &Arc::default());
        let sending = thread::spawn(move || send(&outlet, frames));
        let seen = receive(&inlet, usize::MAX);
        assert_eq!(sending.join().unwrap(), 0);
        assert!(seen == [2] || seen == [1, 2], "{seen:?}");
        assert_eq!(seen.len() as u64 + link.superseded(), 2);
        assert_eq!((link.left(), pool.free()), (0, 2));
    });
}

#[test]
fn loom_fifo_shows_all_in_order() {
    loom::model(|| {
        let (pool, frames) = frames::<2>();
        let (outlet, inlet, link) = link(QueuePolicy::FIFO, pool.len(), &Arc::default());
        let sending = thread::spawn(move || send(&outlet, frames));
        let seen = receive(&inlet, usize::MAX);
        assert_eq!(sending.join().unwrap(), 0);
        assert_eq!(seen, [1, 2]);
        assert_eq!((link.superseded(), link.left(), pool.free()), (0, 0, 2));
    });
}

/// Every frame wakes the receiver that has not been seen, with no end to help.
fn frames_that_wake(policy: QueuePolicy, least: usize) {
    loom::model(move || {
        let (pool, frames) = frames::<2>();
        let (outlet, inlet, link) = link(policy, pool.len(), &Arc::default());
        let receiving = thread::spawn(move || {
            let mut seen = Vec::new();
            while seen.last() != Some(&2) {
                seen.extend(receive(&inlet, 1));
            }
            seen.len()
        });
        send(&outlet, frames);
        let seen = receiving.join().unwrap();
        assert!(seen >= least, "{seen}");
        assert_eq!(seen as u64 + link.superseded(), 2);
        drop(outlet);
    });
}

#[test]
fn loom_latest_wakes_for_the_newest() {
    frames_that_wake(QueuePolicy::Latest, 1);
}

#[test]
fn loom_fifo_wakes_for_each() {
    frames_that_wake(QueuePolicy::FIFO, 2);
}

/// Neither end knows when the other goes.
fn an_end_that_goes(policy: QueuePolicy) {
    loom::model(move || {
        let (pool, frames) = frames::<2>();
        let (outlet, inlet, link) = link(policy, pool.len(), &Arc::default());
        let sending = thread::spawn(move || send(&outlet, frames));
        let seen = receive(&inlet, 1).len() as u64;
        drop(inlet);
        sending.join().unwrap();
        assert_eq!(seen, link.taken());
        assert_eq!(seen + link.superseded() + link.left(), link.sent());
        assert_eq!(pool.free(), 2, "a frame stayed in the link");
    });
}

#[test]
fn loom_latest_leaves_no_frame_behind() {
    an_end_that_goes(QueuePolicy::Latest);
}

#[test]
fn loom_fifo_leaves_no_frame_behind() {
    an_end_that_goes(QueuePolicy::FIFO);
}
