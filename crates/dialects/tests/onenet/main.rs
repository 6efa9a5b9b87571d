//! Uploads of OneNET's data points: whatever is sent, it is read as a second reader reads it, in bounded memory.
//!
//! What was written by `write` comes back; of uploads that were cut, changed or made up, `reference` says what they are
//! worth: it is slow and simple, and was written from the document, not from the code that it checks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ops::ControlFlow;

use allocation_counter::measure;
use dialects::Leniencies;
use dialects::limits::{
    ONENET_BINARY_BYTES_MAX, ONENET_POINTS_COUNT_MAX, ONENET_STREAM_BYTES_MAX, ONENET_TEXT_BYTES_MAX,
};
use dialects::onenet::time::Zone;
use dialects::onenet::upload::{Binary, Uploaded, read};
use domain::{Refusal, Value};
use proptest::collection::vec;
use proptest::prelude::*;

mod reference;
mod write;

use write::{Upload, sized, uploads};

/// One thing that an upload tells: when, of which stream, what.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    at_ms: Option<u64>,
    stream: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(String),
    Json(String),
    Bytes(Vec<u8>),
    Binary { description: Option<String>, bytes: Vec<u8> },
}

fn told(payload: &[u8]) -> Result<(Vec<Told>, Leniencies), Refusal> {
    let mut told = Vec::new();
    let leniencies = read(payload, Zone::BEIJING, &mut |it| {
        match it {
            Uploaded::Points { at_ms, points } => told.extend(points.iter().map(|(stream, value)| {
                let what = match value {
                    Value::Bool(it) => What::Bool(it),
                    Value::I64(it) => What::I64(it),
                    Value::F64(it) => What::F64(it),
                    Value::Text(it) => What::Text(it.to_owned()),
                    Value::Json(it) => What::Json(it.to_owned()),
                    Value::Bytes(it) => What::Bytes(it.to_owned()),
                };
                Told { at_ms, stream: stream.to_owned(), what }
            })),
            Uploaded::Binary(Binary { stream, at_ms, description, bytes }) => {
                let (description, bytes) = (description.map(str::to_owned), bytes.to_owned());
                told.push(Told {
                    at_ms,
                    stream: stream.into_owned(),
                    what: What::Binary { description, bytes },
                });
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok((told, leniencies))
}

/// Reads an upload as both readers do.
fn check(payload: &[u8]) -> Result<(), TestCaseError> {
    let expected = reference::told(payload);
    match (told(payload), expected) {
        (Ok((told, _)), Some(expected)) => prop_assert_eq!(told, expected, "{:?}", payload),
        (Err(_), None) => {}
        (outcome, expected) => prop_assert!(false, "{payload:?} is {outcome:?}, not {expected:?}"),
    }
    let used = used_bytes(payload);
    prop_assert!(used <= 64 * payload.len() + 4096, "{payload:?} needs {used} bytes");
    Ok(())
}

/// The most bytes that reading an upload holds at a time, where what it gives is thrown away.
fn used_bytes(payload: &[u8]) -> usize {
    let used = measure(|| _ = read(payload, Zone::BEIJING, &mut |_| ControlFlow::Continue(())));
    used.bytes_max as usize
}

/// A change to an upload; places are parts of its length.
#[derive(Clone, Debug)]
enum Change {
    Set(f64, u8),
    Insert(f64, u8),
    Remove(f64),
    Cut(f64),
    /// Makes the first length true.
    Repair,
}

fn changes() -> impl Strategy<Value = Change> {
    // Bytes that mean something are likelier than others.
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(&b"\x00\x01\x02\x05\x07\x08\x86\x87{}[]\",:;0-e\\u \xff"[..])
    ];
    let place = || 0.0..1.0;
    prop_oneof![
        4 => (place(), byte.clone()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (place(), byte).prop_map(|(at, byte)| Change::Insert(at, byte)),
        2 => place().prop_map(Change::Remove),
        1 => place().prop_map(Change::Cut),
        4 => Just(Change::Repair),
    ]
}

fn change(payload: &mut Vec<u8>, change: &Change) {
    let len = payload.len();
    let place = |part: f64| (part * len as f64) as usize;
    match *change {
        Change::Set(at, byte) => {
            if let Some(it) = payload.get_mut(place(at)) {
                *it = byte;
            }
        }
        Change::Insert(at, byte) => payload.insert(place(at), byte),
        Change::Remove(at) if len > 0 => _ = payload.remove(place(at)),
        Change::Remove(_) => {}
        Change::Cut(at) => payload.truncate(place(at)),
        Change::Repair if len >= 3 => {
            let len = u16::try_from(len - 3).unwrap_or(u16::MAX);
            payload[1..3].copy_from_slice(&len.to_be_bytes());
        }
        Change::Repair => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_was_written_comes_back(upload in uploads()) {
        let Upload { payload, told: written } = upload;
        let (read, leniencies) = told(&payload).unwrap();
        prop_assert_eq!(&read, &written);
        prop_assert!(leniencies.is_empty());
        prop_assert_eq!(reference::told(&payload), Some(written));
        check(&payload)?;
    }

    #[test]
    fn what_is_cut_short_is_refused(upload in uploads()) {
        let payload = upload.payload;
        for end in 0..payload.len() {
            let part = &payload[..end];
            // Only floats have no length before them.
            let is_refused = part.first().is_some_and(|it| it & 0x3f == 7) || told(part).is_err();
            prop_assert!(is_refused, "{part:?} is part of {payload:?}");
            check(part)?;
        }
    }

    #[test]
    fn what_follows_changes_nothing_or_is_refused(upload in uploads(), behind in vec(any::<u8>(), 1..6)) {
        let Upload { payload, told: written } = upload;
        let longer = [&payload[..], &behind].concat();
        match payload[0] & 0x3f {
            2 => prop_assert!(told(&longer).is_err()),
            7 => {}
            _ => prop_assert_eq!(told(&longer).unwrap().0, written),
        }
        check(&longer)?;
    }

    #[test]
    fn what_was_changed_is_worth_what_the_reference_says(
        upload in uploads(),
        changes in vec(changes(), 1..5),
    ) {
        let mut payload = upload.payload;
        for it in &changes {
            change(&mut payload, it);
            check(&payload)?;
        }
    }

    #[test]
    fn any_bytes_are_worth_what_the_reference_says(
        kind in 0_u8..10,
        flags in 0_u8..4,
        rest in vec(any::<u8>(), 0..60),
    ) {
        let payload = [&[kind | flags << 6][..], &rest].concat();
        check(&payload)?;
        check(&rest)?;
        check(&sized(kind | flags << 6, &rest))?;
    }
}

/// Every byte of one upload of each type, with every value.
#[test]
fn every_byte_may_have_every_value() {
    let uploads: Vec<_> = write::examples();
    for payload in uploads {
        for at in 0..payload.len() {
            let mut changed = payload.clone();
            for byte in 0..=255 {
                changed[at] = byte;
                check(&changed).unwrap();
            }
        }
    }
}

#[test]
fn five_values_cost_one_allocation() {
    let payload = sized(3, br#"{"temperature":21.5,"humidity":48,"door":"shut","on":true,"level":-3}"#);
    let used = measure(|| {
        read(&payload, Zone::BEIJING, &mut |_| ControlFlow::Continue(())).unwrap();
    });
    assert_eq!(used.count_total, 1);
}

/// Uploads of full length that are made to become much more.
#[test]
fn the_largest_uploads_need_little_memory() {
    let room = ONENET_TEXT_BYTES_MAX;
    let fill = |kind, begin: &str, each: &str, end: &str| {
        let count = (room - begin.len() - end.len()) / (each.len() + 1);
        sized(kind, format!("{begin}{}{end}", vec![each; count].join(",")).as_bytes())
    };
    let name = "n".repeat(ONENET_STREAM_BYTES_MAX);
    let stream = format!(r#"{{"datastreams":[{{"id":"{name}","datapoints":["#);
    let members = format!(r#"{{"{name}":{{"#);
    let few = ONENET_POINTS_COUNT_MAX - 1;
    let short = format!(",;{}", "1;".repeat(few));
    let uploads = [
        fill(1, &stream, r#"{"value":1}"#, "]}]}"),
        fill(1, &stream, r#"{"value":1,"at":"2024-01-02 03:04:05"}"#, "]}]}"),
        fill(1, "{\"x\":[", "[[{}]]", "]}"),
        fill(4, &members, r#""":1"#, "}}"),
        fill(4, &members, r#""2024-01-02 03:04:05":1"#, "}}"),
        fill(3, "{", r#""a":1"#, "}"),
        fill(3, "{\"a\":[", "\"\\u0061\"", "]}"),
        fill(3, "{\"a\":\"", "\\u0061", "\"}"),
        sized(4, format!("{members}{}}}}}", vec![r#""":1"#; few].join(",")).as_bytes()),
        sized(5, short.as_bytes()),
        sized(3, format!("{{\"a\":{}", "[".repeat(room - 5)).as_bytes()),
        sized(3, format!("{{\"a\":{}1{}}}", "[".repeat(room / 2 - 4), "]".repeat(room / 2 - 4)).as_bytes()),
        sized(1, "{\"a\":".repeat(room / 5).as_bytes()),
    ];
    for payload in &uploads {
        let used = used_bytes(payload);
        assert!(used <= 4 * 1024 * 1024, "{:?}… needs {used} bytes", &payload[..20]);
    }
}

#[test]
fn a_binary_is_not_copied() {
    let len = u32::try_from(ONENET_BINARY_BYTES_MAX).unwrap().to_be_bytes();
    let bytes = vec![1; ONENET_BINARY_BYTES_MAX];
    let payload = [&sized(2, br#"{"ds_id":"image","at":"2024-01-02 03:04:05"}"#)[..], &len, &bytes].concat();
    assert!(told(&payload).is_ok());
    assert!(used_bytes(&payload) < 512);
}
