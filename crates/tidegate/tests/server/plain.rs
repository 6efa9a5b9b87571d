//! Plain MQTT clients: what needs more than one server, more messages than a transcript holds, or a look into the
//! store.

use domain::{DeviceName, Rights};
use mqtt::packet::{Disconnect, Packet, Publish};
use mqtt::property::Properties;
use mqtt::{QoS, Reason, Version, codec};
use platform::{DeviceChange, KeyChange, NewKey};
use sim::{Client, Event, Fault, Options};

use crate::house::{House, KEY, TOKEN, org};
use crate::steps::{
    Q0, Q1, VERSIONS, connect_bytes, durable, message, so_far, text, texts, until_closed, wire_next,
    with_will,
};

const OTHER_KEY: &str = "a-abc123-other";

fn application(client_id: &str) -> Options {
    Options::new(client_id).login(KEY, TOKEN)
}

fn device(client_id: &str) -> Options {
    Options::new(client_id).login("abc123/dev/d1", TOKEN)
}

fn rights(publish: &[&str], subscribe: &[&str]) -> Rights {
    let owned = |rules: &[&str]| rules.iter().map(|it| (*it).to_owned()).collect();
    Rights { publish: owned(publish), subscribe: owned(subscribe) }
}

async fn retain(client: &mut Client, topic: &str, payload: &str, qos: QoS, packet_id: u16) {
    let mut message = message(topic, payload, qos, packet_id);
    message.retain = true;
    client.send_message(&message).await.unwrap();
    client.all_done().await.unwrap();
}

fn add_key(house: &House, rights: Rights) {
    let (key, token) = (Some(OTHER_KEY.to_owned()), Some(TOKEN.to_owned()));
    let draft = NewKey { key, token, comment: String::new(), rights };
    house.running.platform.create_key(org(), draft, 1).unwrap();
}

#[tokio::test]
async fn what_is_retained_is_there_after_a_restart() {
    let house = House::open().await;
    let mut app = house.client(application("app")).await;
    retain(&mut app, "a/one", "1", Q1, 1).await;
    retain(&mut app, "a/two", "2", QoS::ExactlyOnce, 2).await;
    retain(&mut app, "a/gone", "x", Q1, 3).await;
    retain(&mut app, "a/gone", "", Q1, 4).await;
    drop(app);
    let house = house.reopen().await;
    let mut app = house.client(application("app")).await;
    app.subscribe(&[("a/#", QoS::ExactlyOnce)]).await.unwrap();
    let mut kept = Vec::new();
    for _ in 0..2 {
        let it = app.next_message().await.unwrap();
        kept.push((it.topic.clone(), text(&it), it.qos, it.retain));
    }
    kept.sort();
    let expected = [("a/one", "1", Q1, true), ("a/two", "2", QoS::ExactlyOnce, true)];
    assert_eq!(
        kept,
        expected.map(|(topic, text, qos, retain)| (topic.to_owned(), text.to_owned(), qos, retain))
    );
    assert_eq!(so_far(&mut app).await, []);
    house.close().await;
}

/// More than a window and a page of the queue hold.
#[tokio::test]
async fn many_retained_messages_come_whole_and_in_any_session() {
    const COUNT: usize = 3_000;
    let house = House::open_with("[limits]\ninflight_application_count_max = 100\n").await;
    let mut app = house.client(application("app")).await;
    for number in 0..COUNT {
        let mut message = message(&format!("many/{number}"), &number.to_string(), Q1, number as u16 + 1);
        message.retain = true;
        app.send_message(&message).await.unwrap();
    }
    app.all_done().await.unwrap();
    for options in [
        application("clean"),
        Options { version: Version::V5, ..application("clean5") },
        durable(application("durable")),
        durable(Options { version: Version::V5, ..application("durable5") }),
    ] {
        let name = options.client_id.clone();
        let mut client = house.client(options).await;
        client.subscribe(&[("many/#", Q1)]).await.unwrap();
        let mut found = texts(&mut client, COUNT).await;
        found.sort();
        found.dedup();
        assert_eq!(found.len(), COUNT, "{name}");
        assert_eq!(so_far(&mut client).await, [], "{name}");
    }
    house.close().await;
}

