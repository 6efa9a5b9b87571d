//! Whatever a peer may send: its own connection suffers for it, with a recorded reason; nobody else notices.

use mqtt::codec::{self, Frame};
use mqtt::packet::{
    Ack, Disconnect, FilterRequest, FilterRequests, Filters, Packet, Publish, Subscribe, Unsubscribe,
};
use mqtt::property::Properties;
use mqtt::{Reason, Version};
use sim::{Client, Fault, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, KEY, PATIENCE, TOKEN};
use crate::steps::{
    Q0, Q1, Q2, VERSIONS, connect_bytes, so_far, texts, until_closed, wire_next, wire_until_closed,
};

const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";
const COMMANDS: &str = "iot-2/type/+/id/+/cmd/+/fmt/+";

fn gateway() -> Options {
    House::device("g:abc123:gw:g1")
}

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// Changes a few bytes: turned over, taken out, put in, cut off, or said twice.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 | 1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes[at] = self.below(256) as u8,
                3 => bytes.insert(at, self.below(256) as u8),
                4 if bytes.len() > 2 => bytes.truncate(at.max(1)),
                _ => bytes.extend_from_within(at..),
            }
        }
    }
}

/// One valid packet of each kind that a client sends.
fn valid_packets(version: Version) -> Vec<Vec<u8>> {
    let publish = |qos, packet_id| {
        let topic = "iot-2/type/dev/id/mutant/evt/status/fmt/json";
        let (payload, properties) = (&b"{\"t\":1}"[..], Properties::EMPTY);
        Packet::Publish(Publish { dup: false, qos, retain: false, topic, packet_id, properties, payload })
    };
    let (mut requests, mut names) = (Vec::new(), Vec::new());
    FilterRequest::new("iot-2/type/dev/id/mutant/cmd/+/fmt/+", Q1).encode(&mut requests);
    Filters::encode_one("iot-2/type/dev/id/mutant/cmd/+/fmt/+", &mut names);
    let packets = [
        publish(Q0, 0),
        publish(Q1, 1),
        publish(Q2, 2),
        Packet::PubAck(Ack::success(1)),
        Packet::PubRec(Ack::success(1)),
        Packet::PubRel(Ack::success(2)),
        Packet::PubComp(Ack::success(1)),
        Packet::Subscribe(Subscribe {
            packet_id: 3,
            properties: Properties::EMPTY,
            filters: FilterRequests::new(&requests, version).unwrap(),
        }),
        Packet::Unsubscribe(Unsubscribe {
            packet_id: 4,
            properties: Properties::EMPTY,
            filters: Filters::new(&names, version).unwrap(),
        }),
        Packet::PingReq,
        Packet::Disconnect(Disconnect::with(Reason::SUCCESS)),
    ];
    let encoded = packets.iter().map(|packet| {
        let mut bytes = Vec::new();
        codec::encode(packet, version, &mut bytes);
        bytes
    });
    encoded.chain([connect_bytes(&gateway().version(version))]).collect()
}

/// Two well-behaved clients that must not notice anything.
struct Witnesses {
    sender: Client,
    receiver: Client,
}

impl Witnesses {
    async fn take_place(house: &House) -> Witnesses {
        let mut receiver = house.client(House::application("a:abc123:witness")).await;
        receiver.subscribe(&[("iot-2/type/gw/id/g2/evt/witness/fmt/text", Q1)]).await.unwrap();
        Witnesses { sender: house.client(House::device("g:abc123:gw:g2")).await, receiver }
    }

    async fn are_served(&mut self) {
        let topic = "iot-2/type/gw/id/g2/evt/witness/fmt/text";
        self.sender.publish_done(topic, b"still here", Q1).await.unwrap();
        assert_eq!(texts(&mut self.receiver, 1).await, ["still here"]);
    }
}

/// Says these bytes, ends its direction, and reads until the server ends its own.
async fn answer_to(house: &House, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(house.mqtt()).await.unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4_096]);
    let talk = async {
        // The server may close before it has taken everything: then writing, or reading on, fails.
        if stream.write_all(bytes).await.is_ok() {
            stream.shutdown().await.ok();
        }
        while let Ok(count @ 1..) = stream.read(&mut piece).await {
            answer.extend_from_slice(&piece[..count]);
        }
    };
    timeout(PATIENCE, talk).await.unwrap_or_else(|_| panic!("the server did not close: {bytes:?}"));
    answer
}

