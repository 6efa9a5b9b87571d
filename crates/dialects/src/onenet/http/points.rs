//! Data points as the API is asked for them and prints them (spec onenet 8.7).
//!
//! A query says much by what it leaves out: without anything it wants the newest point of each stream, with a limit
//! alone the newest of each, with times the points of a range, of all streams together in the order of their times.

use std::fmt::Write;
use std::ops::{ControlFlow, Range};

use domain::{Code, Millis, Order, Points, Value};
use serde_json::value::RawValue;

use super::views::Current;
use super::{Errno, HttpRefusal};
use crate::onenet::time::{self, Zone, shown_ms};
use crate::onenet::upload::{self, Uploaded};
use crate::thingsboard;

/// Points that are given when the query says no number.
const LIMIT: usize = 100;
/// Points that may be asked for at a time.
const LIMIT_MAX: usize = 6_000;

/// What of a device's points is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsQuery {
    /// These streams, in this order; `None`: all of them.
    pub streams: Option<Vec<String>>,
    /// Which points.
    pub wanted: Wanted,
    /// Where the answer before has ended.
    pub cursor: Option<Cursor>,
}

/// Which points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest of each stream, printed in this order.
    Newest {
        /// So many of each.
        limit: usize,
        /// How each stream's are printed.
        order: Order,
    },
    /// Those of a range, the streams' points among each other by time.
    Range {
        /// Their times.
        range: Range<Millis>,
        /// From which end.
        order: Order,
        /// So many of all streams together.
        limit: usize,
    },
}

/// The last point of an answer after which there are more. It is opaque to clients, and has only what needs no escape
/// in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its time.
    pub at_ms: Millis,
    /// How many of its stream were given, where each stream is counted for itself.
    pub count: usize,
    /// Its stream.
    pub stream: String,
}

impl Cursor {
    /// As clients get it.
    pub fn print(&self) -> String {
        let mut to = format!("{}_{}_", self.at_ms, self.count);
        // Writing to a string cannot fail.
        self.stream.bytes().for_each(|it| _ = write!(to, "{it:02x}"));
        to
    }

    /// Reads what [`Cursor::print`] wrote.
    pub fn parse(text: &str) -> Option<Cursor> {
        let (at_ms, rest) = text.split_once('_')?;
        let (count, hex) = rest.split_once('_')?;
        let digits: Option<Vec<u8>> = hex.chars().map(|it| Some(it.to_digit(16)? as u8)).collect();
        let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
        let stream = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        let stream = String::from_utf8(stream).ok()?;
        Some(Cursor { at_ms: at_ms.parse().ok()?, count: count.parse().ok()?, stream })
    }
}

impl PointsQuery {
    /// Reads a query. `get` gives a parameter that is there and not empty.
    pub fn parse<'q>(
        get: impl Fn(&str) -> Option<&'q str>,
        now_ms: Millis,
        zone: Zone,
    ) -> Result<PointsQuery, HttpRefusal> {
        let limit = get("limit").map(|it| it.parse().ok().filter(|it| (1..=LIMIT_MAX).contains(it)));
        let limit = limit.map(|it| it.ok_or_else(|| HttpRefusal::invalid("limit"))).transpose()?;
        let sort = match get("sort") {
            None => None,
            Some(it) if it.eq_ignore_ascii_case("asc") => Some(Order::Ascending),
            Some(it) if it.eq_ignore_ascii_case("desc") => Some(Order::Descending),
            Some(_) => return Err(HttpRefusal::invalid("sort")),
        };
        let cursor = get("cursor").map(|it| Cursor::parse(it).ok_or_else(|| HttpRefusal::invalid("cursor")));
        let wanted = match span(&get, now_ms, zone)? {
            Some((range, order)) => {
                let (order, limit) = (sort.unwrap_or(order), limit.unwrap_or(LIMIT));
                Wanted::Range { range, order, limit }
            }
            None => Wanted::Newest { limit: limit.unwrap_or(1), order: sort.unwrap_or(Order::Descending) },
        };
        Ok(PointsQuery { streams: get("datastream_id").map(names), wanted, cursor: cursor.transpose()? })
    }
}

/// Names with commas between; each once.
pub fn names(list: &str) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    list.split(',').filter(|it| !it.is_empty() && seen.insert(*it)).map(str::to_owned).collect()
}

/// The range that is asked for, and the end at which it begins; `None` where no time is named.
fn span<'q>(
    get: &impl Fn(&str) -> Option<&'q str>,
    now_ms: Millis,
    zone: Zone,
) -> Result<Option<(Range<Millis>, Order)>, HttpRefusal> {
    let start = moment(get, "start", zone)?;
    let end = moment(get, "end", zone)?;
    let duration_ms = duration_ms(get)?;
    Ok(Some(match (start, end, duration_ms) {
        (None, None, None) => return Ok(None),
        (Some(start), Some(end), _) => (start..end.saturating_add(1), Order::Ascending),
        (Some(start), None, Some(it)) => {
            (start..start.saturating_add(it).saturating_add(1), Order::Ascending)
        }
        (Some(start), None, None) => (start..Millis::MAX, Order::Ascending),
        (None, end, Some(it)) => {
            let end = end.unwrap_or(now_ms);
            (end.saturating_sub(it)..end.saturating_add(1), Order::Descending)
        }
        (None, Some(end), None) => (0..end.saturating_add(1), Order::Descending),
    }))
}