#[tokio::test]
async fn retained_messages_are_bounded_and_the_client_is_told() {
    let house = House::open_with("[limits]\nretained_count_max = 2\n").await;
    let mut app = house.client(Options { version: Version::V5, ..application("app") }).await;
    retain(&mut app, "a", "1", Q1, 1).await;
    retain(&mut app, "b", "1", Q1, 2).await;
    retain(&mut app, "a", "2", Q1, 3).await;
    so_far(&mut app).await;
    retain(&mut app, "c", "1", Q1, 4).await;
    let reasons: Vec<_> = so_far(&mut app).await;
    assert!(
        matches!(&reasons[..], [Event::Published { packet_id: 4, reason }] if reason.0 == 0x97),
        "{reasons:?}"
    );
    assert_eq!(house.refusals().await[0]["code"], "too_many");
    retain(&mut app, "b", "", Q1, 5).await;
    retain(&mut app, "c", "1", Q1, 6).await;
    let mut other = house.client(application("other")).await;
    other.subscribe(&[("#", Q0)]).await.unwrap();
    let mut kept = texts(&mut other, 2).await;
    kept.sort();
    assert_eq!(kept, ["1", "2"]);
    house.close().await;
}

/// Who says goodbye and comes again at once is met by the second connection before the first is read to its end.
#[tokio::test]
async fn what_was_sent_before_a_takeover_counts_and_so_does_the_goodbye() {
    const COUNT: usize = 1_000;
    let house = House::open().await;
    let mut listener = house.client(application("listener")).await;
    listener.subscribe(&[("#", Q0)]).await.unwrap();
    // Each time it is a race, which the server must not lose once.
    for version in [VERSIONS; 10].concat() {
        let options = application("hasty").version(version);
        let mut bytes = Vec::new();
        for number in 0..COUNT {
            let payload = format!("{number:0>100}");
            let publish = Publish {
                topic: "a",
                payload: payload.as_bytes(),
                qos: Q0,
                retain: false,
                dup: false,
                packet_id: 0,
                properties: Properties::EMPTY,
            };
            codec::encode(&Packet::Publish(publish), version, &mut bytes);
        }
        codec::encode(&Packet::Disconnect(Disconnect::with(Reason::SUCCESS)), version, &mut bytes);
        let mut first = house.client(with_will(options.clone(), "gone", "lost")).await;
        first.send_bytes(&bytes).await.unwrap();
        let mut second = house.client(options).await;
        second.publish_done("end", b"end", Q1).await.unwrap();
        let heard = texts(&mut listener, COUNT + 1).await;
        let (end, numbers) = heard.split_last().unwrap();
        assert!(numbers.iter().enumerate().all(|(at, it)| it.parse() == Ok(at)), "{version:?}: {numbers:?}");
        assert_eq!(end, "end", "{version:?}");
    }
    assert_eq!(so_far(&mut listener).await, []);
    house.close().await;
}

#[tokio::test]
async fn changed_rights_end_connections_and_adjust_sessions() {
    let house = House::open().await;
    let platform = house.running.platform.clone();
    add_key(&house, Rights::default());
    let other = |client_id: &str| Options::new(client_id).login(OTHER_KEY, TOKEN);
    let mut away = house.client(durable(other("away"))).await;
    away.subscribe(&[("a/#", Q1), ("b/#", Q1)]).await.unwrap();
    away.disconnect().await.unwrap();
    let mut here = house.client(durable(other("here"))).await;
    here.subscribe(&[("a/#", Q1), ("b/#", Q1)]).await.unwrap();
    let mut bystander = house.client(application("bystander")).await;

    let change = KeyChange { rights: Some(rights(&[], &["b/#", "!b/secret"])), comment: None };
    platform.update_key(org(), OTHER_KEY, change).unwrap();
    until_closed(&mut here).await;
    for topic in ["a/1", "b/secret", "b/1"] {
        bystander.publish_done(topic, topic.as_bytes(), Q1).await.unwrap();
    }
    for name in ["away", "here"] {
        let mut client = house.client(durable(other(name))).await;
        assert!(client.session_present(), "{name}");
        assert_eq!(texts(&mut client, 1).await, ["b/1"], "{name}");
        assert_eq!(so_far(&mut client).await, [], "{name}");
        client.disconnect().await.unwrap();
    }
    // It holds over a restart, and wider rights lift it.
    let house = house.reopen().await;
    let platform = house.running.platform.clone();
    let mut bystander = house.client(application("bystander")).await;
    bystander.publish_done("b/secret", b"no", Q1).await.unwrap();
    let change = KeyChange { rights: Some(Rights::default()), comment: None };
    platform.update_key(org(), OTHER_KEY, change).unwrap();
    bystander.publish_done("b/secret", b"yes", Q1).await.unwrap();
    let mut client = house.client(durable(other("away"))).await;
    assert_eq!(texts(&mut client, 1).await, ["yes"]);
    assert_eq!(so_far(&mut client).await, []);
    house.close().await;
}

