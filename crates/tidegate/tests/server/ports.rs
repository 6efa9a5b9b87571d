//! One port for everything: whatever a client speaks first is understood on any listener, or closed and on record.

mod certificates;
mod device_certificates;
pub(crate) mod doors;
mod proxies;
mod web_sockets;

use std::net::SocketAddr;

use mqtt::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, KEY, PATIENCE, TOKEN};
use crate::steps::{Q1, connect_bytes};
use doors::{ByteByByte, Duplex, http_get, over_tls, web_socket};

const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";

/// A connection to every listener in every way that it takes.
async fn every_way_in(house: &House) -> Vec<(&'static str, Box<dyn Duplex>)> {
    let addresses = &house.running.addresses;
    let plain = async |addr| Box::new(TcpStream::connect(addr).await.unwrap()) as Box<dyn Duplex>;
    let tls = async |addr| Box::new(over_tls(house, plain(addr).await).await.unwrap()) as Box<dyn Duplex>;
    vec![
        ("mqtt", plain(addresses.mqtt[0]).await),
        ("mqtt with TLS", tls(addresses.mqtt[0]).await),
        ("mqtts", tls(addresses.mqtts[0]).await),
        ("http", plain(addresses.http[0]).await),
        ("http with TLS", tls(addresses.http[0]).await),
    ]
}

/// The hints of the refusals on record for this request, oldest first.
async fn hints(house: &House, request: &str) -> Vec<String> {
    let mut refusals = house.refusals().await;
    refusals.reverse();
    let of_request = refusals.iter().filter(|it| it["request"] == request);
    of_request.map(|it| it["hint"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a refusal of this request is on record whose hint has these words.
async fn recorded(house: &House, request: &str, words: &str) {
    let look = async {
        while !hints(house, request).await.iter().any(|it| it.contains(words)) {
            tokio::task::yield_now().await;
        }
    };
    if timeout(PATIENCE, look).await.is_err() {
        panic!("nothing about {words:?} is on record: {:?}", hints(house, request).await);
    }
}

/// A connection whose bytes leave at once.
async fn prompt(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads until the server closes.
async fn heard(stream: &mut (impl Duplex + ?Sized)) -> Vec<u8> {
    let (mut heard, mut piece) = (Vec::new(), [0; 4_096]);
    let listen = async {
        while let Ok(count @ 1..) = stream.read(&mut piece).await {
            heard.extend_from_slice(&piece[..count]);
        }
    };
    timeout(PATIENCE, listen).await.expect("the server closes");
    heard
}

#[tokio::test]
async fn every_listener_takes_mqtt_websocket_and_http() {
    let house = House::open().await;
    for (way, stream) in every_way_in(&house).await {
        let mut client =
            sim::Client::over(stream, House::device("g:abc123:gw:g1"), Default::default()).await.unwrap();
        client.publish_done(EVENT, b"bare", Q1).await.unwrap_or_else(|it| panic!("{way}: {it}"));
    }
    for (way, stream) in every_way_in(&house).await {
        let (stream, protocol) = web_socket(stream, "/any/path?at=all", Some("mqtt")).await.unwrap();
        assert_eq!(protocol.as_deref(), Some("mqtt"), "{way}");
        let options = House::device("g:abc123:gw:g1").version(Version::V5);
        let mut client = sim::Client::over(stream, options, Default::default()).await.unwrap();
        client.publish_done(EVENT, b"framed", Q1).await.unwrap_or_else(|it| panic!("{way}: {it}"));
    }
    for (way, mut stream) in every_way_in(&house).await {
        for _ in 0..2 {
            let answer = http_get(&mut stream, "/api/v0002/device/types", Some((KEY, TOKEN))).await;
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"gw\""), "{way}: {answer}");
        }
    }
    assert_eq!(house.refusals().await.len(), 0);
    house.close().await;
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let house = House::open().await;
    let door = async || ByteByByte(prompt(house.mqtt()).await);
    let login = connect_bytes(&House::device("g:abc123:gw:g1"));
    let connack = [0x20, 2, 0, 0];
    let mut answer = [0; 4];

    let mut plain = door().await;
    plain.write_all(&login).await.unwrap();
    plain.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, connack);

    let mut tls = ByteByByte(over_tls(&house, door().await).await.unwrap());
    tls.write_all(&login).await.unwrap();
    tls.flush().await.unwrap();
    tls.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, connack);

    let (mut framed, _) = web_socket(door().await, "/", Some("mqttv3.1")).await.unwrap();
    framed.write_all(&login).await.unwrap();
    framed.flush().await.unwrap();
    framed.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, connack);

    let within_tls = ByteByByte(over_tls(&house, door().await).await.unwrap());
    let (mut framed, _) = web_socket(within_tls, "/", None).await.unwrap();
    framed.write_all(&login).await.unwrap();
    framed.flush().await.unwrap();
    framed.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, connack);

    let answer = http_get(&mut door().await, "/api/v0002/device/types", Some((KEY, TOKEN))).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    house.close().await;
}

