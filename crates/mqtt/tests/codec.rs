//! The codec: where packets end, what bytes say, what is written, and that nothing a peer sends makes it panic.
//!
//! Rules that the standard numbers stand in `clauses.rs`; this is the rest.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "codec/drafts.rs"]
mod drafts;
#[path = "clauses/notation.rs"]
mod notation;

use std::borrow::Cow;

use drafts::{drafts, example};
use mqtt::codec::{self, FirstFault, Frame, PublishParts};
use mqtt::limits::{
    CONNECT_BYTES_MAX, FILTER_COUNT_MAX, REMAINING_BYTES_MAX, SUBSCRIPTION_IDENTIFIER_COUNT_MAX,
};
use mqtt::limits::{TOPIC_BYTES_MAX, TOPIC_LEVEL_COUNT_MAX, USER_PROPERTY_COUNT_MAX};
use mqtt::packet::{FilterRequest, FilterRequests, Filters, Kind, Publish};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::topic::{self, Share, TopicFault};
use mqtt::{Packet, QoS, Reason, Version};
use notation::{bytes, hex};
use proptest::prelude::*;

const ANY_SIZE: usize = usize::MAX;

fn encoded(packet: &Packet<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    codec::encode(packet, version, &mut out);
    out
}

// Where packets end

#[test]
fn a_frame_says_how_many_bytes_are_missing() {
    let cases = [
        ("", Frame::Incomplete { needed: 2 }),
        ("30", Frame::Incomplete { needed: 1 }),
        ("30 80", Frame::Incomplete { needed: 1 }),
        ("30 05", Frame::Incomplete { needed: 5 }),
        ("30 05 0001'a'", Frame::Incomplete { needed: 2 }),
        ("30 8001", Frame::Incomplete { needed: 128 }),
        ("30 ffffff7f", Frame::Incomplete { needed: REMAINING_BYTES_MAX }),
        ("c0 00", Frame::Whole { len: 2 }),
        ("c0 00 c0 00", Frame::Whole { len: 2 }),
        ("30 05 0001'a' 'xy' ff", Frame::Whole { len: 7 }),
    ];
    for (buffer, expected) in cases {
        assert_eq!(codec::frame(&bytes(buffer), ANY_SIZE), Ok(expected), "{buffer}");
    }
}

#[test]
fn a_frame_is_refused_from_its_header() {
    let cases = [
        ("30 ff ff ff ff", ANY_SIZE, Reason::MALFORMED_PACKET),
        ("30 80 80 80 80 01", ANY_SIZE, Reason::MALFORMED_PACKET),
        ("00", ANY_SIZE, Reason::MALFORMED_PACKET),
        ("30 11", 18, Reason::PACKET_TOO_LARGE),
        ("30 ffffff7f", 1 << 20, Reason::PACKET_TOO_LARGE),
    ];
    for (buffer, packet_bytes_max, reason) in cases {
        assert_eq!(codec::frame(&bytes(buffer), packet_bytes_max).unwrap_err().reason, reason, "{buffer}");
    }
    assert_eq!(
        codec::frame(&bytes("30 10"), 18),
        Ok(Frame::Incomplete { needed: 16 }),
        "the bound itself is allowed"
    );
}

#[test]
fn a_stranger_cannot_make_us_wait() {
    assert!(matches!(codec::frame_first(b"G"), Err(FirstFault::NotConnect(_))));
    let mut header = vec![0x10];
    let mut length = CONNECT_BYTES_MAX;
    while length > 0 {
        header.push((length & 0x7F) as u8 | if length > 0x7F { 0x80 } else { 0 });
        length >>= 7;
    }
    let fault = codec::frame_first(&header).unwrap_err();
    assert_eq!(fault.violation().reason, Reason::PACKET_TOO_LARGE);
    assert_eq!(codec::frame_first(&[]), Ok(Frame::Incomplete { needed: 2 }));
    assert_eq!(codec::frame_first(&[0x10]), Ok(Frame::Incomplete { needed: 1 }));
}

#[test]
fn exactly_one_packet_is_decoded() {
    for packet in ["", "c0", "c0 00 00", "c0 01", "30 05 0001'a'", "00 00", "f0 00"] {
        assert!(codec::decode(&bytes(packet), Version::V311).is_err(), "{packet}");
    }
    assert!(codec::decode(&bytes("f0 00"), Version::V5).is_ok(), "AUTH came with 5.0");
}

