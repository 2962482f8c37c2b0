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
/// A client that asks again at once, or says nothing at length, waits so long, so that nobody
/// keeps a processor busy.
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
            let line = match self.line(Instant::now() + LONGEST_SILENCE) {
                Ok(line) => line,
                Err(NoLine::Gone) => return,
                Err(NoLine::Refused(reason)) => return self.refuse(reason),
            };
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

    /// The next line that says something.
    fn line(&mut self, until: Instant) -> Result<Vec<u8>, NoLine> {
        let mut looked_at = 0;
        loop {
            if self.skip_blank_lines() {
                looked_at = 0;
            }
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

    /// Passes over lines that say nothing; tells whether there were any.
    fn skip_blank_lines(&mut self) -> bool {
        let says = |byte: &u8| !byte.is_ascii_whitespace();
        let begin = self.read.iter().position(says);
        let blank = &self.read[..begin.unwrap_or(self.read.len())];
        let Some(end) = blank.iter().rposition(|byte| *byte == b'\n') else {
            return false;
        };
        self.read.drain(..=end);
        if begin.is_none() {
            thread::sleep(PACE);
        }
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(100);
    const FAR: Duration = Duration::from_secs(30);

    fn connected() -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Client::new(ours).unwrap(), theirs)
    }

    #[test]
    fn blank_lines_are_passed_over() {
        let (mut client, mut other) = connected();
        other
            .write_all(b"\n \r\n\n{\"one\"}\r\n\n\t {\"other\"}\n\n")
            .unwrap();
        for wanted in [&b"{\"one\"}\r\n"[..], b"\t {\"other\"}\n"] {
            let line = client.line(Instant::now() + FAR);
            assert_eq!(line.ok().as_deref(), Some(wanted));
        }
        drop(other);
        let gone = client.line(Instant::now() + FAR);
        assert!(matches!(gone, Err(NoLine::Gone)));
    }

    #[test]
    fn who_says_nothing_at_length_is_let_go_as_the_silent_are() {
        let (mut client, mut other) = connected();
        let talking = thread::spawn(move || while other.write_all(b"\n\n\n\n").is_ok() {});
        let line = client.line(Instant::now() + SOON);
        assert!(matches!(line, Err(NoLine::Refused(_))));
        drop(client);
        talking.join().unwrap();
    }
}
