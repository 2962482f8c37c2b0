//! Properties of KMS objects, and commits that set them.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use dmaflow_core::Errno;
use drm::control::property::{Handle, Info, ValueType};
use drm::control::{Device, Mode, RawResourceHandle, ResourceHandle};
use drm_ffi::mode;

use crate::card::{Card, errno, retry};
use crate::error::KmsSinkError;

/// Where a value goes: one property of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    object: u32,
    property: u32,
}

impl Target {
    /// Has the kernel set this alone.
    #[doc(alias = "DRM_IOCTL_MODE_ATOMIC")]
    pub(crate) fn commit(self, card: &Card, value: u64, flags: u32) -> Result<(), Errno> {
        retry(|| {
            mode::atomic_commit(
                card.as_fd(),
                flags,
                &mut [self.object],
                &mut [1],
                &mut [self.property],
                &mut [value],
            )
        })
    }
}

/// What a property is, which the kernel never changes.
#[derive(Debug)]
struct Definition {
    name: String,
    blob: bool,
    settable: bool,
    /// The names of the values, where they have names.
    values: Vec<(String, u64)>,
    /// The lowest and the highest value, where they are numbers.
    range: Option<(u64, u64)>,
}

impl Definition {
    fn of(info: &Info) -> Self {
        let kind = info.value_type();
        Self {
            name: info.name().to_string_lossy().into_owned(),
            blob: matches!(kind, ValueType::Blob),
            settable: info.mutable(),
            values: names(&kind),
            range: range(&kind),
        }
    }
}

/// A card's properties by number, each asked for once: the planes of a card have mostly the
/// same ones, and a card has many planes.
#[derive(Debug, Default)]
pub(crate) struct Definitions(Mutex<HashMap<Handle, Arc<Definition>>>);

impl Definitions {
    fn get(&self, card: &Card, id: Handle) -> io::Result<Arc<Definition>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(definition) = known.get(&id) {
            return Ok(Arc::clone(definition));
        }
        let definition = Arc::new(Definition::of(&card.get_property(id)?));
        known.insert(id, Arc::clone(&definition));
        Ok(definition)
    }
}

#[derive(Clone, Debug)]
struct Property {
    id: u32,
    value: u64,
    definition: Arc<Definition>,
}

/// The properties of one object, with the values they had when they were read.
#[derive(Clone, Debug)]
pub(crate) struct Properties {
    object: u32,
    list: Vec<Property>,
}

impl Properties {
    pub(crate) fn read<H: ResourceHandle>(card: &Card, handle: H) -> Result<Self, KmsSinkError> {
        const WHAT: &str = "the properties";
        let set = card.asked(WHAT, card.get_properties(handle))?;
        let list = set
            .iter()
            .map(|(&id, &value)| {
                let definition = card.asked(WHAT, card.definitions.get(card, id))?;
                Ok(Property {
                    id: id.into(),
                    value,
                    definition,
                })
            })
            .collect::<Result<_, KmsSinkError>>()?;
        let object: RawResourceHandle = handle.into();
        Ok(Self {
            object: object.into(),
            list,
        })
    }

    /// The object's number.
    pub(crate) fn object(&self) -> u32 {
        self.object
    }

    fn get(&self, name: &str) -> Option<&Property> {
        self.list
            .iter()
            .find(|property| property.definition.name == name)
    }

    /// The value read.
    pub(crate) fn value(&self, name: &str) -> Option<u64> {
        self.get(name).map(|property| property.value)
    }

    /// The bytes behind the value read, where it is a blob and there is one.
    pub(crate) fn blob(&self, card: &Card, name: &str) -> Option<Vec<u8>> {
        let property = self.get(name)?;
        (property.definition.blob && property.value != 0)
            .then(|| card.get_property_blob(property.value).ok())
            .flatten()
    }

    /// Where to set a property that not every driver has.
    pub(crate) fn optional(&self, name: &str) -> Option<Target> {
        let property = self
            .get(name)
            .filter(|property| property.definition.settable)?;
        Some(Target {
            object: self.object,
            property: property.id,
        })
    }

    /// Where to set a property that every driver has.
    pub(crate) fn target(&self, card: &Card, name: &'static str) -> Result<Target, KmsSinkError> {
        self.optional(name).ok_or_else(|| KmsSinkError::NoProperty {
            card: card.label(),
            property: name,
        })
    }

