//! The HTTP interfaces of the platforms that devices and applications were built for.
//!
//! What their bodies look like is written in the dialects; here are the routes, the credentials and the waiting. The
//! interfaces share the ports and are told apart by their paths.

pub mod thingsboard;
pub mod watson;

use axum::Router;
use axum::extract::Request;
use tower::ServiceExt;

use crate::openapi;

/// One router for all interfaces: `/api/v0002` is Watson's, anything else below `/api` is ThingsBoard's.
pub fn router(watson: watson::Watson, thingsboard: thingsboard::ThingsBoard) -> Router {
    let (watson, thingsboard) = (watson::router(watson), thingsboard::router(thingsboard));
    openapi::router().fallback(async move |request: Request| {
        let path = request.uri().path();
        let is_watson = path == "/api/v0002" || path.starts_with("/api/v0002/") || !path.starts_with("/api/");
        let router = if is_watson { &watson } else { &thingsboard };
        // The error is one that cannot be.
        router.clone().oneshot(request).await
    })
}
