//! A small MQTT client: it acknowledges, remembers what was not acknowledged, and sends it again after a crash.

mod options;
mod session;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;

use mqtt::codec::Violation;
use mqtt::packet::{
    Ack, Disconnect, FilterRequest, FilterRequests, Filters, Kind, Publish, Subscribe, Unsubscribe,
};
use mqtt::property::Properties;
use mqtt::{Packet, QoS, Reason};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::Wire;
pub use options::{Acknowledge, Options};
pub use session::Session;
use session::Stage;

/// Messages kept while an answer is awaited.
const WAITING_COUNT_MAX: usize = 100_000;

/// Why a client cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server sent what is not MQTT.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// The server refused the CONNECT; the code is in the numbers of the version.
    #[error("the server refused the connection with code {code}")]
    Refused {
        /// 1 to 5 before MQTT 5.0, a reason code in 5.0.
        code: u8,
    },
    /// The server said goodbye (5.0).
    #[error("the server disconnected: {0}")]
    Disconnected(Reason),
    /// The server sent a packet that makes no sense at this point.
    #[error("the server sent {0:?}, which was not expected")]
    Unexpected(Kind),
    /// All 65,535 packet ids are in use.
    #[error("too many messages are under way")]
    Full,
    /// Nothing came within [`Options::patience`].
    #[error("no {0} came in time")]
    TimedOut(&'static str),
}

/// A message as it came or is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// The quality of this hop.
    pub qos: QoS,
    /// The retain flag.
    pub retain: bool,
    /// It may have been sent before.
    pub dup: bool,
    /// Its packet id; 0 at QoS 0.
    pub packet_id: u16,
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message. At QoS 2 it comes once, however often it was sent.
    Message(Message),
    /// A message of ours at QoS 1 or 2 is done: PUBACK, PUBCOMP, or a PUBREC that refuses.
    Published {
        /// Its packet id.
        packet_id: u16,
        /// Success before 5.0.
        reason: Reason,
    },
    /// A SUBSCRIBE was answered.
    Subscribed {
        /// Its packet id.
        packet_id: u16,
        /// One per filter, in the numbers of the version.
        codes: Vec<u8>,
    },
    /// An UNSUBSCRIBE was answered.
    Unsubscribed {
        /// Its packet id.
        packet_id: u16,
    },
    /// A PINGREQ was answered.
    Pong,
}

/// A connected client.
///
/// Methods that wait for an answer give up after [`Options::patience`]; [`Client::next_event`] waits for ever. All can
/// be given up at any await without losing anything.
pub struct Client<S = TcpStream> {
    wire: Wire<S>,
    options: Options,
    session: Session,
    session_present: bool,
    /// What came while something else was awaited.
    waiting: VecDeque<Event>,
    /// What is put down already and not told yet: it must be told even if the answer to it can no longer be written.
    untold: Option<Event>,
    last_sent: Instant,
}

impl Client<TcpStream> {
    /// Connects over TCP with a new session.
    pub async fn connect(addr: SocketAddr, options: Options) -> Result<Client, Fault> {
        Client::resume(addr, options, Session::default()).await
    }

    /// Connects over TCP with what an earlier connection left. Where the server knows the session too, what was not
    /// acknowledged is sent again as it was; otherwise, messages are sent as new ones.
    pub async fn resume(addr: SocketAddr, options: Options, session: Session) -> Result<Client, Fault> {
        let stream = timeout(options.patience, TcpStream::connect(addr)).await;
        let stream = stream.map_err(|_| Fault::TimedOut("connection"))??;
        stream.set_nodelay(true)?;
        Client::over(stream, options, session).await
    }
}

impl<S: AsyncRead + AsyncWrite> Client<S> {
    /// Connects over any stream; see [`Client::resume`].
    pub async fn over(stream: S, options: Options, session: Session) -> Result<Client<S>, Fault> {
        let mut wire = Wire::new(stream, options.version);
        wire.push(&Packet::Connect(options.connect()));
        let answer = async {
            wire.flush().await?;
            match wire.next_packet().await? {
                Packet::ConnAck(it) if it.code == 0 => Ok(it.session_present),
                Packet::ConnAck(it) => Err(Fault::Refused { code: it.code }),
                other => Err(Fault::Unexpected(other.kind())),
            }
        };
        let session_present =
            timeout(options.patience, answer).await.map_err(|_| Fault::TimedOut("CONNACK"))??;
        let (waiting, last_sent) = (VecDeque::new(), Instant::now());
        let mut client = Client { wire, options, session, session_present, waiting, untold: None, last_sent };
        client.send_again().await?;
        Ok(client)
    }

