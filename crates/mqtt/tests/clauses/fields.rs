//! Chapters 1 and 2: texts, flags of the fixed header, packet identifiers.

use mqtt::Version::V311;
use mqtt::packet::{Ack, Disconnect};
use mqtt::{Packet, Reason};

use crate::row::Verdict::{Accept, Close, Reject, RejectBy, Says};
use crate::row::{Row, clause, writes};

const MALFORMED: Reason = Reason::MALFORMED_PACKET;
const PROTOCOL: Reason = Reason::PROTOCOL_ERROR;

pub(crate) const ROWS: &[Row] = &[
    // 1.5.3 Text. A stray continuation, a surrogate, an overlong form, beyond U+10FFFF, a character cut short.
    clause("MQTT-1.5.3-1", V311, "30 __ 0003 'a' c3 28", Reject(MALFORMED)),
    clause("MQTT-1.5.3-1", V311, "30 __ 0005 'a' eda080 'b'", Reject(MALFORMED)),
    clause("MQTT-1.5.3-1", V311, "30 __ 0002 c0af", Reject(MALFORMED)),
    clause("MQTT-1.5.3-1", V311, "30 __ 0004 f4908080", Reject(MALFORMED)),
    clause("MQTT-1.5.3-1", V311, "30 __ 0002 e282 'x'", Reject(MALFORMED)),
    clause("MQTT-1.5.3-1", V311, "30 __ 0005 'A' f0aa9b94 'x'", Accept),
    clause("MQTT-1.5.3-2", V311, "30 __ 0003 'a' 00 'b'", Reject(MALFORMED)),
    clause("MQTT-1.5.3-2", V311, "82 __ 0001 0003 'a' 00 'b' 00", Reject(MALFORMED)),
    clause("MQTT-1.5.3-2", V311, "10 __ 0004'MQTT' 04 02 003c 0002 'a' 00", Close),
    clause("MQTT-1.5.3-3", V311, "30 __ 0004 efbbbf 'a'", Says(|it| topic(it) == "\u{FEFF}a")),
    clause("MQTT-1.5.3-3", V311, "30 __ 0004 efbbbf 'a' efbbbf", Accept),
    // 2.2.2 Flags that are not PUBLISH's, PUBREL's, SUBSCRIBE's or UNSUBSCRIBE's are 0.
    writes("MQTT-2.2.2-1", V311, Packet::PubAck(Ack::success(10)), "40 02 000a"),
    writes("MQTT-2.2.2-1", V311, Packet::PubRec(Ack::success(10)), "50 02 000a"),
    writes("MQTT-2.2.2-1", V311, Packet::PubRel(Ack::success(10)), "62 02 000a"),
    writes("MQTT-2.2.2-1", V311, Packet::PubComp(Ack::success(10)), "70 02 000a"),
    writes("MQTT-2.2.2-1", V311, Packet::PingReq, "c0 00"),
    writes("MQTT-2.2.2-1", V311, Packet::PingResp, "d0 00"),
    writes("MQTT-2.2.2-1", V311, Packet::Disconnect(Disconnect::with(Reason::SUCCESS)), "e0 00"),
    clause("MQTT-2.2.2-1", V311, "82 __ 000a 0001'a' 01", Accept),
    clause("MQTT-2.2.2-1", V311, "a2 __ 000a 0001'a'", Accept),
    clause("MQTT-2.2.2-2", V311, "11 __ 0004'MQTT' 04 02 003c 0001'a'", Close),
    clause("MQTT-2.2.2-2", V311, "18 __ 0004'MQTT' 04 02 003c 0001'a'", Close),
    clause("MQTT-2.2.2-2", V311, "22 02 00 00", Reject(MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "42 02 0001", Reject(MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "58 02 0001", Reject(MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "60 02 0001", RejectBy("MQTT-3.6.1-1", MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "71 02 0001", Reject(MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "92 03 0001 00", Reject(MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "b2 02 0001", Reject(MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "c1 00", Reject(MALFORMED)),
    clause("MQTT-2.2.2-2", V311, "d4 00", Reject(MALFORMED)),
    // 2.3.1 Packet identifiers.
    clause("MQTT-2.3.1-1", V311, "32 __ 0001'a' 0000", Reject(PROTOCOL)),
    clause("MQTT-2.3.1-1", V311, "34 __ 0001'a' 0000 'x'", Reject(PROTOCOL)),
    clause("MQTT-2.3.1-1", V311, "82 __ 0000 0001'a' 00", Reject(PROTOCOL)),
    clause("MQTT-2.3.1-1", V311, "a2 __ 0000 0001'a'", Reject(PROTOCOL)),
    clause("MQTT-2.3.1-1", V311, "32 __ 0001'a' ffff", Accept),
    clause("MQTT-2.3.1-5", V311, "30 __ 0001'a' 1234", Says(|it| payload(it) == [0x12, 0x34])),
    clause("MQTT-2.3.1-5", V311, "30 __ 0001'a' 1234", Accept),
];

fn topic<'a>(packet: &Packet<'a>) -> &'a str {
    if let Packet::Publish(publish) = packet { publish.topic } else { "" }
}

fn payload<'a>(packet: &Packet<'a>) -> &'a [u8] {
    if let Packet::Publish(publish) = packet { publish.payload } else { &[] }
}
