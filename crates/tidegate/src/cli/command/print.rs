//! The standard output, which a reader may close at any time: `tidegate tail | head` is no mistake.

use std::io::{ErrorKind, Write};

use anyhow::Result;

/// Writes text to the standard output. When nobody reads any more, the process ends well.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(it) if it.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}
