//! Points of a device, read from the store in pieces and printed as one JSON object, a member for each key.

use std::collections::{HashSet, VecDeque};
use std::ops::{ControlFlow, Range};

use dialects::thingsboard::http::HttpRefusal;
use dialects::thingsboard::http::telemetry::{Print, print_point, print_text};
use domain::{DeviceId, Millis, Order, OrgId, Series, Summary, Value};
use platform::{Store, StoreFault};

use super::intervals::Intervals;
use super::pieces::Read;
use crate::limits::{THINGSBOARD_KEYS_PER_PIECE_COUNT, THINGSBOARD_PIECE_BYTES};

/// Whose points, and how they are printed.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub(super) org: OrgId,
    pub(super) device: DeviceId,
    pub(super) print: Print,
}

/// What an interval's points are summed up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Min,
    Max,
    Avg,
    Sum,
    Count,
}

impl Aggregate {
    /// Reads a name; `NONE` and no name are none.
    pub(super) fn parse(name: Option<&str>) -> Result<Option<Aggregate>, HttpRefusal> {
        Ok(Some(match name {
            None | Some("NONE" | "") => return Ok(None),
            Some("MIN") => Aggregate::Min,
            Some("MAX") => Aggregate::Max,
            Some("AVG") => Aggregate::Avg,
            Some("SUM") => Aggregate::Sum,
            Some("COUNT") => Aggregate::Count,
            Some(other) => return Err(HttpRefusal::bad(format!("There is no aggregation {other}."))),
        }))
    }

    /// `None` where the points are no numbers.
    pub(super) fn of(self, summary: &Summary) -> Option<Value<'static>> {
        match self {
            Aggregate::Min => summary.min(),
            Aggregate::Max => summary.max(),
            Aggregate::Avg => summary.avg().map(Value::F64),
            Aggregate::Sum => summary.sum(),
            Aggregate::Count => Some(Value::I64(i64::try_from(summary.count).unwrap_or(i64::MAX))),
        }
    }
}

/// What of a key's points is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// At most so many points, from one end of the range.
    Points { order: Order, count_max: u64 },
    /// What the points of each interval come to, oldest first.
    Aggregates { of: Aggregate, intervals: Intervals },
}

/// Visits what the points of each interval of a range come to, as [`Store::aggregates`] does.
pub(super) fn aggregates(
    store: &dyn Store,
    series: Series<'_>,
    range: Range<Millis>,
    intervals: &Intervals,
    each: &mut dyn FnMut(Range<Millis>, &Summary) -> ControlFlow<()>,
) -> Result<Option<Range<Millis>>, StoreFault> {
    let (unit, zone) = match intervals {
        Intervals::Millis(interval_ms) => return store.aggregates(series, range, *interval_ms, each),
        Intervals::Calendar(unit, zone) => (unit, zone),
    };
    let mut rest = range;
    loop {
        // The next point says which interval is next: those without one are not looked at.
        let mut next_ms = None;
        store.points(series, rest.clone(), Order::Ascending, &mut |at_ms, _| {
            next_ms = Some(at_ms);
            ControlFlow::Break(())
        })?;
        let Some(next_ms) = next_ms else { return Ok(None) };
        let whole = unit.around(next_ms, zone).unwrap_or_else(|| rest.clone());
        let interval = whole.start.max(rest.start)..whole.end.min(rest.end);
        rest.start = interval.end;
        let mut flow = ControlFlow::Continue(());
        store.aggregates(series, interval, 0, &mut |interval, summary| {
            flow = each(interval, summary);
            flow
        })?;
        if flow.is_break() || rest.is_empty() {
            return Ok(Some(rest).filter(|it| !it.is_empty()));
        }
    }
}

/// An object that is being printed, a member at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Object {
    Empty,
    Begun,
    Ended,
}

impl Object {
    fn member(&mut self, to: &mut String, key: &str) {
        to.push(if *self == Object::Empty { '{' } else { ',' });
        *self = Object::Begun;
        print_text(to, key);
        to.push(':');
    }

    fn end(&mut self, to: &mut String) {
        to.push_str(if *self == Object::Empty { "{}" } else { "}" });
        *self = Object::Ended;
    }
}

/// The newest point of each key.
pub(super) struct Newest {
    of: Of,
    keys: VecDeque<String>,
    missing_at_ms: Option<Millis>,
    object: Object,
}

impl Newest {
    /// A key without a point is answered with `null` at `missing_at_ms`, or not at all.
    pub(super) fn new(of: Of, keys: Vec<String>, missing_at_ms: Option<Millis>) -> Newest {
        Newest { of, keys: keys.into(), missing_at_ms, object: Object::Empty }
    }
}

