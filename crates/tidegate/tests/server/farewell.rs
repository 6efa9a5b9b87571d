//! The end of a connection that the server closes: whoever is told why can read it, and nobody is waited for long.

use mqtt::codec;
use mqtt::packet::{Packet, Publish};
use mqtt::property::Properties;
use mqtt::{QoS, Version};
use sim::{Client, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, KEY, PATIENCE, TOKEN};
use crate::ports::doors::{Duplex, over_tls};
use crate::steps::connect_bytes;

/// More than the kernel takes for a server that does not read, and less than the server reads of who is told goodbye.
const FAR_TOO_MUCH_BYTES: usize = 4_000_000;
/// What nobody can send to a server that has stopped reading after 4 MiB: the rest fills the kernel's buffers.
const ENDLESS_BYTES: usize = 256 * 1024 * 1024;

fn options(version: Version) -> Options {
    Options::new("client").version(version).login(KEY, TOKEN)
}

fn refused(version: Version) -> Vec<u8> {
    connect_bytes(&options(version).login(KEY, "wrong"))
}

fn pings(bytes: usize) -> Vec<u8> {
    b"\xc0\0".repeat(bytes / 2)
}

/// Sends all of it, whatever the server says meanwhile, and then reads to the end.
async fn answer_to(stream: &mut (impl Duplex + ?Sized), bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let talk = async {
        stream.write_all(bytes).await.expect("the server takes everything");
        stream.flush().await.unwrap();
        stream.read_to_end(&mut answer).await.expect("an orderly end");
    };
    timeout(PATIENCE, talk).await.expect("an end in time");
    answer
}

#[tokio::test]
async fn who_sends_a_packet_that_is_too_large_reads_so() {
    let house = House::open().await;
    let mut bytes = connect_bytes(&options(Version::V5));
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "t",
        packet_id: 0,
        properties: Properties::EMPTY,
        payload: &vec![b'.'; FAR_TOO_MUCH_BYTES],
    };
    codec::encode(&Packet::Publish(publish), Version::V5, &mut bytes);
    let tcp = async || TcpStream::connect(house.mqtt()).await.unwrap();
    let ways: [Box<dyn Duplex>; 2] =
        [Box::new(tcp().await), Box::new(over_tls(&house, tcp().await).await.unwrap())];
    for mut stream in ways {
        let answer = answer_to(&mut *stream, &bytes).await;
        assert!(answer.starts_with(&[0x20]) && answer.ends_with(&[0xe0, 1, 0x95]), "{answer:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn who_is_refused_reads_why_whatever_comes_behind_its_connect() {
    let house = House::open().await;
    for (version, connack) in [(Version::V311, &[0x20, 2, 0, 4][..]), (Version::V5, &[0x20, 3, 0, 0x86, 0])] {
        let mut stream = TcpStream::connect(house.mqtt()).await.unwrap();
        let bytes = [refused(version), pings(FAR_TOO_MUCH_BYTES)].concat();
        assert_eq!(answer_to(&mut stream, &bytes).await, connack);
    }
    house.close().await;
}

#[tokio::test]
async fn who_never_stops_sending_is_cut_off() {
    let house = House::open().await;
    let mut stream = TcpStream::connect(house.mqtt()).await.unwrap();
    stream.write_all(&refused(Version::V5)).await.unwrap();
    let (piece, mut sent_bytes) = (pings(FAR_TOO_MUCH_BYTES), 0);
    while sent_bytes < ENDLESS_BYTES && timeout(PATIENCE, stream.write_all(&piece)).await.unwrap().is_ok() {
        sent_bytes += piece.len();
    }
    assert!(sent_bytes < ENDLESS_BYTES);
    house.close().await;
}

#[tokio::test]
async fn who_never_closes_is_not_waited_for() {
    let house = House::open_with("[limits]\nconnection_count_max = 1\n").await;
    let mut silent = TcpStream::connect(house.mqtt()).await.unwrap();
    silent.write_all(&refused(Version::V5)).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, silent.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer.first(), Some(&0x20));
    // Its place is free in the end.
    let next = async {
        while Client::connect(house.mqtt(), options(Version::V5)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, next).await.expect("the place is given up");
    // And one that is being waited for does not keep the server.
    drop(silent);
    house.close().await;
}
