//! What messages say: an event in JSON, and at its end who sent it and when.
//!
//! The last member is `"sent":"pppptttttttttttt"`, sixteen hexadecimal digits: the publisher's number in four and the
//! time in twelve, in nanoseconds since the start of the run. A time of zero means that the message is not a sample.
//! The place is fixed from the end, so that a receiver finds it without reading topic, properties or JSON.

/// Bytes of the shortest payload: `{"sent":"…"}`.
pub(super) const BARE_BYTES: usize = HEAD.len() + SENT.len() + DIGITS + END.len();

const HEAD: &str = "{";
const SENT: &str = "\"sent\":\"";
const END: &str = "\"}";
const DIGITS: usize = 16;
const PUBLISHER_DIGITS: usize = 4;
/// The digits that are looked at to tell whether there is a time at all.
const LOW: usize = 8;
const TIME_BITS: u32 = 48;

/// Who sent a message and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) publisher: u16,
    pub(super) ns: u64,
}

/// A payload of exactly `len` bytes, which has to be at least [`BARE_BYTES`]; without a time. The readings differ by
/// `index`, their lengths do not.
pub(super) fn payload(len: usize, publisher: u16, index: usize) -> Vec<u8> {
    let readings = format!(
        "\"temperature\":{}.{},\"humidity\":{}.5,\"counter\":{},",
        20 + index % 9,
        index % 10,
        40 + index % 20,
        100_000 + index % 900_000
    );
    let (fill_head, fill_end) = ("\"fill\":\"", "\",");
    let mut text = HEAD.to_owned();
    let left = |text: &str| (len + HEAD.len()).saturating_sub(BARE_BYTES + text.len());
    if left(&text) >= readings.len() {
        text.push_str(&readings);
    }
    let room = left(&text);
    match room.checked_sub(fill_head.len() + fill_end.len()) {
        Some(count) => text.extend([fill_head, &"x".repeat(count), fill_end]),
        None => text.push_str(&" ".repeat(room)),
    }
    text.push_str(SENT);
    text.push_str(&format!("{publisher:04x}{:012x}", 0));
    text.push_str(END);
    text.into_bytes()
}

/// Writes the time into a packet that ends with a [`payload`].
pub(super) fn stamp(packet: &mut [u8], ns: u64) {
    let Some(start) = packet.len().checked_sub(DIGITS + END.len()) else { return };
    let Some(digits) = packet.get_mut(start + PUBLISHER_DIGITS..start + DIGITS) else { return };
    // Never zero in the digits that are looked at first.
    let mut rest = ns | 1;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
        rest >>= 4;
    }
}

/// The stamp of a packet with a time in it.
#[inline]
pub(super) fn sample(packet: &[u8]) -> Option<Stamp> {
    let digits = digits(packet)?;
    if digits[DIGITS - LOW..] == *b"00000000" {
        return None;
    }
    let value = digits.iter().fold(0_u64, |value, digit| value << 4 | u64::from(hex(*digit)));
    Some(Stamp { publisher: (value >> TIME_BITS) as u16, ns: value & ((1 << TIME_BITS) - 1) })
}

/// Who sent a packet, with or without a time in it.
#[inline]
pub(super) fn publisher(packet: &[u8]) -> Option<u16> {
    let digits = digits(packet)?;
    Some(digits[..PUBLISHER_DIGITS].iter().fold(0, |value, digit| value << 4 | u16::from(hex(*digit))))
}

#[inline]
fn digits(packet: &[u8]) -> Option<&[u8; DIGITS]> {
    packet.get(..packet.len().checked_sub(END.len())?)?.last_chunk()
}

/// Only ever given what [`stamp`] wrote; anything else has some value or other.
#[inline]
fn hex(digit: u8) -> u8 {
    (digit & 0xf) + 9 * (digit >> 6 & 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_length_that_was_asked_for_and_ends_with_the_stamp() {
        for len in BARE_BYTES..300 {
            for index in [0, 7, 123_456, 10_000_000] {
                let text = String::from_utf8(payload(len, 0xbeef, index)).unwrap_or_default();
                assert_eq!(text.len(), len);
                assert!(text.ends_with("\"sent\":\"beef000000000000\"}"), "{text}");
                assert_eq!(text.matches('"').count() % 2, 0, "{text}");
            }
        }
        assert!(
            payload(100, 1, 1).starts_with(b"{\"temperature\":21.1,\"humidity\":41.5,\"counter\":100001,")
        );
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let mut packet = payload(64, 0x0a19, 5);
        assert_eq!((sample(&packet), publisher(&packet)), (None, Some(0x0a19)));
        for ns in [0, 1, 0x1_0000_0000, 123_456_789_123, (1 << 48) - 1] {
            stamp(&mut packet, ns);
            assert_eq!(sample(&packet), Some(Stamp { publisher: 0x0a19, ns: ns | 1 }));
            assert_eq!(publisher(&packet), Some(0x0a19));
        }
    }

    #[test]
    fn what_is_too_short_has_no_stamp() {
        assert_eq!((sample(b"\"}"), publisher(b"")), (None, None));
        stamp(&mut [0; 3], 5);
    }
}
