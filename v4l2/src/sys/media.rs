//! The media controller: layouts and ioctls of `linux/media.h`.
//!
//! The `v4l` crate knows nothing of that header. What is written here is asserted, number by
//! number, against the kernel's 64-bit interface.

use std::mem::offset_of;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use rustix::ioctl::opcode;

use super::call;
use super::request::{Number, Request, Structure, request, zeroed};

/// `MEDIA_PAD_FL_…`.
pub(crate) const PAD_SINK: u32 = 1 << 0;
pub(crate) const PAD_MUST_CONNECT: u32 = 1 << 2;
/// `MEDIA_LNK_FL_…`.
pub(crate) const LINK_ENABLED: u32 = 1 << 0;
pub(crate) const LINK_IMMUTABLE: u32 = 1 << 1;
pub(crate) const LINK_DYNAMIC: u32 = 1 << 2;
/// `MEDIA_LNK_FL_LINK_TYPE`, and what it masks out.
pub(crate) const LINK_TYPE: u32 = 0xf << 28;
pub(crate) const LINK_INTERFACE: u32 = 1 << 28;
pub(crate) const LINK_ANCILLARY: u32 = 2 << 28;
/// `MEDIA_INTF_T_V4L_…`.
pub(crate) const INTERFACE_VIDEO: u32 = 0x200;
pub(crate) const INTERFACE_SUBDEV: u32 = 0x203;

/// `struct media_device_info`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct DeviceInfo {
    pub(crate) driver: [u8; 16],
    pub(crate) model: [u8; 32],
    pub(crate) serial: [u8; 40],
    pub(crate) bus_info: [u8; 32],
    media_version: u32,
    hw_revision: u32,
    driver_version: u32,
    reserved: [u32; 31],
}

/// `struct media_pad_desc`.
#[repr(C)]
#[derive(Clone, Copy)]
struct PadDesc {
    entity: u32,
    index: u16,
    flags: u32,
    reserved: [u32; 2],
}

/// `struct media_link_desc`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LinkDesc {
    source: PadDesc,
    sink: PadDesc,
    flags: u32,
    reserved: [u32; 2],
}

/// `struct media_v2_entity`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Entity {
    pub(crate) id: u32,
    pub(crate) name: [u8; 64],
    pub(crate) function: u32,
    flags: u32,
    reserved: [u32; 5],
}

/// `struct media_v2_interface`, of which the node's number is the union's first member.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Interface {
    pub(crate) id: u32,
    pub(crate) kind: u32,
    flags: u32,
    reserved: [u32; 9],
    pub(crate) major: u32,
    pub(crate) minor: u32,
    rest: [u32; 14],
}

/// `struct media_v2_pad`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Pad {
    pub(crate) id: u32,
    pub(crate) entity: u32,
    pub(crate) flags: u32,
    pub(crate) index: u32,
    reserved: [u32; 4],
}

/// `struct media_v2_link`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Link {
    id: u32,
    pub(crate) source: u32,
    pub(crate) sink: u32,
    pub(crate) flags: u32,
    reserved: [u32; 6],
}

/// A list in `struct media_v2_topology`.
#[repr(C)]
#[derive(Clone, Copy)]
struct List {
    count: u32,
    reserved: u32,
    address: u64,
}

/// `struct media_v2_topology`.
#[repr(C)]
#[derive(Clone, Copy)]
struct TopologyArg {
    version: u64,
    entities: List,
    interfaces: List,
    pads: List,
    links: List,
}

// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for DeviceInfo {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for LinkDesc {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for Entity {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for Interface {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for Pad {}
// SAFETY: numbers and arrays of numbers.
unsafe impl Structure for Link {}
// SAFETY: numbers; addresses are numbers to this structure.
unsafe impl Structure for TopologyArg {}

const DEVICE_INFO: Request<DeviceInfo> = request(
    opcode::read_write::<DeviceInfo>(b'|', 0) as Number,
    0xc100_7c00,
);
const SETUP_LINK: Request<LinkDesc> = request(
    opcode::read_write::<LinkDesc>(b'|', 3) as Number,
    0xc034_7c03,
);
const G_TOPOLOGY: Request<TopologyArg> = request(
    opcode::read_write::<TopologyArg>(b'|', 4) as Number,
    0xc048_7c04,
);

