//! The kernel's trace of the controls that the virtual stateless decoder is given.
//!
//! visl tells of every control of every request, in events of its own: a name, then a line a
//! field (`include/trace/events` has none of them; see `drivers/media/test-drivers/visl/`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const TRACING: &str = "/sys/kernel/tracing";

/// Events that are left alone: on a stream without what they tell of, their printing reads what
/// is not there.
const LEFT_ALONE: &str = "ext_sps";

/// Kibibytes a processor; a picture of H.264 takes some twelve.
const BUFFER: &str = "40000";

/// What visl was given since this was made.
#[derive(Debug)]
pub struct ControlTrace(());

impl ControlTrace {
    /// Traces visl's controls from now on.
    ///
    /// # Errors
    /// When the kernel has no tracing, or its files cannot be written.
    pub fn begin() -> io::Result<Self> {
        if !Path::new(TRACING).join("trace").exists() {
            let mounted = Command::new("mount")
                .args(["-t", "tracefs", "tracefs", TRACING])
                .status()?;
            if !mounted.success() {
                return Err(io::Error::other("tracefs cannot be mounted"));
            }
        }
        put("trace_options", "nocontext-info")?;
        put("buffer_size_kb", BUFFER)?;
        for event in events()? {
            fs::write(event.join("enable"), "1")?;
        }
        put("trace", "")?;
        Ok(Self(()))
    }

    /// What was traced since the last time.
    ///
    /// # Errors
    /// When the trace cannot be read.
    pub fn take(&mut self) -> io::Result<Vec<TracedControl>> {
        let text = fs::read_to_string(Path::new(TRACING).join("trace"))?;
        put("trace", "")?;
        Ok(TracedControl::all_of(&text))
    }
}

impl Drop for ControlTrace {
    fn drop(&mut self) {
        for event in events().into_iter().flatten() {
            drop(fs::write(event.join("enable"), "0"));
        }
    }
}

fn put(file: &str, text: &str) -> io::Result<()> {
    fs::write(Path::new(TRACING).join(file), text)
}

fn events() -> io::Result<Vec<PathBuf>> {
    let mut events = Vec::new();
    for group in fs::read_dir(Path::new(TRACING).join("events"))? {
        let group = group?;
        let name = group.file_name().to_string_lossy().into_owned();
        if !(name.starts_with("visl_") && name.ends_with("_controls")) {
            continue;
        }
        for event in fs::read_dir(group.path())? {
            let event = event?.path();
            let name = event.file_name().unwrap_or_default().to_string_lossy();
            if event.join("enable").exists() && !name.contains(LEFT_ALONE) {
                events.push(event);
            }
        }
    }
    Ok(events)
}

/// One event: a control, or an entry of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedControl {
    /// As the kernel calls it, `v4l2_ctrl_h264_sps`; with the place of an entry,
    /// `v4l2_h264_dpb_entry[3]`.
    pub name: String,
    /// Names and values of its fields, in order. Numbers of a table of several lines are parted by
    /// blanks.
    pub fields: Vec<(String, String)>,
}

impl TracedControl {
    /// All that a trace tells of, in order.
    #[must_use]
    pub fn all_of(trace: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut in_table = false;
        for line in trace.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let started = line.starts_with("v4l2_").then(|| line.split_once(": "));
            let alone = line.strip_suffix(':').filter(|_| line.starts_with("v4l2_"));
            if let Some((name, entry)) = started.flatten().or_else(|| alone.map(|name| (name, "")))
            {
                all.push(Self::started(name, entry));
                in_table = false;
                continue;
            }
            let Some(last) = all.last_mut() else {
                continue;
            };
            match line {
                "}" => in_table = false,
                line if in_table => {
                    if let Some((_name, value)) = last.fields.last_mut() {
                        value.push(' ');
                        value.push_str(line);
                    }
                }
                line => {
                    let (name, value) = line.split_once([' ', ':']).unwrap_or((line, ""));
                    let value = value.trim_start_matches([' ', ':']);
                    in_table = value == "{";
                    let value = if in_table { "" } else { value };
                    last.fields.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        all
    }

    /// An event that begins: `[3]: name value name value` is an entry.
    fn started(name: &str, entry: &str) -> Self {
        let Some((place, fields)) = entry.split_once(": ").filter(|_| entry.starts_with('['))
        else {
            return Self {
                name: name.to_owned(),
                fields: Vec::new(),
            };
        };
        Self {
            name: format!("{name}{place}"),
            fields: entry_fields(fields),
        }
    }

    /// A field's value.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(name, _value)| name == field)
            .map(|(_name, value)| value.as_str())
    }
}

/// `reference_ts 0, pic_num 0 frame_num 0 fields  flags `: a value may be missing.
fn entry_fields(text: &str) -> Vec<(String, String)> {
    let is_name = |word: &str| word.starts_with(|first: char| first.is_ascii_lowercase());
    let mut fields: Vec<(String, String)> = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        match fields.last_mut() {
            Some((_name, value)) if !is_name(word) => {
                value.push_str(word);
            }
            _ => fields.push((word.to_owned(), String::new())),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_with_their_tables_and_entries() {
        let trace = "# tracer: nop\n#\n\
             v4l2_ctrl_vp9_frame: \nlf.level 1\nflags KEY_FRAME|SHOW_FRAME\nseg.flags \n\
             seg.feature_data {\n00 01\n02 03\n}\nprofile 0\n\n\
             v4l2_h264_dpb_entry: [3]: reference_ts 1000, pic_num 1 fields TOP_FIELD_REF flags\n\
             v4l2_ctrl_av1_sequence: \nseq_profile: 0\nfeature_enabled:{0x0,0x1}\n";
        let all = TracedControl::all_of(trace);
        let [frame, entry, sequence] = &all[..] else {
            panic!("{all:?}");
        };
        assert_eq!(frame.name, "v4l2_ctrl_vp9_frame");
        assert_eq!(frame.value("lf.level"), Some("1"));
        assert_eq!(frame.value("seg.flags"), Some(""));
        assert_eq!(frame.value("seg.feature_data"), Some(" 00 01 02 03"));
        assert_eq!(frame.value("profile"), Some("0"));
        assert_eq!(entry.name, "v4l2_h264_dpb_entry[3]");
        assert_eq!(entry.value("reference_ts"), Some("1000"));
        assert_eq!(entry.value("fields"), Some("TOP_FIELD_REF"));
        assert_eq!(entry.value("flags"), Some(""));
        assert_eq!(sequence.value("seq_profile"), Some("0"));
        assert_eq!(sequence.value("feature_enabled"), Some("{0x0,0x1}"));
    }
}
