//! SUBSCRIBE (section 3.8): a client asks for messages.

use super::Kind;
use crate::codec::{Reader, Violation, put_field, put_u16};
use crate::limits::FILTER_COUNT_MAX;
use crate::property::Properties;
use crate::{QoS, Version, topic};

/// A client asks for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Never 0.
    pub packet_id: u16,
    /// 5.0 only.
    pub properties: Properties<'a>,
    /// At least one.
    pub filters: FilterRequests<'a>,
}

/// One filter of a SUBSCRIBE with its options byte taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterRequest<'a> {
    /// A topic filter, shared ones included; see [`topic::share`].
    pub filter: &'a str,
    /// Highest quality wanted.
    pub qos: QoS,
    /// Not the client's own messages (5.0).
    pub no_local: bool,
    /// Leave the retain flag as the publisher set it (5.0).
    pub retain_as_published: bool,
    /// Retained messages are sent: 0 always, 1 if the subscription is new, 2 never (5.0).
    pub retain_handling: u8,
}

const NO_LOCAL: u8 = 1 << 2;
const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
const RETAIN_HANDLING_SHIFT: u8 = 4;
const OPTIONS_RESERVED_V3: u8 = 0b1111_1100;
const OPTIONS_RESERVED_V5: u8 = 0b1100_0000;

/// The filters of a SUBSCRIBE, checked, as the bytes they have on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FilterRequests<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> FilterRequests<'a> {
    /// Checks filters in the form they have on the wire of `version`; [`FilterRequest::encode`] writes it.
    pub fn new(bytes: &'a [u8], version: Version) -> Result<FilterRequests<'a>, Violation> {
        let mut body = Reader::new(bytes);
        let mut count = 0;
        while !body.is_empty() {
            let (request, options) = FilterRequest::decode(&mut body)?;
            request.check(options, version)?;
            count += 1;
        }
        match count {
            0 => Err(Violation::protocol("MQTT-3.8.3-3", "SUBSCRIBE has no topic filter")),
            1..=FILTER_COUNT_MAX => Ok(FilterRequests { bytes, count }),
            _ => Err(super::unsubscribe::TOO_MANY_FILTERS),
        }
    }

    /// How many there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a SUBSCRIBE has at least one filter")]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// The filters in order.
    pub fn iter(&self) -> impl Iterator<Item = FilterRequest<'a>> + use<'a> {
        let mut body = Reader::new(self.bytes);
        std::iter::from_fn(move || FilterRequest::decode(&mut body).ok().map(|(request, _)| request))
    }
}

impl std::fmt::Debug for FilterRequests<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> FilterRequest<'a> {
    /// A request without the options of 5.0.
    pub const fn new(filter: &'a str, qos: QoS) -> FilterRequest<'a> {
        FilterRequest { filter, qos, no_local: false, retain_as_published: false, retain_handling: 0 }
    }

    /// Appends the request as it goes on the wire. Before 5.0 the options of 5.0 have to be unset.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let no_local = if self.no_local { NO_LOCAL } else { 0 };
        let retain_as_published = if self.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
        put_field(out, self.filter.as_bytes());
        out.push(
            self.qos as u8 | no_local | retain_as_published | self.retain_handling << RETAIN_HANDLING_SHIFT,
        );
    }

    fn decode(body: &mut Reader<'a>) -> Result<(FilterRequest<'a>, u8), Violation> {
        const QOS_3: Violation = Violation::malformed("MQTT-3-8.3-4", "SUBSCRIBE asks for QoS 3");
        let filter = body.text()?;
        let options = body.u8()?;
        let request = FilterRequest {
            filter,
            qos: QoS::from_bits(options & 0b11).ok_or(QOS_3)?,
            no_local: options & NO_LOCAL != 0,
            retain_as_published: options & RETAIN_AS_PUBLISHED != 0,
            retain_handling: options >> RETAIN_HANDLING_SHIFT & 0b11,
        };
        Ok((request, options))
    }

    /// What the version has to say about a request and the byte that its options came from.
    fn check(&self, options: u8, version: Version) -> Result<(), Violation> {
        const RESERVED_V3: Violation =
            Violation::malformed("MQTT-3-8.3-4", "reserved bits of a requested QoS are set");
        const RESERVED_V5: Violation =
            Violation::malformed("5.0 § 3.8.3.1", "reserved bits of subscription options are set");
        const RETAIN_HANDLING: Violation =
            Violation::protocol("5.0 § 3.8.3.1", "SUBSCRIBE asks for retain handling 3");
        const NO_LOCAL_SHARED: Violation =
            Violation::protocol("5.0 § 3.8.3.1", "SUBSCRIBE asks for no local in a shared subscription");
        topic::check_filter(self.filter).map_err(Violation::of_filter)?;
        if version != Version::V5 {
            return if options & OPTIONS_RESERVED_V3 == 0 { Ok(()) } else { Err(RESERVED_V3) };
        }
        if options & OPTIONS_RESERVED_V5 != 0 {
            return Err(RESERVED_V5);
        }
        if self.retain_handling == 3 {
            return Err(RETAIN_HANDLING);
        }
        let is_shared = topic::share(self.filter).map_err(Violation::of_filter)?.is_some();
        if is_shared && self.no_local { Err(NO_LOCAL_SHARED) } else { Ok(()) }
    }
}

impl<'a> Subscribe<'a> {
    pub(crate) fn decode(body: &mut Reader<'a>, version: Version) -> Result<Subscribe<'a>, Violation> {
        let packet_id = body.packet_id()?;
        let properties = match version {
            Version::V5 => body.properties(Kind::Subscribe)?,
            _ => Properties::EMPTY,
        };
        Ok(Subscribe { packet_id, properties, filters: FilterRequests::new(body.rest(), version)? })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        put_u16(out, self.packet_id);
        if version == Version::V5 {
            self.properties.encode(out);
        }
        out.extend_from_slice(self.filters.bytes);
    }
}
