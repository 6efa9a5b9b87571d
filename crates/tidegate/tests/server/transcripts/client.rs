//! A client of a transcript: a real socket, and what has come through it.

use std::collections::{BTreeMap, VecDeque};

use mqtt::packet::{self, Connect, FilterRequest, FilterRequests, Filters, Will};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::{Packet, Reason, Version};
use sim::Wire;
use sim::transcript::{Ack, Heard, PacketId, Payload, Publish, Said};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// A connection and what has come through it.
pub(super) struct Client {
    wire: Wire<TcpStream>,
    pub(super) messages: VecDeque<Publish>,
    others: VecDeque<Heard>,
    ids: BTreeMap<String, u16>,
    pub(super) closed: bool,
}

impl Client {
    pub(super) async fn connect(
        addr: std::net::SocketAddr,
        said: &sim::transcript::Connect,
    ) -> Result<Client, String> {
        let stream = TcpStream::connect(addr).await.map_err(|it| it.to_string())?;
        let mut wire = Wire::new(stream, said.version);
        let mut properties = Vec::new();
        if said.version == Version::V5 && !said.clean {
            PropertyWriter::new(&mut properties)
                .push(PropertyId::SessionExpiryInterval, Value::Four(u32::MAX));
        }
        wire.push(&Packet::Connect(Connect {
            version: said.version,
            clean_start: said.clean,
            keep_alive_s: said.keep_alive_s,
            client_id: &said.client_id,
            will: said.will.as_deref().map(|topic| Will {
                topic,
                payload: said.will_payload.as_bytes(),
                qos: said.will_qos,
                retain: said.will_retain,
                properties: Properties::EMPTY,
            }),
            username: said.user.as_deref(),
            password: said.password.as_deref().map(str::as_bytes),
            properties: Properties::stored(&properties),
        }));
        wire.flush().await.map_err(|it| it.to_string())?;
        Ok(Client::on(wire))
    }

    /// A connection of 3.1.1 that has said nothing yet.
    pub(super) async fn open(addr: std::net::SocketAddr) -> Result<Client, String> {
        let stream = TcpStream::connect(addr).await.map_err(|it| it.to_string())?;
        Ok(Client::on(Wire::new(stream, Version::V311)))
    }

    fn on(wire: Wire<TcpStream>) -> Client {
        let (messages, others, ids) = (VecDeque::new(), VecDeque::new(), BTreeMap::new());
        Client { wire, messages, others, ids, closed: false }
    }

    pub(super) async fn says(&mut self, said: &Said) -> Result<(), String> {
        let (mut bytes, version) = (Vec::new(), self.wire.version());
        match said {
            Said::Connect(_) => return Err("a CONNECT is a connection of its own".into()),
            Said::Publish(publish) => {
                let Payload::Bytes(payload) = &publish.payload else { return Err("not a payload".into()) };
                let packet_id = publish.packet_id.as_ref().map_or(Ok(0), |it| self.number(it))?;
                self.wire.push(&Packet::Publish(packet::Publish {
                    dup: publish.dup,
                    qos: publish.qos,
                    retain: publish.retain,
                    topic: &publish.topic,
                    packet_id,
                    properties: Properties::EMPTY,
                    payload,
                }));
            }
            Said::Subscribe { packet_id, filters } => {
                for asked in filters {
                    let request = FilterRequest {
                        no_local: asked.no_local,
                        retain_as_published: asked.retain_as_published,
                        retain_handling: asked.retain_handling,
                        ..FilterRequest::new(&asked.filter, asked.qos)
                    };
                    request.encode(&mut bytes);
                }
                let filters = FilterRequests::new(&bytes, version).map_err(|it| it.to_string())?;
                let (packet_id, properties) = (*packet_id, Properties::EMPTY);
                self.wire.push(&Packet::Subscribe(packet::Subscribe { packet_id, properties, filters }));
            }
            Said::Unsubscribe { packet_id, filters } => {
                filters.iter().for_each(|it| Filters::encode_one(it, &mut bytes));
                let filters = Filters::new(&bytes, version).map_err(|it| it.to_string())?;
                let (packet_id, properties) = (*packet_id, Properties::EMPTY);
                self.wire.push(&Packet::Unsubscribe(packet::Unsubscribe { packet_id, properties, filters }));
            }
            Said::Ack(kind, id) => {
                let ack = packet::Ack {
                    packet_id: self.number(id)?,
                    reason: Reason::SUCCESS,
                    properties: Properties::EMPTY,
                };
                self.wire.push(&match kind {
                    Ack::Ack => Packet::PubAck(ack),
                    Ack::Rec => Packet::PubRec(ack),
                    Ack::Rel => Packet::PubRel(ack),
                    Ack::Comp => Packet::PubComp(ack),
                });
            }
            Said::Bytes(bytes) => self.wire.push_bytes(bytes),
            Said::Ping => self.wire.push(&Packet::PingReq),
            Said::Disconnect => {
                self.wire.push(&Packet::Disconnect(packet::Disconnect::with(Reason::SUCCESS)));
            }
            Said::Drop => {
                self.closed = true;
                // Dropping both halves of the socket is what closes it.
                self.wire = Wire::new(nowhere().await, version);
                return Ok(());
            }
        }
        // The server may close while it is being told something; what it said before that is still to be heard.
        self.wire.flush().await.ok();
        if *said == Said::Disconnect {
            self.ended().await?;
        }
        Ok(())
    }

