//! What drivers want and do not check, or do and do not say.
//!
//! [`RULES`] is the one place for it. [`apply`] narrows what a driver's port says of itself to
//! what holds; [`one_memory`] joins heaps that are one memory under several names.

mod table;

use std::fmt;

use dmaflow_core::caps::{Cap, Caps, Property, Set, Steps};
use dmaflow_core::format::{Family, Format};

use super::HeapFacts;

pub use table::{HEAPS_OF_ONE_MEMORY, RULES};

/// Something that is known of a driver.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The driver, as `VIDIOC_QUERYCAP` or `DRM_IOCTL_VERSION` names it.
    pub driver: &'static str,
    /// The property it is about.
    pub property: Property,
    /// The frames it is about.
    pub of: Frames,
    /// What holds.
    pub holds: Holds,
    /// It holds only where no IOMMU stands between the device and memory.
    pub without_iommu: bool,
    /// What goes wrong otherwise.
    pub otherwise: &'static str,
    /// Where in the kernel's source this can be read.
    pub source: &'static str,
}

/// The frames that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// All.
    All,
    /// Those with pixels.
    Pixels,
    /// Those of compressed streams.
    Compressed,
}

/// What holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Strides and sizes are whole pixels, and whole samples of chroma.
    WholePixels,
    /// Each plane's stride is a multiple of so many bytes.
    EachStride(u32),
    /// The first plane's stride is a multiple of so many bytes.
    Strides(u32),
    /// The device rounds a row up to so many bytes, whatever it is asked for.
    OwnStrides(u32),
    /// Widths are multiples of so many pixels.
    WidthStep(u32),
    /// A row is a multiple of so many bytes.
    RowBytes(u32),
    /// Heights are multiples of so many rows.
    HeightStep(u32),
    /// Pictures have at least so many columns and rows.
    AtLeast(u32, u32),
    /// Planes take a multiple of so many rows in memory.
    Rows(u32),
    /// Buffers are one physical piece.
    Contiguous,
    /// Buffers are mapped for the CPU, by the driver itself.
    Mapped,
    /// Addresses have at most so many bits.
    AddressBits(u32),
    /// Buffers are longer than their pictures: only the driver knows how much, so that its answer
    /// to a format is what counts.
    MoreThanThePicture,
    /// Stamps are of `CLOCK_BOOTTIME`, and are flagged as of `CLOCK_MONOTONIC`.
    BoottimeStamps,
}

impl Frames {
    fn are(self, format: Format) -> bool {
        match self {
            Self::All => true,
            Self::Pixels => format.family() != Family::Compressed,
            Self::Compressed => format.family() == Family::Compressed,
        }
    }
}

/// The rules of a driver.
pub fn of(driver: &str) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.driver == driver)
}

/// Whether a driver has stamps of `CLOCK_BOOTTIME` that it flags as of `CLOCK_MONOTONIC`.
#[must_use]
pub fn stamps_boottime(driver: &str) -> bool {
    of(driver).any(|rule| rule.holds == Holds::BoottimeStamps)
}

/// The rule that a driver maps buffers for the CPU, where it does.
#[must_use]
pub fn mapping(driver: &str) -> Option<&'static Rule> {
    of(driver).find(|rule| rule.holds == Holds::Mapped)
}

/// Narrows what a driver's port says of itself to what holds.
///
/// What a port leaves open altogether ([`Set::Any`] of formats) is narrowed by those rules alone
/// that are about all frames.
#[must_use]
pub fn apply(driver: &str, iommu: bool, caps: &Caps) -> Caps {
    let rules: Vec<_> = of(driver)
        .filter(|rule| !(rule.without_iommu && iommu))
        .collect();
    let mut narrowed = Caps::default();
    for cap in &caps.0 {
        let Set::Of(formats) = &cap.formats else {
            let mut general = rules.iter().filter(|rule| rule.of == Frames::All);
            let all = general.try_fold(cap.clone(), |cap, rule| narrow(&cap, rule.holds, None));
            narrowed.0.extend(all);
            continue;
        };
        // Formats stay in their order: neighbours that are narrowed alike stay together.
        for &format in formats {
            let own = rules.iter().filter(|rule| rule.of.are(format));
            let mut narrow_all = own;
            let Some(mut one) = narrow_all.try_fold(cap.clone(), |cap, rule| {
                narrow(&cap, rule.holds, Some(format))
            }) else {
                continue;
            };
            one.formats = Set::Any;
            match narrowed.0.last_mut() {
                Some(last) if is_alike(last, &one) => {
                    if let Set::Of(known) = &mut last.formats {
                        known.push(format);
                    }
                }
                _ => {
                    one.formats = Set::only(format);
                    narrowed.0.push(one);
                }
            }
        }
    }
    narrowed
}

