//! The HTTP interfaces of the platforms that devices and applications were built for.
//!
//! What their bodies look like is written in the dialects; here are the routes, the credentials and the waiting. The
//! interfaces share the ports and are told apart by their paths.

pub mod onenet;
pub mod thingsboard;
pub mod watson;

use axum::Router;
use axum::extract::Request;
use tower::ServiceExt;

use crate::openapi;

/// One router for all interfaces: `/api/v0002` is Watson's, anything else below `/api` is ThingsBoard's, and OneNET's
/// calls are at the root.
pub fn router(
    watson: watson::Watson,
    thingsboard: thingsboard::ThingsBoard,
    onenet: onenet::OneNet,
) -> Router {
    let (watson, thingsboard) = (watson::router(watson), thingsboard::router(thingsboard));
    let onenet = onenet::router(onenet);
    openapi::router().fallback(async move |mut request: Request| {
        let path = request.uri().path();
        if onenet::is_ours(path) {
            *request.uri_mut() = onenet::tidied(request.uri());
            return onenet.clone().oneshot(request).await;
        }
        let is_watson = path == "/api/v0002" || path.starts_with("/api/v0002/") || !path.starts_with("/api/");
        let router = if is_watson { &watson } else { &thingsboard };
        // The error is one that cannot be.
        router.clone().oneshot(request).await
    })
}
