//! The PROXY protocol: the client's address is the one that a named proxy tells, and nobody else may tell one.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::doors::{http_get, over_tls, web_socket};
use super::{heard, hints};
use crate::house::{House, KEY, TOKEN};
use crate::steps::{Q0, text};

/// How a proxy hands on a connection from 203.0.113.9.
const VERSION_1: &[u8] = b"PROXY TCP4 203.0.113.9 203.0.113.1 56324 1883\r\n";
/// The same in version 2, with something behind the addresses that nobody needs.
const VERSION_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xcb\0\x71\x09\xcb\0\x71\x01\xdc\x04\x07\x5b\x04\0\x01?";

/// A connection from an address of this machine.
pub(crate) async fn from_address(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// A connection that a proxy hands on.
async fn handed_on(house: &House, header: &[u8]) -> TcpStream {
    let mut stream = from_address("127.0.0.2", house.mqtt()).await;
    stream.write_all(header).await.unwrap();
    stream
}

async fn open(more: &str) -> House {
    House::open_listening(&format!("proxy_from = [\"127.0.0.2\", \"10.0.0.0/8\"]\n{more}"), "").await
}

#[tokio::test]
async fn a_named_proxy_tells_whose_connection_it_is() {
    let house = open("").await;
    let mut monitor = house.client(House::application("a:abc123:monitor")).await;
    monitor.subscribe(&[("iot-2/type/gw/id/g1/mon", Q0)]).await.unwrap();
    let gateway = || House::device("g:abc123:gw:g1");
    for (header, encrypted) in [(VERSION_1, false), (VERSION_2, false), (VERSION_2, true)] {
        let stream = handed_on(&house, header).await;
        let client = match encrypted {
            false => sim::Client::over(stream, gateway(), Default::default()).await.map(|it| it.crash()),
            true => {
                let stream = over_tls(&house, stream).await.unwrap();
                sim::Client::over(stream, gateway(), Default::default()).await.map(|it| it.crash())
            }
        };
        client.unwrap();
        let came: Value = serde_json::from_str(&text(&monitor.next_message().await.unwrap())).unwrap();
        assert_eq!(
            (&came["Action"], &came["ClientAddr"]),
            (&"Connect".into(), &"203.0.113.9".into()),
            "{came}"
        );
        assert_eq!(came["Secure"], encrypted, "{came}");
        let left: Value = serde_json::from_str(&text(&monitor.next_message().await.unwrap())).unwrap();
        assert_eq!(left["Action"], "Disconnect");
    }
    let mut garbage = handed_on(&house, VERSION_2).await;
    garbage.write_all(b"nonsense").await.unwrap();
    heard(&mut garbage).await;
    let refusals = house.refusals().await;
    assert_eq!(refusals[0]["peer"], "203.0.113.9:56324", "{refusals:?}");
    house.close().await;
}

#[tokio::test]
async fn nobody_else_may_tell_an_address_and_a_named_proxy_has_to() {
    let house = open("").await;
    for header in [VERSION_1, VERSION_2] {
        let mut stranger = from_address("127.0.0.3", house.mqtt()).await;
        stranger.write_all(header).await.unwrap();
        assert_eq!(heard(&mut stranger).await, b"");
        let hints = hints(&house, "connect").await;
        assert!(hints.last().unwrap().contains("not in `proxy_from`"), "{hints:?}");
    }
    for header in [&b"\x10\x0c\0\x04MQTT\x04\x02\0\0"[..], b"PROXY TCP4 me you 1 2\r\n", b"\r\n\r\nGET"] {
        let mut proxy = handed_on(&house, header).await;
        assert_eq!(heard(&mut proxy).await, b"");
        let hints = hints(&house, "connect").await;
        assert!(hints.last().unwrap().contains("PROXY header cannot be used"), "{hints:?}");
    }
    // The proxy's own connection, to see whether we are there.
    let stream = handed_on(&house, b"PROXY UNKNOWN\r\n").await;
    let options = House::device("g:abc123:gw:g1");
    sim::Client::over(stream, options, Default::default()).await.unwrap().ping().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn the_api_is_not_served_without_tls_to_other_machines() {
    let path = "/api/v0002/device/types";
    for (more, status) in [("", "403"), ("http_on_mqtt = true\n", "200")] {
        let house = open(more).await;
        let status = format!("HTTP/1.1 {status} ");
        let answer = http_get(&mut handed_on(&house, VERSION_2).await, path, Some((KEY, TOKEN))).await;
        assert!(answer.starts_with(&status), "{answer}");
        let mut encrypted = over_tls(&house, handed_on(&house, VERSION_2).await).await.unwrap();
        let answer = http_get(&mut encrypted, path, Some((KEY, TOKEN))).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let (framed, _) = web_socket(handed_on(&house, VERSION_2).await, "/", Some("mqtt")).await.unwrap();
        let options = House::device("g:abc123:gw:g1");
        sim::Client::over(framed, options, Default::default()).await.unwrap().ping().await.unwrap();
        house.close().await;
    }
}
