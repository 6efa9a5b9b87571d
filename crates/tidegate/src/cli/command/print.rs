//! The standard output, which a reader may close at any time: `tidegate tail | head` is no mistake.

use std::fmt;
use std::io::{ErrorKind, Write};

use anyhow::Result;

/// Nobody reads the standard output any more.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// Writes text to the standard output. The error is [`ReaderGone`] when nobody reads any more.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(it) if it.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        done => Ok(done?),
    }
}
