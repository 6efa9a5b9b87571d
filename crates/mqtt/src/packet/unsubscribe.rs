//! UNSUBSCRIBE (section 3.10): a client asks for no more messages.

use super::Kind;
use crate::codec::{Reader, Violation, put_field, put_u16};
use crate::limits::FILTER_COUNT_MAX;
use crate::property::Properties;
use crate::{Reason, Version, topic};

/// A client asks for no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Never 0.
    pub packet_id: u16,
    /// 5.0 only.
    pub properties: Properties<'a>,
    /// At least one.
    pub filters: Filters<'a>,
}

/// The filters of an UNSUBSCRIBE, checked, as the bytes they have on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a> {
    bytes: &'a [u8],
    count: usize,
}

pub(super) const TOO_MANY_FILTERS: Violation = Violation::new(
    Reason::QUOTA_EXCEEDED,
    "FILTER_COUNT_MAX",
    "a packet has more topic filters than this server takes",
);

impl<'a> Filters<'a> {
    /// Checks filters in the form they have on the wire; [`Filters::encode_one`] writes it.
    pub fn new(bytes: &'a [u8], version: Version) -> Result<Filters<'a>, Violation> {
        let mut body = Reader::new(bytes);
        let mut count = 0;
        while !body.is_empty() {
            let filter = body.text()?;
            topic::check_filter(filter).map_err(Violation::of_filter)?;
            if version == Version::V5 {
                topic::share(filter).map_err(Violation::of_filter)?;
            }
            count += 1;
        }
        match count {
            0 => Err(Violation::protocol("MQTT-3.10.3-2", "UNSUBSCRIBE has no topic filter")),
            1..=FILTER_COUNT_MAX => Ok(Filters { bytes, count }),
            _ => Err(TOO_MANY_FILTERS),
        }
    }

    /// Appends one filter as it goes on the wire.
    pub fn encode_one(filter: &str, out: &mut Vec<u8>) {
        put_field(out, filter.as_bytes());
    }

    /// How many there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "an UNSUBSCRIBE has at least one filter")]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// The filters in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut body = Reader::new(self.bytes);
        std::iter::from_fn(move || body.text().ok())
    }
}

impl std::fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Unsubscribe<'a> {
    pub(crate) fn decode(body: &mut Reader<'a>, version: Version) -> Result<Unsubscribe<'a>, Violation> {
        let packet_id = body.packet_id()?;
        let properties = match version {
            Version::V5 => body.properties(Kind::Unsubscribe)?,
            _ => Properties::EMPTY,
        };
        Ok(Unsubscribe { packet_id, properties, filters: Filters::new(body.rest(), version)? })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put_u16(out, self.packet_id);
        if version == Version::V5 {
            self.properties.encode(out);
        }
        out.extend_from_slice(self.filters.bytes);
    }
}