/// Whatever the server says is MQTT, even to those who do not speak it.
fn assert_all_mqtt(mut said: &[u8], version: Version, seed: u64) {
    while let Ok(Frame::Whole { len }) = codec::frame(said, said.len()) {
        let (packet, rest) = said.split_at(len);
        let read = codec::decode(packet, version);
        assert!(read.is_ok(), "seed {seed}: {read:?}");
        said = rest;
    }
    assert_eq!(said, b"", "seed {seed}");
}

#[tokio::test]
async fn mutated_packets_harm_nobody_else() {
    let house = House::open().await;
    let mut witnesses = Witnesses::take_place(&house).await;
    for seed in 1..=600_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let version = VERSIONS[random.below(3)];
        let packets = valid_packets(version);
        let mut bytes = Vec::new();
        for _ in 0..=random.below(3) {
            let mut packet = packets[random.below(packets.len())].clone();
            random.mutate(&mut packet);
            bytes.append(&mut packet);
        }
        let logs_in = seed % 2 == 0;
        if logs_in {
            bytes.splice(0..0, connect_bytes(&gateway().version(version)));
        }
        let answer = answer_to(&house, &bytes).await;
        if logs_in {
            assert_eq!(answer.first(), Some(&0x20), "seed {seed}: a CONNACK");
            assert_all_mqtt(&answer, version, seed);
        }
        if seed % 20 == 0 {
            witnesses.are_served().await;
        }
    }
    witnesses.are_served().await;
    assert_eq!(so_far(&mut witnesses.receiver).await, []);
    house.stat_reaches("/refusals/malformed", 100).await;
    house.close().await;
}

