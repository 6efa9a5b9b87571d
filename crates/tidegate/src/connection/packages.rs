//! Parts of packages, which a device fetches one by one (spec thingsboard 4.7): read off the worker, and sent when they
//! are there.

use std::num::NonZeroU64;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::sync::Arc;

use dialects::Rendered;
use domain::{Closing, Code, Notice, Package, PackageKind, Refusal, Whose};

use super::Connection;
use super::household::Resident;
use crate::limits;

/// How a client fetches packages.
#[derive(Default)]
pub(super) struct Fetching {
    /// The size that it named last.
    size_bytes: Option<NonZeroU64>,
    /// Shared with every part that is being read.
    reading: Rc<()>,
}

impl Connection {
    /// Begins to read a part of the package that a device is to have. A device that cannot be served is told why, and
    /// its connection ends.
    pub(super) fn fetch(
        &mut self,
        of: &Rc<Resident>,
        asked_on: &str,
        kind: PackageKind,
        chunk: u64,
        size_bytes: Option<NonZeroU64>,
    ) -> Result<(), Refusal> {
        let Some(household) = &mut self.household else { return Ok(()) };
        let fetching = household.fetching.get_or_insert_default();
        fetching.size_bytes = size_bytes.or(fetching.size_bytes);
        let size_bytes_max = limits::PACKAGE_CHUNK_BYTES_MAX;
        let size_bytes = fetching.size_bytes.map_or(size_bytes_max, |it| it.get().min(size_bytes_max));
        if Rc::strong_count(&fetching.reading) > limits::PACKAGE_CHUNKS_READ_COUNT_MAX {
            let hint = format!(
                "{} parts of packages are on their way: ask for the next when one has come.",
                limits::PACKAGE_CHUNKS_READ_COUNT_MAX
            );
            return Err(self.refuse_fetch(of, asked_on, hint));
        }
        let reading = Rc::clone(&fetching.reading);
        let package = match self.worker.hub.platform.package_of(self.peer.org(), of.device.id, kind) {
            Ok(package) => package,
            Err(refusal) => return Err(self.refuse_fetch(of, asked_on, refusal.hint)),
        };
        let start = chunk.saturating_mul(size_bytes);
        self.send_part(of, asked_on, package, start..start.saturating_add(size_bytes), reading);
        Ok(())
    }

    /// Reads a part and sends it; `reading` is held until it was read.
    fn send_part(
        &self,
        of: &Rc<Resident>,
        asked_on: &str,
        package: Arc<Package>,
        range: Range<u64>,
        reading: Rc<()>,
    ) {
        let (hub, space) = (self.worker.hub.clone(), self.seat.space.clone());
        let subscriber = self.seat.subscriber().clone();
        let (dialect, of, asked_on) = (self.dialect, Rc::clone(of), asked_on.to_owned());
        tokio::task::spawn_local(async move {
            let platform = hub.platform.clone();
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = Vec::new();
                let mut each = |piece: &[u8]| {
                    bytes.extend_from_slice(piece);
                    ControlFlow::Continue(())
                };
                platform.read_package(&package, range, &mut each).map(|()| bytes)
            });
            let read = match read.await {
                Ok(read) => read.map_err(|fault| fault.to_string()),
                Err(error) => Err(error.to_string()),
            };
            drop(reading);
            let notice = match &read {
                Ok(bytes) => Notice::PackageChunk { asked_on: &asked_on, bytes },
                Err(cause) => {
                    tracing::error!(cause, "Reading a package failed");
                    Notice::PackageRefused { asked_on: &asked_on, hint: "The package cannot be read." }
                }
            };
            if let Some(Rendered::Push(push)) = dialect.notice(&of.device, Whose::Own, &notice) {
                hub.push(&space, &subscriber, &push, &mut None);
            }
            if read.is_err() {
                subscriber.kick(Closing::ServerFailed);
            }
        });
    }

    fn refuse_fetch(&self, of: &Resident, asked_on: &str, hint: String) -> Refusal {
        self.reply(of, Whose::Own, &Notice::PackageRefused { asked_on, hint: &hint });
        Refusal::new(Code::RequestInvalid, hint)
    }
}
