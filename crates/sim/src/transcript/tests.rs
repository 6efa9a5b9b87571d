//! The format, as its text promises it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn only(line: &str) -> Act {
    let steps = parse(line).unwrap();
    assert_eq!(steps.len(), 1, "{line}");
    steps[0].act.clone()
}

fn device(device_type: &str, name: &str) -> DeviceRef {
    DeviceRef { device_type: device_type.to_owned(), name: name.to_owned() }
}

#[test]
fn comments_say_nothing_and_facts_are_steps() {
    let steps =
        parse("# Spec 1\n\ngiven org abc123 · gateway gw/g1 token t · type mote\n  \ng1> PINGREQ\n").unwrap();
    assert_eq!(steps.iter().map(|it| it.line).collect::<Vec<_>>(), [3, 3, 3, 5]);
    assert_eq!(steps[0].act, Act::Given(Given::Org("abc123".to_owned())));
    let gateway = Given::Device {
        class: Class::Gateway,
        device: device("gw", "g1"),
        token: "t".to_owned(),
        enabled: true,
    };
    assert_eq!(steps[1].act, Act::Given(gateway));
    assert_eq!(steps[3].act, Act::Says { client: "g1".to_owned(), said: Said::Ping });
}

#[test]
fn a_publish_is_read_to_the_end_of_the_line() {
    let Act::Says { said: Said::Publish(it), .. } = only("g1> PUBLISH q1 #7 dup retain a/b x {\"y\": 1}")
    else {
        panic!("no PUBLISH");
    };
    assert_eq!(
        (it.qos, it.packet_id, it.dup, it.retain),
        (QoS::AtLeastOnce, Some(PacketId::Number(7)), true, true)
    );
    assert_eq!((it.topic.as_str(), it.payload), ("a/b", Payload::Bytes(b"x {\"y\": 1}".to_vec())));
    let Act::Says { said: Said::Publish(it), .. } = only("g1> PUBLISH q0 a/b *3") else {
        panic!("no PUBLISH")
    };
    assert_eq!(it.payload, Payload::Bytes(b"xxx".to_vec()));
    let Act::Hears { heard: Heard::Publish(it), .. } = only("g1< PUBLISH q2 #a a/b ~{\"RC\":\"276\"}") else {
        panic!("no PUBLISH");
    };
    assert_eq!(it.packet_id, Some(PacketId::Name("a".to_owned())));
    assert_eq!(it.payload, Payload::Subset("{\"RC\":\"276\"}".to_owned()));
}

#[test]
fn answers_and_facts_are_read() {
    let heard = |line: &str| match only(line) {
        Act::Hears { heard, .. } => heard,
        other => panic!("{other:?}"),
    };
    assert_eq!(heard("a< CONNACK 0 present"), Heard::ConnAck { code: 0, present: true });
    assert_eq!(heard("a< SUBACK #1 1 0x80"), Heard::SubAck { packet_id: 1, codes: vec![1, 0x80] });
    assert_eq!(heard("a< PUBACK #1 0x90"), Heard::Ack(Ack::Ack, PacketId::Number(1), 0x90));
    let point = Fact::Point {
        device: device("mote", "m7"),
        key: "status.t".to_owned(),
        value: Some(PointValue::F64(21.5)),
    };
    assert_eq!(only("=> point mote/m7 status.t = 21.5"), Act::Knows(point));
}

#[test]
fn a_mistake_names_its_line() {
    for wrong in [
        "hello",
        "given nothing",
        "g1> PUBLISH q1 a/b x",
        "g1> PUBLISH q0 #1 a/b x",
        "g1> SUBSCRIBE #1 a/b",
        "g1> CONNECT v6 id=x",
        "g1< SUBACK #1 256",
        "=> point mote status = 1",
    ] {
        assert_eq!(parse(&format!("# x\n{wrong}")).unwrap_err().line, 2, "{wrong}");
    }
}
