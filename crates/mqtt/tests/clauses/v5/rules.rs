//! Rules of 5.0 that its standard gives no number, by its sections. Not complete: the numbered ones stand beside it.

use mqtt::Packet;
use mqtt::Reason;
use mqtt::Version::V5;
use mqtt::packet::{Ack, Disconnect};

use crate::row::Verdict::{Accept, Answer, Reject, RejectBy, Says};
use crate::row::{Row, clause, writes};

const MALFORMED: Reason = Reason::MALFORMED_PACKET;
const PROTOCOL: Reason = Reason::PROTOCOL_ERROR;

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // 1.5.5 Numbers of variable length are as short as can be.
    clause("5.0 § 1.5.5", V5, "c0 80 00", Reject(MALFORMED)),
    clause("5.0 § 1.5.5", V5, "30 __ 0001'a' 8000", Reject(MALFORMED)),
    clause("5.0 § 1.5.5", V5, "10 8e00 0004'MQTT' 05 02 003c 00 0001'a'", Answer("20 03 00 81 00")),
    // 2.2.2 Properties
    clause("5.0 § 2.2.2.2", V5, "30 __ 0001'a' 02 7e 00", Reject(MALFORMED)),
    clause("5.0 § 2.2.2.2", V5, "30 __ 0001'a' 03 21 0001", Reject(MALFORMED)),
    clause("5.0 § 2.2.2.2", V5, "30 __ 0001'a' 04 01 00 01 00", Reject(PROTOCOL)),
    clause("5.0 § 2.2.2.2", V5, "30 __ 0001'a' 01 02", RejectBy("§ 2.2.3", MALFORMED)),
    clause("5.0 § 2.2.2.2", V5, "30 __ 0001'a' 05 01", RejectBy("§ 2.2.3", MALFORMED)),
    clause("5.0 § 2.2.2.2", V5, "30 __ 0001'a' 0e 26 0001'k' 0001'v' 26 0001'k' 0001'v' 'x'", Accept),
    // 2.4 Reason codes belong to their packets.
    clause("5.0 § 2.4", V5, "40 03 0001 92", Reject(MALFORMED)),
    clause("5.0 § 2.4", V5, "62 03 0001 10", Reject(MALFORMED)),
    clause("5.0 § 2.4", V5, "e0 01 86", Reject(MALFORMED)),
    clause("5.0 § 2.4", V5, "f0 __ 80 00", Reject(MALFORMED)),
    // 3.1 CONNECT
    clause("5.0 § 3.1.2.9", V5, "10 11 0004'MQTT' 05 42 003c 00 0001'a' 0001'p'", Accept),
    clause("5.0 § 3.1.2.11", V5, "10 __ 0004'MQTT' 05 02 003c 03 21 0000 0001'a'", Answer("20 03 00 82 00")),
    clause("5.0 § 3.1.2.11", V5, "10 __ 0004'MQTT' 05 02 003c 05 27 00000000 0001'a'", Answer("20 03 00 82 00")),
    clause("5.0 § 3.1.2.11", V5, "10 __ 0004'MQTT' 05 02 003c 02 17 02 0001'a'", Answer("20 03 00 82 00")),
    clause("5.0 § 3.1.2.11.10", V5, "10 __ 0004'MQTT' 05 02 003c 04 16 0001'x' 0001'a'", Answer("20 03 00 82 00")),
    clause("5.0 § 3.1.2.11.10", V5, "10 __ 0004'MQTT' 05 02 003c 08 16 0001'x' 15 0001'm' 0001'a'", Accept),
    clause("5.0 § 3.1.3.2", V5, "10 __ 0004'MQTT' 05 06 003c 00 0001'a' 05 18 00000005 0001't' 0001'm'", Accept),
    clause("5.0 § 3.1.3.2", V5, "10 __ 0004'MQTT' 05 06 003c 00 0001'a' 05 11 00000005 0001't' 0001'm'", Answer("20 03 00 81 00")),
    // 3.3 PUBLISH
    clause("5.0 § 3.3.2.1", V5, "30 __ 0000 00 'x'", Reject(PROTOCOL)),
    clause("5.0 § 3.3.2.1", V5, "30 __ 0000 03 23 0001 'x'", Accept),
    clause("5.0 § 2.2.2", V5, "30 __ 0001'a' 03 23 0000", Reject(Reason::TOPIC_ALIAS_INVALID)),
    clause("5.0 § 2.2.2", V5, "30 __ 0001'a' 02 0b 00", Reject(PROTOCOL)),
    clause("5.0 § 2.2.2", V5, "30 __ 0001'a' 02 01 02", Reject(PROTOCOL)),
    clause("5.0 § 3.3.2.3.5", V5, "30 __ 0001'a' 06 08 0003'r/+'", Reject(PROTOCOL)),
    clause("5.0 § 3.3.2.3.5", V5, "30 __ 0001'a' 06 08 0003'r/t'", Accept),
    // 3.4 to 3.7 Acknowledgements leave out what is usual.
    writes("5.0 § 3.4.2.1", V5, Packet::PubAck(Ack::success(1)), "40 02 0001"),
    writes("5.0 § 3.4.2.1", V5, Packet::PubAck(Ack::with(1, Reason::NOT_AUTHORIZED)), "40 03 0001 87"),
    clause("5.0 § 3.4.2.1", V5, "40 04 0001 00 00", Says(|it| *it == Packet::PubAck(Ack::success(1)))),
    clause("5.0 § 3.4.2.2", V5, "40 __ 0001 10 04 1f 0001'r'", Accept),
    // 3.8 SUBSCRIBE
    clause("5.0 § 3.8.3.1", V5, "82 __ 0001 00 0001'a' 2e", Accept),
    clause("5.0 § 3.8.3.1", V5, "82 __ 0001 00 0001'a' 40", Reject(MALFORMED)),
    clause("5.0 § 3.8.3.1", V5, "82 __ 0001 00 0001'a' 80", Reject(MALFORMED)),
    clause("5.0 § 3.8.3.1", V5, "82 __ 0001 00 0001'a' 30", Reject(PROTOCOL)),
    clause("5.0 § 3.8.3.1", V5, "82 __ 0001 00 000a'$share/g/a' 04", Reject(PROTOCOL)),
    clause("5.0 § 3.8.3.1", V5, "82 __ 0001 02 0b 00 0001'a' 00", RejectBy("5.0 § 2.2.2", PROTOCOL)),
    clause("5.0 § 4.8.2", V5, "82 __ 0001 00 000a'$share/g/a' 00", Accept),
    clause("5.0 § 4.8.2", V5, "82 __ 0001 00 0008'$share/g' 00", Reject(MALFORMED)),
    clause("5.0 § 4.8.2", V5, "82 __ 0001 00 0009'$share//a' 00", Reject(MALFORMED)),
    clause("5.0 § 4.8.2", V5, "82 __ 0001 00 0009'$share/g/' 00", Reject(MALFORMED)),
    clause("5.0 § 4.8.2", V5, "82 __ 0001 00 000a'$share/+/a' 00", Reject(MALFORMED)),
    // 3.9 and 3.11 Answers
    clause("5.0 § 3.9.3", V5, "90 __ 0001 00 02 8f a2", Accept),
    clause("5.0 § 3.11.3", V5, "b0 __ 0001 00 00 11 8f", Accept),
    clause("5.0 § 3.11.3", V5, "b0 __ 0001 00 01", Reject(MALFORMED)),
    // 3.14 DISCONNECT
    writes("5.0 § 3.14.2.1", V5, Packet::Disconnect(Disconnect::with(Reason::SUCCESS)), "e0 00"),
    writes("5.0 § 3.14.2.1", V5, Packet::Disconnect(Disconnect::with(Reason::SESSION_TAKEN_OVER)), "e0 01 8e"),
    clause("5.0 § 3.14.2.1", V5, "e0 __ 04 05 11 00000000", Accept),
    // 3.15 AUTH
    clause("5.0 § 3.15.2.2.2", V5, "f0 __ 18 00", Reject(PROTOCOL)),
    clause("5.0 § 3.15.2.2.2", V5, "f0 __ 18 04 15 0001'm'", Accept),
    clause("5.0 § 3.15.2.1", V5, "f0 00", Accept),
];
