//! A client that sends what it is told, and answers nothing by itself.

use mqtt::packet::{Ack, FilterRequest, FilterRequests, Packet, Publish, Subscribe};
use mqtt::property::Properties;
use mqtt::{QoS, Version};
use sim::{Options, Wire};
use tokio::net::TcpStream;

use crate::house::House;
use crate::steps::{wire_next, wire_until_closed};

pub(super) struct Bare(Wire<TcpStream>);

impl Bare {
    /// Connects; whether the session was there.
    pub(super) async fn connect(house: &House, options: Options) -> (Bare, bool) {
        let mut bare = Bare(house.wire(Version::V311).await);
        bare.0.push(&Packet::Connect(options.connect()));
        bare.0.flush().await.unwrap();
        let present = wire_next(&mut bare.0, |packet| match packet {
            Packet::ConnAck(it) if it.code == 0 => it.session_present,
            other => panic!("{other:?}"),
        })
        .await;
        (bare, present)
    }

    pub(super) async fn says(&mut self, packet: &Packet<'_>) {
        self.0.push(packet);
        self.0.flush().await.unwrap();
    }

    pub(super) async fn publishes(&mut self, topic: &str, payload: &str, packet_id: u16, dup: bool) {
        let (properties, payload) = (Properties::EMPTY, payload.as_bytes());
        let qos = QoS::ExactlyOnce;
        let publish = Publish { dup, qos, retain: false, topic, packet_id, properties, payload };
        self.says(&Packet::Publish(publish)).await;
    }

    pub(super) async fn subscribes(&mut self, topic: &str, qos: QoS) {
        let mut filters = Vec::new();
        FilterRequest::new(topic, qos).encode(&mut filters);
        let filters = FilterRequests::new(&filters, Version::V311).unwrap();
        let properties = Properties::EMPTY;
        self.says(&Packet::Subscribe(Subscribe { packet_id: 9, properties, filters })).await;
        assert_eq!(self.hears().await, format!("suback [{}]", qos as u8));
    }

    pub(super) async fn releases(&mut self, packet_id: u16) {
        self.says(&Packet::PubRel(Ack::success(packet_id))).await;
    }

    /// The next packet, in short.
    pub(super) async fn hears(&mut self) -> String {
        wire_next(&mut self.0, |packet| match packet {
            Packet::PubRec(it) => format!("pubrec {}", it.packet_id),
            Packet::PubRel(it) => format!("pubrel {}", it.packet_id),
            Packet::PubComp(it) => format!("pubcomp {}", it.packet_id),
            Packet::SubAck(it) => format!("suback {:?}", it.codes),
            Packet::PingResp => "pingresp".to_owned(),
            Packet::Publish(it) => {
                let dup = if it.dup { " again" } else { "" };
                format!("{} q{} {}{dup}", it.topic, it.qos as u8, String::from_utf8_lossy(it.payload))
            }
            other => panic!("{other:?}"),
        })
        .await
    }

    /// Waits until the server has closed the connection; says how many packets came before.
    pub(super) async fn closed_after(mut self) -> usize {
        wire_until_closed(&mut self.0).await.len()
    }
}
