#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use mqtt::Version;
use mqtt::packet::{ConnAck, PublishParts, SubAck};
use tokio::io::{DuplexStream, duplex};

use super::*;

/// The server's end, played by hand.
struct Server(Wire<DuplexStream>);

impl Server {
    async fn send(&mut self, packet: Packet<'_>) {
        self.0.push(&packet);
        self.0.flush().await.unwrap();
    }

    /// The next packet, in words.
    async fn heard(&mut self) -> String {
        match self.0.next_packet().await.unwrap() {
            Packet::Connect(it) => format!("CONNECT {} {:?}", it.client_id, it.username),
            Packet::Publish(it) => {
                let dup = if it.dup { " dup" } else { "" };
                format!(
                    "PUBLISH {} q{} #{}{dup} {}",
                    it.topic,
                    it.qos as u8,
                    it.packet_id,
                    it.payload.escape_ascii()
                )
            }
            Packet::PubAck(it) => format!("PUBACK #{}", it.packet_id),
            Packet::PubRec(it) => format!("PUBREC #{}", it.packet_id),
            Packet::PubRel(it) => format!("PUBREL #{}", it.packet_id),
            Packet::PubComp(it) => format!("PUBCOMP #{}", it.packet_id),
            Packet::Subscribe(it) => format!("SUBSCRIBE #{} {}", it.packet_id, it.filters.len()),
            other => format!("{:?}", other.kind()),
        }
    }

    async fn welcome(&mut self, session_present: bool) {
        assert!(self.heard().await.starts_with("CONNECT"));
        self.send(Packet::ConnAck(ConnAck { session_present, ..ConnAck::refusal(0) })).await;
    }
}

fn publish(qos: QoS, packet_id: u16, dup: bool) -> Packet<'static> {
    Packet::Publish(Publish {
        dup,
        qos,
        retain: false,
        topic: "t",
        packet_id,
        properties: Properties::EMPTY,
        payload: b"x",
    })
}