impl Read for Newest {
    type Piece = String;
    const CONTENT_TYPE: &'static str = "application/json";

    fn next(&mut self, store: &dyn Store) -> Result<Option<String>, StoreFault> {
        if self.object == Object::Ended {
            return Ok(None);
        }
        let (mut to, object) = (String::new(), &mut self.object);
        while to.len() < THINGSBOARD_PIECE_BYTES {
            let count = self.keys.len().min(THINGSBOARD_KEYS_PER_PIECE_COUNT);
            if count == 0 {
                object.end(&mut to);
                break;
            }
            let keys: Vec<String> = self.keys.drain(..count).collect();
            let names: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut missing: HashSet<&str> = names.iter().copied().collect();
            store.latest(self.of.org, self.of.device, Some(&names), &mut |key, at_ms, value| {
                if missing.remove(key) {
                    object.member(&mut to, key);
                    to.push('[');
                    print_point(&mut to, at_ms, value, self.of.print);
                    to.push(']');
                }
            })?;
            let Some(at_ms) = self.missing_at_ms else { continue };
            for key in names.into_iter().filter(|it| missing.remove(it)) {
                object.member(&mut to, key);
                to.push('[');
                print_point(&mut to, at_ms, Value::Json("null"), Print::Typed);
                to.push(']');
            }
        }
        Ok(Some(to))
    }
}

/// Points of several keys, one key after the other.
pub(super) struct History {
    of: Of,
    range: Range<Millis>,
    wanted: Wanted,
    /// Those that are not begun yet.
    keys: VecDeque<String>,
    current: Option<Current>,
    object: Object,
}

/// The key that is being read.
struct Current {
    key: String,
    /// What is left of its range.
    rest: Range<Millis>,
    /// Points that were printed.
    count: u64,
}

impl History {
    pub(super) fn new(of: Of, keys: Vec<String>, range: Range<Millis>, wanted: Wanted) -> History {
        History { of, range, wanted, keys: keys.into(), current: None, object: Object::Empty }
    }
}

impl Read for History {
    type Piece = String;
    const CONTENT_TYPE: &'static str = "application/json";

    fn next(&mut self, store: &dyn Store) -> Result<Option<String>, StoreFault> {
        if self.object == Object::Ended {
            return Ok(None);
        }
        let mut to = String::with_capacity(THINGSBOARD_PIECE_BYTES + THINGSBOARD_PIECE_BYTES / 4);
        while to.len() < THINGSBOARD_PIECE_BYTES {
            let mut current = match (self.current.take(), self.keys.pop_front()) {
                (Some(current), next) => {
                    next.into_iter().for_each(|it| self.keys.push_front(it));
                    current
                }
                (None, Some(key)) => {
                    self.object.member(&mut to, &key);
                    to.push('[');
                    Current { key, rest: self.range.clone(), count: 0 }
                }
                (None, None) => {
                    self.object.end(&mut to);
                    break;
                }
            };
            match current.read(&self.of, &self.wanted, store, &mut to)? {
                Some(rest) => self.current = Some(Current { rest, ..current }),
                None => to.push(']'),
            }
        }
        Ok(Some(to))
    }
}

impl Current {
    /// Prints points until the piece is full; gives what is left of the range.
    fn read(
        &mut self,
        of: &Of,
        wanted: &Wanted,
        store: &dyn Store,
        to: &mut String,
    ) -> Result<Option<Range<Millis>>, StoreFault> {
        let series = Series { org: of.org, device: of.device, key: &self.key };
        let count = &mut self.count;
        let mut put = |at_ms, value: Value<'_>, count_max| {
            if *count > 0 {
                to.push(',');
            }
            print_point(to, at_ms, value, of.print);
            *count += 1;
            let is_full = to.len() >= THINGSBOARD_PIECE_BYTES || *count == count_max;
            if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match wanted {
            Wanted::Points { order, count_max } => {
                let mut each = |at_ms, value: Value<'_>| put(at_ms, value, *count_max);
                let rest = store.points(series, self.rest.clone(), *order, &mut each)?;
                Ok(rest.filter(|_| self.count < *count_max))
            }
            Wanted::Aggregates { of, intervals } => {
                // The answer's time is the middle of the interval.
                let mut each = |interval: Range<Millis>, summary: &Summary| match of.of(summary) {
                    Some(value) => put(u64::midpoint(interval.start, interval.end), value, u64::MAX),
                    None => ControlFlow::Continue(()),
                };
                aggregates(store, series, self.rest.clone(), intervals, &mut each)
            }
        }
    }
}
