//! Bodies, queries and answers, as tables.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use domain::{Code, Method, Order, Refusal, Value};

use super::points::{Cursor, PointsQuery, Wanted, print_answer, print_point, range_to_delete, readings};
use super::*;
use crate::onenet::time::Zone;

/// 2024-05-01 18:20:30.123 in Beijing.
const NOW_MS: u64 = 1_714_558_830_123;

#[test]
fn answers_have_their_members_in_one_order() {
    assert_eq!(DONE, r#"{"errno":0,"error":"succ"}"#);
    assert_eq!(answer(&[1]), r#"{"errno":0,"data":[1],"error":"succ"}"#);
    let refusal = HttpRefusal::new(Errno::NotOnline, "8029377");
    assert_eq!(refusal.body(), r#"{"errno":10,"error":"device not online: 8029377"}"#);
    assert_eq!(HttpRefusal::from(Errno::AuthFailed).body(), r#"{"errno":3,"error":"auth failed"}"#);
}

#[test]
fn a_number_of_an_error_has_one_text() {
    let mut texts: Vec<_> = Errno::ALL.iter().map(|it| (*it as u8, it.text())).collect();
    texts.sort_unstable();
    texts.dedup_by_key(|it| it.1);
    assert_eq!(texts.len(), Errno::ALL.len());
    assert_eq!(texts.first(), Some(&(1, "internal server error")));
}

#[test]
fn our_failures_and_credentials_are_not_explained() {
    for (code, expected) in [
        (Code::StoreFailed, r#"{"errno":1,"error":"internal server error"}"#),
        (Code::TypeUnknown, r#"{"errno":3,"error":"auth failed"}"#),
        (Code::NotFound, r#"{"errno":8,"error":"not found: why"}"#),
        (Code::Exists, r#"{"errno":12,"error":"already exists: why"}"#),
        (Code::TooMany, r#"{"errno":13,"error":"system limit: why"}"#),
        (Code::RateExceeded, r#"{"errno":15,"error":"api freq out of limit: why"}"#),
        (Code::OrgFull, r#"{"errno":19,"error":"device count limit by account policy: why"}"#),
        (Code::Malformed, r#"{"errno":6,"error":"invalid parameter: why"}"#),
    ] {
        assert_eq!(HttpRefusal::from(&Refusal::new(code, "why")).body(), expected, "{code:?}");
    }
}

#[test]
fn a_device_is_what_is_said_of_it() {
    let body = br#"{"title":"A","desc":null,"tags":["x"],"location":{"lon":"106.5","lat":29.5,"ele":370},
        "auth_info":{"SYS":"1"},"other":{"a":1},"private":false,"route_to":"x"}"#;
    let read = DeviceBody::new_device(body, NOW_MS).unwrap();
    assert_eq!(read.auth_info.as_deref(), Some(r#"{"SYS":"1"}"#));
    let location = read.location.unwrap();
    assert_eq!((location.longitude, location.latitude, location.elevation), (106.5, 29.5, Some(370.0)));
    let metadata: serde_json::Value = serde_json::from_str(&read.metadata.unwrap()).unwrap();
    let expected = serde_json::json!({ "title": "A", "tags": ["x"], "private": false, "other": { "a": 1 } });
    assert_eq!(metadata, expected);
    assert_eq!(DeviceBody::change(b"{}", NOW_MS).unwrap(), DeviceBody::default());

    for (body, errno, detail) in [
        ("", Errno::DataRequired, ""),
        ("{", Errno::InvalidJson, "EOF while parsing an object at line 1 column 1"),
        ("[]", Errno::InvalidJson, "an object is expected"),
        ("{}", Errno::ParameterRequired, "title"),
        (r#"{"title":""}"#, Errno::ParameterRequired, "title"),
        (r#"{"title":5}"#, Errno::InvalidParameter, "title"),
        (r#"{"title":"a","tags":"x"}"#, Errno::InvalidParameter, "tags"),
        (r#"{"title":"a","private":"x"}"#, Errno::InvalidParameter, "private"),
        (r#"{"title":"a","auth_info":[1]}"#, Errno::InvalidParameter, "auth_info"),
        (r#"{"title":"a","location":{"lon":1}}"#, Errno::InvalidParameter, "location"),
        (r#"{"title":"a","location":{"lon":181,"lat":1}}"#, Errno::InvalidParameter, "location"),
        (r#"{"title":"a","location":{"lon":"x","lat":1}}"#, Errno::InvalidParameter, "location"),
    ] {
        let refused = DeviceBody::new_device(body.as_bytes(), NOW_MS).unwrap_err();
        assert_eq!(refused, HttpRefusal::new(errno, detail), "{body}");
    }
}

#[test]
fn a_device_that_registers_names_its_serial_number() {
    let read = |body: &str| Registering::parse(body.as_bytes());
    let mac = read(r#"{"mac":"aa:bb"}"#).unwrap();
    assert_eq!((mac.auth_info.as_str(), mac.metadata.as_str()), ("aa:bb", r#"{"title":"auto_register"}"#));
    let sn = read(r#"{"sn":"1","mac":"2","title":"T"}"#).unwrap();
    assert_eq!((sn.auth_info.as_str(), sn.metadata.as_str()), ("1", r#"{"title":"T"}"#));
    assert!(read(&format!(r#"{{"sn":"{}"}}"#, "x".repeat(512))).is_ok());
    for (body, expected) in [
        ("{}".to_owned(), HttpRefusal::missing("sn")),
        (format!(r#"{{"sn":"{}"}}"#, "x".repeat(513)), HttpRefusal::invalid("sn")),
        (format!(r#"{{"mac":"{}"}}"#, "x".repeat(33)), HttpRefusal::invalid("mac")),
        (format!(r#"{{"sn":"1","title":"{}"}}"#, "x".repeat(33)), HttpRefusal::invalid("title")),
    ] {
        assert_eq!(read(&body), Err(expected), "{body}");
    }
}

#[test]
fn a_key_permits_what_its_body_names() {
    let body = br#"{"title":"share","permissions":[{"access_methods":["GET","put"],
        "resources":[{"dev_id":"1","ds_id":"t"},{"dev_id":2}]},{"resources":[{"dev_id":"3"}]}]}"#;
    let KeyBody { title, permissions } = KeyBody::parse(body).unwrap();
    assert_eq!((title.as_str(), permissions.len()), ("share", 2));
    assert!(permissions[0].methods.has(Method::Get) && !permissions[0].methods.has(Method::Post));
    let named = permissions[0].resources.iter().map(|it| (it.device.get(), it.stream.as_deref()));
    assert_eq!(named.collect::<Vec<_>>(), [(1, Some("t")), (2, None)]);
    assert!(permissions[1].methods.is_empty());
    for permissions in [
        "5",
        "[5]",
        r#"[{"access_methods":["fly"]}]"#,
        r#"[{"resources":[{}]}]"#,
        r#"[{"resources":[{"dev_id":0}]}]"#,
    ] {
        let body = format!(r#"{{"permissions":{permissions}}}"#);
        assert_eq!(KeyBody::parse(body.as_bytes()), Err(HttpRefusal::invalid("permissions")), "{body}");
    }
}

fn parse(query: &str) -> Result<PointsQuery, HttpRefusal> {
    let pairs: Vec<(&str, &str)> =
        query.split('&').filter(|it| !it.is_empty()).map(|it| it.split_once('=').unwrap()).collect();
    PointsQuery::parse(|name| pairs.iter().find(|it| it.0 == name).map(|it| it.1), NOW_MS, Zone::BEIJING)
}

#[test]
fn a_query_says_much_by_what_it_leaves_out() {
    const START: &str = "start=2024-05-01T18:20:00";
    const START_MS: u64 = 1_714_558_800_000;
    const END_MS: u64 = START_MS + 60_000;
    let newest = |limit, order| Wanted::Newest { limit, order };
    let range = |range, order, limit| Wanted::Range { range, order, limit };
    for (query, expected) in [
        ("", newest(1, Order::Descending)),
        ("limit=7", newest(7, Order::Descending)),
        ("limit=7&sort=ASC", newest(7, Order::Ascending)),
        (START, range(START_MS..u64::MAX, Order::Ascending, 100)),
        (&format!("{START}&limit=6000&sort=DESC"), range(START_MS..u64::MAX, Order::Descending, 6_000)),
        (&format!("{START}&end=2024-05-01 18:21:00"), range(START_MS..END_MS + 1, Order::Ascending, 100)),
        (&format!("{START}&duration=60"), range(START_MS..END_MS + 1, Order::Ascending, 100)),
        ("end=2024-05-01T18:21:00&duration=60&limit=5", range(START_MS..END_MS + 1, Order::Descending, 5)),
        ("end=2024-05-01T18:21:00", range(0..END_MS + 1, Order::Descending, 100)),
        ("duration=60", range(NOW_MS - 60_000..NOW_MS + 1, Order::Descending, 100)),
    ] {
        assert_eq!(parse(query).unwrap().wanted, expected, "{query}");
    }
    assert_eq!(parse("datastream_id=b,,a,b").unwrap().streams, Some(vec!["b".to_owned(), "a".to_owned()]));
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=6001", "limit"),
        ("limit=x", "limit"),
        ("start=yesterday", "start"),
        ("end=2024-13-01T00:00:00", "end"),
        ("duration=-1", "duration"),
        ("sort=up", "sort"),
        ("cursor=1_2", "cursor"),
        ("cursor=1_2_é", "cursor"),
        ("cursor=1_2_ff", "cursor"),
    ] {
        assert_eq!(parse(query), Err(HttpRefusal::invalid(name)), "{query}");
    }
}

#[test]
fn a_cursor_comes_back_as_it_was() {
    for stream in ["t", "温度/a b", "", "a,b"] {
        let cursor = Cursor { at_ms: NOW_MS, count: 5, stream: stream.to_owned() };
        let printed = cursor.print();
        assert!(printed.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_'), "{printed}");
        assert_eq!(Cursor::parse(&printed), Some(cursor));
    }
}

#[test]
fn a_deletion_begins_somewhere() {
    let range = |pairs: &[(&str, &'static str)]| {
        range_to_delete(|name| pairs.iter().find(|it| it.0 == name).map(|it| it.1), NOW_MS, Zone::BEIJING)
    };
    assert_eq!(range(&[("duration", "5")]), Err(HttpRefusal::missing("start")));
    let start = ("start", "1970-01-01 08:00:01");
    assert_eq!(range(&[start]), Ok(1_000..u64::MAX));
    assert_eq!(range(&[start, ("duration", "2")]), Ok(1_000..3_001));
}

/// The times and the stream's name and value of each point.
fn read(kind: Option<&str>, body: &str) -> Result<Vec<(Option<u64>, String)>, Errno> {
    let read = readings(kind, body.as_bytes(), Zone::BEIJING).map_err(|it| it.errno)?;
    let shown = |(at_ms, points): &(Option<u64>, domain::Points)| {
        let shown = points.iter().map(|(name, value)| format!("{name}={value:?}"));
        shown.map(|it| (*at_ms, it)).collect::<Vec<_>>()
    };
    Ok(read.iter().flat_map(shown).collect())
}

#[test]
fn uploads_are_read_as_over_mqtt() {
    const AT: &str = "2024-01-02T03:04:05";
    const AT_MS: Option<u64> = Some(1_704_135_845_000);
    let point = |at_ms, text: &str| (at_ms, text.to_owned());
    let body = format!(
        r#"{{"datastreams":[{{"id":"t","datapoints":[{{"at":"{AT}","value":1}},{{"at":"","value":2}}]}}]}}"#
    );
    assert_eq!(read(None, &body), Ok(vec![point(AT_MS, "t=I64(1)"), point(None, "t=I64(2)")]));
    assert_eq!(read(Some("3"), r#"{"t":22.5}"#), Ok(vec![point(None, "t=F64(22.5)")]));
    let body = format!(r#"{{"t":{{"{AT}":true}}}}"#);
    assert_eq!(read(Some("4"), &body), Ok(vec![point(AT_MS, "t=Bool(true)")]));
    let body = format!(",;t,{AT},22.5;102");
    let expected = vec![point(AT_MS, r#"t=Text("22.5")"#), point(None, r#"1=Text("102")"#)];
    assert_eq!(read(Some("5"), &body), Ok(expected));
    for (kind, body, errno) in [
        (None, "", Errno::DataRequired),
        (None, "{}", Errno::InvalidJson),
        (None, "x", Errno::InvalidJson),
        (Some("3"), "[]", Errno::InvalidJson),
        (Some("5"), ",,a", Errno::InvalidParameter),
        (Some("2"), "{}", Errno::InvalidParameter),
        (Some("9"), "{}", Errno::InvalidParameter),
    ] {
        assert_eq!(read(kind, body), Err(errno), "{kind:?} {body}");
    }
    let many: Vec<_> = (0..5_001).map(|it| format!(r#""s{it}":1"#)).collect();
    assert_eq!(read(Some("3"), &format!("{{{}}}", many.join(","))), Err(Errno::SystemLimit));
}

#[test]
fn points_are_printed_as_the_original_does() {
    let print = |value: Value<'_>| {
        let mut to = String::new();
        print_point(&mut to, NOW_MS, value, Zone::BEIJING);
        to
    };
    assert_eq!(print(Value::Text("11")), r#"{"at":"2024-05-01 18:20:30.123","value":"11"}"#);
    assert_eq!(print(Value::Json(r#"{"a":1}"#)), r#"{"at":"2024-05-01 18:20:30.123","value":{"a":1}}"#);
    let streams = [("a", vec!["1", "2"]), ("b\"", vec!["3"])];
    assert_eq!(
        print_answer(&streams, None),
        r#"{"count":3,"datastreams":[{"datapoints":[1,2],"id":"a"},{"datapoints":[3],"id":"b\""}]}"#
    );
    let cursor = Cursor { at_ms: 5, count: 0, stream: "a".to_owned() };
    assert_eq!(print_answer(&[], Some(&cursor)), r#"{"cursor":"5_0_61","count":0,"datastreams":[]}"#);
}

#[test]
fn a_command_waits_as_long_as_it_is_worth_something() {
    use super::commands::Sending;
    for (qos, timeout, expected) in [
        (None, None, Some(Sending::Now)),
        (Some("1"), Some("0"), Some(Sending::Now)),
        (Some("0"), Some("1"), Some(Sending::Once { within_ms: 1_000 })),
        (Some("1"), Some("2678400"), Some(Sending::UntilAnswered { within_ms: 2_678_400_000 })),
        (None, Some("2678401"), None),
        (None, Some("18446744073709551615"), None),
        (None, Some("x"), None),
        (Some("2"), None, None),
    ] {
        assert_eq!(Sending::parse(qos, timeout).ok(), expected, "{qos:?} {timeout:?}");
    }
}

#[test]
fn every_state_of_a_command_has_its_number() {
    use domain::CommandState::*;
    let numbers = [Queued, Sent, Delivered, Failed, Successful, TimedOut, Expired, AnswerTooLarge]
        .map(|it| super::commands::status(it).0);
    assert_eq!(numbers, [1, 2, 2, 3, 4, 5, 5, 6]);
}