/// Malformed or out of place, for a client that is logged in (3.1.1).
const MALFORMED: [(&str, &[u8]); 22] = [
    ("a reserved type", b"\x00\x00"),
    ("a type of 5.0", b"\xF0\x00"),
    ("a second CONNECT", b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01a"),
    ("a CONNACK", b"\x20\x02\x00\x00"),
    ("a SUBACK", b"\x90\x03\x00\x01\x00"),
    ("an UNSUBACK", b"\xB0\x02\x00\x01"),
    ("a PINGRESP", b"\xD0\x00"),
    ("a PUBLISH at QoS 3", b"\x36\x05\x00\x01a\x00\x01"),
    ("DUP at QoS 0", b"\x38\x03\x00\x01a"),
    ("packet id 0", b"\x32\x05\x00\x01a\x00\x00"),
    ("a topic that is not UTF-8", b"\x30\x04\x00\x02\xC3\x28"),
    ("a topic with NUL", b"\x30\x03\x00\x01\x00"),
    ("an empty topic", b"\x30\x02\x00\x00"),
    ("a topic with a wildcard", b"\x30\x05\x00\x03a/#"),
    ("a topic longer than its packet", b"\x30\x03\x00\xFFa"),
    ("PUBREL with wrong flags", b"\x60\x02\x00\x01"),
    ("SUBSCRIBE with wrong flags", b"\x80\x06\x00\x01\x00\x01a\x00"),
    ("SUBSCRIBE without a filter", b"\x82\x02\x00\x01"),
    ("SUBSCRIBE at QoS 3", b"\x82\x06\x00\x01\x00\x01a\x03"),
    ("a filter with # in the middle", b"\x82\x08\x00\x01\x00\x03#/a\x00"),
    ("PINGREQ with a body", b"\xC0\x01\x00"),
    ("a length of five bytes", b"\x30\x80\x80\x80\x80\x01"),
];

#[tokio::test]
async fn every_kind_of_malformed_packet_closes_with_a_recorded_reason() {
    let house = House::open().await;
    let mut witnesses = Witnesses::take_place(&house).await;
    let mut listener = house.client(House::application("a:abc123:listener")).await;
    listener.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    for (count, (what, bytes)) in MALFORMED.iter().enumerate() {
        let mut client = house.client(gateway()).await;
        client.publish_done(EVENT, b"before", Q1).await.unwrap();
        client.send_bytes(bytes).await.unwrap();
        assert_eq!(until_closed(&mut client).await, [""; 0], "{what}");
        assert_eq!(texts(&mut listener, 1).await, ["before"], "{what}");
        let refusals = house.refusals().await;
        assert_eq!(refusals.len(), count + 1, "{what}");
        let newest = &refusals[0];
        assert_eq!(
            (&newest["code"], &newest["peer"]),
            (&"malformed".into(), &"g:abc123:gw:g1".into()),
            "{what}"
        );
        assert_eq!((&newest["request"], &newest["org"]), (&"packet".into(), &"abc123".into()), "{what}");
    }
    witnesses.are_served().await;
    assert_eq!(so_far(&mut listener).await.len(), 1, "the witnesses' message and nothing else");
    house.close().await;
}

#[tokio::test]
async fn garbage_in_and_behind_a_connect_is_refused() {
    let house = House::open().await;
    let login = connect_bytes(&gateway());
    let with = |at: usize, byte: u8| {
        let mut bytes = login.clone();
        bytes[at] = byte;
        bytes
    };
    // Flags of the header, the protocol's name, reserved and contradictory flags, a client id that is not UTF-8.
    for bytes in [with(0, 0x11), with(4, b'Z'), with(9, 0xC3), with(9, 0x42), with(14, 0xFF), with(1, 0x0C)] {
        let before = house.refusals().await.len();
        let mut wire = house.wire(Version::V311).await;
        wire.push_bytes(&bytes);
        wire.flush().await.unwrap();
        assert_eq!(wire_until_closed(&mut wire).await, [""; 0], "{bytes:?}");
        let refusals = house.refusals().await;
        assert_eq!((refusals.len(), &refusals[0]["code"]), (before + 1, &"malformed".into()), "{bytes:?}");
    }
    // An unknown level is told so.
    let mut wire = house.wire(Version::V311).await;
    wire.push_bytes(&with(8, 3));
    wire.flush().await.unwrap();
    assert_eq!(wire_next(&mut wire, |it| if let Packet::ConnAck(it) = it { it.code } else { 0 }).await, 1);
    assert_eq!(wire_until_closed(&mut wire).await, [""; 0]);
    // Behind a good one, garbage ends the connection that was let in.
    let mut wire = house.wire(Version::V311).await;
    wire.push_bytes(&login);
    wire.push_bytes(&[0xFF; 300]);
    wire.flush().await.unwrap();
    assert_eq!(wire_next(&mut wire, |it| if let Packet::ConnAck(it) = it { it.code } else { 9 }).await, 0);
    assert_eq!(wire_until_closed(&mut wire).await, [""; 0]);
    house.client(gateway()).await.ping().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn packets_may_come_byte_by_byte_and_what_is_cut_short_is_not_taken() {
    let house = House::open().await;
    let mut listener = house.client(House::application("a:abc123:listener")).await;
    listener.subscribe(&[(EVENTS, Q1)]).await.unwrap();
    for version in VERSIONS {
        let mut bytes = connect_bytes(&gateway().version(version));
        let connect_len = bytes.len();
        let (properties, payload) = (Properties::EMPTY, &b"whole"[..]);
        let publish =
            Publish { dup: false, qos: Q1, retain: false, topic: EVENT, packet_id: 1, properties, payload };
        codec::encode(&Packet::Publish(publish), version, &mut bytes);
        let mut wire = house.wire(version).await;
        for byte in &bytes {
            wire.push_bytes(&[*byte]);
            wire.flush().await.unwrap();
        }
        assert!(wire_next(&mut wire, |it| matches!(it, Packet::ConnAck(_))).await);
        assert!(wire_next(&mut wire, |it| matches!(it, Packet::PubAck(_))).await);
        assert_eq!(texts(&mut listener, 1).await, ["whole"]);
        for cut in connect_len + 1..bytes.len() {
            let answer = answer_to(&house, &bytes[..cut]).await;
            assert_eq!(answer.first(), Some(&0x20), "a CONNACK");
        }
    }
    let mut client = house.client(gateway()).await;
    client.publish_done(EVENT, b"last", Q1).await.unwrap();
    assert_eq!(texts(&mut listener, 1).await, ["last"]);
    house.close().await;
}

/// Who is refused at the door, and why.
#[tokio::test]
async fn who_may_not_come_in_is_refused_with_a_reason() {
    let house = House::open().await;
    let key_of = |org: &str| format!("a-{org}-0123456789");
    let cases = [
        (House::device("g:zzz999:gw:g1"), 5, "org_unknown"),
        (House::device("g:abc123:gw:nobody"), 5, "device_unknown"),
        (House::device("g:abc123:nothing:g1"), 5, "device_unknown"),
        (House::device("g:abc123:dev:d1"), 5, "class_mismatch"),
        (House::device("d:abc123:gw:g1"), 5, "class_mismatch"),
        (gateway().login("use-token-auth", "wrong"), 5, "token_wrong"),
        (gateway().login("someone", TOKEN), 5, "token_wrong"),
        (Options::new("g:abc123:gw:g1"), 5, "token_wrong"),
        (House::application("a:zzz999:app"), 5, "org_mismatch"),
        (House::application("a:abc123:app").login(key_of("zzz999"), TOKEN), 5, "org_mismatch"),
        (House::application("a:abc123:app").login("a-abc123-unknown", TOKEN), 5, "key_unknown"),
        (House::application("a:abc123:app").login(KEY, "wrong"), 5, "token_wrong"),
        (House::application("g:abc123:gw:g1"), 5, "token_wrong"),
        (House::device("g:abc123:gw:g+1"), 2, "client_id_invalid"),
        (House::device("whoever"), 5, "client_id_unrecognised"),
    ];
    for (count, (options, expected, reason)) in cases.into_iter().enumerate() {
        let name = format!("{} {:?}", options.client_id, options.username);
        match Client::connect(house.mqtt(), options).await {
            Err(Fault::Refused { code }) => assert_eq!(code, expected, "{name}"),
            other => panic!("{name}: {:?}", other.err()),
        }
        let refusals = house.refusals().await;
        assert_eq!(refusals.len(), count + 1, "{name}");
        assert_eq!(
            (&refusals[0]["code"], &refusals[0]["request"]),
            (&reason.into(), &"connect".into()),
            "{name}"
        );
    }
    house.close().await;
}

/// What those inside may not do: a gateway stays connected, others are closed; nobody receives it, and it is recorded.
#[tokio::test]
async fn what_a_client_may_not_do_is_refused_with_a_reason() {
    let house = House::open().await;
    let mut listener = house.client(House::application("a:abc123:listener")).await;
    listener.subscribe(&[(EVENTS, Q1), (COMMANDS, Q1)]).await.unwrap();
    let gateway_topics = [
        ("iot-2/type/dev/id/d1/cmd/do/fmt/text", "topic_invalid"),
        ("iot-2/evt/status/fmt/text", "topic_invalid"),
        ("iot-2/type/dev/id/d1/evt/status/fmt", "topic_invalid"),
        ("iot-2/type/dev/id//evt/status/fmt/text", "topic_invalid"),
        ("iot-2/type/dev/id/d1/mon", "topic_invalid"),
        ("$SYS/broker", "topic_invalid"),
        ("iot-2/type/d v/id/d1/evt/status/fmt/text", "type_invalid"),
        ("iot-2/type/dev/id/d 1/evt/status/fmt/text", "name_invalid"),
        ("iot-2/type/unknown/id/d1/evt/status/fmt/text", "type_unknown"),
        ("iot-2/type/gw/id/g9/evt/status/fmt/text", "not_allowed"),
    ];
    let gateway_filters = [
        ("#", "topic_invalid"),
        ("iot-2/#", "topic_invalid"),
        (EVENTS, "topic_invalid"),
        ("+/type/+/id/+/cmd/+/fmt/+", "topic_invalid"),
        ("$share/group/iot-2/type/+/id/+/cmd/+/fmt/+", "topic_invalid"),
        ("$SYS/#", "topic_reserved"),
        ("iot-2/type/gone/id/d1/cmd/+/fmt/+", "type_unknown"),
    ];
    let mut gateway = house.client(gateway()).await;
    for (topic, reason) in gateway_topics {
        gateway.publish_done(topic, b"no", Q1).await.unwrap();
        assert_eq!(newest(&house).await, ("publish".into(), topic.into(), reason.into()));
    }
    for (filter, reason) in gateway_filters {
        assert_eq!(gateway.subscribe(&[(filter, Q1)]).await.unwrap(), [0x80], "{filter}");
        assert_eq!(newest(&house).await, ("subscribe".into(), filter.into(), reason.into()));
    }
    gateway.ping().await.unwrap();
    let device = House::device("d:abc123:dev:d1");
    let app = House::application("a:abc123:app");
    for (options, topic) in [
        (&device, "iot-2/type/dev/id/d1/evt/status/fmt/text"),
        (&device, "iot-2/cmd/do/fmt/text"),
        (&app, "iot-2/type/dev/id/d1/mon"),
        (&app, "home/lamp"),
    ] {
        let mut client = house.client(options.clone()).await;
        client.publish(topic, b"no", Q1).await.unwrap();
        assert_eq!(until_closed(&mut client).await, [""; 0], "{topic}");
        assert_eq!(newest(&house).await, ("publish".into(), topic.into(), "topic_invalid".into()));
        let mut client = house.client(options.clone()).await;
        client.subscribe(&[("#", Q1)]).await.unwrap_err();
        assert_eq!(newest(&house).await, ("subscribe".into(), "#".into(), "topic_invalid".into()));
    }
    assert_eq!(so_far(&mut listener).await, [], "nothing of it reached anybody");
    house.close().await;
}

/// Request, topic and code of the newest refusal.
async fn newest(house: &House) -> (String, String, String) {
    let newest = house.refusals().await.swap_remove(0);
    let member = |name: &str| newest[name].as_str().unwrap_or_default().to_owned();
    (member("request"), member("topic"), member("code"))
}
