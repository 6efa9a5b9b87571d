//! The statements about one packet, in the order of the standard.

use mqtt::Version::V5;
use mqtt::codec::{self, Frame};
use mqtt::packet::{Ack, ConnAck, Connect, Disconnect, Publish, Will};
use mqtt::property::Properties;
use mqtt::{Packet, QoS, Reason};

use crate::notation::bytes;
use crate::operation::{a_topic_has_at_most_65_535_bytes, the_examples_of_the_standard_match};
use crate::row::Verdict::{Accept, Answer, Close, Reject, RejectBy, Says};
use crate::row::{Row, clause, dialogue, writes};

const MALFORMED: Reason = Reason::MALFORMED_PACKET;
const PROTOCOL: Reason = Reason::PROTOCOL_ERROR;

/// The answers to a CONNECT that cannot be read, and to one that says what may not be said.
const IS_MALFORMED: &str = "20 03 00 81 00";

// 3.1.1 has the same rules under other numbers, and what is refused is named by those.
const LENGTH: &str = "§ 2.2.3";
const UTF8: &str = "MQTT-1.5.3-1";
const NUL: &str = "MQTT-1.5.3-2";
const REASONS: &str = "5.0 § 2.4";
const FLAGS: &str = "MQTT-2.2.2-2";

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // 1.5 Text and numbers, in a topic and in properties
    clause("MQTT-1.5.4-1", V5, "30 __ 0003 'a' c3 28 00", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-1.5.4-1", V5, "30 __ 0005 'a' eda080 'b' 00", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-1.5.4-1", V5, "30 __ 0001'a' 04 03 0001 ff", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-1.5.4-1", V5, "30 __ 0005 'A' f0aa9b94 00 'x'", Accept),
    clause("MQTT-1.5.4-2", V5, "30 __ 0003 'a' 00 'b' 00", RejectBy(NUL, MALFORMED)),
    clause("MQTT-1.5.4-2", V5, "30 __ 0001'a' 04 03 0001 00", RejectBy(NUL, MALFORMED)),
    clause("MQTT-1.5.4-3", V5, "30 __ 0004 efbbbf 'a' 00", Says(|it| publish(it).topic == "\u{FEFF}a")),
    clause("MQTT-1.5.4-3", V5, "30 __ 0004 efbbbf 'a' 00", Accept),
    clause("MQTT-1.5.5-1", V5, "c0 80 00", RejectBy("5.0 § 1.5.5", MALFORMED)),
    clause("MQTT-1.5.5-1", V5, "30 __ 0001'a' 8000", RejectBy("5.0 § 1.5.5", MALFORMED)),
    clause("MQTT-1.5.5-1", V5, "30 __ 0001'a' 03 0b 8100", RejectBy("5.0 § 1.5.5", MALFORMED)),
    clause("MQTT-1.5.5-1", V5, "30 __ 0001'a' 02 0b 7f", Accept),
    clause("MQTT-1.5.5-1", V5, "30 __ 0001'a' 03 0b 8001", Accept),
    clause("MQTT-1.5.7-1", V5, "30 __ 0001'a' 07 26 0001 ff 0001'v'", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-1.5.7-1", V5, "30 __ 0001'a' 07 26 0001'k' 0001 00", RejectBy(NUL, MALFORMED)),
    clause("MQTT-1.5.7-1", V5, "30 __ 0001'a' 07 26 0001'k' 0001'v'", Accept),

    // 2.1.3 Flags
    clause("MQTT-2.1.3-1", V5, "42 02 0001", RejectBy(FLAGS, MALFORMED)),
    clause("MQTT-2.1.3-1", V5, "58 02 0001", RejectBy(FLAGS, MALFORMED)),
    clause("MQTT-2.1.3-1", V5, "71 02 0001", RejectBy(FLAGS, MALFORMED)),
    clause("MQTT-2.1.3-1", V5, "c4 00", RejectBy(FLAGS, MALFORMED)),
    writes("MQTT-2.1.3-1", V5, Packet::PubRel(Ack::success(10)), "62 02 000a"),
    writes("MQTT-2.1.3-1", V5, Packet::PingResp, "d0 00"),
    // 2.2.1 Packet identifiers
    clause("MQTT-2.2.1-2", V5, "30 __ 0001'a' 00 1234", Says(|it| publish(it).payload == [0x12, 0x34])),
    clause("MQTT-2.2.1-2", V5, "30 __ 0001'a' 00 1234", Accept),
    clause("MQTT-2.2.1-3", V5, "32 __ 0001'a' 0000 00", RejectBy("MQTT-2.3.1-1", PROTOCOL)),
    clause("MQTT-2.2.1-3", V5, "82 __ 0000 00 0001'a' 00", RejectBy("MQTT-2.3.1-1", PROTOCOL)),
    clause("MQTT-2.2.1-3", V5, "a2 __ 0000 00 0001'a'", RejectBy("MQTT-2.3.1-1", PROTOCOL)),
    // 2.2.2 Properties
    clause("MQTT-2.2.2-1", V5, "30 __ 0001'a' 00", Accept),
    clause("MQTT-2.2.2-1", V5, "30 __ 0001'a'", RejectBy(LENGTH, MALFORMED)),
    writes("MQTT-2.2.2-1", V5, Packet::ConnAck(WELCOME), "20 03 00 00 00"),

    // 3.1 CONNECT
    clause("MQTT-3.1.0-1", V5, "c0 00", Close),
    clause("MQTT-3.1.0-1", V5, "f0 00", Close),
    clause("MQTT-3.1.2-1", V5, "10 __ 0004'MQTX' 05 02 003c 00 0001'a'", Close),
    clause("MQTT-3.1.2-1", V5, "10 __ 0004'mqtt' 05 02 003c 00 0001'a'", Close),
    clause("MQTT-3.1.2-2", V5, "10 __ 0004'MQTT' 06 02 003c 00 0001'a'", Answer("20 03 00 84 00")),
    clause("MQTT-3.1.2-2", V5, "10 __ 0004'MQTT' 7f 02 003c 00 0001'a'", Answer("20 03 00 84 00")),
    clause("MQTT-3.1.2-3", V5, "10 __ 0004'MQTT' 05 03 003c 00 0001'a'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-9", V5, "10 __ 0004'MQTT' 05 06 003c 00 0001'a'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-9", V5, "10 __ 0004'MQTT' 05 06 003c 00 0001'a' 00 0001't'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-9", V5, "10 __ 0004'MQTT' 05 16 003c 00 0001'a' 05 18 00000007 0001't' 0001'm'",
        Says(|it| will(it).is_some_and(|it| it.topic == "t" && it.payload == b"m" && it.properties.will_delay_s() == Some(7)))),
    clause("MQTT-3.1.2-11", V5, "10 __ 0004'MQTT' 05 0a 003c 00 0001'a'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-11", V5, "10 __ 0004'MQTT' 05 12 003c 00 0001'a'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-12", V5, "10 __ 0004'MQTT' 05 1e 003c 00 0001'a' 00 0001't' 0001'm'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-12", V5, "10 __ 0004'MQTT' 05 16 003c 00 0001'a' 00 0001't' 0001'm'", Accept),
    clause("MQTT-3.1.2-13", V5, "10 __ 0004'MQTT' 05 22 003c 00 0001'a'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-14", V5, "10 __ 0004'MQTT' 05 06 003c 00 0001'a' 00 0001't' 0001'm'",
        Says(|it| will(it).is_some_and(|it| !it.retain))),
    clause("MQTT-3.1.2-15", V5, "10 __ 0004'MQTT' 05 26 003c 00 0001'a' 00 0001't' 0001'm'",
        Says(|it| will(it).is_some_and(|it| it.retain))),
    clause("MQTT-3.1.2-16", V5, "10 __ 0004'MQTT' 05 02 003c 00 0001'a' 0001'u'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-17", V5, "10 __ 0004'MQTT' 05 82 003c 00 0001'a'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-17", V5, "10 __ 0004'MQTT' 05 82 003c 00 0001'a' 0001'u'", Says(|it| connect(it).username == Some("u"))),
    clause("MQTT-3.1.2-18", V5, "10 __ 0004'MQTT' 05 82 003c 00 0001'a' 0001'u' 0001'p'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-19", V5, "10 __ 0004'MQTT' 05 c2 003c 00 0001'a' 0001'u'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.2-19", V5, "10 __ 0004'MQTT' 05 42 003c 00 0001'a' 0001'p'", Says(|it| connect(it).password == Some(b"p"))),
    clause("MQTT-3.1.3-1", V5, "10 __ 0004'MQTT' 05 c6 003c 00 0001'1' 02 01 01 0001'2' 0001'3' 0001'4' 0001'5'", Says(in_order)),
    clause("MQTT-3.1.3-1", V5, "10 __ 0004'MQTT' 05 c6 003c 00 0001'1' 02 01 01 0001'2' 0001'3' 0001'4' 0001'5'", Accept),
    clause("MQTT-3.1.3-3", V5, "10 __ 0004'MQTT' 05 02 003c 00", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.3-4", V5, "10 __ 0004'MQTT' 05 02 003c 00 0002 'a' ff", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.3-5", V5, "10 __ 0004'MQTT' 05 02 003c 00 0001'Z'", Accept),
    clause("MQTT-3.1.3-5", V5, "10 __ 0004'MQTT' 05 02 003c 00 0017'0123456789abcdefghijklm'", Accept),
    clause("MQTT-3.1.3-5", V5, "10 __ 0004'MQTT' 05 02 003c 00 0017'nopqrstuvwxyzABCDEFGHIJ'", Accept),
    clause("MQTT-3.1.3-5", V5, "10 __ 0004'MQTT' 05 02 003c 00 0010'KLMNOPQRSTUVWXYZ'", Accept),
    clause("MQTT-3.1.3-6", V5, "10 __ 0004'MQTT' 05 02 003c 00 0000", Says(|it| connect(it).client_id.is_empty())),
    clause("MQTT-3.1.3-11", V5, "10 __ 0004'MQTT' 05 06 003c 00 0001'a' 00 0001 80 0001'm'", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.3-12", V5, "10 __ 0004'MQTT' 05 82 003c 00 0001'a' 0001 80", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.4-1", V5, "10 __ 0004'MQTT' 05", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.4-1", V5, "10 __ 0004'MQTT' 05 02 003c 00 0001'a' 00", Answer(IS_MALFORMED)),
    clause("MQTT-3.1.4-1", V5, "10 __ 0004'MQTT' 05 02 003c 01 ff 0001'a'", Answer(IS_MALFORMED)),

    // 3.2 CONNACK
    clause("MQTT-3.2.2-1", V5, "20 03 02 00 00", RejectBy("§ 3.2.2.1", MALFORMED)),
    writes("MQTT-3.2.2-1", V5, Packet::ConnAck(ConnAck { session_present: true, ..WELCOME }), "20 03 01 00 00"),
    writes("MQTT-3.2.2-6", V5, Packet::ConnAck(ConnAck::refusal(Reason::NOT_AUTHORIZED.0)), "20 03 00 87 00"),
    clause("MQTT-3.2.2-6", V5, "20 03 01 87 00", RejectBy("MQTT-3.2.2-4", PROTOCOL)),
    clause("MQTT-3.2.2-8", V5, "20 03 00 05 00", RejectBy("§ 3.2.2.3", MALFORMED)),
    clause("MQTT-3.2.2-8", V5, "20 03 00 8e 00", RejectBy("§ 3.2.2.3", MALFORMED)),
    clause("MQTT-3.2.2-8", V5, "20 __ 00 9c 04 1c 0001'b'", Accept),
    dialogue("MQTT-3.2.2-15", a_packet_beyond_the_maximum_is_refused),
    clause("MQTT-3.2.2-16", V5, "20 __ 00 00 04 12 0001'x'", Accept),
    clause("MQTT-3.2.2-22", V5, "20 __ 00 00 03 13 003c", Accept),

    // 3.3 PUBLISH
    clause("MQTT-3.3.1-2", V5, "38 __ 0001'a' 00", Reject(MALFORMED)),
    clause("MQTT-3.3.1-4", V5, "36 __ 0001'a' 0001 00", Reject(MALFORMED)),
    clause("MQTT-3.3.2-1", V5, "30 00", RejectBy(LENGTH, MALFORMED)),
    clause("MQTT-3.3.2-1", V5, "30 __ 0001 ff 00", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-3.3.2-2", V5, "30 __ 0003'a/+' 00", Reject(MALFORMED)),
    clause("MQTT-3.3.2-2", V5, "30 __ 0003'a/#' 00", Reject(MALFORMED)),
    clause("MQTT-3.3.2-8", V5, "30 __ 0001'a' 03 23 0000", RejectBy("5.0 § 2.2.2", Reason::TOPIC_ALIAS_INVALID)),
    clause("MQTT-3.3.2-13", V5, "30 __ 0001'a' 04 08 0001 ff", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-3.3.2-14", V5, "30 __ 0001'a' 06 08 0003'r/+'", RejectBy("5.0 § 3.3.2.3.5", PROTOCOL)),
    clause("MQTT-3.3.2-14", V5, "30 __ 0001'a' 04 08 0001'#'", RejectBy("5.0 § 3.3.2.3.5", PROTOCOL)),
    clause("MQTT-3.3.2-14", V5, "30 __ 0001'a' 06 08 0003'r/t'", Accept),
    clause("MQTT-3.3.2-19", V5, "30 __ 0001'a' 04 03 0001 ff", RejectBy(UTF8, MALFORMED)),
    dialogue("MQTT-3.3.2-4", what_travels_is_unaltered),
    dialogue("MQTT-3.3.2-15", what_travels_is_unaltered),
    dialogue("MQTT-3.3.2-16", what_travels_is_unaltered),
    dialogue("MQTT-3.3.2-17", what_travels_is_unaltered),
    dialogue("MQTT-3.3.2-18", what_travels_is_unaltered),
    dialogue("MQTT-3.3.2-20", what_travels_is_unaltered),
    dialogue("MQTT-3.3.2-6", a_message_goes_on_with_the_seconds_that_are_left),
    dialogue("MQTT-3.3.4-4", one_copy_has_all_identifiers),
    dialogue("MQTT-3.3.4-6", a_client_has_no_identifiers_to_tell),

    // 3.4 to 3.7 Acknowledgements
    clause("MQTT-3.4.2-1", V5, "40 03 0001 92", RejectBy(REASONS, MALFORMED)),
    clause("MQTT-3.4.2-1", V5, "40 03 0001 10", Accept),
    clause("MQTT-3.5.2-1", V5, "50 03 0001 92", RejectBy(REASONS, MALFORMED)),
    clause("MQTT-3.5.2-1", V5, "50 03 0001 97", Accept),
    clause("MQTT-3.6.1-1", V5, "60 02 0001", Reject(MALFORMED)),
    clause("MQTT-3.6.1-1", V5, "6a 02 0001", Reject(MALFORMED)),
    clause("MQTT-3.6.2-1", V5, "62 03 0001 10", RejectBy(REASONS, MALFORMED)),
    clause("MQTT-3.6.2-1", V5, "62 03 0001 92", Accept),
    clause("MQTT-3.7.2-1", V5, "70 03 0001 80", RejectBy(REASONS, MALFORMED)),
    clause("MQTT-3.7.2-1", V5, "70 03 0001 92", Accept),

    // 3.8 SUBSCRIBE and 3.9 SUBACK
    clause("MQTT-3.8.1-1", V5, "80 __ 0001 00 0001'a' 00", Reject(MALFORMED)),
    clause("MQTT-3.8.1-1", V5, "8a __ 0001 00 0001'a' 00", Reject(MALFORMED)),
    clause("MQTT-3.8.3-1", V5, "82 __ 0001 00 0001 ff 00", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-3.8.3-2", V5, "82 __ 0001 00", RejectBy("MQTT-3.8.3-3", PROTOCOL)),
    clause("MQTT-3.8.3-2", V5, "82 __ 0001 00 0001'a'", RejectBy(LENGTH, MALFORMED)),
    clause("MQTT-3.8.3-4", V5, "82 __ 0001 00 000a'$share/g/a' 04", RejectBy("5.0 § 3.8.3.1", PROTOCOL)),
    clause("MQTT-3.8.3-5", V5, "82 __ 0001 00 0001'a' 40", RejectBy("5.0 § 3.8.3.1", MALFORMED)),
    clause("MQTT-3.8.3-5", V5, "82 __ 0001 00 0001'a' 80", RejectBy("5.0 § 3.8.3.1", MALFORMED)),
    clause("MQTT-3.8.3-5", V5, "82 __ 0001 00 0001'a' 2e", Accept),
    clause("MQTT-3.9.3-2", V5, "90 __ 0001 00 00 01 02 80 83 87 8f 91 97 9e a1 a2", Accept),
    clause("MQTT-3.9.3-2", V5, "90 __ 0001 00 03", Reject(MALFORMED)),
    clause("MQTT-3.9.3-2", V5, "90 __ 0001 00 8e", Reject(MALFORMED)),

    // 3.10 UNSUBSCRIBE and 3.11 UNSUBACK
    clause("MQTT-3.10.1-1", V5, "a0 __ 0001 00 0001'a'", Reject(MALFORMED)),
    clause("MQTT-3.10.3-1", V5, "a2 __ 0001 00 0001 ff", RejectBy(UTF8, MALFORMED)),
    clause("MQTT-3.10.3-2", V5, "a2 __ 0001 00", Reject(PROTOCOL)),
    clause("MQTT-3.11.3-2", V5, "b0 __ 0001 00 00 11 80 83 87 8f 91", Accept),
    clause("MQTT-3.11.3-2", V5, "b0 __ 0001 00 01", RejectBy("5.0 § 3.11.3", MALFORMED)),

    // 3.14 DISCONNECT and 3.15 AUTH
    clause("MQTT-3.14.1-1", V5, "e1 00", Reject(MALFORMED)),
    clause("MQTT-3.14.2-1", V5, "e0 01 86", RejectBy(REASONS, MALFORMED)),
    clause("MQTT-3.14.2-1", V5, "e0 01 01", RejectBy(REASONS, MALFORMED)),
    clause("MQTT-3.14.2-1", V5, "e0 __ 9c 04 1c 0001'b'", Accept),
    writes("MQTT-3.14.2-2", V5, Packet::Disconnect(Disconnect::with(Reason::SESSION_TAKEN_OVER)), "e0 01 8e"),
    clause("MQTT-3.15.1-1", V5, "f1 00", RejectBy(FLAGS, MALFORMED)),
    clause("MQTT-3.15.1-1", V5, "f8 __ 18 04 15 0001'm'", RejectBy(FLAGS, MALFORMED)),
    clause("MQTT-3.15.2-1", V5, "f0 __ 80 00", RejectBy(REASONS, MALFORMED)),
    clause("MQTT-3.15.2-1", V5, "f0 __ 19 04 15 0001'm'", Accept),

    // 4.7 and 4.8 Topics
    clause("MQTT-4.7.0-1", V5, "30 __ 0001'#' 00", RejectBy("MQTT-3.3.2-2", MALFORMED)),
    clause("MQTT-4.7.0-1", V5, "30 __ 0001'+' 00", RejectBy("MQTT-3.3.2-2", MALFORMED)),
    clause("MQTT-4.7.1-1", V5, "82 __ 0001 00 000e'sport/tennis/#' 00", Accept),
    clause("MQTT-4.7.1-1", V5, "82 __ 0001 00 000d'sport/tennis#' 00", RejectBy("MQTT-4.7.1-2", MALFORMED)),
    clause("MQTT-4.7.1-1", V5, "82 __ 0001 00 0016'sport/tennis/#/ranking' 00", RejectBy("MQTT-4.7.1-2", MALFORMED)),
    clause("MQTT-4.7.1-2", V5, "82 __ 0001 00 0011'+/tennis/+/+//+/#' 00", Accept),
    clause("MQTT-4.7.1-2", V5, "82 __ 0001 00 0006'sport+' 00", RejectBy("MQTT-4.7.1-3", MALFORMED)),
    dialogue("MQTT-4.7.1-1", the_examples_of_the_standard_match),
    dialogue("MQTT-4.7.1-2", the_examples_of_the_standard_match),
    clause("MQTT-4.7.3-1", V5, "82 __ 0001 00 0000 00", Reject(MALFORMED)),
    clause("MQTT-4.7.3-1", V5, "a2 __ 0001 00 0000", Reject(MALFORMED)),
    clause("MQTT-4.7.3-2", V5, "30 __ 0003 'a' 00 'b' 00", RejectBy(NUL, MALFORMED)),
    clause("MQTT-4.7.3-2", V5, "82 __ 0001 00 0001 00 00", RejectBy(NUL, MALFORMED)),
    dialogue("MQTT-4.7.3-3", a_topic_has_at_most_65_535_bytes),
    clause("MQTT-4.8.2-1", V5, "82 __ 0001 00 000a'$share/g/a' 00", Accept),
    clause("MQTT-4.8.2-1", V5, "82 __ 0001 00 0009'$share//a' 00", RejectBy("5.0 § 4.8.2", MALFORMED)),
    clause("MQTT-4.8.2-2", V5, "82 __ 0001 00 0008'$share/g' 00", RejectBy("5.0 § 4.8.2", MALFORMED)),
    clause("MQTT-4.8.2-2", V5, "82 __ 0001 00 0009'$share/g/' 00", RejectBy("5.0 § 4.8.2", MALFORMED)),
    clause("MQTT-4.8.2-2", V5, "82 __ 0001 00 000a'$share/+/a' 00", RejectBy("5.0 § 4.8.2", MALFORMED)),
    clause("MQTT-4.8.2-2", V5, "82 __ 0001 00 000a'$share/#/a' 00", RejectBy("MQTT-4.7.1-2", MALFORMED)),
    clause("MQTT-4.8.2-2", V5, "82 __ 0001 00 000e'$share/g/a/+/#' 00", Accept),
];

const WELCOME: ConnAck<'static> =
    ConnAck { session_present: false, code: ConnAck::ACCEPTED, properties: Properties::EMPTY };

fn publish<'a>(packet: &Packet<'a>) -> Publish<'a> {
    if let Packet::Publish(publish) = packet { *publish } else { panic!("not a PUBLISH: {packet:?}") }
}

fn connect<'a>(packet: &Packet<'a>) -> Connect<'a> {
    if let Packet::Connect(connect) = packet { *connect } else { panic!("not a CONNECT: {packet:?}") }
}

fn will<'a>(packet: &Packet<'a>) -> Option<Will<'a>> {
    connect(packet).will
}

