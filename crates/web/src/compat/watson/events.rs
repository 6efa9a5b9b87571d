//! The last event of each name, the "last event cache" (spec watson 5.9).

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialects::time::iso8601;
use domain::event::LastEvent;
use domain::{Code, Device};
use serde::Serialize;

use super::Watson;
use super::access::Caller;
use super::devices::{Named, find};
use super::reply::Refused;
use crate::stored::ask;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventView<'a> {
    type_id: &'a str,
    device_id: &'a str,
    event_id: &'a str,
    format: &'a str,
    payload: String,
    timestamp: String,
}

impl<'a> EventView<'a> {
    fn new(device: &'a Device, event: &'a LastEvent) -> EventView<'a> {
        EventView {
            type_id: &device.device_type,
            device_id: &device.name,
            event_id: &event.name,
            format: &event.format,
            payload: STANDARD.encode(&event.payload),
            // This one time of the service has its zone in digits.
            timestamp: iso8601(event.at_ms).replace('Z', "+0000"),
        }
    }
}

/// All of a device, by the event's name; 404 when there are none.
pub(super) async fn list(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name)): Named,
) -> Result<Response, Refused> {
    let platform = &watson.shared.platform;
    let device = find(platform, caller.org, &device_type, &name)?;
    let (org, id) = (device.org, device.id);
    let events = ask(platform, move |it| it.last_events(org, id)).await?;
    if events.is_empty() {
        return Err(Refused::new(Code::NotFound, format!("{} has sent no event.", device.wire_name())));
    }
    let views: Vec<_> = events.iter().map(|it| EventView::new(&device, it)).collect();
    Ok(Json(views).into_response())
}

/// One of a device.
pub(super) async fn show(
    State(watson): State<Watson>,
    caller: Caller,
    Path((device_type, name, event)): Path<(String, String, String)>,
) -> Result<Response, Refused> {
    let platform = &watson.shared.platform;
    let device = find(platform, caller.org, &device_type, &name)?;
    let (org, id) = (device.org, device.id);
    let hint = format!("{} has sent no event {event}.", device.wire_name());
    match ask(platform, move |it| it.last_event(org, id, &event)).await? {
        Some(event) => Ok(Json(EventView::new(&device, &event)).into_response()),
        None => Err(Refused::new(Code::NotFound, hint)),
    }
}