#[tokio::test]
async fn what_nobody_speaks_is_closed_and_on_record() {
    let house = House::open().await;
    let tls_port = house.running.addresses.mqtts[0];
    let mut count = 0;
    for (address, garbage, hint) in [
        (house.mqtt(), &b"SSH-2.0-OpenSSH\r\n"[..], "first byte is 0x53"),
        (house.mqtt(), b"\0\0\0\0", "first byte is 0x00"),
        (house.mqtt(), b"GARBAGE\r\n\r\n", "first byte is 0x47"),
        (house.mqtt(), b"GET nonsense\r\n\r\n", "not HTTP"),
        (house.mqtt(), b"\x16\x03\x01\0\x05hello", "TLS"),
        (tls_port, b"\x10\x0c\0\x04MQTT\x04\x02\0\0", "TLS only"),
        (tls_port, b"GET / HTTP/1.1\r\n\r\n", "TLS only"),
        (tls_port, b"nonsense", "first byte is 0x6e"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        heard(&mut stream).await;
        let hints = hints(&house, "connect").await;
        count += 1;
        assert_eq!(hints.len(), count, "{garbage:?}: {hints:?}");
        assert!(hints[count - 1].contains(hint), "{garbage:?}: {hints:?}");
    }
    let mut within = over_tls(&house, TcpStream::connect(tls_port).await.unwrap()).await.unwrap();
    within.write_all(b"\x16\x03\x01\0\x05hello").await.unwrap();
    heard(&mut within).await;
    assert_eq!(hints(&house, "connect").await.len(), count + 1, "TLS within TLS");
    house.client(House::device("g:abc123:gw:g1")).await.ping().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn whoever_says_too_little_is_disconnected_in_time() {
    let listen = "proxy_from = [\"127.0.0.2\"]\n";
    let house = House::open_listening(listen, "[limits]\nlogin_ms_max = 400\n").await;
    let tls_port = house.running.addresses.mqtts[0];
    for (address, said) in [
        (house.mqtt(), &b""[..]),
        (tls_port, b""),
        (house.mqtt(), b"\x10\x40\0\x04MQ"),
        (tls_port, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        assert_eq!(heard(&mut stream).await, b"", "{said:?}");
    }
    let mut silent = over_tls(&house, TcpStream::connect(tls_port).await.unwrap()).await.unwrap();
    heard(&mut silent).await;
    let (mut framed, _) =
        web_socket(TcpStream::connect(house.mqtt()).await.unwrap(), "/", None).await.unwrap();
    heard(&mut framed).await;
    let mut proxy = proxies::from_address("127.0.0.2", house.mqtt()).await;
    proxy.write_all(b"PROXY TCP4 ").await.unwrap();
    heard(&mut proxy).await;
    let hints = hints(&house, "connect").await;
    let of = |words: &str| hints.iter().filter(|it| it.contains(words)).count();
    assert_eq!(of("no whole CONNECT"), 5, "{hints:?}");
    assert_eq!(of("TLS handshake was not done"), 1, "{hints:?}");
    assert_eq!(of("no whole PROXY header"), 1, "{hints:?}");
    house.close().await;
}

#[tokio::test]
async fn who_leaves_without_a_word_is_nobodys_business() {
    let house = House::open().await;
    for address in [house.mqtt(), house.running.addresses.mqtts[0]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(heard(&mut stream).await, b"");
    }
    assert_eq!(house.refusals().await.len(), 0);
    house.close().await;
}

#[tokio::test]
async fn a_pinned_port_speaks_its_dialect_and_serves_no_api() {
    let house = House::open_listening("[listen.pinned]\n\"127.0.0.1:0\" = \"watson\"\n", "").await;
    let (address, dialect) = house.running.addresses.pinned[0];
    assert_eq!(dialect, "watson");
    let mut client = sim::Client::connect(address, House::device("g:abc123:gw:g1")).await.unwrap();
    client.ping().await.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = http_get(&mut stream, "/api/v0002/device/types", Some((KEY, TOKEN))).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(hints(&house, "http").await[0].contains("MQTT only"));
    house.close().await;
}

#[tokio::test]
async fn a_pinned_port_of_no_known_dialect_is_a_fault_of_the_settings() {
    let folder = tempfile::TempDir::new().unwrap();
    let text = format!(
        "[data]\npath = {:?}\n[listen]\nmqtt = \"off\"\nmqtts = \"off\"\nhttp = \"off\"\nhttps = \"off\"\nonenet = \"off\"\n\
         [listen.pinned]\n\"127.0.0.1:0\" = \"klingon\"\n",
        folder.path()
    );
    let config = tidegate::Config::from_toml(&text, "test").unwrap();
    let Err(fault) = tidegate::start(config).await else { panic!("it started") };
    let fault = format!("{fault:#}");
    assert!(fault.contains("klingon") && fault.contains("watson"), "{fault}");
}

#[tokio::test]
async fn a_kept_http_connection_does_not_hold_the_server_up() {
    let house = House::open().await;
    let mut kept = TcpStream::connect(house.running.addresses.http[0]).await.unwrap();
    let answer = http_get(&mut kept, "/api/v0002/device/types", Some((KEY, TOKEN))).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    house.close().await;
    assert_eq!(heard(&mut kept).await, b"", "an idle connection is closed at once");
}
