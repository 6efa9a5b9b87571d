//! Topics: what a publish is about, and what may be subscribed to (spec thingsboard 2.6, 2.7, 4.1).

use domain::{Code, PackageKind, Peer, Refusal};

use super::provision;
use crate::{Grant, Retention, Uplink, What, rights};

/// What a message is about; its payload says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    /// The sender itself.
    Own(Own<'a>),
    /// Devices behind the sender, which is a gateway.
    Gateway(Gateway),
    /// A newcomer, which wants a login.
    Newcomer,
}

/// What a device says of itself; the texts are the numbers at the end of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own<'a> {
    Telemetry,
    Attributes,
    AttributeRequest(&'a str),
    Answer(&'a str),
    Call(&'a str),
    Claim,
    /// A part of a package, by its number.
    Fetch(PackageKind, &'a str),
}

/// What a gateway says of the devices behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gateway {
    Connect,
    Disconnect,
    Telemetry,
    Attributes,
    AttributeRequest,
    Rpc,
    Claim,
}

/// Everything that may be subscribed to (spec 2.6). Wildcards are part of the names: no other filter is granted.
const FILTERS: &[&str] = &[
    "v1/devices/me/attributes",
    "v1/devices/me/attributes/response/+",
    "v1/devices/me/rpc/request/+",
    "v1/devices/me/rpc/response/+",
    "v2/a",
    "v2/a/j",
    "v2/a/p",
    "v2/a/res/+",
    "v2/a/res/j/+",
    "v2/a/res/p/+",
    "v2/r/req/+",
    "v2/r/req/j/+",
    "v2/r/req/p/+",
    "v2/r/res/+",
    "v2/r/res/j/+",
    "v2/r/res/p/+",
    "v2/fw/response/+",
    "v2/fw/response/+/chunk/+",
    "v2/fw/error",
    "v2/sw/response/+",
    "v2/sw/response/+/chunk/+",
    "v2/sw/error",
    "v1/gateway/attributes",
    "v1/gateway/attributes/response",
    "v1/gateway/rpc",
];

/// What a topic is about, if it is one of the API.
pub(super) fn subject(topic: &str) -> Option<Subject<'_>> {
    if let Some(rest) = topic.strip_prefix("v1/devices/me/") {
        return own(rest).map(Subject::Own);
    }
    if let Some(rest) = topic.strip_prefix("v1/gateway/") {
        let about = match rest {
            "connect" => Gateway::Connect,
            "disconnect" => Gateway::Disconnect,
            "telemetry" => Gateway::Telemetry,
            "attributes" => Gateway::Attributes,
            "attributes/request" => Gateway::AttributeRequest,
            "rpc" => Gateway::Rpc,
            "claim" => Gateway::Claim,
            _ => return None,
        };
        return Some(Subject::Gateway(about));
    }
    if topic == provision::REQUEST {
        return Some(Subject::Newcomer);
    }
    topic.strip_prefix("v2/").and_then(short).map(Subject::Own)
}

fn own(rest: &str) -> Option<Own<'_>> {
    Some(match rest {
        "telemetry" => Own::Telemetry,
        "attributes" => Own::Attributes,
        "claim" => Own::Claim,
        _ => {
            let level = |prefix| rest.strip_prefix(prefix).and_then(number);
            let question = level("attributes/request/").map(Own::AttributeRequest);
            let answer = || level("rpc/response/").map(Own::Answer);
            question.or_else(answer).or_else(|| level("rpc/request/").map(Own::Call))?
        }
    })
}

/// The short topics; those with `j` say that the payload is JSON, which it is anyway.
fn short(rest: &str) -> Option<Own<'_>> {
    Some(match rest {
        "t" | "t/j" => Own::Telemetry,
        "a" | "a/j" => Own::Attributes,
        _ => {
            let level = |prefix| {
                let rest = rest.strip_prefix(prefix)?;
                number(rest.strip_prefix("j/").unwrap_or(rest))
            };
            let question = level("a/req/").map(Own::AttributeRequest);
            let answer = || level("r/res/").map(Own::Answer);
            let call = || level("r/req/").map(Own::Call);
            question.or_else(answer).or_else(call).or_else(|| fetch(rest))?
        }
    })
}

/// `fw/request/{request}/chunk/{number}`
fn fetch(rest: &str) -> Option<Own<'_>> {
    PackageKind::ALL.into_iter().find_map(|kind| {
        let rest = rest.strip_prefix(kind.abbreviation())?.strip_prefix("/request/")?;
        let (request, chunk) = rest.split_once("/chunk/")?;
        number(request)?;
        Some(Own::Fetch(kind, number(chunk)?))
    })
}

