//! The fields that packets are made of, appended to a buffer.

use crate::limits::{FIELD_BYTES_MAX, REMAINING_BYTES_MAX};

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Text or binary data after its two-byte length. What the length cannot say is cut off, so that even a caller's
/// mistake leaves a stream that can be read.
pub(crate) fn put_field(out: &mut Vec<u8>, field: &[u8]) {
    debug_assert!(field.len() <= FIELD_BYTES_MAX, "a field too long to be said");
    let field = field.get(..FIELD_BYTES_MAX).unwrap_or(field);
    put_u16(out, field.len() as u16);
    out.extend_from_slice(field);
}

/// A number of variable length, up to four bytes.
pub(crate) fn put_variable(out: &mut Vec<u8>, value: usize) {
    debug_assert!(value <= REMAINING_BYTES_MAX, "a number too large to be said");
    let mut rest = value;
    loop {
        let low = (rest & 0x7F) as u8;
        rest >>= 7;
        out.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return;
        }
    }
}

/// How many bytes [`put_variable`] writes.
pub(crate) const fn variable_bytes(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}