fn in_order(packet: &Packet<'_>) -> bool {
    let connect = connect(packet);
    let will = connect.will.map(|will| (will.properties.payload_is_text(), will.topic, will.payload));
    connect.client_id == "1"
        && will == Some((true, "2", b"3"))
        && connect.username == Some("4")
        && connect.password == Some(b"5")
}

/// The header alone is enough to refuse it.
fn a_packet_beyond_the_maximum_is_refused() {
    let packet = bytes("30 64");
    assert_eq!(codec::frame(&packet, 102), Ok(Frame::Incomplete { needed: 100 }));
    assert_eq!(codec::frame(&packet, 101).unwrap_err().reason, Reason::PACKET_TOO_LARGE);
}

/// A message as it comes from its publisher, with everything that it may have, and as it goes on to a receiver.
fn what_travels_is_unaltered() {
    let message =
        "01 01 03 0001't' 08 0001'r' 09 0002 00ff 26 0001'k' 0001'2' 26 0001'k' 0001'1' 26 0001'a' 0000";
    let alone = format!("30 __ 0001'a' 23 {message}");
    let with_alias = format!("30 __ 0001'a' 26 01 01 23 0001 {}", &message[6..]);
    for packet in [alone.as_str(), &with_alias] {
        let packet = bytes(packet);
        let packet = codec::decode_from_client(&packet, V5).unwrap();
        let publish = publish(&packet);
        let travelling = publish.properties.travelling();
        let parts = codec::PublishParts {
            topic: [publish.topic, ""],
            headers: &travelling,
            ..codec::PublishParts::default()
        };
        let mut out = Vec::new();
        codec::encode_publish(&mut out, V5, &parts);
        assert_eq!(out, bytes(&alone));
    }
}