fn is_alike(last: &Cap, one: &Cap) -> bool {
    matches!(last.formats, Set::Of(_))
        && *one
            == Cap {
                formats: Set::Any,
                ..last.clone()
            }
}

/// What is left of a cap; nothing where no size or stride would do.
fn narrow(cap: &Cap, holds: Holds, format: Option<Format>) -> Option<Cap> {
    let mut narrowed = cap.clone();
    let Cap {
        strides, memory, ..
    } = cap;
    let any = dmaflow_core::caps::Strides::ANY;
    match holds {
        Holds::WholePixels => narrowed.whole_pixels = true,
        Holds::EachStride(each) => {
            let each = dmaflow_core::caps::Strides { each, ..any };
            narrowed.strides = strides.intersect(&each)?;
        }
        Holds::Strides(align) => {
            let aligned = dmaflow_core::caps::Strides::padded(align, u32::MAX);
            narrowed.strides = strides.intersect(&aligned)?;
        }
        Holds::OwnStrides(align) => {
            let own = dmaflow_core::caps::Strides::own(align);
            narrowed.strides = strides.intersect(&own)?;
        }
        Holds::WidthStep(step) => narrowed.width = cap.width.intersect(&Steps::multiples(step))?,
        Holds::RowBytes(bytes) => {
            let steps = Steps::multiples(pixels_of(bytes, format));
            narrowed.width = cap.width.intersect(&steps)?;
        }
        Holds::HeightStep(step) => {
            narrowed.height = cap.height.intersect(&Steps::multiples(step))?;
        }
        Holds::AtLeast(width, height) => {
            narrowed.width = cap.width.intersect(&Steps::between(width, u32::MAX))?;
            narrowed.height = cap.height.intersect(&Steps::between(height, u32::MAX))?;
        }
        Holds::Rows(rows) => {
            let more = Cap { rows, ..Cap::any() };
            narrowed.rows = cap.intersect(&more)?.rows;
        }
        Holds::Contiguous => narrowed.memory.contiguous = true,
        Holds::Mapped => narrowed.memory.vmap = true,
        Holds::AddressBits(bits) => {
            let own = memory.address_bits.unwrap_or(bits);
            narrowed.memory.address_bits = Some(own.min(bits));
        }
        Holds::MoreThanThePicture | Holds::BoottimeStamps => {}
    }
    Some(narrowed)
}

/// The least number of pixels that are a multiple of so many bytes of the first plane.
fn pixels_of(bytes: u32, format: Option<Format>) -> u32 {
    let plane = format.and_then(|format| format.planes().first());
    let Some(plane) = plane.filter(|plane| plane.block_bytes > 0) else {
        return 1;
    };
    let blocks = (1..=bytes).find(|blocks| (blocks * plane.block_bytes).is_multiple_of(bytes));
    blocks.unwrap_or(1) * plane.block_columns
}

/// Tells heaps that are one memory of each other's names.
pub fn one_memory(heaps: &mut [HeapFacts]) {
    for names in HEAPS_OF_ONE_MEMORY {
        for heap in heaps.iter_mut() {
            if names.iter().any(|name| heap.answers_to(name)) {
                let others = names.iter().map(|name| (*name).to_owned());
                let new: Vec<_> = others.filter(|name| !heap.answers_to(name)).collect();
                heap.aliases.extend(new);
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}; otherwise {}",
            self.driver, self.holds, self.otherwise
        )
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholePixels => f.write_str("rows and strides of whole pixels"),
            Self::EachStride(bytes) => write!(f, "strides of each plane by {bytes} bytes"),
            Self::Strides(bytes) => write!(f, "strides by {bytes} bytes"),
            Self::OwnStrides(1) => f.write_str("rows without padding, whatever is asked for"),
            Self::OwnStrides(bytes) => {
                write!(f, "rows rounded up to {bytes} bytes, whatever is asked for")
            }
            Self::WidthStep(pixels) => write!(f, "widths by {pixels} pixels"),
            Self::RowBytes(bytes) => write!(f, "rows by {bytes} bytes"),
            Self::HeightStep(rows) => write!(f, "heights by {rows} rows"),
            Self::AtLeast(width, height) => write!(f, "pictures of {width}×{height} at least"),
            Self::Rows(rows) => write!(f, "planes of a multiple of {rows} rows in memory"),
            Self::Contiguous => f.write_str("buffers in one physical piece"),
            Self::Mapped => f.write_str("buffers that it can map for the CPU"),
            Self::AddressBits(bits) => write!(f, "addresses of {bits} bits"),
            Self::MoreThanThePicture => f.write_str("buffers longer than their picture"),
            Self::BoottimeStamps => f.write_str("stamps of CLOCK_BOOTTIME"),
        }
    }
}

#[cfg(test)]
mod tests;
