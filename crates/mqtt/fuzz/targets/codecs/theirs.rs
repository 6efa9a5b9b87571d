//! The other codec: what it makes of a packet.

use mqtt::Version;
use mqtt::packet::Kind;
use mqtt_proto::v3::{self, SubscribeReturnCode};
use mqtt_proto::v5::{self, ErrorV5};
use mqtt_proto::{Error, Pid, Protocol, QosPid};

use super::said::Said;

/// Reads one packet and says what it says, or why it could not be read.
pub(super) fn read(packet: &[u8], version: Version) -> Result<Said, String> {
    let is_connect = packet.first().is_some_and(|first| first >> 4 == Kind::Connect as u8);
    // A CONNECT says its version itself.
    match (version, is_connect) {
        (Version::V5, false) => read_v5(packet).map_err(|error| format!("{error:?}")),
        (_, false) => read_v3(packet).map_err(|error| format!("{error:?}")),
        (_, true) => match read_v3(packet) {
            Err(Error::UnexpectedProtocol(Protocol::V500)) => {
                read_v5(packet).map_err(|error| format!("{error:?}"))
            }
            read => read.map_err(|error| format!("{error:?}")),
        },
    }
}

fn read_v3(packet: &[u8]) -> Result<Said, Error> {
    const CUT_SHORT: Error = Error::InvalidRemainingLength;
    Ok(said_v3(v3::Packet::decode(packet)?.ok_or(CUT_SHORT)?).sorted())
}

fn read_v5(packet: &[u8]) -> Result<Said, ErrorV5> {
    const CUT_SHORT: ErrorV5 = ErrorV5::Common(Error::InvalidRemainingLength);
    Ok(said_v5(v5::Packet::decode(packet)?.ok_or(CUT_SHORT)?).sorted())
}

/// A packet that is an identifier and perhaps a reason.
fn said_ack(kind: Kind, pid: Pid, reason: u8) -> Said {
    let mut said = Said::new(kind);
    said.fact("packet id", pid.value());
    said.fact("reason", reason);
    said
}

fn said_connect(protocol: Protocol, clean_start: bool, keep_alive_s: u16, client_id: &str) -> Said {
    let mut said = Said::new(Kind::Connect);
    said.fact(
        "version",
        match protocol {
            Protocol::V310 => Version::V31,
            Protocol::V311 => Version::V311,
            Protocol::V500 => Version::V5,
        },
    );
    said.fact("clean start", clean_start);
    said.fact("keep alive", keep_alive_s);
    said.fact("client id", client_id);
    said
}

fn said_publish(dup: bool, qos_pid: QosPid, retain: bool, topic: &str, payload: &[u8]) -> Said {
    let mut said = Said::new(Kind::Publish);
    said.fact("dup", dup);
    said.fact("qos", qos_pid.qos() as u8);
    said.fact("retain", retain);
    said.fact("topic", topic);
    said.fact("packet id", qos_pid.pid().map(Pid::value));
    said.fact("payload", payload);
    said
}

