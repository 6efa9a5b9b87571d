//! What clients do against the rules of their dialect and are forgiven for, because they did so for years and are worth
//! serving. Each has a name and is counted by whoever asks, so that somebody can see what a fleet relies on.

/// A rule that is broken and forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leniency {
    /// Packets before CONNECT are thrown away, on ports where no other dialect is spoken (spec onenet 3.2).
    BeforeConnect,
    /// The reserved bits of SUBSCRIBE, UNSUBSCRIBE and PUBREL may be cleared (spec onenet 2.2).
    ClearedBits,
    /// A keep-alive outside of the range that holds is taken as the nearest within (spec onenet 3.4).
    KeepAlive,
    /// Bytes behind the announced end are ignored (types 1, 3 to 6 and 8; spec onenet 4.1).
    TrailingBytes,
    /// Flags that mean nothing in this type are ignored.
    Flags,
    /// A time that is none: the point gets the time of points without one (spec onenet 4.2).
    TimeUnreadable,
    /// A date of six zero bytes means now (spec onenet 4.2).
    DateZero,
    /// A field of a separator string without a stream or without a value is left out (spec onenet 4.7).
    FieldSkipped,
    /// Type 5 with a date and floats in it is read as type 7 (spec onenet 4.10).
    BinaryType5,
    /// Stream 0 in type 7, where they begin at 1 (spec onenet 4.9).
    StreamZero,
    /// A float that is no number, or infinite, is left out (spec onenet 4.9).
    FloatNotFinite,
    /// A block of type 8 that is a remainder of something else: nothing of it is read (spec onenet 4.11).
    StaleBlock,
}

impl Leniency {
    /// All of them.
    pub const ALL: [Leniency; 12] = [
        Leniency::BeforeConnect,
        Leniency::ClearedBits,
        Leniency::KeepAlive,
        Leniency::TrailingBytes,
        Leniency::Flags,
        Leniency::TimeUnreadable,
        Leniency::DateZero,
        Leniency::FieldSkipped,
        Leniency::BinaryType5,
        Leniency::StreamZero,
        Leniency::FloatNotFinite,
        Leniency::StaleBlock,
    ];

    /// Its name in metrics: lower case, words joined by `_`.
    pub fn name(self) -> &'static str {
        match self {
            Leniency::BeforeConnect => "before_connect",
            Leniency::ClearedBits => "cleared_bits",
            Leniency::KeepAlive => "keep_alive",
            Leniency::TrailingBytes => "trailing_bytes",
            Leniency::Flags => "flags",
            Leniency::TimeUnreadable => "time_unreadable",
            Leniency::DateZero => "date_zero",
            Leniency::FieldSkipped => "field_skipped",
            Leniency::BinaryType5 => "binary_type_5",
            Leniency::StreamZero => "stream_zero",
            Leniency::FloatNotFinite => "float_not_finite",
            Leniency::StaleBlock => "stale_block",
        }
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// What one message was forgiven: each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leniencies {
    bits: u16,
}

impl Leniencies {
    /// Whether nothing had to be forgiven, as in nearly every message.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Whether this is among them.
    pub fn contains(self, leniency: Leniency) -> bool {
        self.bits & leniency.bit() != 0
    }

    /// All that was forgiven.
    pub fn iter(self) -> impl Iterator<Item = Leniency> {
        Leniency::ALL.into_iter().filter(move |it| self.contains(*it))
    }

    pub(crate) fn insert(&mut self, leniency: Leniency) {
        self.bits |= leniency.bit();
    }
}
