//! A second reader: slow and simple, it copies whatever it touches.

use std::collections::HashMap;
use std::fmt;

use dialects::limits::{ONENET_BINARY_BYTES_MAX, ONENET_STREAM_BYTES_MAX};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Told, What};

/// What an upload tells; `None` where it is refused.
pub(crate) fn told(payload: &[u8]) -> Option<Vec<Told>> {
    let (first, rest) = payload.split_first()?;
    match (first % 64, first / 128) {
        (1, _) => full(sized(rest)?),
        (2, _) => binary(rest),
        (3, _) => {
            let points = object(sized(rest)?)?;
            points.iter().map(|(stream, value)| point(None, stream, json(value))).collect()
        }
        (4, _) => {
            let mut all = Vec::new();
            for (stream, values) in object(sized(rest)?)? {
                check(&stream)?;
                for (at, value) in object(values.as_bytes())? {
                    all.push(point(time(&at), &stream, json(&value))?);
                }
            }
            Some(all)
        }
        (5, _) => match sized(rest) {
            Some(string) => fields(string, None),
            None => floats(rest.get(6..)?, date(rest.get(..6)?)?),
        },
        (6, 0) => fields(sized(rest)?, None),
        (6, _) => fields(sized(rest.get(6..)?)?, date(&rest[..6])?),
        (7, 0) => floats(rest, None),
        (7, _) => floats(rest.get(6..)?, date(&rest[..6])?),
        (8, _) => entries(sized(rest)?),
        _ => None,
    }
}

fn sized(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(
        2..2 + usize::from(
            bytes[..2.min(bytes.len())].iter().fold(0_u16, |sum, it| sum << 8 | u16::from(*it)),
        ),
    )
}

fn check(stream: &str) -> Option<()> {
    (!stream.is_empty() && stream.len() <= ONENET_STREAM_BYTES_MAX).then_some(())
}

fn point(at_ms: Option<u64>, stream: &str, what: What) -> Option<Told> {
    check(stream)?;
    Some(Told { at_ms, stream: stream.to_owned(), what })
}

/// A time as a text names it. The calendar is another than that of the code that is checked.
fn time(text: &str) -> Option<u64> {
    let digits_as = |wanted: &str| {
        text.len() >= 19
            && text.bytes().zip(wanted.bytes()).all(|(it, wanted)| match wanted {
                b'0' => it.is_ascii_digit(),
                b' ' => matches!(it, b' ' | b'T' | b't'),
                _ => it == wanted,
            })
    };
    if !digits_as("0000-00-00 00:00:00") {
        return None;
    }
    if text.len() > 19 {
        // Fractions and zones are written by no test but a few changes: these are read by the code that has tests.
        let zoned = format!("{text}+08:00");
        return dialects::time::parse_iso8601(&zoned).or_else(|| dialects::time::parse_iso8601(text));
    }
    let number = |from: usize, to: usize| text[from..to].parse().unwrap();
    // A leap second is as long as the next one.
    let (second, more) = if &text[17..] == "60" { (59, 1000) } else { (number(17, 19), 0) };
    let civil = DateTime::new(
        number(0, 4),
        number(5, 7) as i8,
        number(8, 10) as i8,
        number(11, 13) as i8,
        number(14, 16) as i8,
        second as i8,
        0,
    );
    millis(civil.ok()?, more)
}

fn millis(civil: DateTime, more: i64) -> Option<u64> {
    let zoned = civil.to_zoned(TimeZone::fixed(Offset::constant(8))).ok()?;
    u64::try_from(zoned.timestamp().as_millisecond() + more).ok()
}

/// A date; all zero is none.
fn date(bytes: &[u8]) -> Option<Option<u64>> {
    if bytes == [0; 6] {
        return Some(None);
    }
    let [month, day, hour, minute, second] = [1, 2, 3, 4, 5].map(|it| i8::try_from(bytes[it]).unwrap_or(-1));
    let year = 2000 + i16::from(bytes[0]);
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok().filter(|_| year < 2100)?;
    millis(civil, 0).map(Some)
}

fn full(text: &[u8]) -> Option<Vec<Told>> {
    let top: HashMap<_, _> = object(text)?.into_iter().collect();
    let mut all = Vec::new();
    for stream in list(top.get("datastreams")?)? {
        let stream: HashMap<_, _> = object(stream.as_bytes())?.into_iter().collect();
        let id: String = serde_json::from_str(stream.get("id")?).ok()?;
        check(&id)?;
        for it in list(stream.get("datapoints")?)? {
            let it: HashMap<_, _> = object(it.as_bytes())?.into_iter().collect();
            all.push(point(at(it.get("at")), &id, json(it.get("value")?))?);
        }
    }
    Some(all)
}

fn at(text: Option<&String>) -> Option<u64> {
    time(&serde_json::from_str::<String>(text?).ok()?)
}

fn binary(rest: &[u8]) -> Option<Vec<Told>> {
    let text = sized(rest)?;
    let members: HashMap<_, _> = object(text)?.into_iter().collect();
    let id: String = serde_json::from_str(members.get("ds_id")?).ok()?;
    let (len, bytes) = rest[2 + text.len()..].split_first_chunk::<4>()?;
    let is_whole = bytes.len() == u32::from_be_bytes(*len) as usize && bytes.len() <= ONENET_BINARY_BYTES_MAX;
    let what = What::Binary { description: members.get("desc").cloned(), bytes: bytes.to_vec() };
    Some(vec![point(at(members.get("at")), &id, what).filter(|_| is_whole)?])
}