fn said_v3(packet: v3::Packet) -> Said {
    use v3::Packet::*;
    match packet {
        Connect(it) => {
            let mut said = said_connect(it.protocol, it.clean_session, it.keep_alive, &it.client_id);
            said.fact("user name", it.username.as_deref());
            said.fact("password", it.password.as_deref());
            if let Some(will) = it.last_will {
                said.fact("will topic", &*will.topic_name);
                said.fact("will payload", &*will.message);
                said.fact("will qos", will.qos as u8);
                said.fact("will retain", will.retain);
            }
            said
        }
        Connack(it) => {
            let mut said = Said::new(Kind::ConnAck);
            said.fact("session present", it.session_present);
            said.fact("reason", it.code as u8);
            said
        }
        Publish(it) => said_publish(it.dup, it.qos_pid, it.retain, &it.topic_name, &it.payload),
        Puback(pid) => said_ack(Kind::PubAck, pid, 0),
        Pubrec(pid) => said_ack(Kind::PubRec, pid, 0),
        Pubrel(pid) => said_ack(Kind::PubRel, pid, 0),
        Pubcomp(pid) => said_ack(Kind::PubComp, pid, 0),
        Subscribe(it) => {
            let mut said = Said::new(Kind::Subscribe);
            said.fact("packet id", it.pid.value());
            for (filter, qos) in &it.topics {
                said.fact("filter", (&**filter, *qos as u8, (false, false, 0u8)));
            }
            said
        }
        Suback(it) => {
            let mut said = Said::new(Kind::SubAck);
            said.fact("packet id", it.pid.value());
            let code = |it: &SubscribeReturnCode| match it {
                SubscribeReturnCode::MaxLevel0 => 0u8,
                SubscribeReturnCode::MaxLevel1 => 1,
                SubscribeReturnCode::MaxLevel2 => 2,
                SubscribeReturnCode::Failure => 0x80,
            };
            said.fact("codes", it.topics.iter().map(code).collect::<Vec<_>>());
            said
        }
        Unsubscribe(it) => {
            let mut said = Said::new(Kind::Unsubscribe);
            said.fact("packet id", it.pid.value());
            it.topics.iter().for_each(|filter| said.fact("filter", &**filter));
            said
        }
        Unsuback(pid) => {
            let mut said = Said::new(Kind::UnsubAck);
            said.fact("packet id", pid.value());
            said.fact("codes", [0u8; 0]);
            said
        }
        Pingreq => Said::new(Kind::PingReq),
        Pingresp => Said::new(Kind::PingResp),
        Disconnect => {
            let mut said = Said::new(Kind::Disconnect);
            said.fact("reason", 0u8);
            said
        }
    }
}

/// States the properties that are there: the name of each field, its number, and what to make of its value.
macro_rules! properties {
    ($said:ident, $of:literal, $properties:expr, [$($field:ident $number:literal $value:ident),*]) => {
        $(if let Some(value) = &$properties.$field {
            $said.property($of, $number, $value(value));
        })*
        for pair in &$properties.user_properties {
            $said.property($of, 0x26, (&*pair.name, &*pair.value));
        }
    };
}

fn flag(value: &bool) -> u8 {
    u8::from(*value)
}

fn number<T: Copy>(value: &T) -> T {
    *value
}

fn variable(value: &v5::VarByteInt) -> u32 {
    value.value()
}

fn quality(value: &mqtt_proto::QoS) -> u8 {
    *value as u8
}

fn text<T: std::ops::Deref<Target = str>>(value: &T) -> &str {
    value
}

fn data(value: &bytes::Bytes) -> &[u8] {
    value
}

