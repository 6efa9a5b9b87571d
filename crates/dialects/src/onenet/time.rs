//! Times in uploads (spec onenet 4.2): texts and dates of six bytes, on the clocks of a zone that they do not name.

use domain::Millis;

use crate::time::{iso8601, millis_of, offset_s, parse_iso8601_in};

/// The zone of times that name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone {
    ahead_s: i64,
}

impl Zone {
    /// UTC+8, in which all of OneNET's times are.
    pub const BEIJING: Zone = Zone { ahead_s: 8 * 3600 };

    /// Reads `Z`, `+08:00` or `-0330`. There is no summer time in such a zone.
    pub fn parse(text: &str) -> Option<Zone> {
        let ahead_s = offset_s(text).filter(|_| !text.is_empty())?;
        Some(Zone { ahead_s })
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::BEIJING
    }
}

/// Reads `2024-01-02 03:04:05`, also with a `T`, a fraction of a second, and a zone of its own.
pub(super) fn text(text: &str, zone: Zone) -> Option<Millis> {
    parse_iso8601_in(text, zone.ahead_s)
}

/// `2024-01-02 03:04:05.281`, as the HTTP API shows the times of points.
pub fn shown_ms(at_ms: Millis, zone: Zone) -> String {
    let mut shown = iso8601(at_ms.saturating_add_signed(zone.ahead_s * 1_000)).replace('T', " ");
    shown.pop();
    shown
}

/// `2024-01-02 03:04:05`, as it shows all others.
pub fn shown_s(at_ms: Millis, zone: Zone) -> String {
    let mut shown = shown_ms(at_ms, zone);
    shown.truncate(shown.len() - ".000".len());
    shown
}

/// Reads a date of six bytes: the year's last two digits, month, day, hour, minute, second.
pub(super) fn date(bytes: [u8; 6], zone: Zone) -> Option<Millis> {
    let [year, month, day, hour, minute, second] = bytes.map(i64::from);
    let in_range = year < 100 && second < 60;
    in_range.then(|| millis_of([2000 + year, month, day], [hour, minute, second], zone.ahead_s)).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    /// 2024-01-02 03:04:05 in Beijing.
    const SEEN_MS: Millis = 1_704_135_845_000;

    #[test]
    fn texts_are_on_the_clocks_of_the_zone() {
        let utc = Zone::parse("Z").unwrap();
        for (written, zone, expected) in [
            ("2024-01-02 03:04:05", Zone::BEIJING, Some(SEEN_MS)),
            ("2024-01-02T03:04:05", Zone::default(), Some(SEEN_MS)),
            ("2024-01-02 03:04:05.281", Zone::BEIJING, Some(SEEN_MS + 281)),
            ("2024-01-02T03:04:05.123456", Zone::BEIJING, Some(SEEN_MS + 123)),
            ("2024-01-01T19:04:05Z", Zone::BEIJING, Some(SEEN_MS)),
            ("2024-01-02T04:04:05+09:00", Zone::BEIJING, Some(SEEN_MS)),
            ("2024-01-01 19:04:05", utc, Some(SEEN_MS)),
            ("2024-01-01 15:34:05", Zone::parse("-0330").unwrap(), Some(SEEN_MS)),
            ("1970-01-01 08:00:00", Zone::BEIJING, Some(0)),
            ("1970-01-01 07:59:59", Zone::BEIJING, None),
            ("2024-02-30 00:00:00", Zone::BEIJING, None),
            ("2024-01-02", Zone::BEIJING, None),
            ("1466133706841", Zone::BEIJING, None),
            ("test", Zone::BEIJING, None),
            ("", Zone::BEIJING, None),
        ] {
            assert_eq!(text(written, zone), expected, "{written}");
        }
    }

    #[test]
    fn dates_have_six_bytes_in_range() {
        for (bytes, expected) in [
            ([24, 1, 2, 3, 4, 5], Some(SEEN_MS)),
            ([0, 1, 1, 8, 0, 0], Some(946_684_800_000)),
            ([99, 12, 31, 23, 59, 59], Some(4_102_415_999_000)),
            ([24, 2, 29, 0, 0, 0], Some(1_709_136_000_000)),
            ([23, 2, 29, 0, 0, 0], None),
            ([100, 1, 1, 0, 0, 0], None),
            ([24, 0, 1, 0, 0, 0], None),
            ([24, 13, 1, 0, 0, 0], None),
            ([24, 1, 0, 0, 0, 0], None),
            ([24, 1, 32, 0, 0, 0], None),
            ([24, 1, 1, 24, 0, 0], None),
            ([24, 1, 1, 0, 60, 0], None),
            ([24, 1, 1, 0, 0, 60], None),
            ([0; 6], None),
        ] {
            assert_eq!(date(bytes, Zone::BEIJING), expected, "{bytes:?}");
        }
    }

    #[test]
    fn times_are_shown_on_the_clocks_of_the_zone() {
        assert_eq!(shown_ms(SEEN_MS + 281, Zone::BEIJING), "2024-01-02 03:04:05.281");
        assert_eq!(shown_s(SEEN_MS + 999, Zone::BEIJING), "2024-01-02 03:04:05");
        assert_eq!(shown_s(SEEN_MS, Zone::parse("Z").unwrap()), "2024-01-01 19:04:05");
        assert_eq!(
            shown_s(0, Zone::parse("-03:30").unwrap()),
            "1970-01-01 00:00:00",
            "there is nothing before"
        );
    }

    #[test]
    fn a_zone_is_an_offset() {
        assert_eq!(Zone::parse("+08:00"), Some(Zone::BEIJING));
        for wrong in ["", "8", "+8", "+24:00", "Asia/Shanghai"] {
            assert_eq!(Zone::parse(wrong), None, "{wrong}");
        }
    }
}
