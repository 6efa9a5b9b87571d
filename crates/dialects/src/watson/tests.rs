//! What transcripts do not show: exact JSON, the filters that subscriptions are routed by, and the tables of numbers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use domain::notice::PresenceChange;
use domain::{Class, Closing, Code, DeviceId, Identity, OrgId, Peer, Presence, Refusal, Rejection};
use mqtt::property::Properties;
use mqtt::{QoS, Version, packet::Connect};

use super::*;
use crate::{Claimed, Place, Retain, SessionRule, What};

const NOW_MS: u64 = 1_714_558_830_123;
const NOW: &str = "2024-05-01T10:20:30.123Z";
const CLOUD: Watson = Watson { notify_style: NotifyStyle::Cloud };

fn org() -> OrgId {
    OrgId::parse("abc123").unwrap()
}

fn device(class: Class, device_type: &str, name: &str) -> Peer {
    let prefix = if class == Class::Gateway { 'g' } else { 'd' };
    Peer::Device {
        org: org(),
        id: DeviceId(1),
        class,
        device_type: device_type.to_owned(),
        name: name.to_owned(),
        client_id: format!("{prefix}:abc123:{device_type}:{name}"),
        rights: Arc::default(),
    }
}

fn gateway() -> Peer {
    device(Class::Gateway, "gw", "g1")
}

fn application(client_id: &str) -> Peer {
    Peer::Application {
        org: org(),
        app: "app1".to_owned(),
        key: "a-abc123-0123456789".to_owned(),
        client_id: client_id.to_owned(),
        rights: Arc::default(),
    }
}

fn connect<'a>(client_id: &'a str, username: &'a str) -> Connect<'a> {
    Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive_s: 60,
        client_id,
        will: None,
        username: Some(username),
        password: Some(b"t0k3n"),
        properties: Properties::EMPTY,
    }
}

fn recognise<'a>(connect: &Connect<'a>) -> Recognition<'a> {
    SEED.recognise(&Hello {
        connect,
        from: Place::Elsewhere,
        certificate: None,
        fingerprint: None,
        alone: false,
    })
}

fn claimed<'a>(client_id: &'a str, username: &'a str) -> Claimed<'a> {
    match recognise(&connect(client_id, username)) {
        Recognition::Claimed(claimed) => claimed,
        other => panic!("{client_id}: {other:?}"),
    }
}

fn route(peer: &Peer, filter: &str) -> Option<String> {
    SEED.grant(peer, filter).unwrap().route
}

fn notification(watson: Watson, request: Request, topic: &str, code: Code) -> String {
    let refusal = Refusal::new(code, "Because.");
    let rejection =
        Rejection { request, at_ms: NOW_MS, topic, refusal: &refusal, client_id: "g:abc123:gw:g1" };
    let announcement = watson.rejection(&gateway(), &rejection).unwrap();
    assert_eq!(
        (announcement.topic.as_str(), announcement.retain),
        ("iot-2/type/gw/id/g1/notify", Retain::No)
    );
    String::from_utf8(announcement.payload).unwrap()
}

#[test]
fn a_claim_says_who_and_how_its_sessions_behave() {
    let it = claimed("g:abc123:gw:g1", "use-token-auth");
    let name = domain::DeviceName { device_type: "gw", name: "g1" };
    assert_eq!(it.claim.identity, Identity::Device { class: Some(Class::Gateway), name });
    assert_eq!((it.claim.org, it.claim.token), ("abc123", &b"t0k3n"[..]));
    assert_eq!((it.session, it.share, it.keep_alive_s), (SessionRule::Takeover, None, None));

    let it = claimed("a:abc123:app1", "a-abc123-0123456789");
    assert_eq!(it.claim.identity, Identity::Application { app: "app1", key: "a-abc123-0123456789" });
    assert_eq!((it.session, it.share, it.keep_alive_s), (SessionRule::Takeover, None, None));

    let whole = claimed("A:abc123:app1", "a-abc123-0123456789");
    assert_eq!((whole.session, whole.keep_alive_s), (SessionRule::Fresh, Some(1..=3600)));
    let one = claimed("A:abc123:app1:i1", "a-abc123-0123456789");
    let other = claimed("A:abc123:app1:i2", "a-abc123-0123456789");
    assert_eq!((one.session, one.keep_alive_s), (SessionRule::Takeover, Some(1..=3600)));
    assert_eq!(one.share, other.share);
    assert!(one.share.is_some() && one.share != whole.share, "the two forms are two groups");
}

