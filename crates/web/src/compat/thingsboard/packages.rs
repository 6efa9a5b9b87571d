//! Packages over the HTTP device API (spec thingsboard 11.7): a device fetches the one that it is to have, as a whole
//! or part by part.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use dialects::thingsboard::http::HttpRefusal;
use domain::{Package, PackageKind};
use platform::{Store, StoreFault};

use super::ThingsBoard;
use super::device_api::Caller;
use super::pieces::{self, Read};
use super::reply::{Params, Refused};
use crate::limits::THINGSBOARD_PIECE_BYTES;

pub(super) async fn firmware(
    State(of): State<ThingsBoard>,
    caller: Caller,
    params: Params,
) -> Result<Response, Refused> {
    fetch(&of, &caller, PackageKind::Firmware, &params).await
}

pub(super) async fn software(
    State(of): State<ThingsBoard>,
    caller: Caller,
    params: Params,
) -> Result<Response, Refused> {
    fetch(&of, &caller, PackageKind::Software, &params).await
}

/// Only the package that the device is to have is given, and only by its right title and version.
async fn fetch(
    of: &ThingsBoard,
    caller: &Caller,
    kind: PackageKind,
    params: &Params,
) -> Result<Response, Refused> {
    let (title, version) = (params.wanted("title")?, params.wanted("version")?);
    let (size_bytes, chunk) = (params.number("size")?.unwrap_or(0), params.number("chunk")?.unwrap_or(0));
    caller.count_message(of)?;
    let device = caller.device();
    let package = of.shared.platform.package_of(device.org, device.id, kind)?;
    if (package.title.as_str(), package.version.as_str()) != (title, version) {
        return Err(HttpRefusal::not_found().into());
    }
    let range = part(package.size_bytes, size_bytes, chunk);
    let len = range.end - range.start;
    let mut answer = pieces::answer(of, Part { package, range }).await?;
    answer.headers_mut().insert(CONTENT_LENGTH, len.into());
    Ok(answer.into_response())
}

/// Where a part is: parts have `size_bytes` each, and without a size the first is everything.
fn part(whole_bytes: u64, size_bytes: u64, chunk: u64) -> Range<u64> {
    let size_bytes = if size_bytes == 0 { whole_bytes } else { size_bytes };
    let start = chunk.saturating_mul(size_bytes).min(whole_bytes);
    start..start.saturating_add(size_bytes).min(whole_bytes)
}

/// A part of a package that is still to be read.
struct Part {
    package: Arc<Package>,
    range: Range<u64>,
}

impl Read for Part {
    type Piece = Vec<u8>;
    const CONTENT_TYPE: &'static str = "application/octet-stream";

    fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<u8>>, StoreFault> {
        let end = self.range.end.min(self.range.start.saturating_add(THINGSBOARD_PIECE_BYTES as u64));
        let mut piece = Vec::new();
        let mut each = |bytes: &[u8]| {
            piece.extend_from_slice(bytes);
            ControlFlow::Continue(())
        };
        store.read_blob(self.package.org, self.package.id, self.range.start..end, &mut each)?;
        self.range.start = end;
        // A package that was removed meanwhile has no more bytes: the answer ends before its length.
        Ok((!piece.is_empty()).then_some(piece))
    }
}
