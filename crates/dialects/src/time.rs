//! Times as the wire writes them: ISO 8601, between text and milliseconds since the Unix epoch.
//!
//! The dialects' own, because it is all they need of a calendar: the proleptic Gregorian one, without leap seconds and
//! without time zones other than a numeric offset. Never reads a clock.

use domain::Millis;

const DAY_MS: u64 = 86_400_000;
/// Days from 0000-03-01, where a year of the calculation starts, to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days in the 400 years after which the calendar repeats itself.
const ERA_DAYS: i64 = 146_097;

/// `2024-05-01T10:20:30.123Z`.
pub fn iso8601(at_ms: Millis) -> String {
    let (year, month, day) = date_of((at_ms / DAY_MS) as i64);
    let ms = at_ms % DAY_MS;
    let (hour, minute, second, fraction) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

/// Reads `2024-05-01T10:20:30`, with an optional fraction of a second and an optional `Z`, `+02:00` or `+0200`; without
/// a zone it is UTC. `None` for anything else, and for times before 1970.
pub fn parse_iso8601(text: &str) -> Option<Millis> {
    parse_iso8601_in(text, 0)
}

/// The same; without a zone it is a time where clocks are so many seconds ahead of UTC.
pub fn parse_iso8601_in(text: &str, ahead_s: i64) -> Option<Millis> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = numbers(date, '-', [4, 2, 2])?;
    let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let time = numbers(time, ':', [2, 2, 2])?;
    let (fraction_ms, zone) = fraction(rest)?;
    let ahead_s = if zone.is_empty() { ahead_s } else { offset_s(zone)? };
    Some(millis_of(date, time, ahead_s)? + fraction_ms)
}

/// The time at which a calendar shows this date (year, month, day) and a clock this time (hour, minute, second), where
/// clocks are so many seconds ahead of UTC. `None` where there is no such day or time, and for times before 1970.
pub(crate) fn millis_of(date: [i64; 3], time: [i64; 3], ahead_s: i64) -> Option<Millis> {
    let ([year, month, day], [hour, minute, second]) = (date, time);
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !in_range {
        return None;
    }
    let seconds = days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - ahead_s;
    u64::try_from(seconds * 1000).ok()
}

/// The date that lies `days` after 1970-01-01. Counted from 1 March, so that the leap day is a year's last.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The days from 1970-01-01 to a date.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    year.div_euclid(400) * ERA_DAYS + day_of_era - EPOCH_DAYS
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Three groups of decimal digits, each of exactly the given width.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut found = [0; 3];
    let mut groups = text.split(separator);
    for (number, width) in found.iter_mut().zip(widths) {
        let group = groups.next()?;
        let digits = group.len() == width && group.bytes().all(|it| it.is_ascii_digit());
        *number = digits.then(|| group.parse().ok()).flatten()?;
    }
    groups.next().is_none().then_some(found)
}

/// Takes an optional `.123` off, as milliseconds; finer digits are cut.
fn fraction(text: &str) -> Option<(Millis, &str)> {
    let Some(rest) = text.strip_prefix(['.', ',']) else { return Some((0, text)) };
    let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, zone) = rest.split_at_checked(end)?;
    let ms = digits.bytes().chain(*b"00").take(3).fold(0, |sum, it| sum * 10 + Millis::from(it - b'0'));
    (!digits.is_empty()).then_some((ms, zone))
}

/// What a zone is ahead of UTC, in seconds.
pub(crate) fn offset_s(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let [hours, minutes, _] = numbers(&format!("{hours}:{minutes}:00"), ':', [2, 2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written() {
        assert_eq!(iso8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso8601(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(iso8601(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(iso8601(1_714_558_830_123), "2024-05-01T10:20:30.123Z");
        assert_eq!(iso8601(4_102_444_800_000), "2100-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in 0..146_097 * 2 {
            let at_ms = day * DAY_MS + day % DAY_MS;
            assert_eq!(parse_iso8601(&iso8601(at_ms)), Some(at_ms), "{}", iso8601(at_ms));
        }
    }

    #[test]
    fn fractions_and_zones_are_read() {
        for (text, expected) in [
            ("2024-05-01T10:20:30", Some(1_714_558_830_000)),
            ("2024-05-01T10:20:30Z", Some(1_714_558_830_000)),
            ("2024-05-01 10:20:30.1", Some(1_714_558_830_100)),
            ("2024-05-01T10:20:30.123456Z", Some(1_714_558_830_123)),
            ("2024-05-01T12:20:30.123+02:00", Some(1_714_558_830_123)),
            ("2024-05-01T06:20:30.123-0400", Some(1_714_558_830_123)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-05-01T24:00:00Z", None),
            ("2024-05-01", None),
            ("2024-05-01T10:20:30.Z", None),
            ("2024-05-01T10:20:30+2", None),
            ("2024-05-01T1ä:20:30", None),
            ("1969-12-31T23:59:59Z", None),
            ("", None),
        ] {
            assert_eq!(parse_iso8601(text), expected, "{text}");
        }
    }
}
