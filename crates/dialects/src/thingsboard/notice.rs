//! What devices are told, as messages to the session that is their door (spec thingsboard 3.6 to 3.8, 4.3 to 4.5).

use domain::attribute::{Found, Keys, Wanted};
use domain::rate::{Rates, TrafficRates};
use domain::{ChildChange, Notice, Peer, Points, QoS, Whose};

use super::value::{print, print_points, quote};
use crate::command::as_call;
use crate::{Push, Rendered, Terms, Way};

pub(super) fn notice(whose: Whose<'_>, notice: &Notice<'_>) -> Option<Rendered> {
    Some(Rendered::Push(match notice {
        Notice::AttributesSet { points } => {
            let mut data = String::new();
            print_points(&mut data, points);
            attributes_changed(whose, &data)
        }
        Notice::AttributesRemoved { keys } => {
            let mut data = String::from(r#"{"deleted":["#);
            for (at, key) in keys.iter().enumerate() {
                if at > 0 {
                    data.push(',');
                }
                quote(&mut data, key);
            }
            data.push_str("]}");
            attributes_changed(whose, &data)
        }
        Notice::AttributesFound { asked_on, id, wanted, found } => match whose {
            Whose::Own => Push {
                ways: vec![answer_way(asked_on, *id)?],
                unasked: Some(QoS::AtLeastOnce),
                payload: found_of_own(found).into_bytes(),
            },
            Whose::Child(name) => Push {
                ways: vec![Way::of("v1/gateway/attributes/response")],
                unasked: Some(QoS::AtLeastOnce),
                payload: found_of_child(*id, name, wanted, found).into_bytes(),
            },
        },
        Notice::Command { number, body, .. } => {
            let (method, params) = as_call(body);
            command(whose, *number, &method, &params)
        }
        Notice::PackageChunk { asked_on, bytes } => Push {
            ways: vec![chunk_way(asked_on)?],
            unasked: Some(QoS::AtLeastOnce),
            payload: bytes.to_vec(),
        },
        Notice::PackageRefused { asked_on, hint } => Push {
            ways: vec![Way::of(if asked_on.starts_with("v2/fw/") { "v2/fw/error" } else { "v2/sw/error" })],
            unasked: Some(QoS::AtLeastOnce),
            payload: hint.as_bytes().to_vec(),
        },
        Notice::CallAnswered { asked_on, id, answer } => Push {
            ways: vec![answer_way(asked_on, *id)?],
            unasked: Some(QoS::AtLeastOnce),
            payload: answer.as_bytes().to_vec(),
        },
    }))
}

impl Way {
    fn of(filter: &'static str) -> Way {
        Way { filter, topic: filter.to_owned() }
    }

    fn numbered(filter: &'static str, number: impl std::fmt::Display) -> Way {
        let prefix = filter.strip_suffix('+').unwrap_or(filter);
        Way { filter, topic: format!("{prefix}{number}") }
    }
}

/// The way of an answer: the same family of topics as the question's (spec 4.1).
fn answer_way(asked_on: &str, id: i64) -> Option<Way> {
    let families = [
        ("v1/devices/me/attributes/request/", "v1/devices/me/attributes/response/+"),
        ("v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/+"),
        ("v2/a/req/j/", "v2/a/res/j/+"),
        ("v2/a/req/", "v2/a/res/+"),
        ("v2/r/req/j/", "v2/r/res/j/+"),
        ("v2/r/req/", "v2/r/res/+"),
    ];
    let (_, filter) = families.into_iter().find(|(asked, _)| asked_on.starts_with(asked))?;
    Some(Way::numbered(filter, id))
}

/// The way of a part of a package: the topic of the question, but for one level (spec 4.7).
fn chunk_way(asked_on: &str) -> Option<Way> {
    let families = [
        ("v2/fw/request/", "v2/fw/response/", "v2/fw/response/+/chunk/+"),
        ("v2/sw/request/", "v2/sw/response/", "v2/sw/response/+/chunk/+"),
    ];
    families.into_iter().find_map(|(asked, answered, filter)| {
        let rest = asked_on.strip_prefix(asked)?;
        Some(Way { filter, topic: format!("{answered}{rest}") })
    })
}

fn attributes_changed(whose: Whose<'_>, data: &str) -> Push {
    match whose {
        Whose::Own => Push {
            ways: ["v1/devices/me/attributes", "v2/a", "v2/a/j"].map(Way::of).into(),
            unasked: None,
            payload: data.as_bytes().to_vec(),
        },
        Whose::Child(name) => Push {
            ways: vec![Way::of("v1/gateway/attributes")],
            unasked: Some(QoS::AtLeastOnce),
            payload: about_child(name, data).into_bytes(),
        },
    }
}

/// `{"device":"…","data":…}`
fn about_child(name: &str, data: &str) -> String {
    let mut to = String::from(r#"{"device":"#);
    quote(&mut to, name);
    to.push_str(r#","data":"#);
    to.push_str(data);
    to.push('}');
    to
}

fn command(whose: Whose<'_>, number: u32, method: &str, params: &str) -> Push {
    let mut call = String::from(r#""method":"#);
    quote(&mut call, method);
    call.push_str(r#","params":"#);
    call.push_str(params);
    match whose {
        Whose::Own => Push {
            ways: ["v1/devices/me/rpc/request/+", "v2/r/req/+", "v2/r/req/j/+"]
                .map(|it| Way::numbered(it, number))
                .into(),
            unasked: None,
            payload: format!("{{{call}}}").into_bytes(),
        },
        Whose::Child(name) => Push {
            ways: vec![Way::of("v1/gateway/rpc")],
            unasked: Some(QoS::AtLeastOnce),
            payload: about_child(name, &format!(r#"{{"id":{number},{call}}}"#)).into_bytes(),
        },
    }
}

/// What a gateway is called with when a device behind it was removed or renamed (spec 3.10).
pub(super) fn child_change(change: &ChildChange<'_>) -> (&'static str, String) {
    let mut params = String::new();
    match change {
        ChildChange::Removed { name } => {
            quote(&mut params, name);
            ("gateway_device_deleted", params)
        }
        ChildChange::Renamed { from, to } => {
            params.push('{');
            quote(&mut params, from);
            params.push(':');
            quote(&mut params, to);
            params.push('}');
            ("gateway_device_renamed", params)
        }
    }
}

/// `{"client":{…},"shared":{…}}`, without a scope in which nothing was found (spec 4.3).
pub(super) fn found_of_own(found: &Found) -> String {
    let mut to = String::from("{");
    for (name, points) in [("client", &found.client), ("shared", &found.shared)] {
        if points.is_empty() {
            continue;
        }
        if to.len() > 1 {
            to.push(',');
        }
        quote(&mut to, name);
        to.push(':');
        print_points(&mut to, points);
    }
    to.push('}');
    to
}

/// One key that was asked for is a `value`, several are `values`, whatever was found of them; where all were asked for,
/// it goes by what was found (spec 3.6).
fn found_of_child(id: i64, name: &str, wanted: &Wanted, found: &Found) -> String {
    let mut to = format!(r#"{{"id":{id},"device":"#);
    quote(&mut to, name);
    let asked = |keys: &Keys| match keys {
        Keys::None => 0,
        Keys::Named(names) => names.len(),
        Keys::All => 0,
    };
    let count = found.client.len() + found.shared.len();
    let several = match (&wanted.client, &wanted.shared) {
        (Keys::All, _) | (_, Keys::All) => count > 1,
        (client, shared) => asked(client) + asked(shared) > 1,
    };
    let mut all = Points::new();
    found.client.iter().chain(found.shared.iter()).for_each(|(key, value)| all.push(key, value));
    match all.iter().next() {
        None => {}
        Some((_, value)) if !several => {
            to.push_str(r#","value":"#);
            print(&mut to, value);
        }
        Some(_) => {
            to.push_str(r#","values":"#);
            print_points(&mut to, &all);
        }
    }
    to.push('}');
    to
}

/// What its platform tells at most (spec 4.5); more is taken, but clients are tuned to this.
const PAYLOAD_BYTES_TOLD_MAX: usize = 65_536;
const INFLIGHT_COUNT_TOLD_MAX: u16 = 100;

/// The answer to a device's own call. There is one that the server knows: clients send nothing before it is answered
/// (spec 4.5). Others are answered at once with an error, which every client takes better than silence.
pub(super) fn call(peer: &Peer, method: &str, terms: &Terms<'_>) -> String {
    if method != "getSessionLimits" {
        let mut to = String::from(r#"{"error":"#);
        quote(&mut to, &format!("the server does not know the method {method}"));
        to.push('}');
        return to;
    }
    let payload_bytes_max = terms.payload_bytes_max.min(PAYLOAD_BYTES_TOLD_MAX);
    let inflight_count_max = terms.inflight_count_max.min(INFLIGHT_COUNT_TOLD_MAX);
    let own = told_rates(terms.own_rates);
    let gateway = match peer.is_gateway() {
        true => format!(r#","gatewayRateLimits":{}"#, told_rates(terms.behind_rates)),
        false => String::new(),
    };
    format!(
        r#"{{"maxPayloadSize":{payload_bytes_max},"maxInflightMessages":{inflight_count_max},"rateLimits":{own}{gateway}}}"#
    )
}

/// Rates as clients are told them; no bound is `null`.
fn told_rates(rates: &TrafficRates) -> String {
    let told = |rates: &Rates| if rates.is_unlimited() { "null".to_owned() } else { format!("\"{rates}\"") };
    let [messages, readings, points] = [&rates.messages, &rates.readings, &rates.points].map(told);
    format!(r#"{{"messages":{messages},"telemetryMessages":{readings},"telemetryDataPoints":{points}}}"#)
}

/// A gateway has sent too much for a device, and is closed after this (spec 3.12). 150 is 5.0's "quota exceeded", upon
/// which the SDK slows down.
pub(super) fn slow_down(name: &str) -> Push {
    let topic = "v1/gateway/disconnect";
    let mut payload = String::from(r#"{"device":"#);
    quote(&mut payload, name);
    payload.push_str(r#","reason":150}"#);
    Push { ways: vec![Way::of(topic)], unasked: Some(QoS::AtLeastOnce), payload: payload.into_bytes() }
}