#[test]
fn a_certificate_stands_for_the_token_and_for_nobody_else() {
    let recognise = |client_id: &'static str, password: Option<&'static [u8]>| {
        let (username, password) = (password.map(|_| "use-token-auth"), password);
        let connect = Connect { username, password, ..connect(client_id, "") };
        SEED.recognise(&Hello {
            connect: &connect,
            from: Place::Elsewhere,
            certificate: Some("g:abc123:gw:g1"),
            fingerprint: None,
            alone: false,
        })
    };
    let name = domain::DeviceName { device_type: "gw", name: "g1" };
    for password in [None, Some(&b""[..])] {
        let Recognition::Claimed(it) = recognise("g:abc123:gw:g1", password) else { panic!("{password:?}") };
        assert_eq!(
            (it.claim.org, it.claim.identity),
            ("abc123", Identity::Certified { class: Class::Gateway, name })
        );
    }
    let Recognition::Claimed(it) = recognise("g:abc123:gw:g1", Some(b"t0k3n")) else {
        panic!("with a token")
    };
    assert_eq!(it.claim.identity, Identity::Device { class: Some(Class::Gateway), name });
    for other in ["g:abc123:gw:g2", "g:def456:gw:g1", "d:abc123:gw:g1", "a:abc123:app"] {
        let Recognition::Refused(refusal) = recognise(other, Some(b"t0k3n")) else { panic!("{other}") };
        assert_eq!(refusal.code, Code::NotAllowed);
        assert_eq!(SEED.connack(Version::V311, &refusal), Some(5));
    }
}

#[test]
fn what_does_not_look_like_watson_is_left_to_others() {
    for (client_id, username) in [
        ("", "A1B2C3"),
        ("my sensor", ""),
        ("aa:bb:cc:dd:ee:ff", "token"),
        ("gw", "x"),
        ("x:y", "a-b-c"),
        ("g", "x"),
    ] {
        assert_eq!(recognise(&connect(client_id, username)), Recognition::Unknown, "{client_id}");
    }
    let long = format!("d:abc123:mote:{}", "m".repeat(250));
    let Recognition::Refused(refusal) = recognise(&connect(&long, "use-token-auth")) else { panic!("taken") };
    assert_eq!(refusal.code, Code::ClientIdInvalid);
}

#[test]
fn a_notification_has_exactly_the_members_of_the_manual() {
    let topic = "iot-2/type/mydevice/id/device1/evt/status";
    assert_eq!(
        notification(SEED, Request::Publish, topic, Code::TopicInvalid),
        format!(
            r#"{{"Request":"publish","Time":"{NOW}","Topic":"{topic}","Type":"mydevice","Id":"device1","Client":"g:abc123:gw:g1","RC":"276","Message":"The topic is not valid: {topic} Because."}}"#
        )
    );
    assert_eq!(
        notification(SEED, Request::Subscribe, "x\"/y", Code::TopicReserved),
        format!(
            r#"{{"Request":"subscribe","Time":"{NOW}","Topic":"x\"/y","Client":"g:abc123:gw:g1","RC":"289","Message":"The topic cannot be used because it is a system topic: Because."}}"#
        )
    );
    let cloud = notification(CLOUD, Request::Unsubscribe, "iot-2/type/+/id/d/x", Code::TypeUnknown);
    assert_eq!(
        cloud,
        format!(
            r#"{{"Request":"Unsubscribe","Time":"{NOW}","Topic":"iot-2/type/+/id/d/x","Type":"+","Id":"d","Client":"g:abc123:gw:g1","RC":177,"Message":"Failed to create device: the device type is not valid: Because."}}"#
        )
    );
    let refusal = Refusal::new(Code::TopicInvalid, "");
    let rejection =
        Rejection { request: Request::Publish, at_ms: 0, topic: "x", refusal: &refusal, client_id: "d:…" };
    assert_eq!(SEED.rejection(&device(Class::Device, "mote", "m1"), &rejection), None);
}

