//! Uploads of every type, as a device writes them, with what they tell.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{Told, What};

#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) payload: Vec<u8>,
    pub(crate) told: Vec<Told>,
}

/// A first byte, and what has its length in two bytes before it.
pub(crate) fn sized(first: u8, text: &[u8]) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[first][..], &len, text].concat()
}

/// One upload of each type and form.
pub(crate) fn examples() -> Vec<Vec<u8>> {
    let date = [24, 1, 2, 3, 4, 5];
    let group = [0, 1, 0, 2, 0, 0, 8, 66, 0, 0, 164, 193, 36, 55, 0, 1, 0, 0, 0, 63];
    let string = b",;a,2024-01-02 03:04:05,1;2;b,3";
    vec![
        sized(
            1,
            br#"{"datastreams":[{"id":"a","datapoints":[{"at":"2024-01-02 03:04:05","value":-3.5e1}]}]}"#,
        ),
        [&sized(2, br#"{"ds_id":"a","at":"2024-01-02 03:04:05","desc":{"x":1}}"#)[..], &[0, 0, 0, 2, 7, 8]]
            .concat(),
        sized(3, r#"{"a":22.5,"ä":"b\n\u00e4","c":[true,{"d":null}],"e":false}"#.as_bytes()),
        sized(4, br#"{"a":{"2024-01-02 03:04:05":22,"":"x"},"b":{}}"#),
        sized(5, string),
        sized(6, string),
        [&[0x86][..], &date, &sized(0, string)[1..]].concat(),
        [&[0x86][..], &[0; 6], &sized(0, string)[1..]].concat(),
        [&[7][..], &group].concat(),
        [&[0x87][..], &date, &group].concat(),
        [&[5][..], &date, &group].concat(),
        sized(
            8,
            b"\x08\x01\x65\x93\x0e\x55\x03\x01a\x00\x00\x00\x00\x01\x03c\x00aaa\x00\x05e\x00{\"a\":1}\x00",
        ),
    ]
}

pub(crate) fn uploads() -> impl Strategy<Value = Upload> {
    prop_oneof![
        vec((streams(), vec((option::of(times()), values()), 0..4)), 0..4).prop_map(full),
        (streams(), option::of(times()), vec(any::<u8>(), 0..40)).prop_map(binary),
        vec((streams(), values()), 0..8).prop_map(plain),
        vec((streams(), vec((option::of(times()), values()), 0..4)), 0..4).prop_map(timed),
        vec(option::of((option::of(streams()), option::of(times()), texts())), 0..8)
            .prop_map(|it| fields(5, None, it)),
        (option::of(times()), vec(option::of((option::of(streams()), option::of(times()), texts())), 0..8))
            .prop_map(|(at, it)| fields(6, at, it)),
        (option::of(times()), vec((1_u16..65_000, vec(any::<f32>(), 1..5)), 1..4)).prop_map(floats),
        (option::of(times()), vec((streams(), values()), 0..8)).prop_map(entries),
    ]
}

/// Whole seconds of this century, as texts and dates have them.
fn times() -> impl Strategy<Value = u64> {
    (946_684_800_u64..4_102_444_800 - 8 * 3600).prop_map(|it| it * 1000)
}

/// Names without the separators of `fields`, and without zero bytes.
fn streams() -> impl Strategy<Value = String> {
    prop_oneof![
        select(&["temp", "3", "温度", "a/b", "\"", "\\"][..]).prop_map(str::to_owned),
        "[a-z0-9_ {}:é]{1,12}"
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![Just("22.5".to_owned()), "[a-z0-9 .:é\"\\\\\n]{1,12}"]
}

fn values() -> impl Strategy<Value = What> {
    let json = select(&["null", "[]", "{}", "[1, {\"a\":[]}]", "{\"a\":\"}\\\"\"}", "1e999"][..]);
    prop_oneof![
        any::<bool>().prop_map(What::Bool),
        any::<i64>().prop_map(What::I64),
        any::<f64>().prop_filter("JSON has no others", |it| it.is_finite()).prop_map(What::F64),
        ".{0,8}".prop_map(What::Text),
        json.prop_map(|it| What::Json(it.to_owned())),
    ]
}

/// A time as Beijing's clocks show it.
fn shown(at_ms: u64, form: &str) -> String {
    let at = Timestamp::from_millisecond(at_ms as i64).unwrap();
    at.to_zoned(TimeZone::fixed(Offset::constant(8))).strftime(form).to_string()
}

fn at_text(at_ms: Option<u64>) -> String {
    at_ms.map(|it| shown(it, "%Y-%m-%d %H:%M:%S")).unwrap_or_default()
}

/// A flag and six bytes of date, or neither.
fn dated(kind: u8, at_ms: Option<u64>) -> Vec<u8> {
    let Some(at_ms) = at_ms else { return vec![kind] };
    let date = shown(at_ms, "%y %m %d %H %M %S");
    let date = date.split(' ').map(|it| it.parse::<u8>().unwrap());
    [kind | 0x80].into_iter().chain(date).collect()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn json(value: &What) -> String {
    match value {
        What::Bool(it) => it.to_string(),
        What::I64(it) => it.to_string(),
        What::F64(it) => format!("{it:?}"),
        What::Text(it) => quoted(it),
        What::Json(it) => it.clone(),
        What::Bytes(_) | What::Binary { .. } => unreachable!("not made by `values`"),
    }
}

fn one(at_ms: Option<u64>, stream: &str, what: What) -> Told {
    Told { at_ms, stream: stream.to_owned(), what }
}

type Series = (String, Vec<(Option<u64>, What)>);

fn all_of(series: &[Series]) -> Vec<Told> {
    let each = |(stream, points): &Series| {
        points.iter().map(|(at_ms, what)| one(*at_ms, stream, what.clone())).collect::<Vec<_>>()
    };
    series.iter().flat_map(each).collect()
}

fn full(series: Vec<Series>) -> Upload {
    let point = |(at_ms, what): &(Option<u64>, What)| match at_ms {
        Some(_) => format!(r#"{{"at":{},"value":{}}}"#, quoted(&at_text(*at_ms)), json(what)),
        None => format!(r#"{{ "value": {} }}"#, json(what)),
    };
    let stream = |(id, points): &Series| {
        let points = points.iter().map(point).collect::<Vec<_>>().join(",");
        // Members may come in any order.
        match id.len() % 2 {
            0 => format!(r#"{{"id":{},"datapoints":[{points}]}}"#, quoted(id)),
            _ => format!(r#"{{"datapoints":[{points}], "id":{}}}"#, quoted(id)),
        }
    };
    let streams = series.iter().map(stream).collect::<Vec<_>>().join(",\n");
    Upload {
        payload: sized(1, format!(r#"{{"datastreams":[{streams}]}}"#).as_bytes()),
        told: all_of(&series),
    }
}

fn binary((stream, at_ms, bytes): (String, Option<u64>, Vec<u8>)) -> Upload {
    let description = (stream.len() % 2 == 0).then(|| "{\"x\": [1]}".to_owned());
    let desc = description.as_ref().map(|it| format!(r#","desc": {it}"#)).unwrap_or_default();
    let text = format!(r#"{{"ds_id":{},"at":"{}"{desc}}}"#, quoted(&stream), at_text(at_ms));
    let len = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    let payload = [&sized(2, text.as_bytes())[..], &len, &bytes].concat();
    Upload { payload, told: vec![one(at_ms, &stream, What::Binary { description, bytes })] }
}

fn plain(points: Vec<(String, What)>) -> Upload {
    let members = points.iter().map(|(stream, what)| format!("{}:{}", quoted(stream), json(what)));
    let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    let told = points.into_iter().map(|(stream, what)| one(None, &stream, what)).collect();
    Upload { payload: sized(3, text.as_bytes()), told }
}

fn timed(series: Vec<Series>) -> Upload {
    let stream = |(stream, points): &Series| {
        let points = points.iter().map(|(at_ms, what)| format!("\"{}\":{}", at_text(*at_ms), json(what)));
        format!("{}:{{{}}}", quoted(stream), points.collect::<Vec<_>>().join(","))
    };
    let text = format!("{{{}}}", series.iter().map(stream).collect::<Vec<_>>().join(","));
    Upload { payload: sized(4, text.as_bytes()), told: all_of(&series) }
}

type Field = Option<(Option<String>, Option<u64>, String)>;

/// Fields between `;`, parts between `|`.
fn fields(kind: u8, default_ms: Option<u64>, fields: Vec<Field>) -> Upload {
    let (mut texts, mut told) = (Vec::new(), Vec::new());
    for (position, field) in fields.into_iter().enumerate() {
        let Some((stream, at_ms, text)) = field else {
            texts.push(String::new());
            continue;
        };
        texts.push(match (&stream, at_ms) {
            (None, _) => text.clone(),
            (Some(stream), None) => format!("{stream}|{text}"),
            (Some(stream), at_ms) => format!("{stream}|{}|{text}", at_text(at_ms)),
        });
        let at_ms = at_ms.filter(|_| stream.is_some()).or(default_ms);
        told.push(one(at_ms, &stream.unwrap_or(position.to_string()), What::Text(text)));
    }
    let text = format!("|;{}", texts.join(";"));
    let payload = [&dated(kind, default_ms)[..], &sized(0, text.as_bytes())[1..]].concat();
    Upload { payload, told }
}

fn floats((at_ms, groups): (Option<u64>, Vec<(u16, Vec<f32>)>)) -> Upload {
    let (mut payload, mut told) = (dated(7, at_ms), Vec::new());
    for (first, floats) in groups {
        payload.extend_from_slice(&first.to_be_bytes());
        payload.extend_from_slice(&(floats.len() as u16).to_be_bytes());
        for (stream, float) in (first..).zip(floats) {
            let float = if float.is_finite() { float } else { 0.5 };
            payload.extend_from_slice(&float.to_le_bytes());
            told.push(one(at_ms, &stream.to_string(), What::F64(f64::from(float))));
        }
    }
    Upload { payload, told }
}

fn entries((at_ms, points): (Option<u64>, Vec<(String, What)>)) -> Upload {
    let mut block = vec![8, u8::from(at_ms.is_some())];
    if let Some(at_ms) = at_ms {
        block.extend_from_slice(&((at_ms / 1000) as u32).to_be_bytes());
    }
    block.push(points.len() as u8);
    let mut told = Vec::new();
    for (stream, what) in points {
        let text = |it: &str| [it.as_bytes(), &[0]].concat();
        let (kind, value, what) = match what {
            What::Bool(it) => (4, vec![0, 0, 0, 1, u8::from(it)], What::Bytes(vec![u8::from(it)])),
            What::I64(it) => (1, (it as u32).to_be_bytes().to_vec(), What::I64(i64::from(it as u32))),
            What::F64(it) => (2, it.to_be_bytes().to_vec(), What::F64(it)),
            What::Text(it) => {
                let it = it.replace('\0', "");
                (3, text(&it), What::Text(it))
            }
            other => (5, text(&json(&other)), other),
        };
        block.push(kind);
        block.extend_from_slice(&text(&stream));
        block.extend_from_slice(&value);
        told.push(one(at_ms, &stream, what));
    }
    Upload { payload: sized(8, &block), told }
}