    /// Whether the server knew the session.
    pub fn session_present(&self) -> bool {
        self.session_present
    }

    /// Packet ids of our messages at QoS 1 and 2 that are not done, in the order they were sent.
    pub fn unacknowledged(&self) -> impl Iterator<Item = u16> {
        self.session.unacked.iter().map(|it| it.packet_id)
    }

    /// Sends a message; returns its packet id (0 at QoS 0) without waiting for an answer.
    pub async fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS) -> Result<u16, Fault> {
        let packet_id = if qos == QoS::AtMostOnce { 0 } else { self.session.next_packet_id()? };
        let message = Message {
            topic: topic.to_owned(),
            payload: payload.to_owned(),
            qos,
            retain: false,
            dup: false,
            packet_id,
        };
        self.send_message(&message).await?;
        Ok(packet_id)
    }

    /// Sends a message just as it is, its retain flag included. At QoS 1 and 2 the packet id must not be in use.
    pub async fn send_message(&mut self, message: &Message) -> Result<(), Fault> {
        if message.qos != QoS::AtMostOnce {
            self.session.sent(message.clone());
        }
        self.wire.push(&Packet::Publish(publish_of(message)));
        self.flush().await
    }

    /// Sends a message at QoS 1 or 2 and waits until it is done. At QoS 0 it is done once sent.
    pub async fn publish_done(&mut self, topic: &str, payload: &[u8], qos: QoS) -> Result<Reason, Fault> {
        match self.publish(topic, payload, qos).await? {
            0 => Ok(Reason::SUCCESS),
            sent => {
                self.wait_for("acknowledgement", |event| match event {
                    Event::Published { packet_id, reason } if *packet_id == sent => Some(*reason),
                    _ => None,
                })
                .await
            }
        }
    }

    /// Waits until every message of ours at QoS 1 and 2 is done.
    pub async fn all_done(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + self.options.patience;
        while !self.session.unacked.is_empty() {
            let event = within(until, "acknowledgement", self.read_event()).await?;
            self.keep(event);
        }
        Ok(())
    }

    /// Subscribes and waits for the codes, one per filter, in the numbers of the version.
    pub async fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<Vec<u8>, Fault> {
        let requests: Vec<_> = filters.iter().map(|(filter, qos)| FilterRequest::new(filter, *qos)).collect();
        self.subscribe_with(&requests).await
    }

    /// [`Client::subscribe`] with the options of 5.0.
    pub async fn subscribe_with(&mut self, requests: &[FilterRequest<'_>]) -> Result<Vec<u8>, Fault> {
        let (mut bytes, packet_id) = (Vec::new(), self.session.next_packet_id()?);
        requests.iter().for_each(|it| it.encode(&mut bytes));
        let filters = FilterRequests::new(&bytes, self.wire.version())?;
        self.wire.push(&Packet::Subscribe(Subscribe { packet_id, properties: Properties::EMPTY, filters }));
        self.flush().await?;
        self.wait_for("SUBACK", |event| match event {
            Event::Subscribed { packet_id: answered, codes } if *answered == packet_id => Some(codes.clone()),
            _ => None,
        })
        .await
    }

    /// Unsubscribes and waits for the answer.
    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Result<(), Fault> {
        let (mut bytes, packet_id) = (Vec::new(), self.session.next_packet_id()?);
        filters.iter().for_each(|it| Filters::encode_one(it, &mut bytes));
        let filters = Filters::new(&bytes, self.wire.version())?;
        self.wire.push(&Packet::Unsubscribe(Unsubscribe {
            packet_id,
            properties: Properties::EMPTY,
            filters,
        }));
        self.flush().await?;
        self.wait_for("UNSUBACK", |event| (*event == Event::Unsubscribed { packet_id }).then_some(())).await
    }

    /// Asks for a sign of life and waits for it. Everything the server had to say before has then been read.
    pub async fn ping(&mut self) -> Result<(), Fault> {
        self.send_packet(&Packet::PingReq).await?;
        self.wait_for("PINGRESP", |event| (*event == Event::Pong).then_some(())).await
    }

    /// The next message.
    pub async fn next_message(&mut self) -> Result<Message, Fault> {
        self.wait_for("message", |event| match event {
            Event::Message(message) => Some(message.clone()),
            _ => None,
        })
        .await
    }

    /// What the server said next, answered where it wants an answer. Waits for ever, and keeps the connection alive.
    pub async fn next_event(&mut self) -> Result<Event, Fault> {
        match self.waiting.pop_front() {
            Some(event) => Ok(event),
            None => self.read_event().await,
        }
    }

    /// Acknowledges a message by hand: PUBACK or PUBREC. PUBREL is always answered.
    pub async fn acknowledge(&mut self, message: &Message) -> Result<(), Fault> {
        self.push_acknowledgement(message);
        self.flush().await
    }

    /// Sends any packet, and keeps no account of it.
    pub async fn send_packet(&mut self, packet: &Packet<'_>) -> Result<(), Fault> {
        self.wire.push(packet);
        self.flush().await
    }

    /// Sends any bytes.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.wire.push_bytes(bytes);
        self.flush().await
    }

    /// The next packet as it came, neither answered nor accounted for.
    pub async fn next_packet(&mut self) -> Result<Packet<'_>, Fault> {
        timeout(self.options.patience, self.wire.next_packet())
            .await
            .map_err(|_| Fault::TimedOut("packet"))?
    }

    /// Says goodbye. What is left of the session can be resumed.
    pub async fn disconnect(mut self) -> Result<Session, Fault> {
        self.wire.push(&Packet::Disconnect(Disconnect::with(Reason::SUCCESS)));
        self.wire.shutdown().await?;
        Ok(self.session)
    }

    /// Drops the connection without a word, as a crash would. What is left of the session can be resumed.
    pub fn crash(self) -> Session {
        self.session
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        self.last_sent = Instant::now();
        self.wire.flush().await
    }

    async fn send_again(&mut self) -> Result<(), Fault> {
        if !self.session_present {
            self.session.forget_server_side();
        }
        for unacked in &mut self.session.unacked {
            match &mut unacked.stage {
                Stage::Published(message) => {
                    message.dup = self.session_present;
                    self.wire.push(&Packet::Publish(publish_of(message)));
                }
                Stage::Released => self.wire.push(&Packet::PubRel(Ack::success(unacked.packet_id))),
            }
        }
        self.flush().await
    }

    /// Reads on until `pick` finds what it wants; what it does not want is kept for later.
    async fn wait_for<T>(
        &mut self,
        what: &'static str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, Fault> {
        if let Some((at, picked)) =
            self.waiting.iter().enumerate().find_map(|(at, it)| pick(it).map(|it| (at, it)))
        {
            self.waiting.remove(at);
            return Ok(picked);
        }
        let until = Instant::now() + self.options.patience;
        loop {
            let event = within(until, what, self.read_event()).await?;
            match pick(&event) {
                Some(picked) => return Ok(picked),
                None => self.keep(event),
            }
        }
    }

    /// Keeps an event for whoever asks next; the oldest goes where nobody ever asks.
    fn keep(&mut self, event: Event) {
        if self.waiting.len() >= WAITING_COUNT_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(event);
    }

    async fn read_event(&mut self) -> Result<Event, Fault> {
        loop {
            // What an earlier, given up call left unwritten goes first.
            let flushed = self.wire.flush().await;
            if let Some(event) = self.untold.take() {
                return Ok(event);
            }
            flushed?;
            let ping_at = self.options.ping_interval().map(|it| self.last_sent + it);
            let heard = tokio::select! {
                packet = self.wire.next_packet() => Heard::from_packet(packet?)?,
                () = sleep_until(ping_at.unwrap_or_else(Instant::now)), if ping_at.is_some() => {
                    Heard::Silence
                }
            };
            self.untold = self.answer(heard)?;
        }
    }

    /// Puts down what was heard and answers it; the event is what is worth telling.
    fn answer(&mut self, heard: Heard) -> Result<Option<Event>, Fault> {
        match heard {
            Heard::Event(Event::Message(message)) => return Ok(self.take(message).map(Event::Message)),
            Heard::Event(event) => return Ok(Some(event)),
            Heard::PubAck { packet_id, reason } => return Ok(self.done(packet_id, reason)),
            Heard::PubRec { packet_id, reason } if reason.is_error() => {
                return Ok(self.done(packet_id, reason));
            }
            Heard::PubRec { packet_id, .. } => {
                self.session.released(packet_id);
                self.push(&Packet::PubRel(Ack::success(packet_id)));
            }
            Heard::PubComp { packet_id, reason } => return Ok(self.done(packet_id, reason)),
            Heard::PubRel { packet_id } => {
                self.session.received.remove(&packet_id);
                self.push(&Packet::PubComp(Ack::success(packet_id)));
            }
            Heard::Silence => self.push(&Packet::PingReq),
        }
        Ok(None)
    }

    fn done(&mut self, packet_id: u16, reason: Reason) -> Option<Event> {
        self.session.done(packet_id).then_some(Event::Published { packet_id, reason })
    }

    /// A message that came; `None` when it came before (QoS 2).
    fn take(&mut self, message: Message) -> Option<Message> {
        if self.options.acknowledge == Acknowledge::Automatically {
            self.push_acknowledgement(&message);
        }
        let is_new = message.qos != QoS::ExactlyOnce || self.session.received.insert(message.packet_id);
        is_new.then_some(message)
    }

    fn push_acknowledgement(&mut self, message: &Message) {
        let ack = Ack::success(message.packet_id);
        match message.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.push(&Packet::PubAck(ack)),
            QoS::ExactlyOnce => self.push(&Packet::PubRec(ack)),
        }
    }

    fn push(&mut self, packet: &Packet<'_>) {
        self.last_sent = Instant::now();
        self.wire.push(packet);
    }
}

