//! Files beside data streams: kept, and given back as they came (spec onenet 8.9). Those that devices upload over MQTT
//! are the same.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use dialects::limits::ONENET_STREAM_BYTES_MAX;
use dialects::onenet::binary;
use dialects::onenet::http::{Errno, HttpRefusal, form};
use domain::{Method, Points, Value};
use platform::Changes;
use serde_json::json;

use super::OneNet;
use super::access::Caller;
use super::reply::{At, Body, Params, Raw, Refused, Reply};
use crate::limits::ONENET_FILE_BYTES_MAX;
use crate::stored::{ask, stored};

pub(super) async fn keep(
    State(of): State<OneNet>,
    caller: Caller,
    params: Params,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
    let found = caller.named(&of, params.wanted("device_id")?)?;
    let stream = params.wanted("datastream_id")?;
    caller.may(Method::Post, &found, Some(stream))?;
    if stream.len() > ONENET_STREAM_BYTES_MAX {
        return Err(HttpRefusal::invalid("datastream_id").into());
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let file = form::file(content_type, &body).filter(|it| !it.is_empty());
    let file = file.ok_or(Errno::DataRequired)?;
    if file.len() > ONENET_FILE_BYTES_MAX {
        return Err(Errno::TooLarge.into());
    }
    let (org, device) = (found.device.org, found.device.id);
    let mut changes = Changes::new();
    let ms = platform.keep_binary(org, device, file, now_ms, &mut changes);
    // The point is stored after the file that it speaks of, and never without it.
    platform.store().commit(changes);
    let (number, desc) =
        (found.numbered.number.to_string(), params.get("desc").map(|it| json!(it).to_string()));
    let mut points = Points::new();
    points.push(stream, Value::Json(&binary::value(&number, ms, stream, desc.as_deref())));
    let ticket = of.ways.measured(&found.device, vec![(None, points)], "http");
    stored(platform, ticket).await?;
    Ok(Reply::with(&json!({ "index": binary::index(&number, ms, stream) })))
}

/// A file. The index does not prove of which stream it is, so that only a key for the whole device opens it.
pub(super) async fn show(
    State(of): State<OneNet>,
    caller: Caller,
    At(index): At<String>,
) -> Result<Raw, Refused> {
    let none = || HttpRefusal::not_found(format!("file {index}"));
    let (number, ms) = binary::parse(&index).ok_or_else(none)?;
    let found = caller.device(&of, Method::Get, &number.to_string())?;
    let (org, device, platform) = (found.device.org, found.device.id, Arc::clone(&of.shared.platform));
    let read = ask(&of.shared.platform, move |_| {
        let mut file = Vec::new();
        let is_there = platform.read_binary(org, device, ms, &mut |bytes| {
            file.extend_from_slice(bytes);
            ControlFlow::Continue(())
        })?;
        Ok(is_there.then_some(file))
    });
    Ok(Raw(read.await?.ok_or_else(none)?))
}