#[test]
fn a_packet_may_have_a_long_length_field_before_5() {
    assert_eq!(codec::decode(&bytes("c0 8000"), Version::V311), Ok(Packet::PingReq));
    assert!(codec::decode(&bytes("c0 8000"), Version::V5).is_err());
}

// First packets

#[test]
fn a_connect_of_3_1_may_lack_the_credentials_it_promises() {
    let connect = bytes("10 __ 0006'MQIsdp' 03 c2 003c 0001'a'");
    let connect = codec::decode_first(&connect).unwrap();
    assert_eq!((connect.username, connect.password), (None, None));
    let connect = bytes("10 __ 0006'MQIsdp' 03 c2 003c 0001'a' 0001'u'");
    let connect = codec::decode_first(&connect).unwrap();
    assert_eq!((connect.username, connect.password), (Some("u"), None));
}

#[test]
fn a_password_is_never_printed() {
    let connect = bytes("10 __ 0004'MQTT' 04 c2 003c 0001'a' 0001'u' 0006'secret'");
    let connect = codec::decode_first(&connect).unwrap();
    let printed = format!("{connect:?} {:?}", Packet::Connect(connect));
    assert!(!printed.contains("secret") && !printed.contains("115"), "{printed}");
}

#[test]
fn first_faults_tell_what_to_answer() {
    let cases = [
        ("20 02 0000", None),
        ("10 __ 0004'HTTP' 04 02 003c 0001'a'", None),
        ("10 __ 0004'MQTT' 04 03 003c 0001'a'", None),
        ("10 __ 0004'MQTT' 02 02 003c 0001'a'", Some("20 02 00 01")),
        ("10 __ 0004'MQTT' 7f 02 003c 0001'a'", Some("20 03 00 84 00")),
        ("10 __ 0004'MQTT' 05 02 003c 00 0001 ff", Some("20 03 00 81 00")),
        ("10 __ 0004'MQTT' 05 02 003c 06 21 0001 21 0001 0001'a'", Some("20 03 00 82 00")),
    ];
    for (packet, answer) in cases {
        let fault = codec::decode_first(&bytes(packet)).unwrap_err();
        let found = fault.connack().map(|(version, connack)| encoded(&Packet::ConnAck(connack), version));
        assert_eq!(found, answer.map(bytes), "{packet}: {fault}");
    }
}

// What a client may not send

#[test]
fn what_only_a_server_sends_is_refused_from_a_client() {
    let packets =
        ["20 03 00 00 00", "90 04 0001 00 00", "b0 04 0001 00 00", "d0 00", "e0 __ 9d 04 1c 0001's'"];
    for packet in packets.into_iter().chain(["30 __ 0001'a' 02 0b 01"]) {
        let packet_bytes = bytes(packet);
        assert!(codec::decode(&packet_bytes, Version::V5).is_ok(), "{packet}");
        let violation = codec::decode_from_client(&packet_bytes, Version::V5).unwrap_err();
        assert_eq!(violation.reason, Reason::PROTOCOL_ERROR, "{packet}: {violation}");
    }
}

/// Makers of firmware have printed the reserved bits of these three as cleared (spec onenet 2.2). Nothing else is taken
/// that the standard refuses.
#[test]
fn a_lax_client_may_leave_reserved_bits_cleared() {
    let packets = ["80 __ 0001 0001'a' 00", "a0 __ 0001 0001'a'", "60 02 0001"];
    for packet in packets {
        let cleared = bytes(packet);
        let as_printed = Version::V311;
        assert!(codec::decode_from_client(&cleared, as_printed).is_err(), "{packet}");
        let mut set = cleared.clone();
        set[0] |= 0b0010;
        let expected = codec::decode_from_client(&set, as_printed);
        assert_eq!(codec::decode_from_lax_client(&cleared, as_printed), expected, "{packet}");
        for other in 1..16 {
            let mut wrong = cleared.clone();
            wrong[0] |= other;
            let verdict = codec::decode_from_lax_client(&wrong, as_printed);
            assert_eq!(verdict.is_ok(), other == 0b0010, "{packet} with {other:04b}");
        }
    }
    let acknowledgement = bytes("42 02 0001");
    assert!(codec::decode_from_lax_client(&acknowledgement, Version::V311).is_err());
}

// PUBLISH in parts