fn fields(string: &[u8], default_ms: Option<u64>) -> Option<Vec<Told>> {
    let [within, between, rest @ ..] = string else { return None };
    if within == between {
        return None;
    }
    let mut all = Vec::new();
    for (position, field) in rest.split(|it| it == between).enumerate() {
        let parts: Vec<_> = field.split(|it| it == within).map(<[u8]>::to_vec).collect();
        let (id, time_text, value) = match &parts[..] {
            [value] if value.is_empty() => continue,
            [value] => (position.to_string().into_bytes(), Vec::new(), value.clone()),
            [id, value] => (id.clone(), Vec::new(), value.clone()),
            [id, time, value] => (id.clone(), time.clone(), value.clone()),
            _ => return None,
        };
        if id.is_empty() || value.is_empty() {
            continue;
        }
        let at_ms = time(&String::from_utf8(time_text).ok()?).or(default_ms);
        let (id, value) = (String::from_utf8(id).ok()?, String::from_utf8(value).ok()?);
        all.push(point(at_ms, &id, What::Text(value))?);
    }
    Some(all)
}

fn floats(mut rest: &[u8], at_ms: Option<u64>) -> Option<Vec<Told>> {
    let (mut all, mut total) = (Vec::new(), 0);
    loop {
        let [a, b, c, d, floats @ ..] = rest else { return None };
        let (first, count) = (u32::from(*a) * 256 + u32::from(*b), u32::from(*c) * 256 + u32::from(*d));
        total += count;
        if count == 0 || total > 500 || first + count > 65_536 || floats.len() < 4 * count as usize {
            return None;
        }
        for n in 0..count {
            let [a, b, c, d] = [0, 1, 2, 3].map(|it| u32::from(floats[4 * n as usize + it]));
            let float = f64::from(f32::from_bits(a | b << 8 | c << 16 | d << 24));
            if !float.is_nan() && !float.is_infinite() {
                all.push(point(at_ms, &(first + n).to_string(), What::F64(float))?);
            }
        }
        rest = &floats[4 * count as usize..];
        if rest.is_empty() {
            return Some(all);
        }
    }
}

fn entries(block: &[u8]) -> Option<Vec<Told>> {
    if block.first() == Some(&8) {
        return told_count_left(block).map(|it| it.0);
    }
    // What is left of an earlier packet may stand in front of a block that ends where everything ends.
    let mut places = (1..block.len()).filter(|it| block[*it] == 8).take(16);
    let found = places.find_map(|it| {
        let (told, count, left) = told_count_left(&block[it..])?;
        (count > 0 && left == 0).then_some(told)
    });
    Some(found.unwrap_or_default())
}

/// The points, how many entries the block announces, and how many bytes stand behind them.
fn told_count_left(block: &[u8]) -> Option<(Vec<Told>, u8, usize)> {
    let mut rest = match block {
        [8, rest @ ..] => rest.to_vec(),
        _ => return None,
    };
    let mut take = |len: usize| (rest.len() >= len).then(|| rest.drain(..len).collect::<Vec<_>>());
    let number = |bytes: Vec<u8>| bytes.iter().fold(0_u64, |sum, it| sum << 8 | u64::from(*it));
    let at_ms = match take(1)?[..] {
        [0] => None,
        [1] => Some(number(take(4)?) * 1000),
        _ => return None,
    };
    let mut all = Vec::new();
    let count = take(1)?[0];
    for _ in 0..count {
        let kind = take(1)?[0];
        let mut text = || {
            let mut text = Vec::new();
            loop {
                match take(1)?[0] {
                    0 => return Some(text),
                    it => text.push(it),
                }
            }
        };
        let stream = String::from_utf8(text()?).ok()?;
        let what = match kind {
            1 => What::I64(number(take(4)?) as i64),
            2 => What::F64(f64::from_bits(number(take(8)?))),
            3 => What::Text(String::from_utf8(text()?).ok()?),
            4 => {
                let len = number(take(4)?) as usize;
                What::Bytes(take(len)?)
            }
            5 => json(serde_json::from_slice::<Box<RawValue>>(&text()?).ok()?.get()),
            _ => return None,
        };
        if !matches!(what, What::F64(it) if !it.is_finite()) {
            all.push(point(at_ms, &stream, what)?);
        }
    }
    Some((all, count, rest.len()))
}

fn json(text: &str) -> What {
    match text.as_bytes()[0] {
        b't' | b'f' => What::Bool(text == "true"),
        b'"' => serde_json::from_str(text).map_or_else(|_| What::Json(text.to_owned()), What::Text),
        b'-' | b'0'..=b'9' => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(it), _) => What::I64(it),
            (_, Ok(it)) if it.is_finite() => What::F64(it),
            _ => What::Json(text.to_owned()),
        },
        _ => What::Json(text.to_owned()),
    }
}

fn list(text: &str) -> Option<Vec<String>> {
    let list: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
    Some(list.iter().map(|it| it.get().to_owned()).collect())
}

/// The members of an object in their order.
fn object(text: &[u8]) -> Option<Vec<(String, String)>> {
    struct Members(Vec<(String, String)>);
    struct MembersVisitor;

    impl<'de> Visitor<'de> for MembersVisitor {
        type Value = Members;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                members.push((name, value.get().to_owned()));
            }
            Ok(Members(members))
        }
    }

    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
            deserializer.deserialize_map(MembersVisitor)
        }
    }

    serde_json::from_str::<Members>(std::str::from_utf8(text).ok()?).ok().map(|it| it.0)
}
