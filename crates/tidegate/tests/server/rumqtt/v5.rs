//! The crate's API for MQTT 5.0.

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::qos;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, PubAckReason, PubCompReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};

use super::guest::{Api, Door, Heard, PACKET_BYTES_MAX, Post, Session, Visit};

pub(super) struct Client {
    requests: AsyncClient,
    events: EventLoop,
}

impl Api for Client {
    fn new(door: &Door, visit: &Visit) -> Client {
        let mut options = MqttOptions::new(&visit.client_id, &door.host, door.port);
        options.set_transport(door.transport.clone());
        options.set_max_packet_size(Some(PACKET_BYTES_MAX));
        if visit.session == Session::Durable {
            options.set_clean_start(false).set_session_expiry_interval(Some(3_600));
        }
        if let Some((user, token)) = &visit.login {
            options.set_credentials(user, token);
        }
        if let Some(will) = &visit.will {
            let (level, payload) = (qos(will.qos).unwrap(), will.payload.clone());
            options.set_last_will(LastWill::new(&will.topic, payload, level, will.retain, None));
        }
        let (requests, events) = AsyncClient::new(options, 10);
        Client { requests, events }
    }

    async fn subscribe(&self, filter: &str, level: u8) {
        self.requests.subscribe(filter, qos(level).unwrap()).await.unwrap();
    }

    async fn unsubscribe(&self, filter: &str) {
        self.requests.unsubscribe(filter).await.unwrap();
    }

    async fn publish(&self, post: &Post) {
        let (level, payload) = (qos(post.qos).unwrap(), post.payload.clone());
        self.requests.publish(&post.topic, level, post.retain, payload).await.unwrap();
    }

    async fn disconnect(&self) {
        self.requests.disconnect().await.unwrap();
    }

    fn lose(&mut self) {
        self.events.clean();
    }

    async fn poll(&mut self) -> Heard {
        let packet = match self.events.poll().await {
            Ok(Event::Incoming(packet)) => packet,
            Ok(Event::Outgoing(Outgoing::Publish(id))) => return Heard::Sent(id),
            Ok(Event::Outgoing(Outgoing::PubComp(_))) => return Heard::Settled,
            Ok(_) => return Heard::Other,
            Err(ConnectionError::ConnectionRefused(code)) => return Heard::Refused(format!("{code:?}")),
            Err(other) => return Heard::Gone(other.to_string()),
        };
        match packet {
            Packet::ConnAck(it) => Heard::Connected { session_present: it.session_present },
            Packet::SubAck(it) => Heard::Granted(it.return_codes.into_iter().map(code).collect()),
            Packet::UnsubAck(_) => Heard::Unsubscribed,
            Packet::PubAck(it) if taken(it.reason) => Heard::Acknowledged(it.pkid),
            Packet::PubComp(it) if it.reason == PubCompReason::Success => Heard::Acknowledged(it.pkid),
            Packet::Publish(it) => Heard::Message(Post {
                topic: String::from_utf8(it.topic.to_vec()).unwrap(),
                payload: it.payload.to_vec(),
                qos: it.qos as u8,
                retain: it.retain,
            }),
            Packet::PubAck(_) | Packet::PubComp(_) | Packet::Disconnect(_) => {
                Heard::Gone(format!("{packet:?}"))
            }
            _ => Heard::Other,
        }
    }
}

fn taken(reason: PubAckReason) -> bool {
    matches!(reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers)
}

fn code(reason: SubscribeReasonCode) -> u8 {
    match reason {
        SubscribeReasonCode::Success(qos) => qos as u8,
        SubscribeReasonCode::Unspecified => 0x80,
        other => panic!("{other:?}"),
    }
}
