//! Whatever a peer sends, a dialect answers: nothing panics, and nothing of a payload is lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use dialects::plain::OPEN;
use dialects::watson::SEED;
use dialects::{Dialect, Hello, Place};
use domain::{Class, DeviceId, OrgId, Peer, Points, Value};
use mqtt::property::Properties;
use mqtt::{Version, packet::Connect};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn peers() -> [Peer; 3] {
    let org = OrgId::parse("abc123").unwrap();
    let device = |class: Class, prefix: &str| Peer::Device {
        org,
        id: DeviceId(1),
        class,
        device_type: "t".to_owned(),
        name: "d".to_owned(),
        client_id: format!("{prefix}:abc123:t:d"),
        rights: Arc::default(),
    };
    let (app, key, client_id) = ("app".to_owned(), "a-abc123-x".to_owned(), "a:abc123:app".to_owned());
    [
        device(Class::Device, "d"),
        device(Class::Gateway, "g"),
        Peer::Application { org, app, key, client_id, rights: Arc::default() },
    ]
}

const LEVELS: &[&str] =
    &["iot-2", "iotdm-1", "iotdevice-1", "type", "id", "t", "d", "cmd", "evt", "fmt", "mon", "notify"];
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"\\u00e4\"",
    "\"\\ud800\"",
    "1",
    "-0.5e3",
    "1e999",
    "true",
    "null",
    " ",
];

/// Topics and filters that are nearly right: a device's beginning, then levels of the dialect in any order.
fn topics() -> impl Strategy<Value = String> {
    let level =
        prop_oneof![8 => select(LEVELS), 2 => Just("+"), 1 => Just("#"), 1 => Just(""), 1 => Just("ä b")];
    let begin =
        select(&["", "iot-2/type/t/id/d/", "iotdm-1/type/t/id/d/", "iotdevice-1/type/t/id/d/", "iot-2/"][..]);
    let operation = select(&["evt/e/fmt/f", "cmd/c/fmt/+", "mgmt/x", "response/", "", "mon"][..]);
    let end = prop_oneof![vec(level, 1..8).prop_map(|it| it.join("/")), operation.prop_map(str::to_owned)];
    (begin, end).prop_map(|(begin, end)| format!("{begin}{end}"))
}

/// JSON that is nearly right: its tokens in any order, or an object of them.
fn payloads() -> impl Strategy<Value = String> {
    let value = select(&TOKENS[6..]);
    let object = vec(value, 0..5).prop_map(|it| {
        format!("{{{}}}", it.iter().map(|it| format!("\"k\":{it}")).collect::<Vec<_>>().join(","))
    });
    prop_oneof![vec(select(TOKENS), 0..24).prop_map(|it| it.concat()), object]
}

proptest! {
    #[test]
    fn any_topic_and_filter_has_an_answer(topic in topics()) {
        for peer in &peers() {
            if let Ok(uplink) = SEED.uplink(peer, &topic) {
                let seen = SEED.view(peer).parts(&uplink.topic);
                let back = format!("{}{}", seen.0, seen.1);
                prop_assert!(topic == back || topic == format!("{back}/"), "{topic} comes back as {back}");
                prop_assert!(!uplink.topic.contains(['+', '#']));
            }
            if let Ok(grant) = SEED.grant(peer, &topic) {
                // A route is a filter of the space; a device's is below its own name.
                if let Some(route) = &grant.route {
                    let is_filter = |it: &str| mqtt::topic::check_filter(it).is_ok();
                    prop_assert!(is_filter(route) || !is_filter(&topic), "{topic} is routed to {route}");
                    let is_device = matches!(peer, Peer::Device { class: Class::Device, .. });
                    prop_assert!(!is_device || route.contains("/type/t/id/d/"), "{topic} is routed to {route}");
                }
            }
        }
    }

    #[test]
    fn any_login_has_an_answer(client_id in "[dgaA]?:?[a-z0-9]{0,7}:?.{0,40}", user in ".{0,20}") {
        let connect = Connect {
            version: Version::V311,
            clean_start: true,
            keep_alive_s: 0,
            client_id: &client_id,
            will: None,
            username: Some(&user),
            password: Some(b"x"),
            properties: Properties::EMPTY,
        };
        let from = Place::Elsewhere;
        let hello = Hello { connect: &connect, from, certificate: None, fingerprint: None, alone: false };
        let _answered = (SEED.recognise(&hello), OPEN.recognise(&hello));
    }

    #[test]
    fn no_payload_is_lost(text in payloads()) {
        let mut points = Points::new();
        SEED.points("e", "json", text.as_bytes(), &mut points);
        prop_assert!(!points.is_empty());
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        let is_whole = points.iter().any(|it| it == ("e", Value::Bytes(text.as_bytes())));
        prop_assert_eq!(is_json, !is_whole);
    }

    #[test]
    fn any_bytes_make_points(payload in vec(any::<u8>(), 0..200), format in "json|text|bin") {
        let mut points = Points::new();
        SEED.points("e", &format, &payload, &mut points);
        prop_assert!(!points.is_empty());
    }
}