fn a_message_goes_on_with_the_seconds_that_are_left() {
    let headers = bytes("02 00000e10 26 0001'k' 0001'v'");
    let parts = codec::PublishParts {
        topic: ["a", ""],
        headers: &headers,
        expires_in_s: Some(3_540),
        ..codec::PublishParts::default()
    };
    let mut out = Vec::new();
    codec::encode_publish(&mut out, V5, &parts);
    assert_eq!(out, bytes("30 __ 0001'a' 0c 02 00000dd4 26 0001'k' 0001'v'"));
}

fn one_copy_has_all_identifiers() {
    let parts = codec::PublishParts {
        topic: ["a", ""],
        qos: QoS::AtLeastOnce,
        packet_id: 1,
        identifiers: &[3, 200],
        ..codec::PublishParts::default()
    };
    let mut out = Vec::new();
    codec::encode_publish(&mut out, V5, &parts);
    assert_eq!(out, bytes("32 __ 0001'a' 0001 05 0b 03 0b c801"));
}

fn a_client_has_no_identifiers_to_tell() {
    let packet = bytes("30 __ 0001'a' 02 0b 05");
    let refused = codec::decode_from_client(&packet, V5).unwrap_err();
    assert_eq!((refused.reason, refused.clause), (PROTOCOL, "5.0 § 3.3.4"));
    assert!(codec::decode(&packet, V5).is_ok(), "a server may");
}
