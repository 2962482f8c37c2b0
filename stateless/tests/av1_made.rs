//! Streams of random headers, for the trace of another parser: what no encoder codes is compared
//! with it all the same (`av1_headers.rs`).
//!
//! They are written into the directory that `DMAFLOW_STREAMS_MADE` names; their tiles are noise.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; numbers are small"
)]

use std::fs;
use std::path::Path;

use dmaflow_bitstream::obu::to_leb128;
use dmaflow_stateless::{Ability, Av1, Sequencer, Step, Steps};

/// A generator of noise (`SplitMix64`).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Bits of a header, the most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, count: u32, value: u64) -> &mut Self {
        for bit in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let shift = 7 - self.used % 8;
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << shift;
            self.used += 1;
        }
        self
    }
}

fn obu(kind: u8, temporal_id: Option<u8>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind << 3 | u8::from(temporal_id.is_some()) << 2 | 2];
    bytes.extend(temporal_id.map(|id| id << 5));
    let (size, len) = to_leb128(payload.len() as u32);
    bytes.extend_from_slice(&size[..len]);
    bytes.extend_from_slice(payload);
    bytes
}

/// A sequence header, whether its OBUs are of layers, and whether it has a decoder model.
fn sequence(noise: &mut Noise) -> (Vec<u8>, bool, bool) {
    let layers = noise.below(3) == 0;
    let profile = noise.below(4) % 3;
    let model = noise.below(3) == 0;
    let mut bits = Bits::default();
    bits.put(3, profile).put(2, 0).put(1, model.into());
    if model {
        bits.put(32, 1).put(32, 25).put(2, 1);
        bits.put(5, 9).put(32, 1).put(5, 7).put(5, 6);
    }
    let points = if layers { 3 } else { 1 };
    bits.put(1, 0).put(5, points - 1);
    for point in 0..points {
        let idc = if layers {
            [0x107, 0x103, 0x101][point as usize]
        } else {
            0
        };
        bits.put(12, idc).put(5, 4);
        if model {
            let present = noise.below(2);
            bits.put(1, present);
            if present == 1 {
                bits.put(21, 3);
            }
        }
    }
    let (width, height) = (40 + noise.below(460), 40 + noise.below(460));
    bits.put(4, 8).put(4, 8).put(9, width).put(9, height);
    bits.put(1, 0).put(3, noise.next()).put(4, noise.next());
    let hints = noise.below(4) > 0;
    bits.put(1, hints.into());
    if hints {
        bits.put(2, noise.next());
    }
    let choose = noise.below(3) > 0;
    bits.put(1, choose.into());
    let tools = choose || noise.below(2) == 0;
    if !choose {
        bits.put(1, tools.into());
    }
    if tools {
        let choose = noise.below(3) > 0;
        bits.put(1, choose.into());
        if !choose {
            bits.put(1, noise.next());
        }
    }
    if hints {
        bits.put(3, 3 + noise.below(5));
    }
    bits.put(3, noise.next());
    let high = noise.below(2);
    let twelve = profile == 2 && high == 1 && noise.below(2) == 0;
    bits.put(1, high);
    if profile == 2 && high == 1 {
        bits.put(1, twelve.into());
    }
    let mono = profile != 1 && noise.below(4) == 0;
    if profile != 1 {
        bits.put(1, mono.into());
    }
    bits.put(1, 0).put(1, noise.next());
    if !mono {
        let subsampling = if twelve {
            noise.below(3)
        } else {
            [2, 0, 1][profile as usize]
        };
        if twelve {
            bits.put(1, u64::from(subsampling > 0));
            if subsampling > 0 {
                bits.put(1, u64::from(subsampling > 1));
            }
        }
        if subsampling == 2 {
            bits.put(2, 0);
        }
        bits.put(1, noise.next());
    }
    bits.put(1, u64::from(noise.below(3) > 0)).put(1, 1);
    (bits.bytes, layers, model)
}

/// A header and tiles of noise.
fn frame(noise: &mut Noise, first: bool, shown: bool) -> Vec<u8> {
    let mut bits = Bits::default();
    let kind = if first {
        0
    } else {
        [1, 1, 1, 1, 2, 3, 0][noise.below(7) as usize]
    };
    bits.put(1, 0).put(2, kind).put(1, shown.into());
    for _word in 0..20 + noise.below(20) {
        // Few ones make headers with few surprises, of which more are whole.
        let sparse = noise.next()
            & if noise.below(2) == 0 {
                noise.next()
            } else {
                u64::MAX
            };
        bits.put(64, sparse);
    }
    bits.bytes
}

fn write(seed: u64, path: &Path) -> (usize, usize) {
    let mut noise = Noise(seed);
    let mut sequencer = Av1::new(&Ability::default());
    let mut steps = Steps::new();
    let (sequence, layers, model) = sequence(&mut noise);
    let mut stream = Vec::new();
    let (mut units, mut frames) = (0, 0);
    for unit in 0..40 {
        let mut bytes = obu(2, None, &[]);
        if unit % 16 == 0 {
            bytes.extend(obu(1, None, &sequence));
        }
        let temporal_id = layers.then(|| noise.below(3) as u8);
        let hidden = if unit == 0 { 0 } else { noise.below(3) };
        let mut whole = None;
        for at in 0..=hidden {
            whole = None;
            for _attempt in 0..4000 {
                let last = at == hidden;
                let mut tried = bytes.clone();
                if last && unit > 0 && noise.below(4) == 0 {
                    let slot = noise.below(8);
                    let mut bits = Bits::default();
                    bits.put(1, 1).put(3, slot);
                    if model {
                        bits.put(7, noise.next());
                    }
                    bits.put(1, 1);
                    tried.extend(obu(3, temporal_id, &bits.bytes));
                } else {
                    let payload = frame(&mut noise, unit == 0, last);
                    tried.extend(obu(6, temporal_id, &payload));
                }
                let mut ahead = sequencer.clone();
                steps.clear();
                if ahead.read(&tried, &mut steps).is_ok() {
                    whole = Some(tried);
                    break;
                }
            }
            let Some(tried) = &whole else {
                break;
            };
            bytes.clone_from(tried);
        }
        let Some(whole) = whole else {
            continue;
        };
        steps.clear();
        sequencer.read(&whole, &mut steps).unwrap();
        frames += steps
            .steps()
            .iter()
            .filter(|step| matches!(step, Step::Decode(_)))
            .count();
        stream.extend(whole);
        units += 1;
    }
    fs::write(path, stream).unwrap();
    (units, frames)
}

#[test]
fn streams_of_random_headers_are_made() {
    let Some(directory) = std::env::var_os("DMAFLOW_STREAMS_MADE") else {
        println!("skipped: DMAFLOW_STREAMS_MADE names no directory to write streams to");
        return;
    };
    for seed in 0..40 {
        let path = Path::new(&directory).join(format!("av1_made_{seed}.obu"));
        let (units, frames) = write(seed, &path);
        println!("{}: {units} units, {frames} frames", path.display());
    }
}
