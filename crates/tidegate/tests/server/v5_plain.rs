//! Further statements of MQTT 5.0 that only a whole server can show, by clients that speak no platform's dialect and
//! choose their topics themselves.

use mqtt::packet::{ConnAck, FilterRequest, Packet, Publish};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{QoS, Reason, Version};
use sim::{Acknowledge, Client, Event, Fault, Options};

use crate::house::{House, KEY, TOKEN};
use crate::steps::{
    Q0, Q1, Q2, connect_bytes, message, saying, so_far, text, texts, until_closed, wire_next,
    wire_until_closed, with_will,
};

fn plain(client_id: &str) -> Options {
    Options::new(client_id).login(KEY, TOKEN).version(Version::V5)
}

/// A message with properties and without a packet id.
async fn publish_with(client: &mut Client, topic: &str, payload: &[u8], properties: &[u8]) {
    let publish = Publish {
        dup: false,
        qos: Q0,
        retain: false,
        topic,
        packet_id: 0,
        properties: Properties::stored(properties),
        payload,
    };
    client.send_packet(&Packet::Publish(publish)).await.unwrap();
}

/// What CONNACK says to a client with these options, through `look`.
async fn connack<T>(house: &House, options: &Options, look: impl FnOnce(&ConnAck<'_>) -> T) -> T {
    let mut wire = house.wire(Version::V5).await;
    wire.push_bytes(&connect_bytes(options));
    wire.flush().await.unwrap();
    let said = wire_next(&mut wire, |it| match it {
        Packet::ConnAck(it) => look(it),
        other => panic!("{other:?}"),
    });
    said.await
}

fn every_property() -> Vec<u8> {
    let mut properties = Vec::new();
    PropertyWriter::new(&mut properties)
        .user("b", "1")
        .push(PropertyId::ContentType, Value::Text("text/plain"))
        .push(PropertyId::PayloadFormatIndicator, Value::Byte(1))
        .user("a", "2")
        .push(PropertyId::ResponseTopic, Value::Text("answers/here"))
        .push(PropertyId::CorrelationData, Value::Data(&[0, 1, 255]))
        .user("b", "3");
    properties
}

#[tokio::test]
async fn v5_properties_travel_unaltered_and_in_order() {
    let house = House::open().await;
    let mut receiver = house.client(plain("receiver")).await;
    receiver.subscribe(&[("t/#", Q1)]).await.unwrap();
    let mut sender = house.client(plain("sender")).await;
    publish_with(&mut sender, "t/1", "text: ä".as_bytes(), &every_property()).await;
    match receiver.next_packet().await.unwrap() {
        Packet::Publish(publish) => {
            assert_eq!(publish.properties.as_bytes(), every_property());
            assert_eq!(publish.payload, "text: ä".as_bytes());
        }
        other => panic!("{other:?}"),
    }
    house.close().await;
}

#[tokio::test]
async fn v5_a_will_is_published_with_its_properties_in_order() {
    let house = House::open().await;
    let mut receiver = house.client(plain("receiver")).await;
    receiver.subscribe(&[("t/#", Q0)]).await.unwrap();
    let mut options = with_will(plain("dying"), "t/gone", "gone");
    options.will_properties = every_property();
    house.client(options).await.crash();
    match receiver.next_packet().await.unwrap() {
        Packet::Publish(publish) => assert_eq!(publish.properties.as_bytes(), every_property()),
        other => panic!("{other:?}"),
    }
    house.close().await;
}

#[tokio::test]
async fn v5_a_will_is_retained_if_it_asks_for_it() {
    let house = House::open().await;
    let mut watching = house.client(plain("watching")).await;
    watching.subscribe(&[("#", Q0)]).await.unwrap();
    for (topic, retain) in [("t/passing", false), ("t/kept", true)] {
        let mut options = with_will(plain("dying"), topic, topic);
        options.will.as_mut().unwrap().retain = retain;
        house.client(options).await.crash();
        assert_eq!(texts(&mut watching, 1).await, [topic]);
    }
    let mut later = house.client(plain("later")).await;
    later.subscribe(&[("t/#", Q1)]).await.unwrap();
    let came = later.next_message().await.unwrap();
    assert_eq!((text(&came).as_str(), came.retain), ("t/kept", true));
    assert_eq!(so_far(&mut later).await, []);
    house.close().await;
}

#[tokio::test]
async fn v5_nothing_larger_than_the_client_takes_is_sent() {
    let house = House::open().await;
    let small = saying(plain("small"), PropertyId::MaximumPacketSize, Value::Four(100));
    let small = saying(small, PropertyId::SessionExpiryInterval, Value::Four(60));
    let mut receiver = house.client(small.clone()).await;
    receiver.subscribe(&[("t", Q2)]).await.unwrap();
    let mut sender = house.client(plain("sender")).await;
    let large = "x".repeat(100);
    for qos in [Q0, Q1, Q2] {
        sender.publish_done("t", large.as_bytes(), qos).await.unwrap();
        sender.publish_done("t", b"fits", qos).await.unwrap();
        assert_eq!(texts(&mut receiver, 1).await, ["fits"], "{qos:?}");
    }
    receiver.disconnect().await.unwrap();
    sender.publish_done("t", large.as_bytes(), Q1).await.unwrap();
    sender.publish_done("t", b"waited", Q1).await.unwrap();
    let mut receiver = house.client(Options { clean_start: false, ..small }).await;
    assert_eq!(texts(&mut receiver, 1).await, ["waited"]);
    house.close().await;
}

#[tokio::test]
async fn v5_no_connack_is_larger_than_the_client_takes() {
    let house = House::open().await;
    let mut codes = Vec::new();
    for takes in 5..=64 {
        let options = saying(plain(""), PropertyId::MaximumPacketSize, Value::Four(takes));
        let (code, bytes) = connack(&house, &options, |it| {
            let mut bytes = Vec::new();
            mqtt::codec::encode(&Packet::ConnAck(*it), Version::V5, &mut bytes);
            (it.code, bytes.len())
        })
        .await;
        assert!(bytes <= takes as usize, "{bytes} bytes to a client that takes {takes}");
        codes.push(code);
    }
    codes.dedup();
    assert_eq!(codes, [Reason::PACKET_TOO_LARGE.0, 0], "too small for a while, and then large enough");
    house.close().await;
}

#[tokio::test]
async fn v5_a_client_without_a_method_is_told_of_none() {
    let house = House::open().await;
    let told = |it: &ConnAck<'_>| (it.code, it.properties.authentication_method().is_some());
    assert_eq!(connack(&house, &plain("client"), told).await, (0, false));
    house.close().await;
}

#[tokio::test]
async fn v5_no_local_keeps_a_clients_own_messages_from_it() {
    let house = House::open().await;
    let (mut one, mut two) = (house.client(plain("one")).await, house.client(plain("two")).await);
    for client in [&mut one, &mut two] {
        let request = FilterRequest { no_local: true, ..FilterRequest::new("t", Q1) };
        client.subscribe_with(&[request]).await.unwrap();
    }
    for qos in [Q0, Q1] {
        one.publish_done("t", b"of one", qos).await.unwrap();
        assert_eq!(texts(&mut two, 1).await, ["of one"]);
        two.publish_done("t", b"of two", qos).await.unwrap();
        assert_eq!(texts(&mut one, 1).await, ["of two"]);
    }
    assert_eq!((so_far(&mut one).await, so_far(&mut two).await), (vec![], vec![]));
    house.close().await;
}

#[tokio::test]
async fn v5_retained_messages_are_stored_replaced_and_removed() {
    let mut house = House::open().await;
    let mut sender = house.client(plain("sender")).await;
    let steps: [(&str, QoS, &[&str]); 4] =
        [("first", Q1, &["first"]), ("second", Q0, &["second"]), ("", Q1, &[]), ("third", Q2, &["third"])];
    for (at, (payload, qos, expected)) in steps.into_iter().enumerate() {
        let packet_id = if qos == Q0 { 0 } else { 30_000 + at as u16 };
        let retained = sim::Message { retain: true, ..message("t", payload, qos, packet_id) };
        sender.send_message(&retained).await.unwrap();
        sender.all_done().await.unwrap();
        // One that is not retained changes nothing.
        sender.publish_done("t", b"passing", Q1).await.unwrap();
        let mut later = house.client(plain("later")).await;
        later.subscribe(&[("t", Q2)]).await.unwrap();
        assert_eq!(texts(&mut later, expected.len()).await, expected);
        assert_eq!(so_far(&mut later).await, []);
        later.disconnect().await.unwrap();
    }
    house = house.reopen().await;
    let mut later = house.client(plain("later")).await;
    later.subscribe(&[("t", Q2)]).await.unwrap();
    let came = later.next_message().await.unwrap();
    assert_eq!((text(&came).as_str(), came.retain, came.qos), ("third", true, Q2));
    house.close().await;
}

#[tokio::test]
async fn v5_retain_handling_decides_what_a_subscription_is_sent() {
    let house = House::open().await;
    let mut sender = house.client(plain("sender")).await;
    sender.send_message(&sim::Message { retain: true, ..message("t", "kept", Q1, 30_000) }).await.unwrap();
    sender.all_done().await.unwrap();
    // How often it is subscribed, and what comes of each time.
    for (retain_handling, expected) in [(0, [1, 1]), (1, [1, 0]), (2, [0, 0])] {
        let mut client = house.client(plain("client")).await;
        for count in expected {
            let request = FilterRequest { retain_handling, ..FilterRequest::new("t", Q0) };
            client.subscribe_with(&[request]).await.unwrap();
            let came = texts(&mut client, count).await;
            assert_eq!(came, vec!["kept"; count], "{retain_handling}");
            assert_eq!(so_far(&mut client).await, []);
        }
        client.disconnect().await.unwrap();
    }
    house.close().await;
}

#[tokio::test]
async fn v5_retain_as_published_keeps_the_flag() {
    let house = House::open().await;
    let mut sender = house.client(plain("sender")).await;
    for (retain_as_published, expected) in [(false, [false, false]), (true, [false, true])] {
        let mut client = house.client(plain("client")).await;
        let request = FilterRequest { retain_as_published, ..FilterRequest::new("t", Q1) };
        client.subscribe_with(&[request]).await.unwrap();
        for (retain, expected) in [false, true].into_iter().zip(expected) {
            let live = sim::Message { retain, ..message("t", "live", Q0, 0) };
            sender.send_message(&live).await.unwrap();
            assert_eq!(client.next_message().await.unwrap().retain, expected, "{retain_as_published}");
        }
        client.disconnect().await.unwrap();
        sender.send_message(&sim::Message { retain: true, ..message("t", "", Q0, 0) }).await.unwrap();
        sender.ping().await.unwrap();
    }
    house.close().await;
}

#[tokio::test]
async fn v5_a_subscription_is_replaced_without_losing_a_message() {
    let house = House::open().await;
    let mut client = house.client(plain("client")).await;
    let mut sender = house.client(plain("sender")).await;
    client.subscribe(&[("t", Q0)]).await.unwrap();
    let send = async {
        for number in 0..100 {
            sender.publish_done("t", number.to_string().as_bytes(), Q1).await.unwrap();
        }
    };
    let receive = async {
        for qos in [Q1, Q0, Q1, Q0, Q1] {
            assert_eq!(client.subscribe(&[("t", qos)]).await.unwrap(), [qos as u8]);
        }
        texts(&mut client, 100).await
    };
    let ((), mut came) = tokio::join!(send, receive);
    came.sort_by_key(|it| it.parse::<u32>().unwrap());
    assert_eq!(came, (0..100).map(|it| it.to_string()).collect::<Vec<_>>());
    assert_eq!(so_far(&mut client).await, [], "and none came twice");
    house.close().await;
}

#[tokio::test]
async fn v5_a_takeover_tells_the_old_connection() {
    let house = House::open().await;
    let mut old = house.client(plain("same")).await;
    let mut new = house.client(plain("same")).await;
    let said = until_closed(&mut old).await;
    assert!(said.len() == 1 && said[0].contains("Disconnect") && said[0].contains("0x8E"), "{said:?}");
    new.ping().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn v5_a_connect_is_acknowledged_first_and_once() {
    let house = House::open().await;
    let mut wire = house.wire(Version::V5).await;
    wire.push_bytes(&connect_bytes(&plain("hasty")));
    wire.push(&Packet::PingReq);
    wire.push(&Packet::PingReq);
    wire.flush().await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(wire_next(&mut wire, |it| format!("{:?}", it.kind())).await);
    }
    assert_eq!(kinds, ["ConnAck", "PingResp", "PingResp"]);
    house.close().await;
}

#[tokio::test]
async fn v5_a_refused_connection_is_told_why_and_not_read_further() {
    let house = House::open().await;
    let mut watching = house.client(plain("watching")).await;
    watching.subscribe(&[("#", Q0)]).await.unwrap();
    let mut wire = house.wire(Version::V5).await;
    wire.push_bytes(&connect_bytes(&plain("wrong").login(KEY, "wrong")));
    let smuggled = Publish {
        dup: false,
        qos: Q0,
        retain: false,
        topic: "t",
        packet_id: 0,
        properties: Properties::EMPTY,
        payload: b"smuggled",
    };
    wire.push(&Packet::Publish(smuggled));
    wire.flush().await.unwrap();
    let told = wire_next(&mut wire, |it| match it {
        Packet::ConnAck(it) => Some((it.code, it.session_present)),
        _ => None,
    });
    assert_eq!(told.await, Some((Reason::BAD_USER_NAME_OR_PASSWORD.0, false)));
    assert_eq!(wire_until_closed(&mut wire).await, [""; 0], "no DISCONNECT, and nothing else");
    assert_eq!(so_far(&mut watching).await, []);
    house.close().await;
}

#[tokio::test]
async fn v5_an_authentication_method_is_refused() {
    let house = House::open().await;
    let options = saying(plain("modern"), PropertyId::AuthenticationMethod, Value::Text("SCRAM-SHA-256"));
    match Client::connect(house.mqtt(), options).await {
        Err(Fault::Refused { code }) => assert_eq!(code, Reason::BAD_AUTHENTICATION_METHOD.0),
        other => panic!("{:?}", other.map(|it| it.session_present())),
    }
    house.close().await;
}

#[tokio::test]
async fn v5_a_keep_alive_that_is_capped_is_told() {
    let house = House::open_with("[limits]\nkeep_alive_s_max = 100\n").await;
    for (asked_s, told_s) in [(60, None), (100, None), (101, Some(100)), (0, Some(100))] {
        let options = Options { keep_alive_s: asked_s, ..plain("quiet") };
        assert_eq!(connack(&house, &options, |it| it.properties.server_keep_alive_s()).await, told_s);
    }
    house.close().await;
}

#[tokio::test]
async fn v5_response_information_is_sent_only_to_who_asks() {
    let house = House::open().await;
    let told = |it: &ConnAck<'_>| it.properties.find(PropertyId::ResponseInformation).is_some();
    assert!(!connack(&house, &plain("silent"), told).await);
    let refuses = saying(plain("silent"), PropertyId::RequestResponseInformation, Value::Byte(0));
    assert!(!connack(&house, &refuses, told).await);
    house.close().await;
}

#[tokio::test]
async fn v5_an_empty_client_id_is_answered_with_an_assigned_one() {
    let house = House::open().await;
    let assigned = |it: &ConnAck<'_>| it.properties.assigned_client_id().map(str::to_owned);
    assert_eq!(connack(&house, &plain("mine"), assigned).await, None);
    let first = connack(&house, &plain(""), assigned).await.unwrap();
    let second = connack(&house, &plain(""), assigned).await.unwrap();
    assert!(!first.is_empty() && first != second, "{first}");
    house.close().await;
}

#[tokio::test]
async fn what_is_refused_is_told_why_to_who_asks_for_it() {
    let house = House::open().await;
    let asking = |said| saying(plain("asking"), PropertyId::RequestProblemInformation, Value::Byte(said));
    for (options, tells) in [(asking(1), true), (asking(0), false), (plain("saying nothing"), false)] {
        let mut client = house.client(options).await;
        let publish = Publish {
            dup: false,
            qos: Q1,
            retain: false,
            topic: "$SYS/mine",
            packet_id: 1,
            properties: Properties::EMPTY,
            payload: b"",
        };
        client.send_packet(&Packet::Publish(publish)).await.unwrap();
        match client.next_packet().await.unwrap() {
            Packet::PubAck(it) => {
                assert!(it.reason.is_error(), "{it:?}");
                assert_eq!(it.properties.reason_string().is_some(), tells, "{it:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    house.close().await;
}

#[tokio::test]
async fn v5_a_client_id_that_is_not_valid_is_refused() {
    let house = House::open().await;
    let options = House::device("g:abc123:gw:not valid").version(Version::V5);
    match Client::connect(house.mqtt(), options).await {
        Err(Fault::Refused { code }) => assert_eq!(code, Reason::CLIENT_IDENTIFIER_NOT_VALID.0),
        other => panic!("{:?}", other.map(|it| it.session_present())),
    }
    house.close().await;
}

#[tokio::test]
async fn v5_a_shared_message_goes_to_one_member_at_its_qos() {
    let house = House::open().await;
    let (mut one, mut two) = (house.client(plain("one")).await, house.client(plain("two")).await);
    one.subscribe(&[("$share/group/t", Q1)]).await.unwrap();
    two.subscribe(&[("$share/group/t", Q0)]).await.unwrap();
    let mut sender = house.client(plain("sender")).await;
    for number in 0..20 {
        sender.publish_done("t", number.to_string().as_bytes(), Q2).await.unwrap();
    }
    let mut came = Vec::new();
    for (client, expected) in [(&mut one, Q1), (&mut two, Q0)] {
        let messages = so_far(client).await.into_iter().filter_map(|it| match it {
            Event::Message(message) => Some(message),
            _ => None,
        });
        for message in messages {
            assert_eq!(message.qos, expected);
            came.push(text(&message).parse::<u32>().unwrap());
        }
    }
    came.sort_unstable();
    assert_eq!(came, (0..20).collect::<Vec<_>>());
    house.close().await;
}

#[tokio::test]
async fn v5_a_shared_message_on_its_way_stays_with_its_member() {
    let house = House::open().await;
    let lasting = |name| {
        let options = saying(plain(name), PropertyId::SessionExpiryInterval, Value::Four(60));
        Options { clean_start: false, acknowledge: Acknowledge::ByHand, ..options }
    };
    let mut sender = house.client(plain("sender")).await;
    let mut member = house.client(lasting("member")).await;
    member.subscribe(&[("$share/group/t", Q2)]).await.unwrap();
    sender.publish_done("t", b"refused", Q2).await.unwrap();
    sender.publish_done("t", b"on its way", Q2).await.unwrap();
    sender.publish_done("t", b"lost with it", Q2).await.unwrap();
    let mut other = house.client(lasting("other")).await;
    other.subscribe(&[("$share/group/t", Q2)]).await.unwrap();
    // The member says no to one: nobody else gets it.
    let refused = member.next_message().await.unwrap();
    assert_eq!((text(&refused).as_str(), refused.qos), ("refused", Q2));
    let no = mqtt::packet::Ack::with(refused.packet_id, Reason::UNSPECIFIED);
    member.send_packet(&Packet::PubRec(no)).await.unwrap();
    assert_eq!(texts(&mut member, 2).await, ["on its way", "lost with it"]);
    member.crash();
    // It comes back and is sent the others again.
    let mut member = house.client(lasting("member")).await;
    assert_eq!(texts(&mut member, 2).await, ["on its way", "lost with it"]);
    assert_eq!(so_far(&mut other).await, []);
    member.crash();
    // Its session ends, and so do they.
    let member = house.client(Options { clean_start: true, ..lasting("member") }).await;
    assert!(!member.session_present());
    sender.publish_done("t", b"for the other", Q2).await.unwrap();
    assert_eq!(texts(&mut other, 1).await, ["for the other"]);
    assert_eq!(so_far(&mut other).await, []);
    house.close().await;
}
