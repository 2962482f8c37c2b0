//! One client of a control socket.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::super::Control;
use super::super::protocol::{Answer, LONGEST_LINE, Then, answer};

/// How long a client may take for a line, and be silent.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// How long it may take to read an answer.
const LONGEST_WRITE: Duration = Duration::from_secs(5);
/// A client that asks again at once waits so long, so that nobody keeps a processor busy.
const PACE: Duration = Duration::from_millis(1);

/// Why there is no line.
enum NoLine {
    /// The client is gone.
    Gone,
    /// It is told why, and let go.
    Refused(&'static str),
}

pub(super) struct Client {
    stream: UnixStream,
    /// What was read and not answered.
    read: Vec<u8>,
}

impl Client {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(LONGEST_WRITE))?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Answers until the client goes or is let go.
    pub(super) fn serve(&mut self, control: &Control) {
        loop {
            let line = match self.line() {
                Ok(line) => line,
                Err(NoLine::Gone) => return,
                Err(NoLine::Refused(reason)) => return self.refuse(reason),
            };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let (answer, then) = answer(control, &line);
            let told = self.tell(&answer);
            if then == Then::Stop {
                control.stop();
            }
            if !told {
                return;
            }
            thread::sleep(PACE);
        }
    }

    /// Says why it is let go.
    pub(super) fn refuse(&mut self, reason: &str) {
        self.tell(&Answer::Error(reason.to_owned()));
    }

    fn tell(&mut self, answer: &Answer<serde_json::Value>) -> bool {
        let told = serde_json::to_vec(answer).map_err(io::Error::from);
        let told = told.and_then(|mut bytes| {
            bytes.push(b'\n');
            self.stream.write_all(&bytes)
        });
        if let Err(error) = &told {
            tracing::debug!(%error, "a client does not hear its answer");
        }
        told.is_ok()
    }

    /// The next line.
    fn line(&mut self) -> Result<Vec<u8>, NoLine> {
        let until = Instant::now() + LONGEST_SILENCE;
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.read[looked_at..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                let rest = self.read.split_off(looked_at + end + 1);
                return Ok(std::mem::replace(&mut self.read, rest));
            }
            looked_at = self.read.len();
            if looked_at >= LONGEST_LINE {
                return Err(NoLine::Refused(
                    "a request has 16 KiB at most, and ends with a line feed",
                ));
            }
            self.read_more(until)?;
        }
    }

    fn read_more(&mut self, until: Instant) -> Result<(), NoLine> {
        const SILENT: NoLine = NoLine::Refused("nothing was asked for a minute: connect again");
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SILENT);
        }
        let mut bytes = [0; 4096];
        let set = self.stream.set_read_timeout(Some(left));
        match set.and_then(|()| self.stream.read(&mut bytes)) {
            Ok(0) => Err(NoLine::Gone),
            Ok(read) => {
                self.read.extend_from_slice(&bytes[..read]);
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => Ok(()),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(SILENT),
                _ => Err(NoLine::Gone),
            },
        }
    }
}
