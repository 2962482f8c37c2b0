//! What a port of a stage can do, as sets.
//!
//! A [`Cap`] is a product of sets, one a property of frames: a frame can pass where each of its
//! properties is in its set. A port's [`Caps`] are several of these: a frame can pass where one
//! of them lets it. Two ends of a link can agree on what is in both.
//!
//! | property | set | in both of two |
//! |--|--|--|
//! | format, modifier, split, rate, colour | [`Set`]: a list, best first | what both have, in the first one's order |
//! | width, height | [`Steps`]: from, to, by | the steps of both |
//! | stride | [`Strides`]: divisors, the longest, the most padding | least common multiples, the shorter, the less |
//! | rows | a divisor | the least common multiple |
//! | memory | [`MemoryNeeds`] | all that one of both needs |
//! | bytes behind the picture | the least | the more |

mod cap;
mod memory;
mod property;
mod set;
mod steps;
mod strides;

pub use cap::{Cap, Caps, Split};
pub use memory::MemoryNeeds;
pub use property::{Properties, Property};
pub use set::Set;
pub use steps::Steps;
pub use strides::Strides;

/// The least number that both divide.
fn common_multiple(a: u32, b: u32) -> Option<u32> {
    (a / common_divisor(a, b)).checked_mul(b)
}

/// The greatest number that divides both; 1 where one of them is 0.
const fn common_divisor(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}
