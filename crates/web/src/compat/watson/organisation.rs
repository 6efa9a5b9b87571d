//! The organisation itself, and the health of the service (spec watson 5.3).

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use dialects::time::iso8601;
use domain::Code;
use serde_json::json;

use super::Watson;
use super::access::Caller;
use super::reply::Refused;

pub(super) async fn show(State(watson): State<Watson>, caller: Caller) -> Result<impl IntoResponse, Refused> {
    let org = watson.shared.platform.org(caller.org);
    let org = org.ok_or_else(|| Refused::new(Code::OrgUnknown, "The organisation has just been removed."))?;
    let created = iso8601(org.created_ms);
    Ok(Json(json!({
        "id": org.id.as_str(),
        "name": org.name,
        "enabled": org.enabled,
        "type": "Self-hosted",
        "created": created,
        "updated": created,
        "config": {},
    })))
}

/// One region, named as SDKs expect it: green while the store can be relied on.
pub(super) async fn service_status(State(watson): State<Watson>) -> impl IntoResponse {
    let messaging = if watson.shared.platform.store().health().is_ok() { "green" } else { "red" };
    Json(json!({ "us": { "dashboard": "green", "messaging": messaging, "thirdParty": "green" } }))
}
