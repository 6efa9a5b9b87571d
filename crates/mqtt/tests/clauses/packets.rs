//! Chapter 3: the packets, each by its section.

use mqtt::Packet;
use mqtt::QoS::{AtMostOnce, ExactlyOnce};
use mqtt::Reason;
use mqtt::Version::{V5, V31, V311};
use mqtt::packet::{ConnAck, Connect, Will};
use mqtt::property::Properties;

use crate::row::Verdict::{Accept, Answer, Close, CloseBy, Reject, RejectBy, Says};
use crate::row::{Row, clause, peer, server, writes};

const MALFORMED: Reason = Reason::MALFORMED_PACKET;
const PROTOCOL: Reason = Reason::PROTOCOL_ERROR;

/// A packet is as long as its length field says, and its fields end where it ends.
const LENGTH: &str = "§ 2.2.3";

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // 3.1 CONNECT
    clause("MQTT-3.1.0-1", V311, "c0 00", Close),
    clause("MQTT-3.1.0-1", V311, "30 __ 0001'a'", Close),
    clause("MQTT-3.1.0-1", V311, "'GET / HTTP/1.1'", Close),
    clause("MQTT-3.1.0-1", V311, "e0 00", Close),
    // 3.1.2.1 Protocol name, compared as it is
    clause("MQTT-3.1.2-1", V311, "10 __ 0004'MQTX' 04 02 003c 0001'a'", Close),
    clause("MQTT-3.1.2-1", V311, "10 __ 0004'mqtt' 04 02 003c 0001'a'", Close),
    clause("MQTT-3.1.2-1", V311, "10 __ 0000 04 02 003c 0001'a'", Close),
    clause("MQTT-3.1.2-1", V311, "10 __ 0005'MQTT' 00 04 02 003c 0001'a'", Close),
    // 3.1.2.2 Protocol level
    clause("MQTT-3.1.2-2", V311, "10 __ 0004'MQTT' 03 02 003c 0001'a'", Answer("20 02 00 01")),
    clause("MQTT-3.1.2-2", V311, "10 __ 0004'MQTT' 00 02 003c 0001'a'", Answer("20 02 00 01")),
    clause("MQTT-3.1.2-2", V311, "10 __ 0004'MQTT' 84 02 003c 0001'a'", Answer("20 02 00 01")),
    clause("MQTT-3.1.2-2", V31, "10 __ 0006'MQIsdp' 04 02 003c 0001'a'", Answer("20 02 00 01")),
    clause("MQTT-3.1.2-2", V31, "10 __ 0006'MQIsdp' 83 02 003c 0001'a'", Answer("20 02 00 01")),
    clause("MQTT-3.1.2-2", V5, "10 __ 0004'MQTT' 06 02 003c 00 0001'a'", Answer("20 03 00 84 00")),
    clause("MQTT-3.1.2-2", V31, "10 __ 0006'MQIsdp' 03 02 003c 0001'a'", Says(|it| connect(it).version == V31)),
    clause("MQTT-3.1.2-2", V311, "10 __ 0004'MQTT' 04 02 003c 0001'a'", Says(|it| connect(it).version == V311)),
    clause("MQTT-3.1.2-2", V5, "10 __ 0004'MQTT' 05 02 003c 00 0001'a'", Says(|it| connect(it).version == V5)),
    // 3.1.2.3 Connect flags
    clause("MQTT-3.1.2-3", V311, "10 0d 0004'MQTT' 04 03 003c 0001'a'", Close),
    clause("MQTT-3.1.2-3", V31, "10 0f 0006'MQIsdp' 03 01 003c 0001'a'", Close),
    clause("MQTT-3.1.2-3", V5, "10 0e 0004'MQTT' 05 03 003c 00 0001'a'", Answer("20 03 00 81 00")),
    // 3.1.2.4 Clean session
    server("MQTT-3.1.2-4", "a_session_outlives_its_connection"),
    server("MQTT-3.1.2-5", "messages_wait_for_a_session_that_is_away"),
    server("MQTT-3.1.2-6", "a_clean_session_leaves_nothing_behind"),
    // 3.1.2.5 Will flag
    server("MQTT-3.1.2-8", "a_will_is_published_once_when_the_connection_breaks"),
    clause("MQTT-3.1.2-9", V311, "10 __ 0004'MQTT' 04 16 003c 0001'a' 0001't' 0001'm'",
        Says(|it| will(it).is_some_and(|it| it.topic == "t" && it.payload == b"m" && it.qos == ExactlyOnce))),
    clause("MQTT-3.1.2-9", V311, "10 __ 0004'MQTT' 04 06 003c 0001'a'", CloseBy(LENGTH)),
    clause("MQTT-3.1.2-9", V311, "10 __ 0004'MQTT' 04 06 003c 0001'a' 0001't'", CloseBy(LENGTH)),
    clause("MQTT-3.1.2-9", V311, "10 __ 0004'MQTT' 04 06 003c 0001'a' 0001't' 0000", Accept),
    server("MQTT-3.1.2-10", "a_will_is_published_once_when_the_connection_breaks"),
    clause("MQTT-3.1.2-11", V311, "10 __ 0004'MQTT' 04 0a 003c 0001'a'", CloseBy("MQTT-3.1.2-13")),
    clause("MQTT-3.1.2-11", V311, "10 __ 0004'MQTT' 04 22 003c 0001'a'", CloseBy("MQTT-3.1.2-15")),
    clause("MQTT-3.1.2-11", V311, "10 __ 0004'MQTT' 04 02 003c 0001'a' 0001't' 0001'm'", CloseBy(LENGTH)),
    server("MQTT-3.1.2-12", "no_will_is_published_without_one_or_after_disconnect"),
    // 3.1.2.6 Will QoS
    clause("MQTT-3.1.2-13", V311, "10 __ 0004'MQTT' 04 0a 003c 0001'a'", Close),
    clause("MQTT-3.1.2-13", V311, "10 __ 0004'MQTT' 04 12 003c 0001'a'", Close),
    clause("MQTT-3.1.2-14", V311, "10 __ 0004'MQTT' 04 1e 003c 0001'a' 0001't' 0001'm'", Close),
    clause("MQTT-3.1.2-14", V311, "10 __ 0004'MQTT' 04 1a 003c 0001'a'", Close),
    clause("MQTT-3.1.2-14", V311, "10 __ 0004'MQTT' 04 0e 003c 0001'a' 0001't' 0001'm'", Accept),
    // 3.1.2.7 Will retain: the flag reaches the dialect, which decides what its platform retains.
    clause("MQTT-3.1.2-15", V311, "10 __ 0004'MQTT' 04 22 003c 0001'a'", Close),
    clause("MQTT-3.1.2-16", V311, "10 __ 0004'MQTT' 04 06 003c 0001'a' 0001't' 0001'm'",
        Says(|it| will(it).is_some_and(|it| !it.retain && it.qos == AtMostOnce))),
    clause("MQTT-3.1.2-17", V311, "10 __ 0004'MQTT' 04 26 003c 0001'a' 0001't' 0001'm'",
        Says(|it| will(it).is_some_and(|it| it.retain))),
    // 3.1.2.8 and 3.1.2.9 User name and password
    clause("MQTT-3.1.2-18", V311, "10 __ 0004'MQTT' 04 02 003c 0001'a' 0001'u'", CloseBy(LENGTH)),
    clause("MQTT-3.1.2-19", V311, "10 __ 0004'MQTT' 04 82 003c 0001'a'", CloseBy(LENGTH)),
    clause("MQTT-3.1.2-19", V311, "10 __ 0004'MQTT' 04 82 003c 0001'a' 0001'u'", Says(|it| connect(it).username == Some("u"))),
    clause("MQTT-3.1.2-19", V311, "10 __ 0004'MQTT' 04 82 003c 0001'a' 0000", Says(|it| connect(it).username == Some(""))),
    clause("MQTT-3.1.2-20", V311, "10 __ 0004'MQTT' 04 82 003c 0001'a' 0001'u' 0001'p'", CloseBy(LENGTH)),
    clause("MQTT-3.1.2-21", V311, "10 __ 0004'MQTT' 04 c2 003c 0001'a' 0001'u'", CloseBy(LENGTH)),
    clause("MQTT-3.1.2-21", V311, "10 __ 0004'MQTT' 04 c2 003c 0001'a' 0001'u' 0002 00ff",
        Says(|it| connect(it).password == Some(&[0x00, 0xFF]))),
    clause("MQTT-3.1.2-22", V311, "10 10 0004'MQTT' 04 42 003c 0001'a' 0001'p'", Close),
    clause("MQTT-3.1.2-22", V31, "10 __ 0006'MQIsdp' 03 42 003c 0001'a' 0001'p'", Close),
    // 3.1.3 Payload
    clause("MQTT-3.1.3-1", V311, "10 __ 0004'MQTT' 04 c6 003c 0001'1' 0001'2' 0001'3' 0001'4' 0001'5'", Says(in_order)),
    clause("MQTT-3.1.3-1", V311, "10 __ 0004'MQTT' 04 c6 003c 0001'1' 0001'2' 0001'3' 0001'4' 0001'5'", Accept),
    server("MQTT-3.1.3-2", "a_session_outlives_its_connection"),
    clause("MQTT-3.1.3-3", V311, "10 __ 0004'MQTT' 04 02 003c", CloseBy(LENGTH)),
    clause("MQTT-3.1.3-3", V311, "10 __ 0004'MQTT' 04 02 003c 0002'a'", CloseBy(LENGTH)),
    clause("MQTT-3.1.3-4", V311, "10 __ 0004'MQTT' 04 02 003c 0002 'a' ff", CloseBy("MQTT-1.5.3-1")),
    clause("MQTT-3.1.3-5", V311, "10 __ 0004'MQTT' 04 02 003c 0001'Z'", Accept),
    clause("MQTT-3.1.3-5", V311, "10 __ 0004'MQTT' 04 02 003c 0017'0123456789abcdefghijklm'", Accept),
    clause("MQTT-3.1.3-5", V311, "10 __ 0004'MQTT' 04 02 003c 0017'nopqrstuvwxyzABCDEFGHIJ'", Accept),
    clause("MQTT-3.1.3-5", V311, "10 __ 0004'MQTT' 04 02 003c 0010'KLMNOPQRSTUVWXYZ'", Accept),
    clause("MQTT-3.1.3-6", V311, "10 __ 0004'MQTT' 04 02 003c 0000", Says(|it| connect(it).client_id.is_empty())),
    peer("MQTT-3.1.3-7", "binds the client; what happens if it does not is MQTT-3.1.3-8"),
    // Which code is sent is up to the dialect: Watson's clients expect 5 for a client id that is empty or of no known
    // form (spec watson 1.5, E11), a documented deviation; a malformed one gets 2. The tests hold it to that.
    server("MQTT-3.1.3-8", "an_empty_client_id_is_refused"),
    server("MQTT-3.1.3-9", "a_client_id_that_is_not_valid_is_refused"),
    clause("MQTT-3.1.3-10", V311, "10 __ 0004'MQTT' 04 06 003c 0001'a' 0001 80 0001'm'", CloseBy("MQTT-1.5.3-1")),
    clause("MQTT-3.1.3-10", V311, "10 __ 0004'MQTT' 04 06 003c 0001'a' 0003't/#' 0001'm'", CloseBy("MQTT-3.3.2-2")),
    clause("MQTT-3.1.3-11", V311, "10 __ 0004'MQTT' 04 82 003c 0001'a' 0001 80", CloseBy("MQTT-1.5.3-1")),
    // 3.1.4 Response
    clause("MQTT-3.1.4-1", V311, "10 __ 0004'MQTT' 04", CloseBy(LENGTH)),
    clause("MQTT-3.1.4-1", V311, "10 __ 0004'MQTT' 04 02 003c 0001'a' 00", CloseBy(LENGTH)),
    clause("MQTT-3.1.4-1", V311, "10 00", CloseBy(LENGTH)),
    clause("MQTT-3.1.4-1", V5, "10 __ 0004'MQTT' 05 02 003c 01 ff 0001'a'", Answer("20 03 00 81 00")),
    server("MQTT-3.1.4-2", "takeover_closes_the_old_connection"),
    server("MQTT-3.1.4-3", "a_clean_session_leaves_nothing_behind"),
    server("MQTT-3.1.4-4", "a_connect_is_acknowledged_first"),
    server("MQTT-3.1.4-5", "a_refused_connection_is_closed_and_not_read_further"),

    // 3.2 CONNACK
    server("MQTT-3.2.0-1", "a_connect_is_acknowledged_first"),
    server("MQTT-3.2.2-1", "session_present_tells_whether_there_was_a_session"),
    server("MQTT-3.2.2-2", "session_present_tells_whether_there_was_a_session"),
    server("MQTT-3.2.2-3", "session_present_tells_whether_there_was_a_session"),
    writes("MQTT-3.2.2-1", V311, Packet::ConnAck(WELCOME), "20 02 00 00"),
    writes("MQTT-3.2.2-2", V311, Packet::ConnAck(ConnAck { session_present: true, ..WELCOME }), "20 02 01 00"),
    writes("MQTT-3.2.2-4", V311, Packet::ConnAck(ConnAck::refusal(ConnAck::NOT_AUTHORIZED)), "20 02 00 05"),
    clause("MQTT-3.2.2-4", V311, "20 02 01 05", Reject(PROTOCOL)),
    server("MQTT-3.2.2-5", "a_refused_connection_is_closed_and_not_read_further"),
    clause("MQTT-3.2.2-6", V311, "10 __ 0004'MQTT' 04 02 00", CloseBy(LENGTH)),

    // 3.3 PUBLISH
    clause("MQTT-3.3.1-2", V311, "38 __ 0001'a'", Reject(MALFORMED)),
    clause("MQTT-3.3.1-2", V311, "3a __ 0001'a' 0001", Accept),
    clause("MQTT-3.3.1-4", V311, "36 __ 0001'a' 0001", Reject(MALFORMED)),
    clause("MQTT-3.3.1-4", V311, "3f __ 0001'a' 0001", Reject(MALFORMED)),
    clause("MQTT-3.3.2-1", V311, "30 00", RejectBy(LENGTH, MALFORMED)),
    clause("MQTT-3.3.2-1", V311, "30 __ 0002'a'", RejectBy(LENGTH, MALFORMED)),
    clause("MQTT-3.3.2-1", V311, "30 __ 0001 ff", RejectBy("MQTT-1.5.3-1", MALFORMED)),
    clause("MQTT-3.3.2-1", V311, "32 __ 0001'a' 00", RejectBy(LENGTH, MALFORMED)),
    clause("MQTT-3.3.2-2", V311, "30 __ 0003'a/+'", Reject(MALFORMED)),
    clause("MQTT-3.3.2-2", V311, "30 __ 0003'a/#'", Reject(MALFORMED)),
    clause("MQTT-3.3.2-2", V311, "30 __ 0003'a+b'", Reject(MALFORMED)),

    // 3.6 PUBREL
    clause("MQTT-3.6.1-1", V311, "60 02 0001", Reject(MALFORMED)),
    clause("MQTT-3.6.1-1", V311, "63 02 0001", Reject(MALFORMED)),
    clause("MQTT-3.6.1-1", V311, "6a 02 0001", Reject(MALFORMED)),
    clause("MQTT-3.6.1-1", V311, "62 02 0001", Accept),

    // 3.8 SUBSCRIBE
    clause("MQTT-3.8.1-1", V311, "80 __ 0001 0001'a' 00", Reject(MALFORMED)),
    clause("MQTT-3.8.1-1", V311, "8a __ 0001 0001'a' 00", Reject(MALFORMED)),
    clause("MQTT-3.8.3-1", V311, "82 __ 0001 0001 ff 00", RejectBy("MQTT-1.5.3-1", MALFORMED)),
    clause("MQTT-3.8.3-2", V311, "82 __ 0001 0007'sport/#' 00 0003'+/x' 01 0001'#' 02", Accept),
    clause("MQTT-3.8.3-3", V311, "82 02 0001", Reject(PROTOCOL)),
    clause("MQTT-3-8.3-4", V311, "82 __ 0001 0001'a' 03", Reject(MALFORMED)),
    clause("MQTT-3-8.3-4", V311, "82 __ 0001 0001'a' 04", Reject(MALFORMED)),
    clause("MQTT-3-8.3-4", V311, "82 __ 0001 0001'a' 81", Reject(MALFORMED)),
    clause("MQTT-3-8.3-4", V311, "82 __ 0001 0001'a'", RejectBy(LENGTH, MALFORMED)),

    // 3.9 SUBACK
    clause("MQTT-3.9.3-2", V311, "90 __ 0001 00 01 02 80", Accept),
    clause("MQTT-3.9.3-2", V311, "90 __ 0001 03", Reject(MALFORMED)),
    clause("MQTT-3.9.3-2", V311, "90 __ 0001 00 87", Reject(MALFORMED)),

    // 3.10 UNSUBSCRIBE
    clause("MQTT-3.10.1-1", V311, "a0 __ 0001 0001'a'", Reject(MALFORMED)),
    clause("MQTT-3.10.1-1", V311, "a3 __ 0001 0001'a'", Reject(MALFORMED)),
    clause("MQTT-3.10.3-1", V311, "a2 __ 0001 0001'a' 0001 ff", RejectBy("MQTT-1.5.3-1", MALFORMED)),
    clause("MQTT-3.10.3-1", V311, "a2 __ 0001 0001'a' 0003'b/#' 0001'+'", Accept),
    clause("MQTT-3.10.3-1", V311, "a2 __ 0001 0001'a' 00", RejectBy(LENGTH, MALFORMED)),
    clause("MQTT-3.10.3-2", V311, "a2 02 0001", Reject(PROTOCOL)),

    // 3.14 DISCONNECT
    clause("MQTT-3.14.1-1", V311, "e1 00", Reject(MALFORMED)),
    clause("MQTT-3.14.1-1", V311, "e8 00", Reject(MALFORMED)),
    clause("MQTT-3.14.1-1", V311, "e0 00", Accept),
];

const WELCOME: ConnAck<'static> =
    ConnAck { session_present: false, code: ConnAck::ACCEPTED, properties: Properties::EMPTY };

fn connect<'a>(packet: &Packet<'a>) -> Connect<'a> {
    if let Packet::Connect(connect) = packet { *connect } else { panic!("not a CONNECT: {packet:?}") }
}

fn will<'a>(packet: &Packet<'a>) -> Option<Will<'a>> {
    connect(packet).will
}

fn in_order(packet: &Packet<'_>) -> bool {
    let connect = connect(packet);
    let will = connect.will.map(|will| (will.topic, will.payload));
    connect.client_id == "1"
        && will == Some(("2", b"3"))
        && connect.username == Some("4")
        && connect.password == Some(b"5")
}