#[test]
fn the_parts_of_a_publish_are_joined() {
    let mut headers = Vec::new();
    PropertyWriter::new(&mut headers).user("k", "v");
    let parts = PublishParts {
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: ["iot-2/", "evt"],
        packet_id: 7,
        identifiers: &[300],
        headers: &headers,
        payload: b"{}",
        ..PublishParts::default()
    };
    let cases = [
        (Version::V311, "33 __ 0009'iot-2/evt' 0007 '{}'"),
        (Version::V5, "33 __ 0009'iot-2/evt' 0007 0a 0b ac02 26 0001'k' 0001'v' '{}'"),
    ];
    for (version, expected) in cases {
        let mut out = b"before".to_vec();
        codec::encode_publish(&mut out, version, &parts);
        assert_eq!(hex(&out[6..]), hex(&bytes(expected)), "{version:?}");
        assert_eq!(codec::publish_bytes(version, &parts), out.len() - 6, "{version:?}");
    }
}

#[test]
fn what_only_5_0_says_of_a_publish_is_written_before_its_headers() {
    let mut headers = Vec::new();
    PropertyWriter::new(&mut headers)
        .push(PropertyId::PayloadFormatIndicator, Value::Byte(1))
        .push(PropertyId::MessageExpiryInterval, Value::Four(300))
        .user("k", "v");
    let parts = PublishParts { headers: &headers, payload: b"x", ..PublishParts::default() };
    let cases = [
        (parts, "30 __ 0000 0e 0101 020000012c 26 0001'k' 0001'v' 'x'"),
        (
            PublishParts { expires_in_s: Some(7), ..parts },
            "30 __ 0000 0e 0101 0200000007 26 0001'k' 0001'v' 'x'",
        ),
        (
            PublishParts { alias: 2, identifiers: &[5, 0, 300], ..parts },
            "30 __ 0000 16 23 0002 0b 05 0b ac02 0101 020000012c 26 0001'k' 0001'v' 'x'",
        ),
        (PublishParts { expires_in_s: Some(7), headers: &[], ..parts }, "30 __ 0000 00 'x'"),
    ];
    for (parts, expected) in cases {
        let mut out = b"before".to_vec();
        codec::encode_publish(&mut out, Version::V5, &parts);
        assert_eq!(hex(&out[6..]), hex(&bytes(expected)));
        assert_eq!(codec::publish_bytes(Version::V5, &parts), out.len() - 6);
        out.clear();
        codec::encode_publish(&mut out, Version::V311, &parts);
        assert_eq!(hex(&out), hex(&bytes("30 __ 0000 'x'")));
    }
}

#[test]
fn what_concerns_one_connection_does_not_travel_with_the_message() {
    let cases = [
        ("", ""),
        ("23 0001", ""),
        ("23 0001 01 01 03 0001't'", "01 01 03 0001't'"),
        ("01 01 03 0001't' 23 0001", "01 01 03 0001't'"),
        ("18 00000005", ""),
        (
            "26 0001'k' 0001'1' 18 00000005 26 0001'k' 0001'2' 23 0001 09 0001'c' 26 0001'a' 0001'3'",
            "26 0001'k' 0001'1' 26 0001'k' 0001'2' 09 0001'c' 26 0001'a' 0001'3'",
        ),
    ];
    for (all, travelling) in cases {
        let all = bytes(all);
        let kept = Properties::stored(&all).travelling();
        assert_eq!(hex(&kept), hex(&bytes(travelling)));
    }
    let in_one_piece = bytes("23 0001 01 01 03 0001't'");
    assert!(matches!(Properties::stored(&in_one_piece).travelling(), Cow::Borrowed(_)), "copied for nothing");
}

#[test]
fn a_publish_without_identifier_and_id_has_neither() {
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "a",
        packet_id: 9,
        properties: Properties::EMPTY,
        payload: b"x",
    };
    assert_eq!(encoded(&Packet::Publish(publish), Version::V5), bytes("30 05 0001'a' 00 'x'"));
    assert_eq!(encoded(&Packet::Publish(publish), Version::V31), bytes("30 04 0001'a' 'x'"));
}

// Filters

