use super::*;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Contiguity, ExportError, Exporter, Request};
use proptest::prelude::*;
use std::fs;

struct Nothing;

impl Exporter for Nothing {
    fn allocate(&self, _request: &Request) -> Result<DmaBuf, ExportError> {
        Err(ExportError::Refused {
            errno: Errno::ENOMEM,
            reason: "a test".to_owned(),
        })
    }
}

struct Device(&'static str);

impl Importer for Device {
    fn device(&self) -> String {
        format!("{} (/dev/today)", self.0)
    }
    fn key(&self) -> Option<DeviceKey> {
        (self.0 != "nobody").then(|| DeviceKey {
            driver: "test".to_owned(),
            bus: "platform".to_owned(),
            name: self.0.to_owned(),
        })
    }
    fn import(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn undo(&mut self) {}
}

fn heap(name: &str, contiguity: Contiguity) -> Heap {
    let info = HeapInfo {
        contiguity,
        ..HeapInfo::new(name)
    };
    Heap::new(info, Nothing)
}

fn wanted(stride: u32, buffers: usize) -> Wanted {
    Wanted {
        layout: Layout::with_stride(Format::NV12, 64, 64, stride).unwrap(),
        buffers,
    }
}

fn refused(errno: Errno) -> Result<Vec<Choice>, StageError> {
    Err(ImportRefused {
        device: "cam (/dev/yesterday)".to_owned(),
        heap: "system".to_owned(),
        call: "VIDIOC_QBUF".into(),
        errno,
        meaning: "scattered".to_owned(),
        remedy: "contiguous".to_owned(),
    }
    .into())
}

/// A file in a directory that goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("dmaflow-answers-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
    fn file(&self) -> PathBuf {
        self.0.join("below/answers.json")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn note(answers: &mut Answers, heap: &Heap, device: &'static str, errno: Option<Errno>) {
    let answer = errno.map_or_else(|| Ok(Vec::new()), refused);
    let took = Duration::from_micros(7);
    answers.note(heap, &Device(device), &wanted(64, 3), took, &answer);
}

fn known(answers: &Answers, heap: &Heap, devices: &[&'static str], wanted: &Wanted) -> Known {
    let mut devices: Vec<_> = devices.iter().map(|name| Device(name)).collect();
    let importers: Vec<_> = devices
        .iter_mut()
        .map(|device| -> &mut dyn Importer { device })
        .collect();
    answers.on(heap, &importers, wanted)
}

#[test]
fn an_answer_outlives_the_program_and_names_todays_node() {
    let scratch = Scratch::new("outlives");
    let system = heap("system", Contiguity::Scattered);
    let mut answers = Answers::at(scratch.file());
    assert!(answers.is_empty());
    note(&mut answers, &system, "cam", Some(Errno::EFAULT));
    note(&mut answers, &system, "screen", None);
    answers.save();
    let read = Answers::at(scratch.file());
    let both = known(&read, &system, &["cam", "screen"], &wanted(64, 3));
    assert_eq!(both.allocation, Some(Duration::from_micros(7)));
    assert_eq!(both.unasked, 0);
    assert!(!both.is_accepted());
    let text = both.refused[0].reason.to_string();
    for part in [
        "cam (/dev/today)",
        "`system`",
        "VIDIOC_QBUF",
        "EFAULT",
        "scattered",
        "contiguous",
    ] {
        assert!(text.contains(part), "no {part} in: {text}");
    }
    assert!(known(&read, &system, &["screen"], &wanted(64, 3)).is_accepted());
    let left: Vec<_> = fs::read_dir(scratch.0.join("below")).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file: {left:?}");
}

#[test]
fn another_question_has_no_answer() {
    let mut answers = Answers::none();
    let system = heap("system", Contiguity::Scattered);
    note(&mut answers, &system, "cam", None);
    let unasked = |heap: &Heap, device, stride, buffers| {
        known(&answers, heap, &[device], &wanted(stride, buffers)).unasked
    };
    assert_eq!(unasked(&system, "cam", 64, 3), 0);
    assert_eq!(unasked(&system, "another", 64, 3), 1);
    assert_eq!(unasked(&system, "cam", 128, 3), 1);
    assert_eq!(unasked(&system, "cam", 64, 4), 1);
    for other in [
        heap("cma", Contiguity::Scattered),
        heap("system", Contiguity::Unknown),
    ] {
        assert_eq!(unasked(&other, "cam", 64, 3), 1);
    }
}

#[test]
fn what_passes_is_not_remembered() {
    let mut answers = Answers::none();
    let system = heap("system", Contiguity::Scattered);
    for passing in [Errno::ENOMEM, Errno::EBUSY, Errno::EMFILE] {
        note(&mut answers, &system, "cam", Some(passing));
    }
    let gone = Err(StageError::Gone {
        device: "cam".to_owned(),
    });
    answers.note(
        &system,
        &Device("cam"),
        &wanted(64, 3),
        Duration::ZERO,
        &gone,
    );
    note(&mut answers, &system, "nobody", None);
    assert!(answers.is_empty());
}

#[test]
fn answers_are_replaced_forgotten_and_mistrusted() {
    let mut answers = Answers::none();
    let system = heap("system", Contiguity::Scattered);
    note(&mut answers, &system, "cam", Some(Errno::EFAULT));
    note(&mut answers, &system, "cam", None);
    assert_eq!(answers.entries.len(), 1);
    let asked = wanted(64, 3);
    assert!(known(&answers, &system, &["cam"], &asked).is_accepted());
    answers = answers.fresh();
    assert_eq!(known(&answers, &system, &["cam"], &asked).unasked, 1);
    note(&mut answers, &system, "screen", None);
    answers.forget(&[Device("cam").key().unwrap()]);
    assert_eq!(answers.entries.len(), 1);
}

#[test]
fn another_kernel_or_an_old_answer_is_asked_again() {
    let scratch = Scratch::new("stale");
    let system = heap("system", Contiguity::Scattered);
    let mut answers = Answers::at(scratch.file());
    note(&mut answers, &system, "cam", None);
    answers.save();
    let written = fs::read_to_string(scratch.file()).unwrap();
    for (found, instead) in [
        ("\"kernel\": \"", "\"kernel\": \"another "),
        ("\"version\": 1", "\"version\": 2"),
        ("\"at\": ", "\"at\": 5, \"was\": "),
    ] {
        assert!(written.contains(found), "{found} in {written}");
        fs::write(scratch.file(), written.replace(found, instead)).unwrap();
        assert!(Answers::at(scratch.file()).is_empty(), "{instead}");
    }
    fs::write(scratch.file(), written).unwrap();
    assert!(!Answers::at(scratch.file()).is_empty());
}

#[test]
fn the_same_answer_is_written_once_a_day() {
    let scratch = Scratch::new("fresh");
    let system = heap("system", Contiguity::Scattered);
    let mut answers = Answers::at(scratch.file());
    note(&mut answers, &system, "cam", None);
    answers.save();
    note(&mut answers, &system, "cam", None);
    assert!(!answers.changed);
    note(&mut answers, &system, "cam", Some(Errno::EFAULT));
    assert!(answers.changed, "another answer");
    answers.save();
    // Yesterday's, and one of a clock that was set back since.
    for at in [now() - FRESH_FOR.as_secs(), now() + 60] {
        answers.entries[0].at = at;
        note(&mut answers, &system, "cam", Some(Errno::EFAULT));
        assert!(answers.changed);
        assert_ne!(answers.entries[0].at, at);
        answers.save();
    }
    assert_eq!(answers.entries.len(), 1);
}

#[test]
fn no_more_is_kept_than_fits() {
    let scratch = Scratch::new("bounded");
    let mut answers = Answers::at(scratch.file());
    for number in 0..MOST + 10 {
        let heap = heap(&number.to_string(), Contiguity::Unknown);
        note(&mut answers, &heap, "cam", None);
    }
    assert_eq!(answers.entries.len(), MOST);
    assert!(answers.entries[0].question.heap.starts_with("10,"));
    for entry in &mut answers.entries {
        entry.no = Some(No {
            call: "x".repeat(8 << 10),
            errno: 14,
            meaning: String::new(),
            remedy: String::new(),
        });
    }
    answers.save();
    let read = Answers::at(scratch.file());
    assert_eq!(
        read.entries.last(),
        answers.entries.last(),
        "the newest stay"
    );
    assert!(!read.is_empty() && read.entries.len() < MOST);
}

#[test]
fn where_nothing_can_be_written_nothing_fails() {
    let mut answers = Answers::at("/proc/nowhere/answers.json");
    note(
        &mut answers,
        &heap("system", Contiguity::Scattered),
        "cam",
        None,
    );
    answers.save();
    assert!(answers.changed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damage to a file is at worst a question asked again.
    #[test]
    fn a_damaged_file_is_harmless(
        at in 0_usize..600,
        byte in any::<u8>(),
        cut in any::<bool>(),
        case in any::<u32>(),
    ) {
        let scratch = Scratch::new(&format!("damaged-{case}"));
        let system = heap("system", Contiguity::Scattered);
        let mut answers = Answers::at(scratch.file());
        note(&mut answers, &system, "cam", Some(Errno::EFAULT));
        answers.save();
        let mut bytes = fs::read(scratch.file()).unwrap();
        let at = at % bytes.len();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        fs::write(scratch.file(), bytes).unwrap();
        let mut read = Answers::at(scratch.file());
        prop_assert!(read.entries.len() <= 1);
        note(&mut read, &system, "cam", None);
        read.save();
        let mended = Answers::at(scratch.file());
        prop_assert!(known(&mended, &system, &["cam"], &wanted(64, 3)).is_accepted());
    }
}
