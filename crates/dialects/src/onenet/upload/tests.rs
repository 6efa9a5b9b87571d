//! The document's examples, and a row for each rule: what is stored, what is forgiven, what is refused and where.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use domain::{Code, Value};

use super::*;
use crate::limits::{
    ONENET_BINARY_BYTES_MAX, ONENET_DEPTH_MAX, ONENET_FLOATS_COUNT_MAX, ONENET_POINTS_COUNT_MAX,
    ONENET_STREAM_BYTES_MAX, ONENET_TEXT_BYTES_MAX,
};

/// 2024-01-02 03:04:05 in Beijing.
const SEEN_MS: Option<Millis> = Some(1_704_135_845_000);
/// 2024-01-02 00:00:00 in Beijing.
const MIDNIGHT_MS: Option<Millis> = Some(1_704_124_800_000);

type Told = Vec<(Option<Millis>, String)>;

/// The parts of an upload; a point is `stream=value` as Rust prints values.
fn told(payload: &[u8]) -> Result<(Told, Leniencies), Refusal> {
    let mut told = Vec::new();
    let leniencies = read(payload, Zone::BEIJING, &mut |it| {
        match it {
            Uploaded::Points { at_ms, points } => {
                told.extend(points.iter().map(|(stream, value)| (at_ms, format!("{stream}={value:?}"))));
            }
            Uploaded::Binary(Binary { stream, at_ms, description, bytes }) => {
                told.push((at_ms, format!("{stream}: {description:?} {bytes:02x?}")));
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok((told, leniencies))
}

fn expect(payload: &[u8], expected: &[(Option<Millis>, &str)], forgiven: &[Leniency]) {
    let shown = String::from_utf8_lossy(payload);
    let (told, leniencies) = told(payload).unwrap_or_else(|it| panic!("{shown}: {it}"));
    let told: Vec<_> = told.iter().map(|(at_ms, it)| (*at_ms, it.as_str())).collect();
    assert_eq!(told, expected, "{shown}");
    assert_eq!(leniencies.iter().collect::<Vec<_>>(), forgiven, "{shown}");
    assert_eq!(leniencies.is_empty(), forgiven.is_empty());
}

fn expect_refused(payload: &[u8], at: usize, what: &str) {
    let shown = String::from_utf8_lossy(payload);
    let refusal = told(payload).map(|it| it.0).expect_err(&shown);
    let place = format!("at byte {at}: ");
    let hint = &refusal.hint;
    assert!(hint.contains(&place) && hint.contains(what), "{shown}: {hint}, not {place}{what}");
}

/// A type and a text with its length before it.
fn sized(kind: u8, text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let len = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[kind][..], &len, text].concat()
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |it: &str| u8::from_str_radix(it, 16).unwrap();
    text.split_whitespace().map(byte).collect()
}

#[test]
fn the_examples_of_types_1_to_4_are_read() {
    let type_1 = "01 00 65
        7b 22 64 61 74 61 73 74 72 65 61 6d 73 22 3a 5b 7b 22 69 64 22 3a 22 74 65 6d 70 22 2c 22 64 61
        74 61 70 6f 69 6e 74 73 22 3a 5b 7b 22 61 74 22 3a 22 32 30 32 34 2d 30 31 2d 30 32 20 30 33 3a
        30 34 3a 30 35 22 2c 22 76 61 6c 75 65 22 3a 33 36 2e 35 7d 2c 7b 22 76 61 6c 75 65 22 3a 33 37
        7d 5d 7d 5d 7d";
    expect(&hex(type_1), &[(SEEN_MS, "temp=F64(36.5)"), (None, "temp=I64(37)")], &[]);
    let type_2 = "02 00 37
        7b 22 64 73 5f 69 64 22 3a 22 69 6d 61 67 65 22 2c 22 61 74 22 3a 22 32 30 32 34 2d 30 31 2d 30
        32 20 30 33 3a 30 34 3a 30 35 22 2c 22 64 65 73 63 22 3a 22 78 22 7d
        00 00 00 04 de ad be ef";
    expect(&hex(type_2), &[(SEEN_MS, r#"image: Some("\"x\"") [de, ad, be, ef]"#)], &[]);
    let type_3 = "03 00 19 7b 22 74 65 6d 70 22 3a 32 32 2e 35 2c 22 68 75 6d 22 3a 22 39 35 25 22 7d";
    expect(&hex(type_3), &[(None, "temp=F64(22.5)"), (None, "hum=Text(\"95%\")")], &[]);
    let type_4 = "04 00 25 7b 22 74 65 6d 70 22 3a 7b 22 32 30 32 34 2d 30 31 2d 30 32 20 30 33 3a 30 34
        3a 30 35 22 3a 32 32 2e 35 7d 7d";
    expect(&hex(type_4), &[(SEEN_MS, "temp=F64(22.5)")], &[]);
}

#[test]
fn the_examples_of_types_5_to_7_are_read() {
    let type_5 =
        "05 00 2f 2c 3b 74 65 6d 70 2c 32 30 32 34 2d 30 31 2d 30 32 20 30 33 3a 30 34 3a 30 35 2c 32 32
        2e 35 3b 31 30 32 3b 70 6d 32 2e 35 2c 38 39 3b 31 30";
    let points = [
        (SEEN_MS, "temp=Text(\"22.5\")"),
        (None, "1=Text(\"102\")"),
        (None, "pm2.5=Text(\"89\")"),
        (None, "3=Text(\"10\")"),
    ];
    expect(&hex(type_5), &points, &[]);
    let dated =
        "86 18 01 02 03 04 05 00 26 23 40 74 65 6d 70 23 32 32 2e 35 40 68 75 6d 23 32 30 32 34 2d 30 31
        2d 30 32 20 30 30 3a 30 30 3a 30 30 23 39 35";
    let points = [(SEEN_MS, "temp=Text(\"22.5\")"), (MIDNIGHT_MS, "hum=Text(\"95\")")];
    expect(&hex(dated), &points, &[]);
    let undated =
        "06 00 26 23 40 74 65 6d 70 23 32 32 2e 35 40 68 75 6d 23 32 30 32 34 2d 30 31 2d 30 32 20 30 30
        3a 30 30 3a 30 30 23 39 35";
    let points = [(None, "temp=Text(\"22.5\")"), (MIDNIGHT_MS, "hum=Text(\"95\")")];
    expect(&hex(undated), &points, &[]);
    let floats = "00 01 00 02 00 00 08 42 00 00 a4 c1  24 37 00 01 00 00 00 3f";
    let at = |at_ms| [(at_ms, "1=F64(34.0)"), (at_ms, "2=F64(-20.5)"), (at_ms, "9271=F64(0.5)")];
    expect(&hex(&format!("87 18 01 02 03 04 05 {floats}")), &at(SEEN_MS), &[]);
    expect(&hex(&format!("07 {floats}")), &at(None), &[]);
    // The document's damaged pages print the table of type 7 under type 5.
    let literal = format!("05 18 01 02 03 04 05 {floats}");
    expect(&hex(&literal), &at(SEEN_MS), &[Leniency::BinaryType5]);
}

#[test]
fn type_1_is_read_in_every_order() {
    let json = r#" { "x" : [{}], "datastreams" : [
        { "datapoints": [ {"value": {"a": [1, 2]}, "at": "2024-01-02T03:04:05.000"}, {"value": null, "at": null} ],
          "id": "w\u00e4rm" },
        { "id": "b", "unit": "C", "datapoints": [] },
        { "id": "c", "datapoints": [ {"at": "", "value": "x\ny"}, {"at": "2024-01-02 00:00:00", "value": true},
          {"at": "2024-01-02 00:00:00", "value": 1e999} ] } ] } "#;
    let points = [
        (SEEN_MS, r#"wärm=Json("{\"a\": [1, 2]}")"#),
        (None, r#"wärm=Json("null")"#),
        (None, r#"c=Text("x\ny")"#),
        (MIDNIGHT_MS, "c=Bool(true)"),
        (MIDNIGHT_MS, "c=Json(\"1e999\")"),
    ];
    expect(&sized(1, json.replace("x\ny", "x\\ny")), &points, &[]);
    expect(&sized(1, r#"{"datastreams":[]}"#), &[], &[]);
}

#[test]
fn a_time_that_is_none_is_now() {
    for (at, is_forgiven) in [
        ("\"\"", false),
        ("null", false),
        ("\"test\"", true),
        ("1466133706841", true),
        ("\"2024-02-30 00:00:00\"", true),
        ("{\"at\":1}", true),
        ("\"\\ud800\"", true),
    ] {
        let forgiven: &[_] = if is_forgiven { &[Leniency::TimeUnreadable] } else { &[] };
        let json = format!(r#"{{"datastreams":[{{"id":"a","datapoints":[{{"at":{at},"value":1}}]}}]}}"#);
        expect(&sized(1, json), &[(None, "a=I64(1)")], forgiven);
    }
    expect(
        &sized(4, r#"{"a":{"x":1,"":2}}"#),
        &[(None, "a=I64(1)"), (None, "a=I64(2)")],
        &[Leniency::TimeUnreadable],
    );
    let binary = [&sized(2, r#"{"ds_id":"a","at":7}"#)[..], &[0; 4]].concat();
    expect(&binary, &[(None, "a: None []")], &[Leniency::TimeUnreadable]);
    let date = hex("86 18 01 02 03 04 05");
    let fields = |text| [&date[..], &sized(0, text)[1..]].concat();
    expect(
        &fields(",;a,x,1;b,,2"),
        &[(SEEN_MS, "a=Text(\"1\")"), (SEEN_MS, "b=Text(\"2\")")],
        &[Leniency::TimeUnreadable],
    );
}

#[test]
fn json_that_is_no_upload_is_refused_where_it_is_wrong() {
    for (kind, json, at, what) in [
        (1, "", 3, "an object is expected here"),
        (1, "[]", 3, "an object is expected here"),
        (1, "{}", 3, "`datastreams` is missing"),
        (1, r#"{"datastreams":{}}"#, 18, "a list is expected here"),
        (1, r#"{"datastreams":[1]}"#, 19, "an object is expected here"),
        (1, r#"{"datastreams":[["a",[{"value":1}]]]}"#, 19, "an object is expected here"),
        (1, r#"{"datastreams":[{"datapoints":[]}]}"#, 19, "`id` is missing"),
        (1, r#"{"datastreams":[{"id":7,"datapoints":[]}]}"#, 25, "`id` is not a text"),
        (1, r#"{"datastreams":[{"id":"","datapoints":[]}]}"#, 25, "a stream has no name"),
        (1, r#"{"datastreams":[{"id":"a"}]}"#, 19, "`datapoints` is missing"),
        (1, r#"{"datastreams":[{"id":"a","datapoints":{}}]}"#, 42, "a list is expected here"),
        (1, r#"{"datastreams":[{"id":"a","datapoints":[5]}]}"#, 43, "an object is expected here"),
        (1, r#"{"datastreams":[{"id":"a","datapoints":[{"at":""}]}]}"#, 43, "`value` is missing"),
        (1, r#"{"datastreams":[]"#, 19, "EOF"),
        (3, "{\"a\":1,\n \"b\":}", 16, "expected value"),
        (3, r#"{"a":1} x"#, 11, "trailing characters"),
        (3, r#"{"":1}"#, 7, "a stream has no name"),
        (3, "{'a':1}", 4, "key must be a string"),
        (3, r#"{"a":1,}"#, 10, "trailing comma"),
        (3, r#""a""#, 3, "an object is expected here"),
        (4, r#"{"a":1}"#, 8, "an object is expected here"),
        (4, r#"{"":{}}"#, 7, "a stream has no name"),
        (4, r#"{"a":{"2024-01-02 03:04:05":}}"#, 31, "expected value"),
    ] {
        expect_refused(&sized(kind, json), at, what);
    }
    expect_refused(b"\x03\x00\x09{\"a\":\"\xff\"", 3, "should have 9 bytes, and there are 8");
    expect_refused(b"\x03\x00\x09{\"a\":\"\xff\"}", 9, "not UTF-8");
}

#[test]
fn a_binary_is_as_long_as_it_says() {
    let description = sized(2, r#"{"desc":{"a": 1},"ds_id":"s"}"#);
    let upload = |len: u32, bytes: &[u8]| [&description[..], &len.to_be_bytes(), bytes].concat();
    expect(&upload(0, b""), &[(None, r#"s: Some("{\"a\": 1}") []"#)], &[]);
    expect_refused(&upload(2, b"x"), 36, "should have 2 bytes, and there are 1");
    expect_refused(&upload(1, b"xy"), 37, "something follows");
    expect_refused(&upload(0, b"")[..35], 32, "should have 4 bytes, and there are 3");
    // As the vendor's SDK prints it.
    let printed =
        "{\n\t\"ds_id\":\t\"image\",\n\t\"at\":\t\"2024-01-02 03:04:05\",\n\t\"desc\":\t\"an image\"\n}";
    let upload_of = |json| [&sized(2, json)[..], &[0, 0, 0, 1, 9]].concat();
    expect(&upload_of(printed), &[(SEEN_MS, r#"image: Some("\"an image\"") [09]"#)], &[]);
    for (json, at, what) in [
        ("{}", 3, "`ds_id` is missing"),
        (r#"{"ds_id":1}"#, 12, "`ds_id` is not a text"),
        (r#"{"ds_id":""}"#, 12, "a stream has no name"),
        ("7", 3, "an object is expected here"),
    ] {
        expect_refused(&[&sized(2, json)[..], &[0; 4]].concat(), at, what);
    }

    let max = u32::try_from(ONENET_BINARY_BYTES_MAX).unwrap();
    let bytes = vec![7; ONENET_BINARY_BYTES_MAX + 1];
    let whole = upload(max, &bytes[1..]);
    let mut len = 0;
    read(&whole, Zone::BEIJING, &mut |it| {
        if let Uploaded::Binary(it) = it {
            len = it.bytes.len();
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(len, ONENET_BINARY_BYTES_MAX);
    assert_eq!(told(&upload(max + 1, &bytes)).unwrap_err().code, Code::TooLarge);
}

#[test]
fn fields_have_one_to_three_parts() {
    for (fields, points, forgiven) in [
        (",;", &[][..], &[][..]),
        (",;;;", &[], &[]),
        (",;a,1;", &["a=Text(\"1\")"], &[]),
        (",;;b", &["1=Text(\"b\")"], &[]),
        (",;a,,1", &["a=Text(\"1\")"], &[]),
        (",;,1;2", &["1=Text(\"2\")"], &[Leniency::FieldSkipped]),
        (",;a,;2", &["1=Text(\"2\")"], &[Leniency::FieldSkipped]),
        (",;a,2024-01-02 03:04:05,;x", &["1=Text(\"x\")"], &[Leniency::FieldSkipped]),
        (",;,,1", &[], &[Leniency::FieldSkipped]),
        (",;a,x,1", &["a=Text(\"1\")"], &[Leniency::TimeUnreadable]),
        ("xyaxbycydxe", &["a=Text(\"b\")", "1=Text(\"c\")", "d=Text(\"e\")"], &[]),
    ] {
        let points: Vec<_> = points.iter().map(|it| (None, *it)).collect();
        expect(&sized(5, fields), &points, forgiven);
    }
    expect(&sized(5, b"\xff\xfea\xffb\xfec"), &[(None, "a=Text(\"b\")"), (None, "1=Text(\"c\")")], &[]);
    expect_refused(&sized(5, ""), 3, "the two separators should have 2 bytes, and there are 0");
    expect_refused(&sized(5, ","), 3, "the two separators should have 2 bytes, and there are 1");
    expect_refused(&sized(5, "##a#b"), 3, "the two separators are the same");
    expect_refused(&sized(5, ",;a;b,1,2,3"), 7, "more than three parts");
    expect_refused(&sized(5, b",;a;\xff"), 7, "not UTF-8");
    expect_refused(&hex("86 18 0d 02 03 04 05 00 02 2c 3b"), 1, "no such date");
    expect(&hex("86 00 00 00 00 00 00 00 03 2c 3b 31"), &[(None, "0=Text(\"1\")")], &[Leniency::DateZero]);
}

#[test]
fn floats_come_in_whole_groups() {
    let zero = hex("07 00 00 00 02 00 00 80 3f 00 00 00 40");
    expect(&zero, &[(None, "0=F64(1.0)"), (None, "1=F64(2.0)")], &[Leniency::StreamZero]);
    // The vendor's sample names a stream twice.
    let twice = hex("07 00 01 00 02 00 00 08 42 00 00 a4 c1 00 02 00 01 00 00 80 3f");
    expect(&twice, &[(None, "1=F64(34.0)"), (None, "2=F64(-20.5)"), (None, "2=F64(1.0)")], &[]);
    let not_finite = hex("07 00 05 00 03 00 00 c0 7f 00 00 80 3f 00 00 80 ff");
    expect(&not_finite, &[(None, "6=F64(1.0)")], &[Leniency::FloatNotFinite]);
    let last = hex("07 ff ff 00 01 00 00 80 3f");
    expect(&last, &[(None, "65535=F64(1.0)")], &[]);
    expect_refused(&hex("07 ff ff 00 02 00 00 80 3f 00 00 80 3f"), 1, "streams beyond 65535");
    expect_refused(&hex("07"), 1, "no group of floats");
    expect_refused(&hex("87 18 01 02 03 04 05"), 7, "no group of floats");
    expect_refused(&hex("87 18 01 02 03 04 3c 00 01 00 01 00 00 80 3f"), 1, "no such date");
    expect_refused(&hex("07 00 01 00 00"), 1, "a group has no floats");
    expect_refused(&hex("07 00 01 00 01 00 00 80"), 5, "should have 4 bytes, and there are 3");
    // The count is high byte first.
    expect_refused(&hex("07 00 01 01 00 00 00 80 3f"), 5, "should have 1024 bytes, and there are 4");

    let groups = |counts: &[usize]| {
        let group =
            |count: &usize| [&hex("00 01")[..], &(*count as u16).to_be_bytes(), &vec![0; 4 * count]].concat();
        [vec![7], counts.iter().flat_map(group).collect()].concat()
    };
    let max = ONENET_FLOATS_COUNT_MAX;
    assert_eq!(told(&groups(&[max])).unwrap().0.len(), max);
    assert_eq!(told(&groups(&[max - 1, 1])).unwrap().0.len(), max);
    expect_refused(&groups(&[max + 1]), 1, "more than 500 floats");
    expect_refused(&groups(&[max, 1]), 2005, "more than 500 floats");
}

/// The payload is what the SDK's own tests expect of it, within the frame of `$dp`.
#[test]
fn type_8_is_what_one_sdk_sends() {
    let entries = "01 61 00 00 00 00 01  02 62 00 3f f3 33 33 33 33 33 33  03 63 00 61 61 61 00
        04 64 00 00 00 00 03 62 62 62  05 65 00 7b 22 61 22 3a 31 7d 00  05 66 00 20 37 00";
    let expected = |at_ms| {
        [
            (at_ms, "a=I64(1)"),
            (at_ms, "b=F64(1.2)"),
            (at_ms, "c=Text(\"aaa\")"),
            (at_ms, "d=Bytes([98, 98, 98])"),
            (at_ms, r#"e=Json("{\"a\":1}")"#),
            (at_ms, "f=I64(7)"),
        ]
    };
    let untimed = sized(8, hex(&format!("08 00 06 {entries}")));
    expect(&untimed, &expected(None), &[]);
    let timed = sized(8, hex(&format!("08 01 65 93 0e 55 06 {entries}")));
    expect(&timed, &expected(Some(1_704_136_277_000)), &[]);
    expect(&sized(8, hex("08 00 00")), &[], &[]);
    expect(&sized(8, hex("08 00 00 ff")), &[], &[Leniency::TrailingBytes]);
    expect(&sized(8, hex("07 00 01")), &[], &[Leniency::StaleBlock]);
    expect(&sized(8, ""), &[], &[Leniency::StaleBlock]);
    // As the SDK sends it behind a message that it has published: what is left of that first.
    let stale = "00 00 00 32 27 00 09 68 65 6c 6c 6f 5f 69 6f 74 00 01 74 68 69 73";
    let behind = "08 00 02 02 74 00 40 29 8f 5c 28 f5 c2 8f 01 73 00 00 00 00 50";
    let told = [(None, "t=F64(12.78)"), (None, "s=I64(80)")];
    expect(&sized(8, hex(&format!("{stale} {behind}"))), &told, &[Leniency::StaleBlock]);
    expect(&sized(8, hex(&format!("{stale} 08 08 {behind}"))), &told, &[Leniency::StaleBlock]);
    expect(&sized(8, hex(&format!("{stale} {behind} 00"))), &[], &[Leniency::StaleBlock]);
    expect(&sized(8, hex(&format!("{stale} {} {behind}", "08 ".repeat(16)))), &[], &[Leniency::StaleBlock]);
    let infinite = sized(8, hex("08 00 01 02 61 00 7f f0 00 00 00 00 00 00"));
    expect(&infinite, &[], &[Leniency::FloatNotFinite]);
    for (block, at, what) in [
        ("08", 4, "the flag of the time"),
        ("08 02 00", 4, "neither 0 nor 1"),
        ("08 01 00 00", 5, "the time should have 4 bytes"),
        ("08 00 01", 6, "the kind of an entry"),
        ("08 00 01 06 61 00", 6, "no such kind"),
        ("08 00 01 01 61", 7, "does not end with a zero byte"),
        ("08 00 01 01 00 00 00 00 01", 6, "a stream has no name"),
        ("08 00 01 01 ff 00 00 00 00 01", 7, "not UTF-8"),
        ("08 00 01 03 61 00 62", 9, "a text does not end"),
        ("08 00 01 04 61 00 00 00 00 02 62", 13, "should have 2 bytes, and there are 1"),
        ("08 00 01 05 61 00 7b 61 7d 00", 10, "key must be a string"),
        ("08 00 02 01 61 00 00 00 00 01", 13, "the kind of an entry"),
    ] {
        expect_refused(&sized(8, hex(block)), at, what);
    }
}

#[test]
fn what_stands_behind_the_end_is_ignored() {
    let behind = |upload: Vec<u8>| [&upload[..], b"\r\n"].concat();
    let forgiven = [Leniency::TrailingBytes];
    expect(&behind(sized(1, r#"{"datastreams":[]}"#)), &[], &forgiven);
    expect(&behind(sized(3, r#"{"a":1}"#)), &[(None, "a=I64(1)")], &forgiven);
    expect(&behind(sized(4, "{}")), &[], &forgiven);
    expect(&behind(sized(5, ",;1")), &[(None, "0=Text(\"1\")")], &forgiven);
    expect(&behind(sized(6, ",;1")), &[(None, "0=Text(\"1\")")], &forgiven);
    expect(&behind(sized(8, hex("08 00 00"))), &[], &forgiven);
    // Of floats there is no announced end.
    expect_refused(&behind(hex("07 00 01 00 01 00 00 80 3f")), 11, "the count of floats");
}

#[test]
fn a_type_is_one_of_eight_and_flags_without_meaning_are_ignored() {
    expect_refused(&[], 0, "the type should have 1 bytes, and there are 0");
    for kind in (0..=63).filter(|it| !(1..=8).contains(it)) {
        expect_refused(&sized(kind, "{}"), 0, "no such type");
    }
    for flags in [0x40, 0x80, 0xC0] {
        expect(&sized(3 | flags, "{}"), &[], &[Leniency::Flags]);
    }
    expect(&hex("47 00 01 00 01 00 00 80 3f"), &[(None, "1=F64(1.0)")], &[Leniency::Flags]);
    expect(
        &hex("c7 18 01 02 03 04 05 00 01 00 01 00 00 80 3f"),
        &[(SEEN_MS, "1=F64(1.0)")],
        &[Leniency::Flags],
    );
    for kind in 1..=8 {
        let named = format!("of type {kind} cannot");
        assert!(told(&[kind]).unwrap_err().hint.contains(&named), "{named}");
    }
}

#[test]
fn a_date_in_type_5_needs_whole_groups() {
    expect_refused(&hex("05 18 01 02 03 04 05"), 3, "what the length announces should have 6145 bytes");
    expect_refused(&hex("05 18 0d 02 03 04 05 00 01 00 01 00 00 80 3f"), 3, "should have 6157 bytes");
    expect_refused(&hex("05 18 01 02 03 04 05 00 01 00 01 00 00 80"), 3, "should have 6145 bytes");
}

#[test]
fn names_counts_and_nesting_are_bounded() {
    let name = "n".repeat(ONENET_STREAM_BYTES_MAX);
    let named = |name: &str| sized(3, format!(r#"{{"{name}":1}}"#));
    assert_eq!(told(&named(&name)).unwrap().0.len(), 1);
    expect_refused(&named(&format!("{name}n")), 264, "more than 256 bytes");

    let many = |count: usize| sized(3, format!("{{{}}}", vec!["\"a\":1"; count].join(",")));
    assert_eq!(told(&many(ONENET_POINTS_COUNT_MAX)).unwrap().0.len(), ONENET_POINTS_COUNT_MAX);
    assert_eq!(told(&many(ONENET_POINTS_COUNT_MAX + 1)).unwrap_err().code, Code::TooMany);

    let nested = |depth: usize| sized(3, format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(told(&nested(ONENET_DEPTH_MAX)).unwrap().0.len(), 1);
    expect_refused(&nested(ONENET_DEPTH_MAX + 1), 8, "nested deeper than 64");
    expect_refused(&nested(30_000), 8, "nested deeper than 64");
    let in_text = format!(r#"{{"a":["{}\"{}"]}}"#, "[".repeat(100), "{".repeat(100));
    assert_eq!(told(&sized(3, in_text)).unwrap().0.len(), 1);

    let longest = ONENET_TEXT_BYTES_MAX - r#"{"a":""}"#.len();
    assert_eq!(told(&sized(3, format!(r#"{{"a":"{}"}}"#, "x".repeat(longest)))).unwrap().0.len(), 1);
}

#[test]
fn points_keep_their_order_and_share_a_list_with_those_of_their_time() {
    let json = r#"{"a":{"2024-01-02 03:04:05":1,"2024-01-02 00:00:00":2},"b":{"2024-01-02 00:00:00":3,"":4},"a":{"":5}}"#;
    let mut lists = Vec::new();
    read(&sized(4, json), Zone::BEIJING, &mut |it| {
        let Uploaded::Points { at_ms, points } = it else { panic!("there is no binary in it") };
        lists.push((at_ms, points));
        ControlFlow::Continue(())
    })
    .unwrap();
    let list = |points: &[(&str, i64)]| {
        let mut list = Points::new();
        points.iter().for_each(|(stream, value)| list.push(stream, Value::I64(*value)));
        list
    };
    let expected = [
        (SEEN_MS, list(&[("a", 1)])),
        (MIDNIGHT_MS, list(&[("a", 2), ("b", 3)])),
        (None, list(&[("b", 4), ("a", 5)])),
    ];
    assert_eq!(lists, expected);

    let mut count = 0;
    read(&sized(4, json), Zone::BEIJING, &mut |_| {
        count += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(count, 1, "whoever has enough gets no more");
}

#[test]
fn leniencies_have_names_of_their_own() {
    let mut names: Vec<_> = Leniency::ALL.iter().map(|it| it.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Leniency::ALL.len());
    let all = Leniency::ALL.into_iter().fold(Leniencies::default(), |mut all, it| {
        assert!(!all.contains(it));
        all.insert(it);
        all
    });
    assert!(all.iter().eq(Leniency::ALL));
}