#[test]
fn filters_are_walked_as_they_came() {
    let packet = bytes("82 __ 0001 00 0001'a' 00 0003'b/#' 1d 000a'$share/g/c' 22");
    let Ok(Packet::Subscribe(subscribe)) = codec::decode(&packet, Version::V5) else { panic!("not read") };
    let expected = [
        FilterRequest::new("a", QoS::AtMostOnce),
        FilterRequest {
            filter: "b/#",
            qos: QoS::AtLeastOnce,
            no_local: true,
            retain_as_published: true,
            retain_handling: 1,
        },
        FilterRequest { retain_handling: 2, ..FilterRequest::new("$share/g/c", QoS::ExactlyOnce) },
    ];
    assert_eq!(subscribe.filters.iter().collect::<Vec<_>>(), expected);
    assert_eq!(subscribe.filters.len(), 3);
}

#[test]
fn a_filter_that_only_5_0_calls_shared_is_plain_before() {
    let packet = bytes("82 __ 0001 0008'$share/g' 00");
    assert!(codec::decode(&packet, Version::V311).is_ok());
    let Ok(Packet::Subscribe(subscribe)) = codec::decode(&packet, Version::V311) else { panic!("not read") };
    assert_eq!(subscribe.filters.iter().map(|it| it.filter).collect::<Vec<_>>(), ["$share/g"]);
}

#[test]
fn shared_filters_are_taken_apart() {
    assert_eq!(topic::share("a/b"), Ok(None));
    assert_eq!(topic::share("$share"), Ok(None));
    assert_eq!(topic::share("$sharea/b"), Ok(None));
    assert_eq!(topic::share("$share/g/a/+"), Ok(Some(Share { group: "g", filter: "a/+" })));
    assert_eq!(topic::share("$share/g//"), Ok(Some(Share { group: "g", filter: "/" })));
    for broken in ["$share/", "$share/g", "$share//a", "$share/g/", "$share/+/a", "$share/a#/a"] {
        assert_eq!(topic::share(broken), Err(TopicFault::Share), "{broken}");
    }
}

// Bounds of our own

#[test]
fn topics_are_bounded_in_bytes_and_levels() {
    assert_eq!(topic::check_name(&"a".repeat(TOPIC_BYTES_MAX)), Ok(()));
    assert_eq!(topic::check_name(&"a".repeat(TOPIC_BYTES_MAX + 1)), Err(TopicFault::TooLong));
    assert_eq!(topic::check_name(&"/".repeat(TOPIC_LEVEL_COUNT_MAX - 1)), Ok(()));
    assert_eq!(topic::check_name(&"/".repeat(TOPIC_LEVEL_COUNT_MAX)), Err(TopicFault::TooDeep));
    assert_eq!(topic::check_filter(&"+/".repeat(TOPIC_LEVEL_COUNT_MAX)), Err(TopicFault::TooDeep));
    assert_eq!(topic::levels(&"/".repeat(TOPIC_LEVEL_COUNT_MAX - 1)).count(), TOPIC_LEVEL_COUNT_MAX);
    assert_eq!(topic::check_name(&"/".repeat(TOPIC_BYTES_MAX)), Err(TopicFault::TooDeep));
}

#[test]
fn filters_of_one_packet_are_bounded() {
    for (count, is_fine) in [(FILTER_COUNT_MAX, true), (FILTER_COUNT_MAX + 1, false)] {
        let (mut requests, mut filters) = (Vec::new(), Vec::new());
        for _ in 0..count {
            FilterRequest::new("a", QoS::AtMostOnce).encode(&mut requests);
            Filters::encode_one("a", &mut filters);
        }
        assert_eq!(FilterRequests::new(&requests, Version::V311).is_ok(), is_fine, "{count}");
        assert_eq!(Filters::new(&filters, Version::V311).is_ok(), is_fine, "{count}");
    }
}

#[test]
fn repeated_properties_are_bounded() {
    let cases = [
        (PropertyId::UserProperty, Value::Pair("k", "v"), USER_PROPERTY_COUNT_MAX),
        (PropertyId::SubscriptionIdentifier, Value::Variable(1), SUBSCRIPTION_IDENTIFIER_COUNT_MAX),
    ];
    for (id, value, count_max) in cases {
        let mut properties = Vec::new();
        for _ in 0..count_max {
            PropertyWriter::new(&mut properties).push(id, value);
        }
        assert!(Properties::new(&properties, Kind::Publish).is_ok());
        PropertyWriter::new(&mut properties).push(id, value);
        assert_eq!(Properties::new(&properties, Kind::Publish).unwrap_err().reason, Reason::QUOTA_EXCEEDED);
    }
}

// The tables of 5.0

