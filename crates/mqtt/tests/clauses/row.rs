//! What a row of the clause table is, and how it is held against the crate.

use mqtt::codec::{self, Violation};
use mqtt::{Packet, Reason, Version};

use crate::notation::{bytes, hex};

/// One statement and how it is shown to hold.
pub(crate) struct Row {
    /// The id in the standard, or a section of 5.0.
    pub(crate) id: &'static str,
    pub(crate) version: Version,
    /// See [`crate::notation`]; empty where no packet is enough to show the statement.
    pub(crate) bytes: &'static str,
    pub(crate) verdict: Verdict,
}

/// How a statement is shown to hold.
pub(crate) enum Verdict {
    /// The packet is read, and writing it gives the same bytes.
    Accept,
    /// The packet is read, and says what the function looks for.
    Says(fn(&Packet<'_>) -> bool),
    /// The packet is refused by this very statement, for this reason.
    Reject(Reason),
    /// The packet is refused by another statement that covers this one.
    RejectBy(&'static str, Reason),
    /// As the first packet it is refused by this very statement, and the connection closed without an answer.
    Close,
    /// The same by another statement that covers this one.
    CloseBy(&'static str),
    /// As the first packet it is refused with these bytes, and then the connection closed.
    Answer(&'static str),
    /// The packet is written as the row's bytes.
    Writes(Packet<'static>),
    /// The function shows it, and panics if it does not hold.
    Dialogue(fn()),
    /// Only a whole server can show it: the test function of this name in `crates/tidegate/tests/`.
    Server(&'static str),
    /// It binds the other side only, or is a permission: why.
    Peer(&'static str),
    /// It is about something that this server does not offer: what.
    Absent(&'static str),
}

/// A row about one packet.
pub(crate) const fn clause(id: &'static str, version: Version, bytes: &'static str, verdict: Verdict) -> Row {
    Row { id, version, bytes, verdict }
}

/// A row about a packet that we write.
pub(crate) const fn writes(
    id: &'static str,
    version: Version,
    packet: Packet<'static>,
    bytes: &'static str,
) -> Row {
    Row { id, version, bytes, verdict: Verdict::Writes(packet) }
}

/// A row that a function shows.
pub(crate) const fn dialogue(id: &'static str, shows: fn()) -> Row {
    Row { id, version: Version::V311, bytes: "", verdict: Verdict::Dialogue(shows) }
}

/// A row that a test of the whole server shows.
pub(crate) const fn server(id: &'static str, test: &'static str) -> Row {
    Row { id, version: Version::V311, bytes: "", verdict: Verdict::Server(test) }
}

/// A row about the other side.
pub(crate) const fn peer(id: &'static str, why: &'static str) -> Row {
    Row { id, version: Version::V311, bytes: "", verdict: Verdict::Peer(why) }
}

/// A row about something that is not offered.
pub(crate) const fn absent(id: &'static str, what: &'static str) -> Row {
    Row { id, version: Version::V311, bytes: "", verdict: Verdict::Absent(what) }
}

impl Row {
    /// Why the row does not hold; `None` when it does.
    pub(crate) fn fault(&self) -> Option<String> {
        let packet = bytes(self.bytes);
        let fault = match &self.verdict {
            Verdict::Accept => self.accept(&packet),
            Verdict::Says(says) => match codec::decode(&packet, self.version) {
                Ok(read) if says(&read) => None,
                other => Some(format!("read as {other:?}")),
            },
            Verdict::Reject(reason) => refused(codec::decode(&packet, self.version), self.id, *reason),
            Verdict::RejectBy(by, reason) => refused(codec::decode(&packet, self.version), by, *reason),
            Verdict::Close => closed(&packet, self.id),
            Verdict::CloseBy(by) => closed(&packet, by),
            Verdict::Answer(answer) => answered(&packet, &bytes(answer)),
            Verdict::Writes(it) => written(it, self.version, &packet),
            Verdict::Dialogue(shows) => {
                shows();
                None
            }
            Verdict::Server(_) | Verdict::Peer(_) | Verdict::Absent(_) => None,
        };
        fault.map(|fault| format!("{} {:?} {}: {fault}", self.id, self.version, self.bytes))
    }

    fn accept(&self, packet: &[u8]) -> Option<String> {
        match codec::decode(packet, self.version) {
            Ok(read) => written(&read, self.version, packet),
            Err(violation) => Some(format!("refused: {violation}")),
        }
    }
}

fn refused(read: Result<Packet<'_>, Violation>, clause: &str, reason: Reason) -> Option<String> {
    match read {
        Err(violation) if violation.clause == clause && violation.reason == reason => None,
        other => Some(format!("expected {reason:?} by {clause}, found {other:?}")),
    }
}

/// The connection closes without an answer: at the header already, or at the whole packet.
fn closed(packet: &[u8], clause: &str) -> Option<String> {
    let fault = codec::frame_first(packet).err().or_else(|| codec::decode_first(packet).err());
    match fault {
        Some(fault) if fault.violation().clause == clause && fault.connack().is_none() => None,
        other => Some(format!("expected a silent end by {clause}, found {other:?}")),
    }
}

fn answered(packet: &[u8], answer: &[u8]) -> Option<String> {
    let Err(fault) = codec::decode_first(packet) else { return Some("accepted".into()) };
    let Some((version, connack)) = fault.connack() else { return Some(format!("no answer to {fault:?}")) };
    written(&Packet::ConnAck(connack), version, answer)
}

fn written(packet: &Packet<'_>, version: Version, expected: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    codec::encode(packet, version, &mut out);
    (out != expected).then(|| format!("{packet:?} is written as {}", hex(&out)))
}
