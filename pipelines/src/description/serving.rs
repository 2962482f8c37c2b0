//! Files that say which heaps a server lends to other processes: `dmaflow heaps serve FILE`.
//!
//! ```toml
//! directory = "/run/dmaflow/heaps"    # where the nodes are made; this is the default
//! connections = 512                   # clients at once, in all
//! connections-per-uid = 64            # clients at once, of one user
//!
//! [heap.camera]                       # the node's name
//! from = "default_cma_region"         # the heap it lends from
//! deferred-free = false               # free buffers on a worker thread
//! mode = "0660"                       # who may open it
//! owner = "root"
//! group = "video"
//! budget = "96MiB"                    # on loan at once, in all
//!
//! [heap.camera.quota]
//! per-uid = "64MiB"                   # on loan at once, to one user
//! per-client = "32MiB"                # to one client
//! buffers = 64                        # buffers, to one user
//!
//! [heap.camera.pool]                  # keep freed buffers for reuse
//! keep = "64MiB"                      # idle at most
//! floor = "8MiB"                      # idle under memory pressure at most
//! max-age = "60s"                     # how long a buffer may lie idle
//! clearing = "always"                 # or "between-clients": a client may find its own
//! prewarm = { size = "4MiB", buffers = 4 }
//!
//! [heap.scratch]
//! from = "carve-out"                  # a region set aside when the server starts
//! size = "64MiB"
//! pages = "normal"                    # or "huge": contiguous pieces of 2 MiB
//! clearing = "always"
//! ```

mod memory;
mod size;

pub use memory::{Origin, ServedPool};
pub use size::{NotASize, parse as parse_size};

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostics, Finding};
use super::document::syntax;
use super::file;
use super::reader::{Reader, Value, in_order};
use super::shape::Shape;
use super::source::Sources;
use super::value::{FromToml, not_understood, wrong_type};

/// Where nodes are made unless a file says otherwise.
pub const DIRECTORY: &str = "/run/dmaflow/heaps";

/// What a server lends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// Where the nodes are made.
    pub directory: PathBuf,
    /// Clients at once, in all.
    pub connections: Option<usize>,
    /// Clients at once, of one user.
    pub connections_per_uid: Option<usize>,
    /// The heaps, in the order of the file; at least one.
    pub heaps: Vec<ServedHeap>,
}

/// A heap that a server lends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedHeap {
    /// The node's name.
    pub name: String,
    /// Where its memory comes from.
    pub from: Origin,
    /// Buffers that it keeps when they are freed.
    pub pool: Option<ServedPool>,
    /// Whether buffers are freed on a worker thread.
    pub deferred_free: bool,
    /// The node's permission bits.
    pub mode: u32,
    /// The user that the node is to belong to, by name or number.
    pub owner: Option<String>,
    /// The group that the node is to belong to, by name or number.
    pub group: Option<String>,
    /// Bytes on loan at once, in all.
    pub budget: Option<u64>,
    /// What one user or client may have.
    pub quota: Quota,
}

/// What one user or client may have at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of one user.
    pub per_uid: Option<u64>,
    /// Bytes of one client.
    pub per_client: Option<u64>,
    /// Buffers of one user.
    pub buffers: Option<u64>,
}

