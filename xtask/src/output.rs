//! The guest's output stream and where it ends.

use std::io::{self, Read, Write};

/// Copies `from` to `to` as it comes, until `mark`, which is not copied.
///
/// Returns whether the mark came; the stream may also just end.
pub(crate) fn copy_until(mut from: impl Read, to: &mut dyn Write, mark: &[u8]) -> io::Result<bool> {
    let mut held: Vec<u8> = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => {
                to.write_all(&held)?;
                to.flush()?;
                return Ok(false);
            }
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        held.extend_from_slice(&chunk[..read]);
        if let Some(end) = held.windows(mark.len()).position(|window| window == mark) {
            to.write_all(&held[..end])?;
            to.flush()?;
            return Ok(true);
        }
        let keep = begun(&held, mark);
        let done = held.len() - keep;
        to.write_all(&held[..done])?;
        to.flush()?;
        held.drain(..done);
    }
}

/// How many bytes at the end of `held` may be the beginning of `mark`.
fn begun(held: &[u8], mark: &[u8]) -> usize {
    (1..mark.len().min(held.len() + 1))
        .rev()
        .find(|&length| held.ends_with(&mark[..length]))
        .unwrap_or(0)
}

/// A writer that writes everything twice.
pub(crate) struct Tee<A, B>(pub(crate) A, pub(crate) B);

impl<A: Write, B: Write> Write for Tee<A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a read, the worst cutting there is.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    #[test]
    fn mark_is_found_however_the_stream_is_cut() {
        for input in [&b"one <two <end> three"[..], b"<<end>", b"<end>"] {
            let expected = input.len() - input.rsplit(|&b| b == b'<').next().unwrap().len() - 1;
            let (mut whole, mut cut) = (Vec::new(), Vec::new());
            assert!(copy_until(input, &mut whole, b"<end>").unwrap());
            assert!(copy_until(Trickle(input), &mut cut, b"<end>").unwrap());
            assert_eq!(whole, &input[..expected]);
            assert_eq!(cut, &input[..expected]);
        }
    }

    #[test]
    fn a_stream_without_mark_is_copied_whole() {
        let mut copy = Vec::new();
        assert!(!copy_until(&b"text <en"[..], &mut copy, b"<end>").unwrap());
        assert_eq!(copy, b"text <en");
    }
}