#[tokio::test]
async fn a_credential_that_is_removed_leaves_no_sessions_behind() {
    let house = House::open().await;
    let platform = house.running.platform.clone();
    let store = platform.store().clone();
    add_key(&house, Rights::default());
    let sessions = || store.sessions(org()).unwrap().into_iter().map(|(it, _)| it.key).collect::<Vec<_>>();
    for options in [Options::new("x").login(OTHER_KEY, TOKEN), device("x"), application("x")] {
        let mut client = house.client(durable(options)).await;
        client.subscribe(&[("a", Q1)]).await.unwrap();
        client.disconnect().await.unwrap();
    }
    assert_eq!(sessions().len(), 3);
    let mut connected = house.client(durable(Options::new("y").login(OTHER_KEY, TOKEN))).await;
    platform.drop_key(org(), OTHER_KEY).unwrap();
    until_closed(&mut connected).await;
    platform.drop_device(org(), DeviceName { device_type: "dev", name: "d1" }).unwrap();
    store.wait(store.commit(store::Changes::new())).unwrap();
    let left = sessions();
    assert!(left.len() == 1 && left[0].contains(KEY), "{left:?}");
    house.close().await;
}

#[tokio::test]
async fn a_device_with_other_rights_is_disconnected() {
    let house = House::open().await;
    let mut client = house.client(device("x")).await;
    client.publish_done("anywhere", b"1", Q1).await.unwrap();
    let name = DeviceName { device_type: "dev", name: "d1" };
    let change = DeviceChange { rights: Some(rights(&["own/%d"], &[])), ..DeviceChange::default() };
    house.running.platform.update_device(org(), name, change).unwrap();
    until_closed(&mut client).await;
    let mut app = house.client(application("app")).await;
    app.subscribe(&[("#", Q0)]).await.unwrap();
    let mut client = house.client(device("x")).await;
    client.publish_done("anywhere", b"2", Q1).await.unwrap();
    client.publish_done("own/dev/d1", b"3", Q1).await.unwrap();
    assert_eq!(texts(&mut app, 1).await, ["3"]);
    // Rights hold in Watson's topics as well: a device is closed for what it may not do.
    let mut watson = house.client(House::device("d:abc123:dev:d1")).await;
    watson.publish("iot-2/evt/status/fmt/json", b"{}", Q0).await.unwrap();
    until_closed(&mut watson).await;
    house.close().await;
}

#[tokio::test]
async fn the_server_chooses_a_client_id_and_says_which() {
    let house = House::open_with("[limits]\nkeep_alive_s_max = 60\n").await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut wire = house.wire(Version::V5).await;
        wire.push_bytes(&connect_bytes(&Options { version: Version::V5, ..application("") }));
        wire.flush().await.unwrap();
        let id = wire_next(&mut wire, |packet| match packet {
            Packet::ConnAck(it) => {
                assert_eq!(it.properties.server_keep_alive_s(), None, "60 was asked for");
                it.properties.assigned_client_id().unwrap().to_owned()
            }
            other => panic!("{other:?}"),
        })
        .await;
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    // The id that was given can be come back with.
    let mut options = durable(Options { version: Version::V5, ..application("") });
    options.keep_alive_s = 0;
    let mut wire = house.wire(Version::V5).await;
    wire.push_bytes(&connect_bytes(&options));
    wire.flush().await.unwrap();
    let id = wire_next(&mut wire, |packet| match packet {
        Packet::ConnAck(it) => {
            assert_eq!(it.properties.server_keep_alive_s(), Some(60));
            it.properties.assigned_client_id().unwrap().to_owned()
        }
        other => panic!("{other:?}"),
    })
    .await;
    drop(wire);
    let again = house.client(durable(Options { version: Version::V5, ..application(&id) })).await;
    assert!(again.session_present());
    house.close().await;
}

