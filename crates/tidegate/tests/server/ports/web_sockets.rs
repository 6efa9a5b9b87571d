//! MQTT over WebSocket, as another implementation of WebSocket speaks it.

use futures_util::{SinkExt, StreamExt};
use mqtt::Version;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::doors::web_socket;
use super::{hints, recorded};
use crate::house::{House, PATIENCE};
use crate::steps::{Q0, Q1, VERSIONS, connect_bytes, text};

/// A PINGREQ, and what answers it.
const PING: [u8; 2] = [0xc0, 0];
const PONG: [u8; 2] = [0xd0, 0];
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

type Socket = WebSocketStream<TcpStream>;

async fn socket(house: &House) -> Socket {
    let stream = TcpStream::connect(house.mqtt()).await.unwrap();
    tokio_tungstenite::client_async("ws://localhost/mqtt", stream).await.unwrap().0
}

async fn next(socket: &mut Socket) -> Message {
    timeout(PATIENCE, socket.next()).await.expect("a frame in time").unwrap().unwrap()
}

/// So many bytes of MQTT, however they are framed.
async fn bytes(socket: &mut Socket, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        match next(socket).await {
            Message::Binary(more) => bytes.extend_from_slice(&more),
            other => panic!("{other:?} after {bytes:?}"),
        }
    }
    bytes
}

/// Reads a CONNACK of any version.
async fn connack_code(socket: &mut Socket) -> u8 {
    let mut head = bytes(socket, 2).await;
    let wanted = 2 + usize::from(head[1]);
    head.extend(bytes(socket, wanted.saturating_sub(head.len())).await);
    assert_eq!((head[0], head.len()), (0x20, wanted), "{head:?}");
    head[3]
}

/// The goodbye is returned, and the connection ends.
async fn until_closed(socket: &mut Socket) {
    while let Some(frame) = timeout(PATIENCE, socket.next()).await.expect("the connection ends") {
        assert!(matches!(frame, Ok(Message::Close(_)) | Err(Error::ConnectionClosed)), "{frame:?}");
    }
}

fn piece(opcode: Data, last: bool, payload: &[u8]) -> Message {
    Message::Frame(Frame::message(Bytes::copy_from_slice(payload), OpCode::Data(opcode), last))
}

fn login() -> Vec<u8> {
    connect_bytes(&House::device("g:abc123:gw:g1"))
}

