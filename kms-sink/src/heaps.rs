//! Memory of cards, as heaps: dumb buffers and what Mesa's GBM gives.
//!
//! A display has rules of its own for memory: rows padded so, pages next to each other, below
//! some address. Memory that its own driver allocates keeps them, and other devices import it.
//!
//! | heap | gives | is there for |
//! |--|--|--|
//! | [`Dumb`] | linear memory from the display's driver | displays, and kernels without dma-heaps |
//! | [`Gbm`] | the same or better from Mesa, tiled too | cards that a GPU draws for |
//!
//! Both give bytes, as any heap, and pictures ([`PictureSource`]), whose strides the driver
//! chose; [`Pictures`] makes a heap of one kind of picture, for a pool of frames.
//!
//! # When the card goes away
//!
//! A heap keeps nothing of what it gave: the driver's handle is closed before the buffer is
//! handed out, and from then on the dma-buf alone holds the memory
//! (`drm_gem_prime_handle_to_dmabuf` in `drivers/gpu/drm/drm_prime.c`, which takes a reference
//! of the object and of the device). So unplugging frees nothing that is on loan: such a buffer
//! can be read, written, mapped anew and imported by others until its last user lets go, and is
//! freed then. Allocation fails with ENODEV from then on, and says that the card is gone; that
//! heap never comes back, and a new one is opened when the card does. vkms on its own way out
//! (configfs, `modprobe -r`) unregisters without unplugging (`vkms_destroy`): whoever has it
//! open goes on getting memory.

mod card;
mod dumb;
#[cfg(feature = "gbm")]
mod gbm;
mod picture;

pub use dumb::Dumb;
#[cfg(feature = "gbm")]
pub use gbm::Gbm;
pub use picture::{Picture, PictureError, PictureRequest, PictureSource, Pictures};

use std::path::Path;

use dmaflow_core::heap::{Exporter, HeapInfo};

use crate::card::{Opened, nodes};
use crate::error::KmsSinkError;
use card::HeapCard;

/// A heap that is there, and its exporter or why there is none.
pub type CardHeap = (HeapInfo, Result<Box<dyn Exporter>, KmsSinkError>);

/// Lists the heaps of this machine's cards, dumb buffers first: `dumb:vkms`, `gbm:vkms`.
///
/// A heap is named after the card's driver, and after its node where that name is taken;
/// `dumb:card0` always answers. They are for whoever composes a registry, and no part of any.
///
/// *Needs:* permission for the nodes, which the group `video` has. No card is controlled: one
/// that nobody controls is ours for the moment of opening it.
#[must_use]
pub fn of_cards() -> Vec<CardHeap> {
    let mut heaps = Vec::new();
    for node in nodes() {
        let opened = opened(&node).map(Dumb::new);
        list(
            &mut heaps,
            "dumb",
            &node,
            opened.map(|dumb| (dumb.info(), dumb)),
        );
    }
    #[cfg(feature = "gbm")]
    for node in nodes() {
        let opened = opened(&node).map(Gbm::new);
        list(
            &mut heaps,
            "gbm",
            &node,
            opened.map(|gbm| (gbm.info(), gbm)),
        );
    }
    heaps
}

fn opened(node: &Path) -> Result<HeapCard, KmsSinkError> {
    HeapCard::new(Opened::new(node)?)
}

fn list(
    heaps: &mut Vec<CardHeap>,
    kind: &str,
    node: &Path,
    opened: Result<(HeapInfo, impl Exporter + 'static), KmsSinkError>,
) {
    let taken = |name: &str| heaps.iter().any(|(info, _)| info.answers_to(name));
    heaps.push(match opened {
        Ok((mut info, exporter)) => {
            if taken(&info.name)
                && let Some(by_node) = info.aliases.pop()
            {
                info.name = by_node;
            }
            (info, Ok(Box::new(exporter)))
        }
        Err(error) => {
            let info = HeapInfo {
                node: Some(node.to_owned()),
                ..HeapInfo::new(card::name_by_node(kind, node))
            };
            (info, Err(error))
        }
    });
}
