//! Relations, as far as gateways' devices need them: that a gateway has made a device (spec thingsboard 1, 11.3).

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use dialects::thingsboard::http::{self, HttpRefusal};
use serde_json::Value;

use super::ThingsBoard;
use super::access::Caller;
use super::reply::{At, Params, Refused};

/// The one type of relation that there is.
const CREATED: &str = "Created";

/// Which end of the relations is named.
#[derive(Clone, Copy)]
enum End {
    From,
    To,
}

/// By `fromId` and `fromType`, or `toId` and `toType`, and `relationType`.
pub(super) async fn list(
    State(of): State<ThingsBoard>,
    caller: Caller,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    let (end, id, kind) = match params.get("fromId") {
        Some(id) => (End::From, id, params.wanted("fromType")?),
        None => (End::To, params.wanted("toId")?, params.wanted("toType")?),
    };
    relations(&of, &caller, end, (kind, id), params.get("relationType")).map(Json)
}

pub(super) async fn list_from(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id)): At<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    relations(&of, &caller, End::From, (&kind, &id), None).map(Json)
}

pub(super) async fn list_from_of_type(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id, relation)): At<(String, String, String)>,
) -> Result<impl IntoResponse, Refused> {
    relations(&of, &caller, End::From, (&kind, &id), Some(&relation)).map(Json)
}

pub(super) async fn list_to(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id)): At<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    relations(&of, &caller, End::To, (&kind, &id), None).map(Json)
}

pub(super) async fn list_to_of_type(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At((kind, id, relation)): At<(String, String, String)>,
) -> Result<impl IntoResponse, Refused> {
    relations(&of, &caller, End::To, (&kind, &id), Some(&relation)).map(Json)
}

fn relations(
    of: &ThingsBoard,
    caller: &Caller,
    end: End,
    (kind, id): (&str, &str),
    relation: Option<&str>,
) -> Result<Vec<Value>, Refused> {
    if !kind.eq_ignore_ascii_case("DEVICE") {
        return Err(HttpRefusal::bad("Relations are those of devices.").into());
    }
    let platform = &of.shared.platform;
    let device = caller.device(platform, id)?;
    if relation.is_some_and(|it| it != CREATED) {
        return Ok(Vec::new());
    }
    Ok(match end {
        End::From => {
            let children = platform.children(caller.org, device.id).into_iter();
            let seen = children.filter(|it| caller.sees(platform, it));
            seen.map(|it| http::relation(device.id, it.id)).collect()
        }
        End::To => device.gateway.iter().map(|it| http::relation(*it, device.id)).collect(),
    })
}