impl Serving {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, also when it cannot be read at all.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        let text = file::read(path).map_err(|failure| failure.into_diagnostics(path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a text; `file_name` is what its diagnostics call it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, Diagnostics> {
        let sources = Sources::new(file_name, text.to_owned());
        let mut findings = Vec::new();
        match read(&sources, &mut findings) {
            Some(serving) if findings.is_empty() => Ok(serving),
            _ => Err(Diagnostics::new(sources, findings)),
        }
    }
}

fn read(sources: &Sources, findings: &mut Vec<Finding>) -> Option<Serving> {
    let (table, errors) = DeTable::parse_recoverable(&sources.file().text);
    if !errors.is_empty() {
        findings.extend(errors.iter().map(|error| syntax(error, 0, sources)));
        return None;
    }
    let table = table.into_inner();
    let mut reader = Reader::new(&table, "a heap server's file", 0..0, findings);
    let directory: Option<Directory> = reader.optional("directory");
    let connections = reader.number("connections", 1..);
    let connections_per_uid = reader.number("connections-per-uid", 1..);
    let heaps = reader.table("heap", "tables, as in `[heap.camera]`");
    reader.finish(|key| {
        let is_table = table.get(key)?.get_ref().is_table();
        is_table.then(|| format!("a heap is written `[heap.{key}]`"))
    });
    let heaps: Vec<_> = heaps
        .into_iter()
        .flat_map(in_order)
        .map(|(name, value)| heap(name, value, findings))
        .collect();
    if heaps.is_empty() && findings.is_empty() {
        findings.push(
            Finding::at(0..0, "there are no heaps")
                .label("a server lends at least one")
                .help("the smallest file is\n[heap.camera]\nfrom = \"system\""),
        );
    }
    Some(Serving {
        directory: directory.map_or_else(|| DIRECTORY.into(), |directory| directory.0),
        connections,
        connections_per_uid,
        heaps: heaps.into_iter().collect::<Option<_>>()?,
    })
}

fn heap(
    name: &Spanned<Cow<'_, str>>,
    value: &Value<'_>,
    findings: &mut Vec<Finding>,
) -> Option<ServedHeap> {
    let (named, name) = (name.span(), name.get_ref().as_ref());
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_-.,".contains(&c);
    if !name.bytes().all(allowed) || name.starts_with('.') || !(1..=63).contains(&name.len()) {
        findings.push(
            Finding::at(named.clone(), format!("a heap cannot be called `{name}`"))
                .label("1 to 63 letters, digits, `_`, `-`, `,` and `.` make a node's name"),
        );
    }
    let Some(table) = value.get_ref().as_table() else {
        findings.push(
            wrong_type(name, value, "a table")
                .help(format!("a heap is written `[heap.{name}]`, its keys below")),
        );
        return None;
    };
    let mut reader = Reader::new(table, "a heap", named.clone(), findings);
    let from = memory::origin(&mut reader);
    let deferred_free = reader.optional("deferred-free");
    let pool = reader.table("pool", "a table, as in `[heap.camera.pool]`");
    let mode: Option<Mode> = reader.optional("mode");
    let owner = reader.optional("owner");
    let group = reader.optional("group");
    let budget: Option<Size> = reader.optional("budget");
    let quota = reader.table("quota", "a table, as in `[heap.camera.quota]`");
    reader.finish(|_| None);
    let pool = pool.map(|pool| memory::pool(pool, named.clone(), findings));
    let quota = quota.map(|quota| {
        let mut reader = Reader::new(quota, "a heap's quota", named, findings);
        let quota = Quota {
            per_uid: reader.optional("per-uid").map(|Size(bytes)| bytes),
            per_client: reader.optional("per-client").map(|Size(bytes)| bytes),
            buffers: reader.number("buffers", 1..),
        };
        reader.finish(|_| None);
        quota
    });
    Some(ServedHeap {
        name: name.to_owned(),
        from: from?,
        pool,
        deferred_free: deferred_free.unwrap_or(false),
        mode: mode.map_or(0o660, |mode| mode.0),
        owner,
        group,
        budget: budget.map(|Size(bytes)| bytes),
        quota: quota.unwrap_or_default(),
    })
}

/// Where nodes are made.
struct Directory(PathBuf);

impl FromToml for Directory {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let path = PathBuf::from(String::from_toml(key, value)?);
        if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err(not_understood(key, value, "begins with no `/`")
                .help(format!("write the whole path, as `{DIRECTORY}`")))
        }
    }
}

/// Permission bits, as `chmod` takes them.
struct Mode(u32);

impl FromToml for Mode {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        const WANTED: &str = "permissions in quotes, as in `\"0660\"`";
        let DeValue::String(text) = value.get_ref() else {
            return Err(wrong_type(key, value, WANTED));
        };
        let bits = u32::from_str_radix(text, 8).ok();
        let bits = bits.filter(|&bits| bits <= 0o777 && !text.starts_with('+'));
        let Some(bits) = bits else {
            return Err(not_understood(
                key,
                value,
                "three or four digits of 0 to 7, as `chmod` takes them",
            ));
        };
        if bits & 0o222 == 0 {
            return Err(not_understood(key, value, "nobody could open this node")
                .help("opening a node needs permission to write, as in `\"0660\"`"));
        }
        Ok(Self(bits))
    }
}

/// A number of bytes.
pub(super) struct Size(pub(super) u64);

impl FromToml for Size {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        if let Some(number) = value.get_ref().as_integer() {
            return Err(wrong_type(key, value, "a size with its unit").help(format!(
                "for bytes write `{key} = \"{number}B\"`, for mebibytes `\"{number}MiB\"`"
            )));
        }
        let DeValue::String(text) = value.get_ref() else {
            return Err(wrong_type(key, value, "a size, as in `\"64MiB\"`"));
        };
        let size = size::parse(text).map_err(|error| not_understood(key, value, error))?;
        Ok(Self(size))
    }

    fn shape() -> Shape {
        Shape::Text("size, as `\"64MiB\"`")
    }
}

#[cfg(test)]
mod tests;