/// The last level of a topic, whatever it says.
fn number(level: &str) -> Option<&str> {
    (!level.contains('/')).then_some(level)
}

pub(super) fn uplink<'a>(peer: &Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
    let is_newcomer = provision::is_newcomer(peer);
    match subject(topic).filter(|it| (*it == Subject::Newcomer) == is_newcomer) {
        None => {
            let hint = format!(
                "The topic {topic} is none of the API: see the list of topics of the ThingsBoard dialect."
            );
            Err(Refusal::new(Code::TopicInvalid, hint))
        }
        Some(Subject::Gateway(_)) if !peer.is_gateway() => {
            let hint = format!("{topic} is for gateways, and {} is none: make it one.", peer.client_id());
            Err(Refusal::new(Code::NotAllowed, hint))
        }
        Some(_) => Ok(Uplink {
            device: None,
            topic: topic.into(),
            what: What::Asked,
            registers: false,
            retention: Retention::Cleared,
        }),
    }
}

pub(super) fn grant(peer: &Peer, filter: &str) -> Result<Grant, Refusal> {
    let is_known = match provision::is_newcomer(peer) {
        true => filter == provision::RESPONSE,
        false => FILTERS.contains(&filter),
    };
    if !is_known {
        let hint = format!(
            "Nothing can be subscribed to as {filter}: the dialect has a list of filters, without others."
        );
        return Err(Refusal::new(Code::TopicInvalid, hint));
    }
    rights::may_subscribe(peer, filter)?;
    // What the server has to say goes to one session, which it knows: nothing is routed by filters.
    Ok(Grant { route: None, share: None, device: None, reads_retained: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_is_about_something_and_no_other_is() {
        let own = |it| Some(Subject::Own(it));
        for (topic, expected) in [
            ("v1/devices/me/telemetry", own(Own::Telemetry)),
            ("v1/devices/me/attributes", own(Own::Attributes)),
            ("v1/devices/me/attributes/request/7", own(Own::AttributeRequest("7"))),
            ("v1/devices/me/rpc/response/0", own(Own::Answer("0"))),
            ("v1/devices/me/rpc/request/x", own(Own::Call("x"))),
            ("v1/devices/me/claim", own(Own::Claim)),
            ("v2/t", own(Own::Telemetry)),
            ("v2/t/j", own(Own::Telemetry)),
            ("v2/a", own(Own::Attributes)),
            ("v2/a/j", own(Own::Attributes)),
            ("v2/a/req/1", own(Own::AttributeRequest("1"))),
            ("v2/a/req/j/1", own(Own::AttributeRequest("1"))),
            ("v2/r/res/2", own(Own::Answer("2"))),
            ("v2/r/res/j/2", own(Own::Answer("2"))),
            ("v2/r/req/3", own(Own::Call("3"))),
            ("v2/r/req/j/3", own(Own::Call("3"))),
            ("v2/fw/request/7/chunk/0", own(Own::Fetch(PackageKind::Firmware, "0"))),
            ("v2/sw/request//chunk/x", own(Own::Fetch(PackageKind::Software, "x"))),
            ("v2/fw/request/7/chunk", None),
            ("v2/fw/request/7/chunk/0/1", None),
            ("v2/fw/request/7/8/chunk/0", None),
            ("v2/xw/request/7/chunk/0", None),
            ("v1/gateway/connect", Some(Subject::Gateway(Gateway::Connect))),
            ("v1/gateway/disconnect", Some(Subject::Gateway(Gateway::Disconnect))),
            ("v1/gateway/telemetry", Some(Subject::Gateway(Gateway::Telemetry))),
            ("v1/gateway/attributes", Some(Subject::Gateway(Gateway::Attributes))),
            ("v1/gateway/attributes/request", Some(Subject::Gateway(Gateway::AttributeRequest))),
            ("v1/gateway/rpc", Some(Subject::Gateway(Gateway::Rpc))),
            ("v1/gateway/claim", Some(Subject::Gateway(Gateway::Claim))),
            ("/provision/request", Some(Subject::Newcomer)),
            ("/provision", None),
            ("/provision/response", None),
            ("v1/gateway/xyz", None),
            ("v1/gateway/attributes/response", None),
            ("v1/devices/me", None),
            ("v1/devices/me/rpc/request/1/2", None),
            ("v2/t/p", None),
            ("v2/a/req/p/1", None),
            ("foo/bar", None),
            ("", None),
        ] {
            assert_eq!(subject(topic), expected, "{topic}");
        }
    }
}