/// A packet, taken out of the buffer it was read from.
enum Heard {
    Event(Event),
    PubAck {
        packet_id: u16,
        reason: Reason,
    },
    PubRec {
        packet_id: u16,
        reason: Reason,
    },
    PubRel {
        packet_id: u16,
    },
    PubComp {
        packet_id: u16,
        reason: Reason,
    },
    /// It is time to show that we live.
    Silence,
}

impl Heard {
    fn from_packet(packet: Packet<'_>) -> Result<Heard, Fault> {
        Ok(match packet {
            Packet::Publish(it) => Heard::Event(Event::Message(Message {
                topic: it.topic.to_owned(),
                payload: it.payload.to_owned(),
                qos: it.qos,
                retain: it.retain,
                dup: it.dup,
                packet_id: it.packet_id,
            })),
            Packet::PubAck(it) => Heard::PubAck { packet_id: it.packet_id, reason: it.reason },
            Packet::PubRec(it) => Heard::PubRec { packet_id: it.packet_id, reason: it.reason },
            Packet::PubRel(it) => Heard::PubRel { packet_id: it.packet_id },
            Packet::PubComp(it) => Heard::PubComp { packet_id: it.packet_id, reason: it.reason },
            Packet::SubAck(it) => {
                Heard::Event(Event::Subscribed { packet_id: it.packet_id, codes: it.codes.to_owned() })
            }
            Packet::UnsubAck(it) => Heard::Event(Event::Unsubscribed { packet_id: it.packet_id }),
            Packet::PingResp => Heard::Event(Event::Pong),
            Packet::Disconnect(it) => return Err(Fault::Disconnected(it.reason)),
            other => return Err(Fault::Unexpected(other.kind())),
        })
    }
}

fn publish_of(message: &Message) -> Publish<'_> {
    Publish {
        dup: message.dup,
        qos: message.qos,
        retain: message.retain,
        topic: &message.topic,
        packet_id: message.packet_id,
        properties: Properties::EMPTY,
        payload: &message.payload,
    }
}

async fn within<T>(
    until: Instant,
    what: &'static str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::time::timeout_at(until, work).await.map_err(|_| Fault::TimedOut(what))?
}