fn moment<'q>(
    get: &impl Fn(&str) -> Option<&'q str>,
    name: &str,
    zone: Zone,
) -> Result<Option<Millis>, HttpRefusal> {
    get(name).map(|it| time::text(it, zone).ok_or_else(|| HttpRefusal::invalid(name))).transpose()
}

fn duration_ms<'q>(get: &impl Fn(&str) -> Option<&'q str>) -> Result<Option<Millis>, HttpRefusal> {
    let read = |it: &str| it.parse::<u64>().map_err(|_| HttpRefusal::invalid("duration"));
    Ok(get("duration").map(read).transpose()?.map(|it| it.saturating_mul(1_000)))
}

/// The range of a deletion, which has to begin somewhere: without `end` and `duration` it has no end.
pub fn range_to_delete<'q>(
    get: impl Fn(&str) -> Option<&'q str>,
    now_ms: Millis,
    zone: Zone,
) -> Result<Range<Millis>, HttpRefusal> {
    if get("start").is_none() {
        return Err(HttpRefusal::missing("start"));
    }
    let found = span(&get, now_ms, zone)?;
    found.map(|(range, _)| range).ok_or_else(|| HttpRefusal::missing("start"))
}

/// What a body uploads: points, each list with its time; `None`: now (spec 8.7).
pub type Readings = Vec<(Option<Millis>, Points)>;

/// Reads an upload. `kind` is the parameter `type`: 3, 4 and 5 are the texts of those types over MQTT, without what
/// stands before them there; without it, it is type 1.
pub fn readings(kind: Option<&str>, body: &[u8], zone: Zone) -> Result<Readings, HttpRefusal> {
    let kind = match kind {
        None | Some("1") => 1,
        Some("3") => 3,
        Some("4") => 4,
        Some("5") => 5,
        Some(_) => return Err(HttpRefusal::invalid("type")),
    };
    if body.is_empty() {
        return Err(Errno::DataRequired.into());
    }
    let mut readings = Readings::new();
    let read = upload::read_text(kind, body, zone, &mut |part| {
        if let Uploaded::Points { at_ms, points } = part {
            readings.push((at_ms, points));
        }
        ControlFlow::Continue(())
    });
    read.map_err(|refusal| match refusal.code {
        Code::Malformed if kind != 5 => HttpRefusal::new(Errno::InvalidJson, refusal.hint),
        _ => HttpRefusal::from(&refusal),
    })?;
    Ok(readings)
}

/// Appends `{"at":"…","value":…}`.
pub fn print_point(to: &mut String, at_ms: Millis, value: Value<'_>, zone: Zone) {
    // Writing to a string cannot fail.
    write!(to, r#"{{"at":"{}","value":"#, shown_ms(at_ms, zone)).ok();
    print_value(to, value);
    to.push('}');
}

/// A point as other answers show it.
pub fn current(at_ms: Millis, value: Value<'_>) -> Option<Current> {
    let mut text = String::new();
    print_value(&mut text, value);
    Some(Current { at_ms, value: RawValue::from_string(text).ok()? })
}

fn print_value(to: &mut String, value: Value<'_>) {
    thingsboard::http::telemetry::print_value(to, value, thingsboard::http::telemetry::Print::Typed);
}

/// The data of an answer: streams with their points, printed, and where more of them are.
pub fn print_answer(streams: &[(&str, Vec<&str>)], cursor: Option<&Cursor>) -> String {
    let points = streams.iter().flat_map(|(_, points)| points);
    let bytes: usize = points.map(|it| it.len() + 1).sum();
    let mut to = String::with_capacity(bytes + 64 * (streams.len() + 2));
    to.push('{');
    if let Some(cursor) = cursor {
        write!(to, r#""cursor":"{}","#, cursor.print()).ok();
    }
    let count: usize = streams.iter().map(|(_, points)| points.len()).sum();
    write!(to, r#""count":{count},"datastreams":["#).ok();
    for (place, (name, points)) in streams.iter().enumerate() {
        to.push_str(if place == 0 { r#"{"datapoints":["# } else { r#",{"datapoints":["# });
        for (place, point) in points.iter().enumerate() {
            if place > 0 {
                to.push(',');
            }
            to.push_str(point);
        }
        to.push_str(r#"],"id":"#);
        thingsboard::http::telemetry::print_text(&mut to, name);
        to.push('}');
    }
    to.push_str("]}");
    to
}