    fn number(&self, id: &PacketId) -> Result<u16, String> {
        match id {
            PacketId::Number(number) => Ok(*number),
            PacketId::Name(name) => self.ids.get(name).copied().ok_or_else(|| format!("no id {name} yet")),
        }
    }

    pub(super) async fn hears(&mut self, heard: &Heard) -> Result<(), String> {
        match heard {
            Heard::Quiet => self.quiet().await,
            Heard::Closed => self.ended().await,
            Heard::Publish(expected) => {
                while self.messages.is_empty() {
                    self.read().await?;
                }
                let message = self.messages.pop_front().ok_or("heard no message")?;
                self.same_message(expected, &message)
            }
            expected => {
                while self.others.is_empty() {
                    self.read().await?;
                }
                let other = self.others.pop_front().ok_or("heard nothing")?;
                self.same_other(expected, &other)
            }
        }
    }

    fn same_message(&mut self, expected: &Publish, message: &Publish) -> Result<(), String> {
        self.same_id(expected.packet_id.as_ref(), message.packet_id.as_ref())?;
        same(
            &(expected.qos, expected.dup, expected.retain, &expected.topic),
            &(message.qos, message.dup, message.retain, &message.topic),
        )?;
        match &message.payload {
            Payload::Bytes(bytes) => same_payload(&expected.payload, bytes),
            Payload::Subset(_) => Err("a message that came has bytes".into()),
        }
    }

    fn same_other(&mut self, expected: &Heard, other: &Heard) -> Result<(), String> {
        if let (Heard::Ack(kind, id, reason), Heard::Ack(kind_heard, id_heard, reason_heard)) =
            (expected, other)
        {
            self.same_id(Some(id), Some(id_heard))?;
            return same(&(kind, reason), &(kind_heard, reason_heard));
        }
        same(expected, other)
    }

    /// A name stands for whatever number came with it the first time.
    fn same_id(&mut self, expected: Option<&PacketId>, heard: Option<&PacketId>) -> Result<(), String> {
        match (expected, heard) {
            (Some(PacketId::Name(name)), Some(PacketId::Number(number))) => {
                same(self.ids.entry(name.clone()).or_insert(*number), number)
            }
            _ => same(&expected, &heard),
        }
    }

    /// Reads one packet and puts it where it belongs.
    async fn read(&mut self) -> Result<(), String> {
        let packet = timeout(PATIENCE, self.wire.next_packet()).await;
        let packet = packet.map_err(|_| "heard nothing in time")?.map_err(|it| it.to_string())?;
        match owned(&packet) {
            Came::Message(message) => self.messages.push_back(message),
            Came::Other(other) => self.others.push_back(other),
        }
        Ok(())
    }