#[test]
fn the_six_conditions_have_their_codes() {
    for (code, expected) in [
        (Code::TopicInvalid, "276"),
        (Code::TypeInvalid, "276"),
        (Code::TypeUnknown, "177"),
        (Code::NameInvalid, "276"),
        (Code::GatewayFull, "173"),
        (Code::OrgFull, "173"),
        (Code::CreateFailed, "177"),
        (Code::NotAllowed, "180"),
        (Code::TopicReserved, "289"),
    ] {
        let text = notification(SEED, Request::Publish, "iot-2/type/t/id/d/evt/e/fmt/f", code);
        assert!(
            text.contains(&format!(r#""Type":"t","Id":"d","Client":"g:abc123:gw:g1","RC":"{expected}""#)),
            "{text}"
        );
    }
}

fn presence(peer: &Peer, change: PresenceChange, user: Option<&str>) -> (String, Retain, String) {
    let presence = Presence {
        change,
        at_ms: NOW_MS,
        client_addr: "192.0.2.7",
        client_id: peer.client_id(),
        port: 8883,
        secure: true,
        protocol: "mqtt4",
        user,
        connected_ms: 0,
    };
    let it = SEED.presence(peer, &presence).unwrap();
    (it.topic, it.retain, String::from_utf8(it.payload).unwrap())
}

fn disconnected(closing: Closing) -> PresenceChange {
    PresenceChange::Disconnected { closing, read_bytes: 100, read_count: 2, write_bytes: 80, write_count: 1 }
}

#[test]
fn a_monitoring_message_has_its_members_in_order() {
    let mote = device(Class::Device, "mote", "m1");
    let head = |action: &str, client_id: &str| {
        format!(
            r#"{{"Action":"{action}","Time":"{NOW}","ClientAddr":"192.0.2.7","ClientID":"{client_id}","Port":8883,"Secure":true,"Protocol":"mqtt4""#
        )
    };
    let time = r#","ConnectTime":"1970-01-01T00:00:00.000Z""#;
    let traffic = r#""ReadBytes":100,"ReadMsg":2,"WriteBytes":80,"WriteMsg":1"#;

    let (topic, retain, text) = presence(&mote, disconnected(Closing::Lost), Some("use-token-auth"));
    assert_eq!((topic.as_str(), retain), ("iot-2/type/mote/id/m1/mon", Retain::Keep));
    let end = r#""CloseCode":91,"Reason":"The connection was closed by the client.""#;
    assert_eq!(text, format!("{}{time},{end},{traffic}}}", head("Disconnect", "d:abc123:mote:m1")));

    let app = application("a:abc123:app1");
    let (topic, retain, text) = presence(&app, PresenceChange::Connected, Some("a-abc123-0123456789"));
    assert_eq!((topic.as_str(), retain), ("iot-2/app/app1/mon", Retain::Keep));
    let user = r#","User":"a-abc123-0123456789""#;
    assert_eq!(text, format!("{}{user}{time}}}", head("Connect", "a:abc123:app1")));
    let (_, retain, text) = presence(&app, disconnected(Closing::Normal), None);
    assert_eq!(retain, Retain::Remove);
    assert_eq!(text, format!("{}{time},{traffic}}}", head("Disconnect", "a:abc123:app1")));
    assert_eq!(presence(&app, disconnected(Closing::TakenOver), None).1, Retain::No);

    let failed = PresenceChange::Failed { refusal: Refusal::new(Code::TokenWrong, "") };
    let (_, retain, text) = presence(&mote, failed, None);
    assert_eq!(retain, Retain::No);
    let end = r#""CloseCode":181,"Reason":"User authentication failed.""#;
    assert_eq!(text, format!("{}{time},{end}}}", head("FailedConnect", "d:abc123:mote:m1")));
}

#[test]
fn a_device_sees_topics_without_its_own_name() {
    let mote = device(Class::Device, "mote", "m1");
    for (topic, seen) in [
        ("iot-2/type/mote/id/m1/cmd/c/fmt/f", "iot-2/cmd/c/fmt/f"),
        ("iotdm-1/type/mote/id/m1/response", "iotdm-1/response"),
        ("x", "x"),
        ("", ""),
    ] {
        let (first, rest) = SEED.view(&mote).parts(topic);
        assert_eq!(format!("{first}{rest}"), seen);
    }
    assert_eq!(SEED.view(&gateway()), View::Whole);
    assert_eq!(SEED.view(&application("a:abc123:app1")), View::Whole);
}

#[test]
fn an_uplink_is_about_the_device_in_the_topic() {
    let (gateway, mote) = (gateway(), device(Class::Device, "mote", "m1"));
    let it = SEED.uplink(&gateway, "iot-2/type/mote/id/m7/evt/e/fmt/f").unwrap();
    assert_eq!((it.device.unwrap().to_string(), it.registers), ("mote/m7".to_owned(), true));
    assert_eq!(it.what, What::Event { name: "e", format: "f" });
    let it = SEED.uplink(&gateway, "iot-2/type/gw/id/g1/evt/e/fmt/f").unwrap();
    assert_eq!((it.device.unwrap().to_string(), it.registers), ("gw/g1".to_owned(), false));
    let it = SEED.uplink(&gateway, "iotdevice-1/type/mote/id/m7/add/diag/log/").unwrap();
    assert_eq!(it.what, What::Manage { operation: "add/diag/log" });
    assert_eq!((it.topic.as_ref(), it.registers), ("iotdevice-1/type/mote/id/m7/add/diag/log", true));
    let it = SEED.uplink(&gateway, "iotdevice-1/type/gw/id/g1/").unwrap();
    assert_eq!(it.what, What::Manage { operation: "" });
    assert!(SEED.uplink(&gateway, "iotdevice-1/type/gw/id/g1").is_err());

    let it = SEED.uplink(&mote, "iot-2/evt/e/fmt/f").unwrap();
    assert_eq!((it.topic.as_ref(), it.registers), ("iot-2/type/mote/id/m1/evt/e/fmt/f", false));
    let it = SEED.uplink(&mote, "iotdevice-1/mgmt/manage/").unwrap();
    assert_eq!(it.topic, "iotdevice-1/type/mote/id/m1/mgmt/manage");
    assert_eq!(it.what, What::Manage { operation: "mgmt/manage" });

    let app = application("a:abc123:app1");
    let it = SEED.uplink(&app, "iot-2/type/mote/id/m1/cmd/c/fmt/f").unwrap();
    assert_eq!((it.what, it.registers), (What::Command { name: "c", format: "f" }, false));
}

#[test]
fn filters_below_iotdm_are_widened_and_narrowed() {
    let gateway = gateway();
    for (filter, expected) in [
        // One device: as written, but for the two forms of the manual.
        ("iotdm-1/type/mote/id/m7/+", Some("iotdm-1/type/mote/id/m7/#")),
        ("iotdm-1/type/mote/id/m7/response/+", Some("iotdm-1/type/mote/id/m7/response/#")),
        ("iotdm-1/type/mote/id/m7/observe", Some("iotdm-1/type/mote/id/m7/observe")),
        ("iotdm-1/type/mote/id/m7/#", Some("iotdm-1/type/mote/id/m7/#")),
        // Several: the gateway itself, if it is among them.
        ("iotdm-1/#", Some("iotdm-1/type/gw/id/g1/#")),
        ("iotdm-1/type/#", Some("iotdm-1/type/gw/id/g1/#")),
        ("iotdm-1/type/gw/#", Some("iotdm-1/type/gw/id/g1/#")),
        ("iotdm-1/type/gw/id/#", Some("iotdm-1/type/gw/id/g1/#")),
        ("iotdm-1/type/+/id/+/#", Some("iotdm-1/type/gw/id/g1/#")),
        ("iotdm-1/type/+/id/+/response", Some("iotdm-1/type/gw/id/g1/response")),
        ("iotdm-1/type/gw/id/+/response/+", Some("iotdm-1/type/gw/id/g1/response/#")),
        ("iotdm-1/type/mote/id/+/#", None),
        ("iotdm-1/type/mote/#", None),
        ("iotdm-1/response", None),
        ("iotdm-1/type/gw/id/g1", None),
    ] {
        assert_eq!(route(&gateway, filter).as_deref(), expected, "{filter}");
    }
    let registered = |filter: &str| SEED.grant(&gateway, filter).unwrap().device;
    assert_eq!(registered("iotdm-1/type/mote/id/m7/+"), Some(("mote".to_owned(), "m7".to_owned())));
    assert_eq!(registered("iotdm-1/type/gw/id/g1/+"), None);
    assert_eq!(registered("iotdm-1/type/mote/id/+/response"), None);
}

#[test]
fn filters_are_routed_in_the_form_of_the_space() {
    let (gateway, mote) = (gateway(), device(Class::Device, "mote", "m1"));
    let (app, shared) = (application("a:abc123:app1"), application("A:abc123:app1"));
    for (peer, filter, expected) in [
        (&gateway, "iot-2/cmd/+/fmt/+", Some("iot-2/type/gw/id/g1/cmd/+/fmt/+")),
        (&gateway, "iot-2/type/+/id/g1/notify", Some("iot-2/type/gw/id/g1/notify")),
        (&gateway, "iot-2/type/+/id/g2/notify", None),
        (&gateway, "iot-2/type/+/id/+/response", None),
        (&gateway, "iot-2/mon", Some("iot-2/type/gw/id/g1/mon")),
        (&mote, "iot-2/cmd/+/fmt/json", Some("iot-2/type/mote/id/m1/cmd/+/fmt/json")),
        (&mote, "iot-2/notify", Some("iot-2/type/mote/id/m1/notify")),
        (&mote, "iotdm-1/#", Some("iotdm-1/type/mote/id/m1/#")),
        (&app, "iot-2/type/+/id/+/evt/+/fmt/+", Some("iot-2/type/+/id/+/evt/+/fmt/+")),
        (&app, "iot-2/intf/+/rule/+/evt/trigger", None),
    ] {
        assert_eq!(route(peer, filter).as_deref(), expected, "{filter}");
    }
    let reads = |peer: &Peer, filter: &str| SEED.grant(peer, filter).unwrap().reads_retained;
    assert!(
        reads(&app, "iot-2/type/+/id/+/mon") && reads(&app, "iot-2/app/+/mon") && reads(&mote, "iot-2/mon")
    );
    assert!(!reads(&shared, "iot-2/type/+/id/+/mon") && !reads(&app, "iot-2/type/+/id/+/evt/+/fmt/+"));
}

#[test]
fn our_own_fault_is_never_acknowledged() {
    let peers = [gateway(), device(Class::Device, "mote", "m1"), application("a:abc123:app1")];
    for peer in &peers {
        for version in [Version::V31, Version::V311, Version::V5] {
            for code in [Code::CreateFailed, Code::StoreFailed] {
                let refusal = Refusal::new(code, "");
                let answer = SEED.answer(peer, version, Request::Publish, QoS::AtLeastOnce, &refusal);
                assert_eq!(answer.close, Some(Closing::ServerFailed), "{code:?} {version:?}");
                assert_eq!(answer.notify, peer.is_gateway() && code == Code::CreateFailed);
            }
        }
    }
}

#[test]
fn only_the_cloud_tells_of_an_unsubscribe() {
    let refusal = Refusal::new(Code::TopicInvalid, "");
    for (watson, expected) in [(SEED, false), (CLOUD, true)] {
        let answer =
            watson.answer(&gateway(), Version::V311, Request::Unsubscribe, QoS::AtMostOnce, &refusal);
        assert_eq!((answer.notify, answer.close), (expected, None));
    }
}

#[test]
fn no_connack_is_4() {
    for code in [
        Code::OrgUnknown,
        Code::DeviceUnknown,
        Code::KeyUnknown,
        Code::TokenWrong,
        Code::ClassMismatch,
        Code::OrgMismatch,
        Code::DeviceDisabled,
        Code::ClientIdUnrecognised,
        Code::NotAllowed,
    ] {
        assert_eq!(SEED.connack(Version::V311, &Refusal::new(code, "")), Some(5), "{code:?}");
        assert_eq!(SEED.connack(Version::V5, &Refusal::new(code, "")), Some(0x87), "{code:?}");
    }
    let connack = |version, code| SEED.connack(version, &Refusal::new(code, ""));
    assert_eq!(connack(Version::V31, Code::ClientIdInvalid), Some(2));
    assert_eq!(
        (connack(Version::V311, Code::StoreFailed), connack(Version::V5, Code::StoreFailed)),
        (Some(3), Some(0x88))
    );
    assert_eq!(
        (connack(Version::V311, Code::TooMany), connack(Version::V5, Code::TooMany)),
        (Some(3), Some(0x97))
    );
    assert_eq!(
        (connack(Version::V311, Code::TopicInvalid), connack(Version::V5, Code::TopicInvalid)),
        (None, Some(0x90))
    );
}