    /// Where to set a property that is a number, and within what.
    pub(crate) fn ranged(&self, name: &str) -> Option<(Target, (u64, u64))> {
        Some((self.optional(name)?, self.get(name)?.definition.range?))
    }

    /// Where and what to set for a property to have a value of this name.
    pub(crate) fn named(&self, name: &str, value: &str) -> Option<(Target, u64)> {
        let values = &self.get(name)?.definition.values;
        let (_name, number) = values.iter().find(|(known, _number)| known == value)?;
        Some((self.optional(name)?, *number))
    }
}

fn names(kind: &ValueType) -> Vec<(String, u64)> {
    let ValueType::Enum(values) = kind else {
        return Vec::new();
    };
    let (_numbers, names) = values.values();
    names
        .iter()
        .map(|value| (value.name().to_string_lossy().into_owned(), value.value()))
        .collect()
}

fn range(kind: &ValueType) -> Option<(u64, u64)> {
    match *kind {
        ValueType::UnsignedRange(lowest, highest) => Some((lowest, highest)),
        _ => None,
    }
}

/// What a commit may do.
pub(crate) mod flags {
    pub(crate) const TEST: u32 = drm_ffi::DRM_MODE_ATOMIC_TEST_ONLY;
    pub(crate) const MODESET: u32 = drm_ffi::DRM_MODE_ATOMIC_ALLOW_MODESET;
    pub(crate) const NONBLOCK: u32 = drm_ffi::DRM_MODE_ATOMIC_NONBLOCK;
    pub(crate) const EVENT: u32 = drm_ffi::DRM_MODE_PAGE_FLIP_EVENT;
}

/// Values to set at once, in arrays that the kernel reads as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    objects: Vec<u32>,
    counts: Vec<u32>,
    properties: Vec<u32>,
    values: Vec<u64>,
}

impl Request {
    /// Has room for so many values, so that adding them allocates nothing.
    pub(crate) fn with_capacity(values: usize) -> Self {
        Self {
            objects: Vec::with_capacity(values),
            counts: Vec::with_capacity(values),
            properties: Vec::with_capacity(values),
            values: Vec::with_capacity(values),
        }
    }

    /// Takes all values out; their room stays.
    pub(crate) fn clear(&mut self) {
        self.objects.clear();
        self.counts.clear();
        self.properties.clear();
        self.values.clear();
    }

    /// Adds a value; the kernel lets an object occur more than once, and the last value counts.
    pub(crate) fn set(&mut self, target: Target, value: u64) {
        self.objects.push(target.object);
        self.counts.push(1);
        self.properties.push(target.property);
        self.values.push(value);
    }

    /// Has the kernel do it, or test it.
    #[doc(alias = "DRM_IOCTL_MODE_ATOMIC")]
    pub(crate) fn commit(&mut self, card: &Card, flags: u32) -> Result<(), Errno> {
        retry(|| {
            mode::atomic_commit(
                card.as_fd(),
                flags,
                &mut self.objects,
                &mut self.counts,
                &mut self.properties,
                &mut self.values,
            )
        })
    }
}

/// Bytes in the kernel that a property can name, until dropped.
#[derive(Debug)]
pub(crate) struct Blob {
    card: Arc<Card>,
    id: u64,
}

impl Blob {
    pub(crate) fn from_mode(card: &Arc<Card>, mode: &Mode) -> Result<Self, KmsSinkError> {
        let made = card.create_property_blob(mode).map(u64::from);
        let id = card.asked("a mode blob", made)?;
        Ok(Self {
            card: Arc::clone(card),
            id,
        })
    }

    pub(crate) fn from_bytes(card: &Arc<Card>, bytes: &[u8]) -> Result<Self, Errno> {
        let mut bytes = bytes.to_vec();
        let made = mode::create_property_blob(card.as_fd(), &mut bytes);
        Ok(Self {
            card: Arc::clone(card),
            id: made.map_err(|error| errno(&error))?.blob_id.into(),
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if let Err(error) = self.card.destroy_property_blob(self.id) {
            tracing::debug!(%error, blob = self.id, "cannot free a blob");
        }
    }
}
