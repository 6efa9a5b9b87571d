//! The intervals that points are summed up by (spec thingsboard 11.5): so many milliseconds each, or weeks, months and
//! quarters as somebody's calendar has them.

use std::ops::Range;

use domain::Millis;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use dialects::thingsboard::http::HttpRefusal;

/// How a range is cut into intervals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Intervals {
    /// Each is so long, from the range's beginning on; 0: the range is one interval.
    Millis(u64),
    /// Each is what the calendar says; the first and the last are cut where the range ends.
    Calendar(Unit, TimeZone),
}

/// A stretch of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// From Sunday.
    Week,
    /// From Monday.
    WeekIso,
    /// From its first day.
    Month,
    /// From the first of January, April, July and October.
    Quarter,
}

impl Intervals {
    /// Reads `intervalType` and `timeZone`; `interval_ms` counts where the type is `MILLISECONDS`, or none.
    pub(super) fn parse(
        kind: Option<&str>,
        zone: Option<&str>,
        interval_ms: u64,
    ) -> Result<Intervals, HttpRefusal> {
        let unit = match kind {
            None | Some("MILLISECONDS") => return Ok(Intervals::Millis(interval_ms)),
            Some("WEEK") => Unit::Week,
            Some("WEEK_ISO") => Unit::WeekIso,
            Some("MONTH") => Unit::Month,
            Some("QUARTER") => Unit::Quarter,
            Some(other) => {
                return Err(HttpRefusal::bad(format!("There are no intervals of the type {other}.")));
            }
        };
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => {
                TimeZone::get(name).map_err(|_| HttpRefusal::bad(format!("There is no time zone {name}.")))?
            }
        };
        Ok(Intervals::Calendar(unit, zone))
    }
}

impl Unit {
    /// The stretch that holds a time; `None` beyond what calendars are made for.
    pub(super) fn around(self, at_ms: Millis, zone: &TimeZone) -> Option<Range<Millis>> {
        let at = Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
        let date = zone.to_datetime(at).date();
        let (first, span) = match self {
            Unit::Week => (date.checked_sub(date.weekday().to_sunday_zero_offset().days()).ok()?, 7.days()),
            Unit::WeekIso => {
                (date.checked_sub(date.weekday().to_monday_zero_offset().days()).ok()?, 7.days())
            }
            Unit::Month => (date.first_of_month(), 1.months()),
            Unit::Quarter => (Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?, 3.months()),
        };
        let begin_ms = |date: Date| {
            let begin = date.to_zoned(zone.clone()).ok()?;
            Some(Millis::try_from(begin.timestamp().as_millisecond()).unwrap_or(0))
        };
        Some(begin_ms(first)?..begin_ms(first.checked_add(span).ok()?)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use dialects::time::{iso8601, parse_iso8601};

    #[test]
    fn intervals_are_those_of_the_calendar_of_a_place() {
        for (kind, zone, at, from, to) in [
            // A Wednesday.
            ("WEEK", "UTC", "2024-05-01T10:20:30", "2024-04-28T00:00:00", "2024-05-05T00:00:00"),
            ("WEEK_ISO", "UTC", "2024-05-01T10:20:30", "2024-04-29T00:00:00", "2024-05-06T00:00:00"),
            ("WEEK", "UTC", "2024-04-28T00:00:00", "2024-04-28T00:00:00", "2024-05-05T00:00:00"),
            ("MONTH", "UTC", "2024-02-29T23:59:59", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
            ("QUARTER", "UTC", "2024-12-31T23:00:00", "2024-10-01T00:00:00", "2025-01-01T00:00:00"),
            // Clocks are put forward on the last Sunday of March.
            ("MONTH", "Europe/Berlin", "2024-02-29T23:30:00", "2024-02-29T23:00:00", "2024-03-31T22:00:00"),
            ("MONTH", "Asia/Shanghai", "2024-05-31T16:00:00", "2024-05-31T16:00:00", "2024-06-30T16:00:00"),
            ("WEEK", "UTC", "1970-01-01T00:00:00", "1970-01-01T00:00:00", "1970-01-04T00:00:00"),
        ] {
            let Intervals::Calendar(unit, zone) = Intervals::parse(Some(kind), Some(zone), 5).unwrap() else {
                panic!("{kind}");
            };
            let range = unit.around(parse_iso8601(at).unwrap(), &zone).unwrap();
            let expected = format!("{from}.000Z {to}.000Z");
            assert_eq!(format!("{} {}", iso8601(range.start), iso8601(range.end)), expected, "{kind} {at}");
        }
        assert_eq!(Unit::Month.around(Millis::MAX, &TimeZone::UTC), None);
        assert_eq!(Intervals::parse(None, Some("nowhere"), 5), Ok(Intervals::Millis(5)));
        assert!(Intervals::parse(Some("YEAR"), None, 5).is_err());
        assert!(Intervals::parse(Some("MONTH"), Some("Europe/Atlantis"), 5).is_err());
    }
}