/// A client and the server's end of its connection.
async fn connected(session: Session, session_present: bool) -> (Client<DuplexStream>, Server) {
    let (near, far) = duplex(4096);
    let mut server = Server(Wire::new(far, Version::V311));
    let (client, ()) =
        tokio::join!(Client::over(near, Options::new("c"), session), server.welcome(session_present));
    (client.unwrap(), server)
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code() {
    let (near, far) = duplex(4096);
    let mut server = Server(Wire::new(far, Version::V311));
    let options = Options::new("c").login("u", "p");
    let (client, heard) = tokio::join!(Client::over(near, options, Session::default()), async {
        let heard = server.heard().await;
        server.send(Packet::ConnAck(ConnAck::refusal(5))).await;
        heard
    });
    assert!(matches!(client, Err(Fault::Refused { code: 5 })));
    assert_eq!(heard, "CONNECT c Some(\"u\")");
}

#[tokio::test]
async fn a_message_is_done_when_its_last_answer_came() {
    let (mut client, mut server) = connected(Session::default(), false).await;
    let one = client.publish("a", b"1", QoS::AtLeastOnce).await.unwrap();
    let two = client.publish("b", b"2", QoS::ExactlyOnce).await.unwrap();
    assert_eq!(client.publish("c", b"3", QoS::AtMostOnce).await.unwrap(), 0);
    assert_eq!(server.heard().await, format!("PUBLISH a q1 #{one} 1"));
    assert_eq!(server.heard().await, format!("PUBLISH b q2 #{two} 2"));
    assert_eq!(server.heard().await, "PUBLISH c q0 #0 3");
    server.send(Packet::PubRec(Ack::success(two))).await;
    server.send(Packet::PubAck(Ack::success(one))).await;
    let done = |packet_id| Event::Published { packet_id, reason: Reason::SUCCESS };
    assert_eq!(client.next_event().await.unwrap(), done(one));
    assert_eq!(client.unacknowledged().collect::<Vec<_>>(), [two]);
    assert_eq!(server.heard().await, format!("PUBREL #{two}"));
    server.send(Packet::PubComp(Ack::success(two))).await;
    client.all_done().await.unwrap();
    assert_eq!(client.next_event().await.unwrap(), done(two));
}

#[tokio::test]
async fn messages_are_acknowledged_and_qos_2_comes_once() {
    let (mut client, mut server) = connected(Session::default(), false).await;
    server.send(publish(QoS::AtLeastOnce, 1, false)).await;
    server.send(publish(QoS::ExactlyOnce, 2, false)).await;
    server.send(publish(QoS::ExactlyOnce, 2, true)).await;
    server.send(Packet::PubRel(Ack::success(2))).await;
    server.send(publish(QoS::ExactlyOnce, 2, false)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(client.next_message().await.unwrap().packet_id);
    }
    assert_eq!(ids, [1, 2, 2], "the second 2 is a new message: its id was free again");
    for expected in ["PUBACK #1", "PUBREC #2", "PUBREC #2", "PUBCOMP #2", "PUBREC #2"] {
        assert_eq!(server.heard().await, expected);
    }
}

#[tokio::test]
async fn what_was_not_done_is_sent_again_after_a_crash() {
    let (mut client, mut server) = connected(Session::default(), false).await;
    let one = client.publish("a", b"1", QoS::AtLeastOnce).await.unwrap();
    let two = client.publish("b", b"2", QoS::ExactlyOnce).await.unwrap();
    server.send(Packet::PubRec(Ack::success(two))).await;
    server.send(publish(QoS::AtMostOnce, 0, false)).await;
    client.next_message().await.unwrap();
    let session = client.crash();

    let (client, mut server) = connected(session.clone(), true).await;
    assert_eq!(server.heard().await, format!("PUBLISH a q1 #{one} dup 1"));
    assert_eq!(server.heard().await, format!("PUBREL #{two}"));
    drop(client);

    let (client, mut server) = connected(session, false).await;
    assert_eq!(server.heard().await, format!("PUBLISH a q1 #{one} 1"), "as a new message");
    assert_eq!(client.unacknowledged().collect::<Vec<_>>(), [one]);
}

#[tokio::test]
async fn a_message_that_comes_before_the_answer_is_not_lost() {
    let (mut client, mut server) = connected(Session::default(), false).await;
    let subscribed = async {
        assert_eq!(server.heard().await, "SUBSCRIBE #1 2");
        server.send(publish(QoS::AtMostOnce, 0, false)).await;
        let codes = [1, SubAck::FAILURE];
        server
            .send(Packet::SubAck(SubAck { packet_id: 1, properties: Properties::EMPTY, codes: &codes }))
            .await;
    };
    let filters = [("a", QoS::AtLeastOnce), ("b", QoS::ExactlyOnce)];
    let (codes, ()) = tokio::join!(client.subscribe(&filters), subscribed);
    assert_eq!(codes.unwrap(), [1, 0x80]);
    assert_eq!(client.next_message().await.unwrap().topic, "t");
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_a_ping_and_patience_ends() {
    let (mut client, mut server) = connected(Session::default(), false).await;
    let began = Instant::now();
    let (event, heard) = tokio::join!(client.next_event(), async {
        let heard = server.heard().await;
        server.send(Packet::PingResp).await;
        heard
    });
    assert_eq!((event.unwrap(), heard.as_str()), (Event::Pong, "PingReq"));
    assert!(began.elapsed().as_secs() < 60, "within the keep alive");
    assert!(matches!(client.next_message().await, Err(Fault::TimedOut("message"))));
}

#[tokio::test]
async fn both_ends_may_send_more_than_the_pipe_holds() {
    let (mut client, mut server) = connected(Session::default(), false).await;
    let big = "x".repeat(100_000);
    let message = PublishParts { topic: ["t", ""], payload: big.as_bytes(), ..PublishParts::default() };
    let mut bytes = Vec::new();
    mqtt::codec::encode_publish(&mut bytes, Version::V311, &message);
    server.0.push_bytes(&bytes);
    let there = async {
        client.publish("a", big.as_bytes(), QoS::AtMostOnce).await.unwrap();
        client.next_message().await.unwrap().payload.len()
    };
    let back = async {
        server.0.flush().await.unwrap();
        server.heard().await.len()
    };
    let (there, back) = tokio::join!(there, back);
    assert_eq!((there, back), (big.len(), "PUBLISH a q0 #0 ".len() + big.len()));
}

#[tokio::test]
async fn a_message_is_told_even_if_its_answer_cannot_be_written() {
    let (mut client, mut server) = connected(Session::default(), false).await;
    server.send(publish(QoS::ExactlyOnce, 7, false)).await;
    drop(server);
    assert!(matches!(client.next_event().await, Ok(Event::Message(it)) if it.packet_id == 7));
    assert!(client.next_event().await.is_err());
}