fn said_v5(packet: v5::Packet) -> Said {
    use v5::Packet::*;
    macro_rules! explained {
        ($kind:ident, $it:ident) => {{
            let mut said = said_ack(Kind::$kind, $it.pid, $it.reason_code as u8);
            properties!(said, "property", $it.properties, [reason_string 0x1F text]);
            said
        }};
    }
    match packet {
        Connect(it) => said_connect_v5(&it),
        Connack(it) => said_connack_v5(&it),
        Publish(it) => said_publish_v5(&it),
        Puback(it) => explained!(PubAck, it),
        Pubrec(it) => explained!(PubRec, it),
        Pubrel(it) => explained!(PubRel, it),
        Pubcomp(it) => explained!(PubComp, it),
        Subscribe(it) => {
            let mut said = Said::new(Kind::Subscribe);
            said.fact("packet id", it.pid.value());
            for (filter, options) in &it.topics {
                let handling = (options.no_local, options.retain_as_published, options.retain_handling as u8);
                said.fact("filter", (&**filter, options.max_qos as u8, handling));
            }
            properties!(said, "property", it.properties, [subscription_id 0x0B variable]);
            said
        }
        Suback(it) => {
            let mut said = Said::new(Kind::SubAck);
            said.fact("packet id", it.pid.value());
            said.fact("codes", it.topics.iter().map(|code| *code as u8).collect::<Vec<_>>());
            properties!(said, "property", it.properties, [reason_string 0x1F text]);
            said
        }
        Unsubscribe(it) => {
            let mut said = Said::new(Kind::Unsubscribe);
            said.fact("packet id", it.pid.value());
            it.topics.iter().for_each(|filter| said.fact("filter", &**filter));
            properties!(said, "property", it.properties, []);
            said
        }
        Unsuback(it) => {
            let mut said = Said::new(Kind::UnsubAck);
            said.fact("packet id", it.pid.value());
            said.fact("codes", it.topics.iter().map(|code| *code as u8).collect::<Vec<_>>());
            properties!(said, "property", it.properties, [reason_string 0x1F text]);
            said
        }
        Pingreq => Said::new(Kind::PingReq),
        Pingresp => Said::new(Kind::PingResp),
        Disconnect(it) => {
            let mut said = Said::new(Kind::Disconnect);
            said.fact("reason", it.reason_code as u8);
            properties!(said, "property", it.properties, [
                session_expiry_interval 0x11 number, reason_string 0x1F text, server_reference 0x1C text
            ]);
            said
        }
        Auth(it) => {
            let mut said = Said::new(Kind::Auth);
            said.fact("reason", it.reason_code as u8);
            properties!(said, "property", it.properties, [
                auth_method 0x15 text, auth_data 0x16 data, reason_string 0x1F text
            ]);
            said
        }
    }
}

fn said_connect_v5(it: &v5::Connect) -> Said {
    let mut said = said_connect(it.protocol, it.clean_start, it.keep_alive, &it.client_id);
    said.fact("user name", it.username.as_deref());
    said.fact("password", it.password.as_deref());
    properties!(said, "property", it.properties, [
        session_expiry_interval 0x11 number, receive_max 0x21 number, max_packet_size 0x27 number,
        topic_alias_max 0x22 number, request_response_info 0x19 flag, request_problem_info 0x17 flag,
        auth_method 0x15 text, auth_data 0x16 data
    ]);
    if let Some(will) = &it.last_will {
        said.fact("will topic", &*will.topic_name);
        said.fact("will payload", &*will.payload);
        said.fact("will qos", will.qos as u8);
        said.fact("will retain", will.retain);
        properties!(said, "will", will.properties, [
            delay_interval 0x18 number, payload_is_utf8 0x01 flag, message_expiry_interval 0x02 number,
            content_type 0x03 text, response_topic 0x08 text, correlation_data 0x09 data
        ]);
    }
    said
}

fn said_connack_v5(it: &v5::Connack) -> Said {
    let mut said = Said::new(Kind::ConnAck);
    said.fact("session present", it.session_present);
    said.fact("reason", it.reason_code as u8);
    properties!(said, "property", it.properties, [
        session_expiry_interval 0x11 number, receive_max 0x21 number, max_qos 0x24 quality,
        retain_available 0x25 flag, max_packet_size 0x27 number, assigned_client_id 0x12 text,
        topic_alias_max 0x22 number, reason_string 0x1F text, wildcard_subscription_available 0x28 flag,
        subscription_id_available 0x29 flag, shared_subscription_available 0x2A flag,
        server_keep_alive 0x13 number, response_info 0x1A text, server_reference 0x1C text,
        auth_method 0x15 text, auth_data 0x16 data
    ]);
    said
}

fn said_publish_v5(it: &v5::Publish) -> Said {
    let mut said = said_publish(it.dup, it.qos_pid, it.retain, &it.topic_name, &it.payload);
    properties!(said, "property", it.properties, [
        payload_is_utf8 0x01 flag, message_expiry_interval 0x02 number, topic_alias 0x23 number,
        response_topic 0x08 text, correlation_data 0x09 data, subscription_id 0x0B variable,
        content_type 0x03 text
    ]);
    said
}
