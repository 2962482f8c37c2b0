//! What came out of a probe, for people and for programs.

use dmaflow_core::heap::RefusedHeap;
use dmaflow_core::stage::StageError;
use dmaflow_pipelines::probe::{Probe, Refused, Unfit, Verdict};
use serde_json::{Value, json};

use crate::failure::with_causes;
use crate::numbers::{counted, hundredths, micros};
use crate::table::{Row, aligned};

/// One table for each format that was tried, the one that went best last.
pub(super) fn text(probes: &[Probe], unopened: &[RefusedHeap]) -> String {
    let mut text = String::new();
    for probe in probes {
        text.push_str(&format!(
            "{}, {}\n",
            probe.wanted.layout,
            counted(probe.wanted.buffers as u64, "buffer")
        ));
        for importer in &probe.importers {
            text.push_str(&format!("  {importer}\n"));
        }
        let ranked = probe.ranked.iter().enumerate();
        let mut rows: Vec<_> = ranked
            .flat_map(|(rank, verdict)| rows(rank, verdict))
            .collect();
        rows.extend(unopened.iter().map(|heap| {
            let reason = format!("cannot be opened: {}", heap.reason);
            Row::Remark(format!("–  {}", heap.info.name), reason)
        }));
        text.push_str(&aligned(&rows));
    }
    text
}

fn rows(rank: usize, verdict: &Verdict) -> Vec<Row> {
    let place = match verdict.is_accepted() {
        true => (rank + 1).to_string(),
        false => "–".to_owned(),
    };
    let time = verdict.allocation.map_or_else(String::new, |time| {
        format!("{} ms a buffer", hundredths(time))
    });
    let mut said = match &verdict.outcome {
        Ok(()) => "accepted".to_owned(),
        Err(Unfit::NoBuffers(_)) => "gives no buffers".to_owned(),
        Err(Unfit::Refused(_)) => "refused".to_owned(),
    };
    if verdict.remembered {
        said.push_str(", as before");
    }
    let info = verdict.heap.info();
    let mut rows = vec![Row::Cells(vec![
        format!("{place}  {}", info.name),
        info.contiguity.to_string(),
        time,
        said,
    ])];
    let mut remark = |text: String| rows.push(Row::Remark(String::new(), text));
    match &verdict.outcome {
        Ok(()) => {}
        Err(Unfit::NoBuffers(error)) => remark(with_causes(error)),
        Err(Unfit::Refused(refused)) => refused.iter().flat_map(explained).for_each(remark),
    }
    rows
}

/// Who said no to what, what that means, and what helps: a line each.
fn explained(refused: &Refused) -> Vec<String> {
    let StageError::Refused(no) = &refused.reason else {
        return vec![with_causes(&refused.reason)];
    };
    let mut lines = vec![format!("{}: {} gave {}", refused.device, no.call, no.errno)];
    for (word, text) in [("meaning", &no.meaning), ("remedy", &no.remedy)] {
        if !text.is_empty() {
            lines.push(format!("  {word}: {text}"));
        }
    }
    lines
}

pub(super) fn json(probes: &[Probe], unopened: &[RefusedHeap]) -> Value {
    let unopened = unopened
        .iter()
        .map(|heap| json!({ "heap": heap.info.name, "reason": heap.reason }));
    let best = probes.last().and_then(Probe::best);
    json!({
        "best": best.map(|verdict| verdict.heap.name()),
        "probes": probes.iter().map(probe_json).collect::<Vec<_>>(),
        "unopened": unopened.collect::<Vec<_>>(),
    })
}

fn probe_json(probe: &Probe) -> Value {
    let layout = &probe.wanted.layout;
    let strides = layout.planes().iter().map(|plane| plane.stride);
    json!({
        "format": layout.format().name(),
        "modifier": layout.modifier().to_string(),
        "width": layout.width(),
        "height": layout.height(),
        "strides": strides.collect::<Vec<_>>(),
        "buffer_bytes": layout.buffer_lens(),
        "buffers": probe.wanted.buffers,
        "importers": probe.importers,
        "ranked": probe.ranked.iter().map(verdict_json).collect::<Vec<_>>(),
    })
}

