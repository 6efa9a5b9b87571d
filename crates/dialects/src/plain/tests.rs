#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;

use domain::{Code, DeviceId, DeviceName, Identity, OrgId};
use mqtt::packet::Connect;
use mqtt::property::Properties;

use super::*;
use crate::{Claimed, Place, Retain, Retention, What, watson};

fn connect<'a>(client_id: &'a str, user: Option<&'a str>, password: Option<&'a str>) -> Connect<'a> {
    Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive_s: 60,
        client_id,
        will: None,
        username: user,
        password: password.map(str::as_bytes),
        properties: Properties::EMPTY,
    }
}

fn hello<'h, 'a>(connect: &'h Connect<'a>, from: Place) -> Hello<'h, 'a> {
    Hello { connect, from, certificate: None, fingerprint: None, alone: false }
}

fn claimed<'a>(plain: &Plain, connect: &Connect<'a>, from: Place) -> Result<Claimed<'a>, Code> {
    match plain.recognise(&hello(connect, from)) {
        Recognition::Claimed(it) => Ok(it),
        Recognition::Refused(refusal) => Err(refusal.code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_stands_for_user_name_and_password() {
    let recognise = |connect: &Connect<'static>| {
        let hello = Hello {
            connect,
            from: Place::Elsewhere,
            certificate: Some("g:abc123:pump:p1"),
            fingerprint: None,
            alone: false,
        };
        match CLOSED.recognise(&hello) {
            Recognition::Claimed(it) => it.claim,
            other => panic!("{other:?}"),
        }
    };
    let name = DeviceName { device_type: "pump", name: "p1" };
    let claim = recognise(&connect("any id", None, None));
    assert_eq!(
        (claim.org, claim.identity),
        ("abc123", Identity::Certified { class: domain::Class::Gateway, name })
    );
    let claim = recognise(&connect("any id", Some("a-abc123-0123456789"), Some("k3y")));
    assert_eq!(claim.identity, Identity::Application { app: "any id", key: "a-abc123-0123456789" });
}

#[test]
fn user_names_are_keys_or_devices() {
    let app = connect("any id", Some("a-abc123-0123456789"), Some("k3y"));
    let claim = claimed(&CLOSED, &app, Place::Elsewhere).unwrap().claim;
    assert_eq!((claim.org, claim.token), ("abc123", &b"k3y"[..]));
    assert_eq!(claim.identity, Identity::Application { app: "any id", key: "a-abc123-0123456789" });
    for user in ["abc123/pump/p1", "abc123:pump:p1"] {
        let device = connect("x", Some(user), Some("t0k3n"));
        let claim = claimed(&CLOSED, &device, Place::Elsewhere).unwrap().claim;
        let name = DeviceName { device_type: "pump", name: "p1" };
        assert_eq!(claim.identity, Identity::Device { class: None, name }, "{user}");
    }
    let other = connect("x", Some("somebody"), Some("s3cret"));
    assert_eq!(claimed(&OPEN, &other, Place::Here).map(drop), Err(Code::KeyUnknown));
    // Whose token is this? Some other dialect may know.
    let token = connect("x", Some("somebody"), None);
    assert_eq!(OPEN.recognise(&hello(&token, Place::Here)), Recognition::Unknown);
    let password_only = connect("x", None, Some("s3cret"));
    assert_eq!(claimed(&OPEN, &password_only, Place::Here).map(drop), Err(Code::KeyUnknown));
}

#[test]
fn nobody_in_particular_comes_in_where_that_is_allowed() {
    let nobody = connect("x", None, None);
    for (plain, from, allowed) in [
        (CLOSED, Place::Here, false),
        (LOOPBACK, Place::Here, true),
        (LOOPBACK, Place::Elsewhere, false),
        (OPEN, Place::Elsewhere, true),
    ] {
        let expected = if allowed { Ok(()) } else { Err(Code::NotAllowed) };
        assert_eq!(claimed(&plain, &nobody, from).map(drop), expected, "{plain:?} {from:?}");
    }
}

#[test]
fn an_empty_client_id_needs_a_version_that_has_it() {
    for (version, clean_start, allowed) in [
        (Version::V31, true, false),
        (Version::V311, true, true),
        (Version::V311, false, false),
        (Version::V5, true, true),
        (Version::V5, false, true),
    ] {
        let connect = Connect { version, clean_start, ..connect("", None, None) };
        let expected = if allowed { Ok(()) } else { Err(Code::ClientIdInvalid) };
        assert_eq!(claimed(&OPEN, &connect, Place::Here).map(drop), expected, "{version:?} {clean_start}");
    }
}

#[test]
fn watson_claims_its_own_and_leaves_the_rest() {
    for (client_id, user, is_watson) in [
        ("d:abc123:pump:p1", Some("use-token-auth"), true),
        ("a:abc123:app", Some("a-abc123-0123456789"), true),
        ("d:abc123:pump:p1", None, true),
        ("x:abc123:pump:p1", Some("a-abc123-0123456789"), true),
        ("anything", Some("use-token-auth"), true),
        ("anything", Some("a-abc123-0123456789"), false),
        ("", Some("a-abc123-0123456789"), false),
        ("d:abc123:pump:p1", Some("abc123/pump/p1"), false),
        ("d:abc123:pump:p1", Some("abc123:pump:p1"), false),
        ("anything", None, false),
    ] {
        let connect = connect(client_id, user, Some("s3cret"));
        let found = watson::SEED.recognise(&hello(&connect, Place::Here));
        assert_eq!(found != Recognition::Unknown, is_watson, "{client_id} {user:?}");
    }
}

#[test]
fn sessions_of_two_identities_never_meet() {
    let (org, rights) = (OrgId::parse("abc123").unwrap(), Arc::default());
    let application = |key: &str, client_id: &str| Peer::Application {
        org,
        app: client_id.to_owned(),
        key: key.to_owned(),
        client_id: client_id.to_owned(),
        rights: Arc::clone(&rights),
    };
    let device = |id| Peer::Device {
        org,
        id: DeviceId(id),
        class: domain::Class::Device,
        device_type: "pump".to_owned(),
        name: "p1".to_owned(),
        client_id: "x".to_owned(),
        rights: Arc::clone(&rights),
    };
    let anonymous = Peer::Anonymous { org, client_id: "x".to_owned(), rights: Arc::clone(&rights) };
    let all = [
        application("a-abc123-1", "x"),
        application("a-abc123-1", "1\tx"),
        application("a-abc123-11", "x"),
        device(1),
        device(2),
        anonymous,
    ];
    let keys: std::collections::BTreeSet<_> =
        all.iter().map(|it| CLOSED.session_key(it).into_owned()).collect();
    assert_eq!(keys.len(), all.len(), "{keys:?}");
    assert!(keys.iter().all(|it| it.ends_with('x')), "{keys:?}");
}

#[test]
fn topics_are_free_but_for_the_servers_own() {
    for topic in ["a", "/", "a/b", " ", "a$"] {
        let uplink = topic::uplink(topic).unwrap();
        assert_eq!((uplink.device, &*uplink.topic, uplink.what), (None, topic, What::Message));
        assert_eq!((uplink.registers, uplink.retention), (false, Retention::AsAsked));
    }
    for topic in ["$SYS/x", "$share/g/a", "$"] {
        assert_eq!(topic::uplink(topic).unwrap_err().code, Code::TopicReserved, "{topic}");
    }
    for (filter, route, share) in [
        ("#", "#", None),
        ("$SYS/#", "$SYS/#", None),
        ("$share/g/a/+", "a/+", Some("g")),
        ("$share/g//a", "/a", Some("g")),
    ] {
        let grant = topic::grant(filter).unwrap();
        assert_eq!((grant.route.as_deref(), grant.share.as_deref()), (Some(route), share), "{filter}");
        assert_eq!(grant.reads_retained, share.is_none());
    }
    for (filter, code) in [
        ("$share/g", Code::TopicInvalid),
        ("$share//a", Code::TopicInvalid),
        ("$share/g/$x", Code::TopicReserved),
        ("$SYSTEM", Code::TopicReserved),
        ("$x/#", Code::TopicReserved),
    ] {
        assert_eq!(topic::grant(filter).unwrap_err().code, code, "{filter}");
    }
}

#[test]
fn status_is_kept_in_memory_under_system_topics() {
    let status = Status {
        version: "1.2.3",
        uptime_s: 5,
        connected_count: 1,
        received_count: 2,
        sent_count: 3,
        dropped_count: 4,
        subscription_count: 5,
        retained_count: 6,
    };
    let told = CLOSED.status(&status);
    assert!(told.iter().all(|it| it.retain == Retain::WhileRunning && it.topic.starts_with("$SYS/broker/")));
    let value = |topic: &str| {
        let found = told.iter().find(|it| it.topic == format!("$SYS/broker/{topic}")).unwrap();
        String::from_utf8(found.payload.clone()).unwrap()
    };
    assert_eq!((value("version"), value("uptime")), ("tidegate 1.2.3".to_owned(), "5 seconds".to_owned()));
    assert_eq!((value("messages/sent"), value("retained messages/count")), ("3".to_owned(), "6".to_owned()));
}