/// Section 2.2.2.2, transcribed a second time: number, and the packets by their numbers (0 is the will).
const CARRIERS: [(u8, &[u8]); 27] = [
    (0x01, &[0, 3]),
    (0x02, &[0, 3]),
    (0x03, &[0, 3]),
    (0x08, &[0, 3]),
    (0x09, &[0, 3]),
    (0x0B, &[3, 8]),
    (0x11, &[1, 2, 14]),
    (0x12, &[2]),
    (0x13, &[2]),
    (0x15, &[1, 2, 15]),
    (0x16, &[1, 2, 15]),
    (0x17, &[1]),
    (0x18, &[0]),
    (0x19, &[1]),
    (0x1A, &[2]),
    (0x1C, &[2, 14]),
    (0x1F, &[2, 4, 5, 6, 7, 9, 11, 14, 15]),
    (0x21, &[1, 2]),
    (0x22, &[1, 2]),
    (0x23, &[3]),
    (0x24, &[2]),
    (0x25, &[2]),
    (0x26, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15]),
    (0x27, &[1, 2]),
    (0x28, &[2]),
    (0x29, &[2]),
    (0x2A, &[2]),
];

fn all_kinds() -> impl Iterator<Item = Kind> {
    (1..=15).filter_map(Kind::from_bits).chain([Kind::Will])
}

#[test]
fn each_property_is_taken_where_the_standard_has_it_and_as_often() {
    assert_eq!(PropertyId::all().count(), CARRIERS.len());
    for (id, (number, carriers)) in PropertyId::all().zip(CARRIERS) {
        assert_eq!(id as u8, number);
        let value = example(id, "k", "v", "t", 1, 1);
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        // Authentication data is worth nothing without a method, which comes first here.
        if id == PropertyId::AuthenticationData {
            let method = (PropertyId::AuthenticationMethod, Value::Text("m"));
            PropertyWriter::new(&mut once).push(method.0, method.1);
            PropertyWriter::new(&mut twice).push(method.0, method.1);
        }
        PropertyWriter::new(&mut once).push(id, value);
        PropertyWriter::new(&mut twice).push(id, value).push(id, value);
        for kind in all_kinds() {
            let fits = carriers.contains(&(kind as u8));
            assert_eq!(Properties::new(&once, kind).is_ok(), fits, "{} in {kind:?}", id.name());
            let repeats = fits && id.count_max(kind) > 1;
            let may_repeat = number == 0x26 || number == 0x0B && kind == Kind::Publish;
            assert_eq!(repeats, fits && may_repeat, "{} in {kind:?}", id.name());
            assert_eq!(Properties::new(&twice, kind).is_ok(), repeats, "{} twice in {kind:?}", id.name());
            if fits {
                assert_eq!(Properties::new(&once, kind).unwrap().find(id), Some(value));
            }
        }
    }
}

#[test]
fn unknown_properties_are_malformed() {
    let known: Vec<u8> = CARRIERS.iter().map(|(number, _)| *number).collect();
    for number in (0..=0x7F).filter(|number| !known.contains(number)) {
        let violation = Properties::new(&[number, 0, 0, 0, 0], Kind::Publish).unwrap_err();
        assert_eq!(violation.reason, Reason::MALFORMED_PACKET, "{number}");
    }
}

#[test]
fn properties_are_found_by_their_getters() {
    let mut bytes = Vec::new();
    PropertyWriter::new(&mut bytes)
        .push(PropertyId::SessionExpiryInterval, Value::Four(60))
        .push(PropertyId::ReceiveMaximum, Value::Two(20))
        .push(PropertyId::MaximumPacketSize, Value::Four(4_096))
        .push(PropertyId::TopicAliasMaximum, Value::Two(5))
        .push(PropertyId::RequestProblemInformation, Value::Byte(0))
        .user("k", "1")
        .user("k", "2");
    let properties = Properties::new(&bytes, Kind::Connect).unwrap();
    assert_eq!(properties.session_expiry_s(), Some(60));
    assert_eq!(properties.receive_maximum(), Some(20));
    assert_eq!(properties.maximum_packet_size(), Some(4_096));
    assert_eq!(properties.topic_alias_maximum(), Some(5));
    assert!(!properties.asks_for_problem_information());
    assert!(!properties.wants_response_information());
    assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("k", "1"), ("k", "2")]);
    assert_eq!(properties.message_expiry_s(), None);
    assert!(!Properties::EMPTY.asks_for_problem_information(), "only those who say so");
    assert!(Properties::stored(&[0x17, 1]).asks_for_problem_information());
}