fn verdict_json(verdict: &Verdict) -> Value {
    let info = verdict.heap.info();
    let (no_buffers, refused) = match &verdict.outcome {
        Ok(()) => (None, Vec::new()),
        Err(Unfit::NoBuffers(error)) => (Some(with_causes(error)), Vec::new()),
        Err(Unfit::Refused(refused)) => (None, refused.iter().map(refused_json).collect()),
    };
    json!({
        "heap": info.name,
        "contiguity": info.contiguity.to_string(),
        "accepted": verdict.is_accepted(),
        "remembered": verdict.remembered,
        "allocation_us": verdict.allocation.map(micros),
        "no_buffers": no_buffers,
        "refused": refused,
    })
}

fn refused_json(refused: &Refused) -> Value {
    match &refused.reason {
        StageError::Refused(no) => json!({
            "device": refused.device,
            "call": no.call,
            "errno": no.errno as i32,
            "errno_name": format!("{:?}", no.errno),
            "meaning": no.meaning,
            "remedy": no.remedy,
        }),
        other => json!({ "device": refused.device, "reason": with_causes(other) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::Errno;
    use dmaflow_core::format::Format;
    use dmaflow_core::frame::FramePool;
    use dmaflow_core::layout::Layout;
    use dmaflow_core::stage::{Choice, ImportRefused};
    use dmaflow_pipelines::probe::{Answers, Importer, Wanted, probe};

    /// Takes memory of one heap only.
    struct Picky(&'static str);

    impl Importer for Picky {
        fn device(&self) -> String {
            "cam (test, /dev/video7)".to_owned()
        }
        fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
            if pool.heap().name() == self.0 {
                return Ok(Vec::new());
            }
            Err(ImportRefused {
                device: self.device(),
                heap: pool.heap().name().to_owned(),
                call: "VIDIOC_QBUF".into(),
                errno: Errno::EFAULT,
                meaning: "it wants other memory".to_owned(),
                remedy: "give it some".to_owned(),
            }
            .into())
        }
        fn undo(&mut self) {}
    }

    fn shown(heap: &'static str) -> (String, Value) {
        let heaps = [dmaflow_heaps::registry().open("memfd").unwrap()];
        let wanted = Wanted {
            layout: Layout::packed(Format::XRGB8888, 64, 64).unwrap(),
            buffers: 2,
        };
        let importers: &mut [&mut dyn Importer] = &mut [&mut Picky(heap)];
        let mut probe = probe(&heaps, importers, &wanted, &mut Answers::none());
        for verdict in &mut probe.ranked {
            verdict.allocation = None;
        }
        (text(std::slice::from_ref(&probe), &[]), json(&[probe], &[]))
    }

    #[test]
    fn a_refusal_says_who_what_why_and_what_helps() {
        let (text, json) = shown("another");
        let expected = "\
64×64 XRGB8888 linear, stride 256, 16384 bytes, 2 buffers
  cam (test, /dev/video7)
  –  memfd  scattered    refused
            cam (test, /dev/video7): VIDIOC_QBUF gave EFAULT: Bad address
              meaning: it wants other memory
              remedy: give it some
";
        assert_eq!(text, expected);
        assert_eq!(json["best"], Value::Null);
        let no = &json["probes"][0]["ranked"][0]["refused"][0];
        assert_eq!(
            (&no["errno"], &no["errno_name"]),
            (&14.into(), &"EFAULT".into())
        );
    }

    #[test]
    fn what_is_accepted_has_a_rank() {
        let (text, json) = shown("memfd");
        assert!(
            text.ends_with("  1  memfd  scattered    accepted\n"),
            "{text}"
        );
        assert_eq!(json["best"], "memfd");
        assert_eq!(json["probes"][0]["modifier"], "linear");
    }
}