const _: () = assert!(offset_of!(DeviceInfo, bus_info) == 88);
const _: () = assert!(offset_of!(DeviceInfo, media_version) == 120);
const _: () = assert!(size_of::<PadDesc>() == 20 && offset_of!(PadDesc, flags) == 8);
const _: () = assert!(offset_of!(LinkDesc, sink) == 20 && offset_of!(LinkDesc, flags) == 40);
// What the topology points to has no number of its own.
const _: () = assert!(size_of::<Entity>() == 96 && offset_of!(Entity, function) == 68);
const _: () = assert!(size_of::<Interface>() == 112 && offset_of!(Interface, major) == 48);
const _: () = assert!(size_of::<Pad>() == 32 && offset_of!(Pad, index) == 12);
const _: () = assert!(size_of::<Link>() == 40 && offset_of!(Link, flags) == 12);
const _: () = assert!(offset_of!(TopologyArg, links) == 56 && offset_of!(List, address) == 8);

/// Says who the driver is.
#[doc(alias = "MEDIA_IOC_DEVICE_INFO")]
pub(crate) fn device_info(fd: BorrowedFd<'_>) -> Result<DeviceInfo, Errno> {
    let mut arg = zeroed::<DeviceInfo>();
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, DEVICE_INFO, &mut arg) }?;
    Ok(arg)
}

/// Enables or disables the link between two pads, each an entity's number and a pad's index.
/// `flags` are all of the link's: the kernel refuses to change any but `LINK_ENABLED`.
#[doc(alias = "MEDIA_IOC_SETUP_LINK")]
pub(crate) fn setup_link(
    fd: BorrowedFd<'_>,
    source: (u32, u16),
    sink: (u32, u16),
    flags: u32,
) -> Result<(), Errno> {
    let mut arg = zeroed::<LinkDesc>();
    (arg.source.entity, arg.source.index) = source;
    (arg.sink.entity, arg.sink.index) = sink;
    arg.flags = flags;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, SETUP_LINK, &mut arg) }
}

/// A media device's graph, as the kernel lists it.
pub(crate) struct Graph {
    pub(crate) entities: Vec<Entity>,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) pads: Vec<Pad>,
    pub(crate) links: Vec<Link>,
}

/// How often a graph may grow while it is read.
const TRIES: usize = 8;

/// Lists entities, interfaces, pads and links.
#[doc(alias = "MEDIA_IOC_G_TOPOLOGY")]
pub(crate) fn topology(fd: BorrowedFd<'_>) -> Result<Graph, Errno> {
    for _try in 0..TRIES {
        let mut arg = zeroed::<TopologyArg>();
        // SAFETY: without addresses the kernel only counts.
        unsafe { call(fd, G_TOPOLOGY, &mut arg) }?;
        let mut graph = Graph {
            entities: room(&mut arg.entities)?,
            interfaces: room(&mut arg.interfaces)?,
            pads: room(&mut arg.pads)?,
            links: room(&mut arg.links)?,
        };
        arg.entities.address = address(&mut graph.entities);
        arg.interfaces.address = address(&mut graph.interfaces);
        arg.pads.address = address(&mut graph.pads);
        arg.links.address = address(&mut graph.links);
        // SAFETY: each address is that of as many live elements as the count next to it says.
        match unsafe { call(fd, G_TOPOLOGY, &mut arg) } {
            Ok(()) => {
                cut(&mut graph.entities, arg.entities);
                cut(&mut graph.interfaces, arg.interfaces);
                cut(&mut graph.pads, arg.pads);
                cut(&mut graph.links, arg.links);
                return Ok(graph);
            }
            // It grew in between.
            Err(Errno::ENOSPC) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ENOSPC)
}

fn room<T: Structure>(list: &mut List) -> Result<Vec<T>, Errno> {
    let count = usize::try_from(list.count).map_err(|_too_many| Errno::ENOMEM)?;
    Ok(vec![zeroed(); count])
}

fn address<T>(list: &mut [T]) -> u64 {
    list.as_mut_ptr().expose_provenance() as u64
}

fn cut<T>(filled: &mut Vec<T>, list: List) {
    filled.truncate(usize::try_from(list.count).unwrap_or(usize::MAX));
}