#[test]
fn bytes_that_were_never_checked_end_the_walk() {
    for bytes in [&[0x26, 0, 9][..], &[0x7E], &[0x80], &[0x21]] {
        assert_eq!(Properties::stored(bytes).iter().count(), 0);
    }
}

#[test]
fn reason_codes_are_in_order_and_named() {
    let all: Vec<Reason> = Reason::all().collect();
    assert!(all.is_sorted_by(|left, right| left < right), "the table is searched by halves");
    assert_eq!(all.len(), 43);
    assert!(all.iter().all(|reason| reason.name() != "unknown reason"));
    assert_eq!(Reason(0x7F).name(), "unknown reason");
    assert_eq!(Reason::NOT_AUTHORIZED.to_string(), "not authorized (0x87)");
    let counts =
        [(Kind::ConnAck, 22), (Kind::PubAck, 9), (Kind::PubRel, 2), (Kind::SubAck, 12), (Kind::UnsubAck, 7)];
    for (kind, count) in counts {
        assert_eq!(all.iter().filter(|reason| reason.may_be_in(kind)).count(), count, "{kind:?}");
    }
}

// At random

/// Reads in every version, as a server, a client and a first packet. Walks whatever came out.
fn read_in_every_way(packet: &[u8]) {
    for version in [Version::V31, Version::V311, Version::V5] {
        std::hint::black_box(format!("{:?}", codec::decode(packet, version)));
        std::hint::black_box(format!("{:?}", codec::decode_from_client(packet, version)));
    }
    std::hint::black_box(format!("{:?} {:?}", codec::decode_first(packet), codec::frame(packet, ANY_SIZE)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn what_is_written_is_read(draft in drafts()) {
        draft.with(|packet| {
            let written = encoded(&packet, draft.version);
            assert_eq!(codec::frame(&written, ANY_SIZE), Ok(Frame::Whole { len: written.len() }));
            assert_eq!(codec::decode(&written, draft.version), Ok(packet), "{}", hex(&written));
        });
    }

    #[test]
    fn a_packet_cut_anywhere_is_incomplete(draft in drafts(), extra in any::<[u8; 3]>()) {
        let mut written = draft.with(|packet| encoded(&packet, draft.version));
        let len = written.len();
        for cut in (0..len).filter(|cut| *cut < 200 || *cut + 5 > len) {
            match codec::frame(&written[..cut], ANY_SIZE) {
                Ok(Frame::Incomplete { needed }) => prop_assert!(needed > 0 && cut + needed <= len, "{needed} at {cut}"),
                other => prop_assert!(false, "{other:?} at {cut} of {len}"),
            }
            prop_assert!(codec::decode(&written[..cut], draft.version).is_err());
        }
        written.extend(extra);
        prop_assert_eq!(codec::frame(&written, ANY_SIZE), Ok(Frame::Whole { len }));
    }

    #[test]
    fn changed_packets_never_panic(
        draft in drafts(),
        changes in proptest::collection::vec(any::<(u16, u8)>(), 1..4),
    ) {
        let mut packet = draft.with(|packet| encoded(&packet, draft.version));
        // Near the beginning, where the structure is.
        let reach = packet.len().min(200);
        for (at, byte) in changes {
            packet[usize::from(at) % reach] = byte;
        }
        read_in_every_way(&packet);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

    #[test]
    fn random_bytes_never_panic(packet in proptest::collection::vec(any::<u8>(), 0..64)) {
        read_in_every_way(&packet);
    }

    #[test]
    fn random_bodies_never_panic(
        first in any::<u8>(),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut packet = vec![first, body.len() as u8];
        packet.extend(body);
        read_in_every_way(&packet);
    }

    #[test]
    fn what_is_read_can_be_written_and_read_again(
        first in any::<u8>(),
        body in proptest::collection::vec(0u8..8, 0..12),
    ) {
        let mut bytes = vec![first, body.len() as u8];
        bytes.extend(body);
        for version in [Version::V311, Version::V5] {
            if let Ok(packet) = codec::decode(&bytes, version) {
                let written = encoded(&packet, version);
                prop_assert!(written.len() <= bytes.len());
                prop_assert_eq!(codec::decode(&written, version), Ok(packet));
            }
        }
    }
}
