//! Points in time as people write and read them.

use std::str::FromStr;

use domain::Millis;
use jiff::Timestamp;

/// A point in time, as it was written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So many milliseconds before now.
    Ago(Millis),
    /// Milliseconds since the Unix epoch.
    At(Millis),
}

impl Moment {
    /// In milliseconds since the Unix epoch, seen from `now_ms`.
    pub(crate) fn resolve_ms(self, now_ms: Millis) -> Millis {
        match self {
            Moment::Ago(ms) => now_ms.saturating_sub(ms),
            Moment::At(ms) => ms,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let remedy =
            || format!("`{text}`: write 30s, 15m, 2h or 7d for so long ago, or 2026-05-01T00:00:00Z");
        let unit_ms = match text.chars().last() {
            Some('s') => 1_000,
            Some('m') => 60_000,
            Some('h') => 3_600_000,
            Some('d') => 86_400_000,
            _ => {
                let at: Timestamp = text.parse().map_err(|_| remedy())?;
                return Millis::try_from(at.as_millisecond()).map(Moment::At).map_err(|_| remedy());
            }
        };
        let count: Millis = text[..text.len() - 1].parse().map_err(|_| remedy())?;
        count.checked_mul(unit_ms).map(Moment::Ago).ok_or_else(remedy)
    }
}

/// `2026-05-01 12:30:05.250`, UTC.
pub(crate) fn show(at_ms: Millis) -> String {
    match i64::try_from(at_ms).ok().and_then(|it| Timestamp::from_millisecond(it).ok()) {
        Some(at) => format!("{at:.3}").replace('T', " ").trim_end_matches('Z').to_owned(),
        None => at_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time() {
        let now_ms = 1_000_000_000;
        let cases = [("30s", now_ms - 30_000), ("2h", now_ms - 7_200_000), ("1970-01-01T00:00:01.5Z", 1_500)];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Moment>().map(|it| it.resolve_ms(now_ms)), Ok(expected), "{text}");
        }
        for wrong in
            ["", "s", "h2", "-1h", "5", "yesterday", "99999999999999999999d", "1800-01-01T00:00:00Z", "é"]
        {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_shown_to_the_millisecond() {
        assert_eq!(show(1_777_638_605_250), "2026-05-01 12:30:05.250");
    }
}