#[tokio::test]
async fn anonymous_sessions_are_bounded_and_need_a_client_id() {
    let settings = "[plain]\nanonymous = \"loopback\"\n[limits]\nanonymous_session_count_max = 2\n";
    let house = House::open_with(settings).await;
    for name in ["a", "b", "a"] {
        let client = house.client(durable(Options::new(name))).await;
        client.disconnect().await.unwrap();
    }
    let refused = Client::connect(house.mqtt(), durable(Options::new("c"))).await;
    assert!(matches!(refused, Err(Fault::Refused { code: 3 })));
    assert_eq!(house.refusals().await[0]["code"], "too_many");
    // A clean session is none of them, and ends the stored one of its client id.
    house.client(Options::new("a")).await;
    let again = house.client(durable(Options::new("c"))).await;
    assert!(!again.session_present());
    // Nor does one with an id that nobody chose outlive its connection.
    let unnamed = house.client(durable(Options { version: Version::V5, ..Options::new("") })).await;
    drop(unnamed);
    assert_eq!(house.running.platform.store().sessions(org()).unwrap().len(), 2);
    house.close().await;
}

#[tokio::test]
async fn system_topics_are_refreshed_and_tell_of_one_organisation_only() {
    let house = House::open_with("[plain]\nstatus_interval_s = 1\n").await;
    let other_org = domain::OrgId::parse("other1").unwrap();
    house.furnish_org(other_org, "a-other1-key");
    let mut stranger = house.client(Options::new("s").login("a-other1-key", TOKEN)).await;
    stranger.publish_done("noise", b"1", Q1).await.unwrap();
    let mut app = house.client(application("app")).await;
    app.subscribe(&[("$SYS/#", Q1)]).await.unwrap();
    let mut first = Vec::new();
    while first.len() < 8 {
        first.push(app.next_message().await.unwrap());
    }
    assert!(first.iter().all(|it| it.retain && it.topic.starts_with("$SYS/broker/")), "{first:?}");
    app.publish_done("mine", b"1", Q1).await.unwrap();
    loop {
        let it = app.next_message().await.unwrap();
        if it.topic == "$SYS/broker/messages/received" && text(&it) == "1" {
            break;
        }
        assert!(it.topic != "$SYS/broker/messages/received" || text(&it) == "0", "{it:?}");
    }
    loop {
        let it = app.next_message().await.unwrap();
        if it.topic == "$SYS/broker/clients/connected" {
            assert_eq!(text(&it), "1");
            break;
        }
    }
    assert_eq!(
        house.running.platform.store().retained(org(), "plain").unwrap(),
        [],
        "nothing of it is stored"
    );
    house.close().await;
}

#[tokio::test]
async fn plain_and_watson_do_not_hear_each_other() {
    let house = House::open().await;
    let mut plain = house.client(application("plain")).await;
    plain.subscribe(&[("#", Q0)]).await.unwrap();
    let mut watson = house.client(House::application("a:abc123:app1")).await;
    watson.subscribe(&[("iot-2/type/+/id/+/evt/+/fmt/+", Q0)]).await.unwrap();
    plain.publish_done("iot-2/type/dev/id/d1/evt/e/fmt/json", b"{}", Q1).await.unwrap();
    watson.publish_done("iot-2/type/dev/id/d1/evt/f/fmt/json", b"{}", Q1).await.unwrap();
    let topics = |events: Vec<Event>| {
        let topic = |it| match it {
            Event::Message(it) => Some(it.topic),
            _ => None,
        };
        events.into_iter().filter_map(topic).collect::<Vec<_>>()
    };
    assert_eq!(topics(so_far(&mut plain).await), ["iot-2/type/dev/id/d1/evt/e/fmt/json"]);
    assert_eq!(topics(so_far(&mut watson).await), ["iot-2/type/dev/id/d1/evt/f/fmt/json"]);
    house.close().await;
}
