//! Asking a pipeline over its socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use dmaflow_pipelines::control::protocol::{Answer, Request};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::failure::Failure;

/// How long an answer may take: longer than a picture is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A connection to a pipeline.
pub(super) struct Client(BufReader<UnixStream>);

/// Why there is no answer.
pub(super) enum Lost {
    /// The pipeline says no.
    Refused(String),
    /// The run has ended.
    Gone,
    /// Something else happened.
    Broken(String),
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        Self::Pipeline(match lost {
            Lost::Refused(reason) | Lost::Broken(reason) => reason,
            Lost::Gone => "the pipeline has ended".to_owned(),
        })
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Gone,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self::Broken("the pipeline does not answer".to_owned())
            }
            _ => Self::Broken(format!("cannot talk to the pipeline: {error}")),
        }
    }
}

impl Client {
    pub(super) fn connect(path: &Path) -> Result<Self, Failure> {
        let connected = UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(LONGEST_WAIT))?;
            stream.set_write_timeout(Some(LONGEST_WAIT))?;
            Ok(stream)
        });
        let stream = connected.map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::ConnectionRefused => ": its pipeline has ended",
                io::ErrorKind::NotFound => ": `dmaflow ctl list` shows what runs",
                io::ErrorKind::PermissionDenied => ": it is another user's",
                _ => "",
            };
            Failure::Pipeline(format!("cannot reach {}: {error}{advice}", path.display()))
        })?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(super) fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, Failure> {
        Ok(self.try_ask(request)?)
    }

    /// The same, for who goes on without an answer.
    pub(super) fn try_ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, Lost> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        match self.0.get_mut().write_all(&line) {
            // Who was not let in can read why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        let mut told = String::new();
        if self.0.read_line(&mut told)? == 0 {
            return Err(Lost::Gone);
        }
        let answer: Answer<T> = serde_json::from_str(&told).map_err(not_understood)?;
        match answer {
            Answer::Ok(told) => Ok(told),
            Answer::Error(reason) => Err(Lost::Refused(reason)),
        }
    }
}

/// Reads an answer that came as JSON.
pub(super) fn read<T: DeserializeOwned>(told: Json) -> Result<T, Failure> {
    Ok(serde_json::from_value(told).map_err(not_understood)?)
}

fn not_understood(error: serde_json::Error) -> Lost {
    Lost::Broken(format!("the pipeline's answer is not understood: {error}"))
}
