//! The crate's API for MQTT 3.1.1.

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet,
    SubscribeReasonCode, qos,
};

use super::guest::{Api, Door, Heard, PACKET_BYTES_MAX, Post, Session, Visit};

pub(super) struct Client {
    requests: AsyncClient,
    events: EventLoop,
}

impl Api for Client {
    fn new(door: &Door, visit: &Visit) -> Client {
        let mut options = MqttOptions::new(&visit.client_id, &door.host, door.port);
        options.set_transport(door.transport.clone());
        options.set_clean_session(visit.session == Session::Clean);
        options.set_max_packet_size(PACKET_BYTES_MAX as usize, PACKET_BYTES_MAX as usize);
        if let Some((user, token)) = &visit.login {
            options.set_credentials(user, token);
        }
        if let Some(will) = &visit.will {
            let payload = will.payload.clone();
            options.set_last_will(LastWill::new(&will.topic, payload, qos(will.qos).unwrap(), will.retain));
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
            Packet::PubAck(it) => Heard::Acknowledged(it.pkid),
            Packet::PubComp(it) => Heard::Acknowledged(it.pkid),
            Packet::Publish(it) => Heard::Message(Post {
                topic: it.topic,
                payload: it.payload.to_vec(),
                qos: it.qos as u8,
                retain: it.retain,
            }),
            _ => Heard::Other,
        }
    }
}

fn code(reason: SubscribeReasonCode) -> u8 {
    match reason {
        SubscribeReasonCode::Success(qos) => qos as u8,
        SubscribeReasonCode::Failure => 0x80,
    }
}
