//! QMP, QEMU's control protocol: one JSON object a line each way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A connection to the emulator.
pub(crate) struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Greets the emulator at the other end of `stream`.
    pub(crate) fn new(stream: UnixStream) -> Result<Self> {
        let mut monitor = Self {
            stream: BufReader::new(stream),
        };
        monitor.read()?;
        monitor.execute(&json!({ "execute": "qmp_capabilities" }))?;
        Ok(monitor)
    }

    /// Writes what the emulated monitor shows to `file`, as PNG.
    pub(crate) fn screenshot(&mut self, file: &Path) -> Result<()> {
        self.execute(&json!({
            "execute": "screendump",
            "arguments": { "filename": file, "format": "png" },
        }))
        .with_context(|| format!("cannot write a screenshot to {}", file.display()))
    }

    fn execute(&mut self, command: &Value) -> Result<()> {
        let mut line = command.to_string();
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes())?;
        loop {
            let answer = self.read()?;
            if let Some(error) = answer.get("error") {
                bail!(
                    "QEMU says: {}",
                    error["desc"].as_str().unwrap_or("no reason")
                );
            }
            if answer.get("return").is_some() {
                return Ok(());
            }
            // Anything else is an event, which nothing here waits for.
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("QEMU closed its monitor");
        }
        serde_json::from_str(&line).with_context(|| format!("QEMU said {line:?}"))
    }
}
