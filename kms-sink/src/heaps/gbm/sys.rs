//! Mesa's libgbm, loaded when it is first needed: linked, it and seven libraries behind it would
//! be loaded and relocated whenever a program starts that may never ask for its memory.
//!
//! Declarations follow Mesa's `gbm.h`, whose functions have kept their types.
#![expect(
    unsafe_code,
    reason = "functions of a C library have no safe form; every block says why it is sound"
)]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr::NonNull;
use std::sync::OnceLock;

use dmaflow_core::Errno;
use nix::libc;

/// What a buffer is to be used for, as flags of `enum gbm_bo_flags`.
pub(super) mod usage {
    pub(in crate::heaps::gbm) const SCANOUT: u32 = 1 << 0;
    pub(in crate::heaps::gbm) const LINEAR: u32 = 1 << 4;
}

/// `union gbm_bo_handle`.
#[derive(Clone, Copy)]
#[repr(C)]
union BoHandle {
    pointer: *mut c_void,
    number: u64,
}

const _: () = assert!(size_of::<BoHandle>() == 8);

/// Declares what is taken from the library, and how it is looked up.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library, which stays loaded.
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn find(library: NonNull<c_void>) -> Result<Self, String> {
                Ok(Self {
                    $($name: {
                        let name = concat!(stringify!($name), "\0");
                        let found = symbol(library, name)?;
                        // SAFETY: the function of this name has this type in `gbm.h`.
                        unsafe {
                            std::mem::transmute::<
                                NonNull<c_void>,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(found)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
    gbm_create_device: fn(c_int) -> *mut c_void;
    gbm_device_destroy: fn(*mut c_void);
    gbm_bo_create: fn(*mut c_void, u32, u32, u32, u32) -> *mut c_void;
    gbm_bo_create_with_modifiers2:
        fn(*mut c_void, u32, u32, u32, *const u64, c_uint, u32) -> *mut c_void;
    gbm_bo_destroy: fn(*mut c_void);
    gbm_bo_get_modifier: fn(*mut c_void) -> u64;
    gbm_bo_get_plane_count: fn(*mut c_void) -> c_int;
    gbm_bo_get_handle_for_plane: fn(*mut c_void, c_int) -> BoHandle;
    gbm_bo_get_stride_for_plane: fn(*mut c_void, c_int) -> u32;
    gbm_bo_get_offset: fn(*mut c_void, c_int) -> u32;
}

/// The library, or why there is none; asked once.
fn functions() -> Result<&'static Functions, &'static str> {
    static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| Functions::find(library(c"libgbm.so.1")?));
    loaded.as_ref().map_err(String::as_str)
}

fn library(name: &CStr) -> Result<NonNull<c_void>, String> {
    let flags = libc::RTLD_NOW | libc::RTLD_LOCAL;
    // SAFETY: the name is a C string, and what Mesa does when it is loaded it may do anywhere.
    let library = unsafe { libc::dlopen(name.as_ptr(), flags) };
    NonNull::new(library).ok_or_else(why)
}

/// A function's address; `name` ends with a zero byte.
fn symbol(library: NonNull<c_void>, name: &str) -> Result<NonNull<c_void>, String> {
    let name = name.as_ptr().cast::<c_char>();
    // SAFETY: the library is loaded and is never unloaded, and the name ends with a zero byte.
    let found = unsafe { libc::dlsym(library.as_ptr(), name) };
    NonNull::new(found).ok_or_else(why)
}

/// What the loader said last.
fn why() -> String {
    // SAFETY: it takes nothing.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "the loader does not say why".to_owned();
    }
    // SAFETY: it is a C string of this thread's, until its next call of the loader.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// What Mesa said last; EINVAL where it said nothing.
fn errno() -> Errno {
    match Errno::last() {
        Errno::UnknownErrno => Errno::EINVAL,
        errno => errno,
    }
}

/// Why Mesa does not work with a card.
#[derive(Debug)]
pub(super) enum Missing {
    /// The library cannot be loaded.
    Library(&'static str),
    /// It has nothing for the card.
    Device(Errno),
}

/// A card that Mesa works with.
///
/// # Invariants
/// The pointer is a device's that nobody else destroys, made of a descriptor that `card` keeps
/// open. Mesa promises no more than one call of a device at a time, which `&mut` sees to.
pub(super) struct Device<T> {
    gbm: &'static Functions,
    device: NonNull<c_void>,
    _card: T,
}

// SAFETY: a device may be used by any thread, one at a time.
unsafe impl<T: Send> Send for Device<T> {}

impl<T> std::fmt::Debug for Device<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Device").field(&self.device).finish()
    }
}

impl<T: AsFd> Device<T> {
    pub(super) fn new(card: T) -> Result<Self, Missing> {
        let gbm = functions().map_err(Missing::Library)?;
        Errno::clear();
        let fd = card.as_fd().as_raw_fd();
        // SAFETY: the descriptor is open.
        let device = unsafe { (gbm.gbm_create_device)(fd) };
        let device = NonNull::new(device).ok_or_else(|| Missing::Device(errno()))?;
        Ok(Self {
            gbm,
            device,
            _card: card,
        })
    }

    /// Memory for a picture; laid out by one of the modifiers, where there are any.
    pub(super) fn object(
        &mut self,
        (width, height): (u32, u32),
        format: u32,
        modifiers: &[u64],
        usage: u32,
    ) -> Result<Object<'_>, Errno> {
        let (gbm, device) = (self.gbm, self.device.as_ptr());
        let count = c_uint::try_from(modifiers.len()).map_err(|_too_many| Errno::E2BIG)?;
        // Mesa does not always say why: what an earlier call left there must not speak for it.
        Errno::clear();
        let object = if modifiers.is_empty() {
            // SAFETY: the device is alive.
            unsafe { (gbm.gbm_bo_create)(device, width, height, format, usage) }
        } else {
            let list = modifiers.as_ptr();
            // SAFETY: the device is alive, and so many modifiers are at that place.
            unsafe {
                (gbm.gbm_bo_create_with_modifiers2)(
                    device, width, height, format, list, count, usage,
                )
            }
        };
        let object = NonNull::new(object).ok_or_else(errno)?;
        Ok(Object {
            gbm,
            object,
            _device: std::marker::PhantomData,
        })
    }
}

impl<T> Drop for Device<T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant it is alive, and its objects borrowed it.
        unsafe { (self.gbm.gbm_device_destroy)(self.device.as_ptr()) };
    }
}

