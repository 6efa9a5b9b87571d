//! Frames as bytes: heads read and written, payload unmasked where it lies (RFC 6455 section 5).

use std::fmt;

use crate::limits;

/// The longest head that the server writes: two bytes and a length of eight.
pub(super) const HEAD_BYTES_MAX: usize = 10;
/// The longest head that a client writes: the mask comes on top.
const CLIENT_HEAD_BYTES_MAX: usize = HEAD_BYTES_MAX + 4;
/// What a control frame may carry.
const CONTROL_PAYLOAD_BYTES_MAX: u64 = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// A rule that a client broke, with the code that it is closed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The close code (RFC 6455 section 7.4.1).
    pub(super) code: u16,
    words: &'static str,
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocket: {}", self.words)
    }
}

const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;
const TOO_BIG: u16 = 1009;

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client said goodbye, with this code if any.
    Closed(Option<u16>),
    /// The client broke a rule.
    Violated(Violation),
}

/// What a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Data,
    Close,
    Ping,
    Pong,
}

/// Where in the frames a client's bytes are.
#[derive(Default)]
pub(super) struct Frames {
    /// The head of a frame, as far as it came.
    head: [u8; CLIENT_HEAD_BYTES_MAX],
    head_len: usize,
    /// The frame whose payload is being read; its head is whole.
    kind: Kind,
    inside: bool,
    payload_left: u64,
    mask: [u8; 4],
    /// A message has begun whose last frame has not.
    in_message: bool,
    /// What a control frame carries, as far as it came.
    control: Vec<u8>,
    ping: Option<Vec<u8>>,
    end: Option<End>,
}

impl Frames {
    /// Takes frames apart: leaves the payload of their data at the beginning of `bytes` and returns how much it is.
    pub(super) fn take_in(&mut self, bytes: &mut [u8]) -> usize {
        let (mut read, mut kept) = (0, 0);
        while read < bytes.len() && self.end.is_none() {
            if !self.inside {
                self.take_head_byte(bytes[read]);
                read += 1;
            }
            // A frame without payload ends with its head.
            let here = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len() - read);
            if self.inside && here > 0 {
                let piece = read..read + here;
                unmask(&mut bytes[piece.clone()], self.mask);
                self.mask.rotate_left(here % 4);
                self.payload_left -= here as u64;
                read += here;
                if self.kind == Kind::Data {
                    bytes.copy_within(piece, kept);
                    kept += here;
                } else {
                    self.control.extend_from_slice(&bytes[piece]);
                }
            }
            if self.inside && self.payload_left == 0 {
                self.end_frame();
            }
        }
        kept
    }

    /// What the latest unanswered ping carries.
    pub(super) fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// Why nothing more is read, once that is so.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    fn take_head_byte(&mut self, byte: u8) {
        self.head[self.head_len] = byte;
        self.head_len += 1;
        match self.parse_head() {
            Ok(inside) => self.inside = inside,
            Err(violation) => self.end = Some(End::Violated(violation)),
        }
    }

    /// Checks each byte of the head as it comes. True when the head is whole.
    fn parse_head(&mut self) -> Result<bool, Violation> {
        let violation = |words| Err(Violation { code: PROTOCOL_ERROR, words });
        let (first, second) = (self.head[0], self.head[1]);
        let (opcode, last) = (first & 0x0f, first & FIN != 0);
        if self.head_len == 1 {
            self.kind = match opcode {
                _ if first & RESERVED != 0 => return violation("a reserved bit is set"),
                0x0 if !self.in_message => return violation("a continuation of nothing"),
                0x2 if self.in_message => return violation("a message inside a message"),
                0x1 => {
                    let words = "MQTT travels in binary frames, not in text";
                    return Err(Violation { code: UNSUPPORTED_DATA, words });
                }
                0x0 | 0x2 => Kind::Data,
                0x8 => Kind::Close,
                0x9 => Kind::Ping,
                0xa => Kind::Pong,
                _ => return violation("a frame of an unknown kind"),
            };
            return match self.kind {
                Kind::Data => Ok(false),
                _ if !last => violation("a control frame in pieces"),
                _ => Ok(false),
            };
        }
        if second & MASKED == 0 {
            return violation("a client's frames have to be masked");
        }
        let length_bytes = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.head_len < 2 + length_bytes + 4 {
            return Ok(false);
        }
        let mut length = [0; 8];
        length[8 - length_bytes..].copy_from_slice(&self.head[2..2 + length_bytes]);
        self.payload_left = match length_bytes {
            0 => u64::from(second & !MASKED),
            _ => u64::from_be_bytes(length),
        };
        self.mask.copy_from_slice(&self.head[2 + length_bytes..2 + length_bytes + 4]);
        if self.payload_left > limits::WEBSOCKET_FRAME_BYTES_MAX {
            return Err(Violation { code: TOO_BIG, words: "a frame is longer than any MQTT packet" });
        }
        if self.kind != Kind::Data && self.payload_left > CONTROL_PAYLOAD_BYTES_MAX {
            return violation("a control frame of more than 125 bytes");
        }
        if self.kind == Kind::Data {
            self.in_message = !last;
        }
        Ok(true)
    }

    fn end_frame(&mut self) {
        self.inside = false;
        self.head_len = 0;
        let control = std::mem::take(&mut self.control);
        match self.kind {
            Kind::Data | Kind::Pong => {}
            Kind::Ping => self.ping = Some(control),
            Kind::Close => self.end = Some(close(&control)),
        }
    }
}

/// What a close frame says.
fn close(payload: &[u8]) -> End {
    let violation = |words| End::Violated(Violation { code: PROTOCOL_ERROR, words });
    match *payload {
        [] => End::Closed(None),
        [_] => violation("half a close code"),
        [high, low, ref reason @ ..] => match u16::from_be_bytes([high, low]) {
            // What an endpoint may say; the others stand for what no frame said.
            code @ (1000..=1003 | 1007..=1014 | 3000..=4999) if std::str::from_utf8(reason).is_ok() => {
                End::Closed(Some(code))
            }
            _ => violation("a close frame that says nothing"),
        },
    }
}

/// Removes a mask, which begins with the first byte.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u32::from_ne_bytes(mask);
    let mut words = bytes.chunks_exact_mut(4);
    for word in &mut words {
        let plain = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ wide;
        word.copy_from_slice(&plain.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// The head of a data frame with so much payload; returns its length.
pub(super) fn head(payload_len: u64, head: &mut [u8; HEAD_BYTES_MAX]) -> u8 {
    head[0] = FIN | 0x2;
    match payload_len {
        0..126 => {
            head[1] = payload_len as u8;
            2
        }
        126..65_536 => {
            head[1] = 126;
            head[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            4
        }
        _ => {
            head[1] = 127;
            head[2..].copy_from_slice(&payload_len.to_be_bytes());
            10
        }
    }
}

/// Appends the answer to a ping.
pub(super) fn pong_frame(payload: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&[FIN | 0xa, payload.len() as u8]);
    bytes.extend_from_slice(payload);
}

/// Appends a goodbye.
pub(super) fn close_frame(code: Option<u16>, bytes: &mut Vec<u8>) {
    let code = code.map(u16::to_be_bytes);
    let payload = code.as_ref().map_or(&[][..], |it| &it[..]);
    bytes.extend_from_slice(&[FIN | 0x8, payload.len() as u8]);
    bytes.extend_from_slice(payload);
}