    /// Everything sent so far has been answered, and everything for this client has come.
    pub(super) async fn catch_up(&mut self) -> Result<(), String> {
        self.wire.push(&Packet::PingReq);
        self.wire.flush().await.map_err(|it| it.to_string())?;
        while self.others.back() != Some(&Heard::Pong) {
            self.read().await?;
        }
        self.others.pop_back();
        Ok(())
    }

    pub(super) async fn quiet(&mut self) -> Result<(), String> {
        self.catch_up().await?;
        self.nothing_left()
    }

    async fn ended(&mut self) -> Result<(), String> {
        let end = timeout(PATIENCE, async { while self.read().await.is_ok() {} }).await;
        end.map_err(|_| "is still connected")?;
        self.closed = true;
        self.nothing_left()
    }

    fn nothing_left(&self) -> Result<(), String> {
        match (self.messages.front(), self.others.front()) {
            (None, None) => Ok(()),
            (Some(message), _) => Err(format!("heard as well: {message:?}")),
            (_, Some(other)) => Err(format!("heard as well: {other:?}")),
        }
    }
}

/// A connection at whose other end nobody says anything.
async fn nowhere() -> TcpStream {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()
}

enum Came {
    Message(Publish),
    Other(Heard),
}

fn owned(packet: &Packet<'_>) -> Came {
    let number = PacketId::Number;
    let ack = |kind, it: &packet::Ack<'_>| Heard::Ack(kind, number(it.packet_id), it.reason.0);
    Came::Other(match packet {
        Packet::Publish(it) => {
            return Came::Message(Publish {
                qos: it.qos,
                packet_id: (it.packet_id != 0).then(|| number(it.packet_id)),
                dup: it.dup,
                retain: it.retain,
                topic: it.topic.to_owned(),
                payload: Payload::Bytes(it.payload.to_vec()),
            });
        }
        Packet::ConnAck(it) => Heard::ConnAck { code: it.code, present: it.session_present },
        Packet::PubAck(it) => ack(Ack::Ack, it),
        Packet::PubRec(it) => ack(Ack::Rec, it),
        Packet::PubRel(it) => ack(Ack::Rel, it),
        Packet::PubComp(it) => ack(Ack::Comp, it),
        Packet::SubAck(it) => Heard::SubAck { packet_id: it.packet_id, codes: it.codes.to_vec() },
        Packet::UnsubAck(it) => Heard::UnsubAck { packet_id: it.packet_id, codes: it.codes.to_vec() },
        Packet::PingResp => Heard::Pong,
        Packet::Disconnect(it) => Heard::Disconnect(it.reason.0),
        other => panic!("a server never sends {other:?}"),
    })
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(expected: &T, heard: &T) -> Result<(), String> {
    if expected == heard { Ok(()) } else { Err(format!("should be {expected:?}, is {heard:?}")) }
}

pub(super) fn same_payload(expected: &Payload, bytes: &[u8]) -> Result<(), String> {
    let text = || String::from_utf8_lossy(bytes).chars().take(400).collect::<String>();
    match expected {
        Payload::Bytes(expected) if expected == bytes => Ok(()),
        Payload::Bytes(expected) => {
            Err(format!("payload should be {:?}, is {:?}", String::from_utf8_lossy(expected), text()))
        }
        Payload::Subset(expected) => {
            let wanted: serde_json::Map<String, serde_json::Value> = serde_json::from_str(expected).unwrap();
            let found: serde_json::Value = serde_json::from_slice(bytes)
                .map_err(|it| format!("payload is not JSON ({it}): {}", text()))?;
            for (key, value) in &wanted {
                if found.get(key).unwrap_or(&serde_json::Value::Null) != value {
                    return Err(format!("payload member {key} should be {value}: {}", text()));
                }
            }
            Ok(())
        }
    }
}
