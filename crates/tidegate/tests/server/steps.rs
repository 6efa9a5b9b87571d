//! What many tests do with a client: durable sessions, reading to the end, messages as short texts.

use std::time::Duration;

use mqtt::codec;
use mqtt::packet::{Connect, Packet};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{QoS, Version};
use sim::{Client, Event, Fault, Message, Options, Wire};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::PATIENCE;

pub(crate) use QoS::{AtLeastOnce as Q1, AtMostOnce as Q0, ExactlyOnce as Q2};

/// Every version of MQTT that is spoken.
pub(crate) const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// With a session that outlives the connection, in any version.
pub(crate) fn durable(options: Options) -> Options {
    let mut options = options.durable();
    options.properties.clear();
    if options.version == Version::V5 {
        PropertyWriter::new(&mut options.properties)
            .push(PropertyId::SessionExpiryInterval, Value::Four(3_600));
    }
    options
}

/// With this property in the CONNECT (5.0).
pub(crate) fn saying(mut options: Options, id: PropertyId, value: Value<'_>) -> Options {
    PropertyWriter::new(&mut options.properties).push(id, value);
    options
}

/// A will at QoS 1.
pub(crate) fn with_will(mut options: Options, topic: &str, payload: &str) -> Options {
    options.will = Some(Message {
        topic: topic.to_owned(),
        payload: payload.into(),
        qos: Q1,
        retain: false,
        dup: false,
        packet_id: 0,
    });
    options
}

/// A message of ours.
pub(crate) fn message(topic: &str, payload: &str, qos: QoS, packet_id: u16) -> Message {
    let (topic, payload) = (topic.to_owned(), payload.into());
    Message { topic, payload, qos, retain: false, dup: false, packet_id }
}

/// The payload as text.
pub(crate) fn text(message: &Message) -> String {
    String::from_utf8(message.payload.clone()).unwrap()
}

/// The payloads of the next messages, as texts.
pub(crate) async fn texts(client: &mut Client, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        match client.next_message().await {
            Ok(message) => texts.push(text(&message)),
            Err(fault) => panic!("{fault} after {texts:?}"),
        }
    }
    texts
}

/// The CONNECT that these options ask for, as bytes. Without a will.
pub(crate) fn connect_bytes(options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    let connect = Connect {
        version: options.version,
        clean_start: options.clean_start,
        keep_alive_s: options.keep_alive_s,
        client_id: &options.client_id,
        will: None,
        username: options.username.as_deref(),
        password: options.password.as_deref(),
        properties: Properties::stored(&options.properties),
    };
    codec::encode(&Packet::Connect(connect), options.version, &mut bytes);
    bytes
}

/// What came up to now, and has not been asked for. Good to show that nothing did.
pub(crate) async fn so_far(client: &mut Client) -> Vec<Event> {
    client.ping().await.unwrap();
    let mut events = Vec::new();
    while let Ok(event) = timeout(Duration::ZERO, client.next_event()).await {
        events.push(event.unwrap());
    }
    events
}

/// Waits until the server has closed the connection; returns what it said before, as the packets' `Debug` texts.
pub(crate) async fn until_closed(client: &mut Client) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match client.next_packet().await {
            Ok(packet) => heard.push(format!("{packet:?}")),
            Err(Fault::Closed | Fault::Io(_)) => return heard,
            Err(other) => panic!("still connected ({other}), heard {heard:?}"),
        }
    }
}

/// The same for a bare connection.
pub(crate) async fn wire_until_closed<S: AsyncRead + AsyncWrite>(wire: &mut Wire<S>) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match timeout(PATIENCE, wire.next_packet()).await {
            Ok(Ok(packet)) => heard.push(format!("{packet:?}")),
            Ok(Err(Fault::Closed | Fault::Io(_))) => return heard,
            other => panic!("still connected ({other:?}), heard {heard:?}"),
        }
    }
}

/// The next packet of a bare connection, for `look` to look at.
pub(crate) async fn wire_next<T>(wire: &mut Wire<TcpStream>, look: impl FnOnce(&Packet<'_>) -> T) -> T {
    look(&timeout(PATIENCE, wire.next_packet()).await.expect("a packet in time").unwrap())
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