#[tokio::test]
async fn frames_and_packets_need_not_agree() {
    let house = House::open().await;
    for version in VERSIONS {
        let mut socket = socket(&house).await;
        let login = connect_bytes(&House::device("g:abc123:gw:g1").version(version));
        let (one, two) = login.split_at(9);
        socket.send(piece(Data::Binary, false, one)).await.unwrap();
        socket.send(Message::Ping(Bytes::from_static(b"in between"))).await.unwrap();
        assert_eq!(next(&mut socket).await, Message::Pong(Bytes::from_static(b"in between")));
        socket.send(piece(Data::Continue, false, &[])).await.unwrap();
        socket.send(piece(Data::Continue, true, two)).await.unwrap();
        assert_eq!(connack_code(&mut socket).await, 0);
        let pings = [&PING[..], &PING, &PING[..1]].concat();
        socket.send(Message::binary(pings)).await.unwrap();
        assert_eq!(bytes(&mut socket, 4).await, [PONG, PONG].concat());
        socket.send(Message::binary(PING[1..].to_vec())).await.unwrap();
        assert_eq!(bytes(&mut socket, 2).await, PONG);
        socket.close(None).await.unwrap();
        until_closed(&mut socket).await;
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_right_in_the_frame_that_says_hello_is_not_lost() {
    let house = House::open().await;
    let mut socket = socket(&house).await;
    socket.send(Message::binary([&login()[..], &PING].concat())).await.unwrap();
    assert_eq!(bytes(&mut socket, 6).await, [&CONNACK[..], &PONG].concat());
    house.close().await;
}

#[tokio::test]
async fn text_is_not_taken() {
    let house = House::open().await;
    for version in VERSIONS {
        let mut unknown = socket(&house).await;
        unknown.send(Message::text("hello")).await.unwrap();
        let mut known = socket(&house).await;
        let login = connect_bytes(&House::device("g:abc123:gw:g1").version(version));
        known.send(Message::binary(login)).await.unwrap();
        assert_eq!(connack_code(&mut known).await, 0);
        known.send(Message::text("hello")).await.unwrap();
        for socket in [&mut unknown, &mut known] {
            match next(socket).await {
                Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Unsupported),
                other => panic!("{other:?}"),
            }
            until_closed(socket).await;
        }
    }
    recorded(&house, "connect", "binary frames").await;
    recorded(&house, "packet", "binary frames").await;
    house.close().await;
}

#[tokio::test]
async fn who_sends_a_packet_that_is_too_large_reads_so() {
    let house = House::open().await;
    let mut socket = socket(&house).await;
    let login = connect_bytes(&House::device("g:abc123:gw:g1").version(Version::V5));
    socket.send(Message::binary(login)).await.unwrap();
    assert_eq!(connack_code(&mut socket).await, 0);
    // A PUBLISH of four megabytes, in more frames than the kernel takes while nobody reads.
    socket.send(Message::binary(&b"\x30\xff\xff\xff\x01"[..])).await.unwrap();
    for _ in 0..60 {
        socket.send(Message::binary(vec![b'x'; 65_536])).await.unwrap();
    }
    assert_eq!(bytes(&mut socket, 3).await, [0xe0, 1, 0x95]);
    assert!(matches!(next(&mut socket).await, Message::Close(_)));
    house.close().await;
}

#[tokio::test]
async fn large_messages_cross_in_both_directions() {
    let house = House::open().await;
    let large = vec![b'x'; 100_000];
    let mut clients = Vec::new();
    for (version, id) in VERSIONS.into_iter().zip(["a:abc123:one", "a:abc123:two", "a:abc123:three"]) {
        let stream = TcpStream::connect(house.mqtt()).await.unwrap();
        let (stream, protocol) = web_socket(stream, "/", Some("mqttv3.1")).await.unwrap();
        assert_eq!(protocol.as_deref(), Some("mqttv3.1"));
        let options = House::application(id).version(version);
        let mut client = sim::Client::over(stream, options, Default::default()).await.unwrap();
        client.subscribe(&[("iot-2/type/gw/id/g1/evt/+/fmt/+", Q1)]).await.unwrap();
        clients.push(client);
    }
    let stream = TcpStream::connect(house.mqtt()).await.unwrap();
    let (stream, _) = web_socket(stream, "/", None).await.unwrap();
    let options = House::device("g:abc123:gw:g1");
    let mut gateway = sim::Client::over(stream, options, Default::default()).await.unwrap();
    for _ in 0..5 {
        gateway.publish_done("iot-2/type/gw/id/g1/evt/status/fmt/bin", &large, Q1).await.unwrap();
    }
    for client in &mut clients {
        for _ in 0..5 {
            assert!(client.next_message().await.unwrap().payload == large);
        }
    }
    house.close().await;
}

#[tokio::test]
async fn presence_says_that_it_was_a_websocket() {
    let house = House::open().await;
    let mut monitor = house.client(House::application("a:abc123:monitor")).await;
    monitor.subscribe(&[("iot-2/type/gw/id/g1/mon", Q0)]).await.unwrap();
    for (version, protocol) in
        [(Version::V31, "mqtt3-ws"), (Version::V311, "mqtt4-ws"), (Version::V5, "mqtt5-ws")]
    {
        let (stream, _) =
            web_socket(TcpStream::connect(house.mqtt()).await.unwrap(), "/", Some("mqtt")).await.unwrap();
        let options = House::device("g:abc123:gw:g1").version(version);
        let client = sim::Client::over(stream, options, Default::default()).await.unwrap();
        let came: Value = serde_json::from_str(&text(&monitor.next_message().await.unwrap())).unwrap();
        assert_eq!(came["Protocol"], protocol, "{came}");
        client.disconnect().await.unwrap();
        let left: Value = serde_json::from_str(&text(&monitor.next_message().await.unwrap())).unwrap();
        assert_eq!(left["Action"], "Disconnect", "{left}");
    }
    house.close().await;
}

#[tokio::test]
async fn the_subprotocol_is_mqtt_where_that_is_offered() {
    let house = House::open().await;
    for (offered, chosen) in [
        (Some("mqtt"), Some("mqtt")),
        (Some("chat, mqtt"), Some("mqtt")),
        (Some("mqttv3.1, mqtt"), Some("mqtt")),
        // As clients of MQTT 3.1 call it, and clients that call it nothing.
        (Some("mqttv3.1"), Some("mqttv3.1")),
        (None, None),
    ] {
        let stream = TcpStream::connect(house.mqtt()).await.unwrap();
        let (stream, answered) = web_socket(stream, "/", offered).await.unwrap();
        assert_eq!(answered.as_deref(), chosen, "{offered:?}");
        let options = House::device("g:abc123:gw:g1");
        sim::Client::over(stream, options, Default::default()).await.unwrap().ping().await.unwrap();
    }
    house.close().await;
}

#[tokio::test]
async fn a_subprotocol_that_is_not_mqtt_is_refused() {
    let house = House::open().await;
    let stream = TcpStream::connect(house.mqtt()).await.unwrap();
    let Err(Error::Http(answer)) = web_socket(stream, "/", Some("chat")).await else {
        panic!("a chat was accepted");
    };
    assert_eq!(answer.status(), 400);
    assert!(hints(&house, "http").await[0].contains("subprotocol"));
    house.close().await;
}
