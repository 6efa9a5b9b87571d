//! A cursor over the body of one packet. Every read says what was wrong with it; none can pass the end.

use super::{Violation, variable_bytes};
use crate::packet::Kind;
use crate::property::Properties;

const CUT_SHORT: Violation = Violation::malformed("§ 2.2.3", "a packet ends within a field");
const TOO_LONG: Violation = Violation::malformed("§ 2.2.3", "bytes follow the last field of a packet");
const LENGTH_FIELD: Violation = Violation::malformed("§ 2.2.3", "a length field has more than four bytes");
const UTF8: Violation = Violation::malformed("MQTT-1.5.3-1", "a text is not UTF-8");
const NUL: Violation = Violation::malformed("MQTT-1.5.3-2", "a text contains U+0000");
const PACKET_ID_ZERO: Violation = Violation::protocol("MQTT-2.3.1-1", "a packet identifier is 0");
/// A number of variable length is written with more bytes than it needs.
pub(crate) const NOT_MINIMAL: Violation =
    Violation::malformed("5.0 § 1.5.5", "a number has more bytes than it needs");

/// A number of variable length, and how many bytes it took.
#[derive(Clone, Copy)]
pub(crate) struct Variable {
    pub(crate) value: usize,
    pub(crate) bytes: usize,
}

/// Reads the number of variable length that `bytes` starts with; `None` when it goes on beyond them.
pub(crate) fn remaining_length(bytes: &[u8]) -> Result<Option<Variable>, Violation> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some(Variable { value, bytes: at + 1 }));
        }
    }
    if bytes.len() >= 4 { Err(LENGTH_FIELD) } else { Ok(None) }
}

/// What is left of a packet's body.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Reader<'a> {
        Reader { rest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes that are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The end of the packet has to be here.
    pub(crate) fn finish(&self) -> Result<(), Violation> {
        if self.rest.is_empty() { Ok(()) } else { Err(TOO_LONG) }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Violation> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Violation> {
        let (&byte, rest) = self.rest.split_first().ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Violation> {
        let (&bytes, rest) = self.rest.split_first_chunk().ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(bytes))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Violation> {
        let (&bytes, rest) = self.rest.split_first_chunk().ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(bytes))
    }

    /// A number of variable length, as 5.0 writes it: in as few bytes as it needs.
    pub(crate) fn variable(&mut self) -> Result<usize, Violation> {
        let number = remaining_length(self.rest)?.ok_or(CUT_SHORT)?;
        if number.bytes != variable_bytes(number.value) {
            return Err(NOT_MINIMAL);
        }
        self.take(number.bytes)?;
        Ok(number.value)
    }

    /// Binary data after its two-byte length.
    pub(crate) fn data(&mut self) -> Result<&'a [u8], Violation> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// UTF-8 text after its two-byte length, without U+0000. Surrogates are not UTF-8 to begin with.
    pub(crate) fn text(&mut self) -> Result<&'a str, Violation> {
        let bytes = self.data()?;
        if bytes.contains(&0) {
            return Err(NUL);
        }
        std::str::from_utf8(bytes).map_err(|_| UTF8)
    }

    /// A packet identifier: never 0.
    pub(crate) fn packet_id(&mut self) -> Result<u16, Violation> {
        match self.u16()? {
            0 => Err(PACKET_ID_ZERO),
            packet_id => Ok(packet_id),
        }
    }

    /// Properties after their length, checked against what a packet of this kind may carry.
    pub(crate) fn properties(&mut self, kind: Kind) -> Result<Properties<'a>, Violation> {
        let len = self.variable()?;
        Properties::new(self.take(len)?, kind)
    }
}
