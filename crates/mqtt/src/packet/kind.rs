//! The kinds of packets by their number (section 2.2.1), and sets of them for the tables of properties and reasons.

/// Which packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the standard, explained at `Packet`")]
pub enum Kind {
    /// Not a packet: the will in a CONNECT, which has properties of its own. Its number is reserved on the wire.
    Will = 0,
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl Kind {
    /// The kind that the upper four bits of a packet's first byte say; `None` for 0 and for what four bits cannot say.
    pub const fn from_bits(bits: u8) -> Option<Kind> {
        Some(match bits {
            1 => Kind::Connect,
            2 => Kind::ConnAck,
            3 => Kind::Publish,
            4 => Kind::PubAck,
            5 => Kind::PubRec,
            6 => Kind::PubRel,
            7 => Kind::PubComp,
            8 => Kind::Subscribe,
            9 => Kind::SubAck,
            10 => Kind::Unsubscribe,
            11 => Kind::UnsubAck,
            12 => Kind::PingReq,
            13 => Kind::PingResp,
            14 => Kind::Disconnect,
            15 => Kind::Auth,
            _ => return None,
        })
    }

    /// Whether no client may send it, in any version.
    pub const fn is_from_server_only(self) -> bool {
        matches!(self, Kind::ConnAck | Kind::SubAck | Kind::UnsubAck | Kind::PingResp)
    }
}

/// A set of kinds: who may carry something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carriers(u16);

impl Carriers {
    /// The empty set.
    pub const NONE: Carriers = Carriers(0);

    /// The set of these kinds.
    pub const fn of(kinds: &[Kind]) -> Carriers {
        let (mut bits, mut at) = (0, 0);
        while at < kinds.len() {
            bits |= 1 << kinds[at] as u16;
            at += 1;
        }
        Carriers(bits)
    }

    /// The kinds of both sets.
    pub const fn and(self, other: Carriers) -> Carriers {
        Carriers(self.0 | other.0)
    }

    /// Whether the kind is in the set.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }
}