/// Memory that Mesa gave.
///
/// # Invariants
/// The pointer is an object's that nobody else destroys, of a device that is alive and that
/// nobody else calls meanwhile.
pub(super) struct Object<'d> {
    gbm: &'static Functions,
    object: NonNull<c_void>,
    _device: std::marker::PhantomData<&'d mut ()>,
}

/// Where a plane of an object lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    /// GEM's number of its memory.
    pub(super) handle: u32,
    pub(super) offset: u32,
    pub(super) stride: u32,
}

impl Object<'_> {
    pub(super) fn modifier(&self) -> u64 {
        // SAFETY: by the invariant the object is alive.
        unsafe { (self.gbm.gbm_bo_get_modifier)(self.object.as_ptr()) }
    }

    /// Its planes, in order.
    pub(super) fn planes(&self) -> impl Iterator<Item = Plane> + '_ {
        // SAFETY: by the invariant the object is alive.
        let count = unsafe { (self.gbm.gbm_bo_get_plane_count)(self.object.as_ptr()) };
        (0..count).map(|plane| self.plane(plane))
    }

    /// A plane that there is.
    fn plane(&self, plane: c_int) -> Plane {
        let (gbm, object) = (self.gbm, self.object.as_ptr());
        // SAFETY: by the invariant the object is alive.
        let handle = unsafe { (gbm.gbm_bo_get_handle_for_plane)(object, plane) };
        // SAFETY: the same.
        let offset = unsafe { (gbm.gbm_bo_get_offset)(object, plane) };
        // SAFETY: the same.
        let stride = unsafe { (gbm.gbm_bo_get_stride_for_plane)(object, plane) };
        Plane {
            handle: handle.gem(),
            offset,
            stride,
        }
    }

    /// The first plane, which each object has.
    pub(super) fn first(&self) -> Plane {
        self.plane(0)
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        // SAFETY: by the invariant the object is alive.
        unsafe { (self.gbm.gbm_bo_destroy)(self.object.as_ptr()) };
    }
}

impl BoHandle {
    /// The member `u32`, which is GEM's number: all of the union's first bytes.
    fn gem(self) -> u32 {
        // SAFETY: every member is a plain number or pointer that begins at the same place.
        let bytes = unsafe { self.number }.to_ne_bytes();
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_loaded_says_why() {
        let why = library(c"libdmaflow-nowhere.so.0").unwrap_err();
        assert!(why.contains("libdmaflow-nowhere.so.0"), "{why}");
        let libc = library(c"libc.so.6").unwrap();
        assert!(symbol(libc, "gbm_create_device\0").is_err());
        assert!(symbol(libc, "getpid\0").is_ok());
    }
}
