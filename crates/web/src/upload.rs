//! Bytes of packages on their way in: a body is read frame by frame, and the store waited for in between, so that a
//! package is never in memory as a whole.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use domain::{Code, OrgId, Package, Refusal};
use platform::NewPackage;

use crate::Shared;
use crate::stored::stored;

/// Adds a package whose bytes are a body. What breaks off leaves nothing.
pub(crate) async fn upload(
    shared: &Shared,
    org: OrgId,
    draft: NewPackage,
    mut body: Body,
) -> Result<Arc<Package>, Refusal> {
    let mut upload = shared.platform.upload_package(org, draft, shared.now_ms())?;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame =
            frame.map_err(|fault| Refusal::new(Code::Malformed, format!("The body broke off: {fault}.")))?;
        if let Ok(bytes) = frame.into_data() {
            let ticket = upload.write(&bytes)?;
            stored(&shared.platform, ticket).await?;
        }
    }
    let (package, ticket) = upload.finish(shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok(package)
}
