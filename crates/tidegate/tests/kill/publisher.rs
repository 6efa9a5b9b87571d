//! A client that publishes numbered messages and remembers which of them were acknowledged.
//!
//! Its MQTT session goes on from connection to connection: what was not acknowledged when the server was killed is
//! sent again after the restart.

use std::collections::HashMap;
use std::time::Duration;

use mqtt::QoS;
use sim::{Client, Event, Fault, Message, Options, Session, watson};
use tokio::time::timeout;

use crate::board::{BACKLOG_COUNT_MAX, Phase, Stream};
use crate::random::Random;
use crate::round::Visit;

/// A new child is heard of once in so many events.
const EVENTS_PER_CHILD: u64 = 150;
/// Half of the events are of the youngest so many devices.
const YOUNG_DEVICES: usize = 8;

/// A publisher and the account of what it published.
pub(crate) struct Publisher {
    /// Its name, unique among the publishers.
    pub(crate) name: String,
    pub(crate) stream: Stream,
    /// The devices its messages are about, as (type, name). Nobody else publishes about them in this stream.
    pub(crate) devices: Vec<(String, String)>,
    /// What it published; a message's number is its place here.
    pub(crate) sent: Vec<Sent>,
    options: Options,
    session: Session,
    /// It has been connected with its durable session.
    known: bool,
    random: Random,
    /// Messages under way at a time.
    window: usize,
    /// Packet ids of messages that are not done, and the messages' numbers.
    under_way: HashMap<u16, usize>,
    /// The message that ends the stream has been sent.
    ended: bool,
}

/// A message that was published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// The place of its device in [`Publisher::devices`].
    pub(crate) device: usize,
    pub(crate) round: u32,
    /// In which round it was acknowledged: PUBACK, or PUBCOMP.
    pub(crate) acknowledged: Option<u32>,
}

impl Publisher {
    pub(crate) fn new(
        name: &str,
        stream: Stream,
        devices: &[(&str, &str)],
        options: Options,
        window: usize,
        random: Random,
    ) -> Publisher {
        let devices = devices.iter().map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned())).collect();
        Publisher {
            name: name.to_owned(),
            stream,
            devices,
            sent: Vec::new(),
            options,
            session: Session::default(),
            known: false,
            random,
            window,
            under_way: HashMap::new(),
            ended: false,
        }
    }

    /// Messages that were sent and not acknowledged.
    pub(crate) fn under_way_count(&self) -> usize {
        self.under_way.len()
    }

    /// Publishes until the connection breaks, or until everything is acknowledged in the last phase.
    pub(crate) async fn run(mut self, visit: Visit) -> Publisher {
        if let Err(fault) = self.connect_and_publish(&visit).await {
            visit.board.note_lost(&self.name, &fault);
        }
        self
    }

    async fn connect_and_publish(&mut self, visit: &Visit) -> Result<(), Fault> {
        let durable = !self.options.clean_start;
        let mut client = Client::resume(visit.address, self.options.clone(), self.session.clone()).await?;
        match client.session_present() {
            false if durable && self.known => visit.board.fail(&self.name, "the durable session is gone"),
            true if !durable => visit.board.fail(&self.name, "a clean session was kept"),
            _ => self.known = durable,
        }
        let outcome = self.publish(&mut client, visit).await;
        // What has come may be read as well as not; what was read and put down must not be left unsaid.
        while let Ok(Ok(event)) = timeout(Duration::ZERO, client.next_event()).await {
            self.note(&event, visit);
        }
        self.session = client.crash();
        outcome
    }

    async fn publish(&mut self, client: &mut Client, visit: &Visit) -> Result<(), Fault> {
        loop {
            let state = visit.board.state();
            let crowded = state.backlog(self.stream) >= BACKLOG_COUNT_MAX;
            match state.phase {
                Phase::Load if !crowded && self.under_way.len() < self.window => {
                    let device = self.pick_device();
                    self.send(client, device, visit).await?;
                    continue;
                }
                Phase::Finish if self.under_way.is_empty() && self.ended => return Ok(()),
                Phase::Finish if self.under_way.is_empty() => {
                    self.ended = true;
                    self.send(client, 0, visit).await?;
                }
                _ => {}
            }
            tokio::select! {
                event = client.next_event() => self.note(&event?, visit),
                _ = visit.board.wait_for(|it| it.backlog(self.stream) < BACKLOG_COUNT_MAX), if crowded => {}
            }
        }
    }

    fn note(&mut self, event: &Event, visit: &Visit) {
        let Event::Published { packet_id, reason } = event else {
            return visit.board.fail(&self.name, format!("heard {event:?}"));
        };
        if reason.is_error() {
            visit.board.fail(&self.name, format!("a message was refused: {reason}"));
        }
        match self.under_way.remove(packet_id) {
            Some(number) => {
                self.sent[number].acknowledged = Some(visit.round);
                visit.board.note_acknowledged(self.stream);
            }
            None => visit.board.fail(&self.name, format!("packet id {packet_id} is not under way")),
        }
    }

    async fn send(&mut self, client: &mut Client, device: usize, visit: &Visit) -> Result<(), Fault> {
        let number = self.sent.len();
        let packet_id = (number % usize::from(u16::MAX)) as u16 + 1;
        self.sent.push(Sent { device, round: visit.round, acknowledged: None });
        self.under_way.insert(packet_id, number);
        let (device_type, name) = &self.devices[device];
        let (topic, qos) = match self.stream {
            Stream::Events => (watson::event_topic(device_type, name, "status", "json"), QoS::AtLeastOnce),
            Stream::Commands => (watson::command_topic(device_type, name, "set", "json"), QoS::AtLeastOnce),
            Stream::ExactlyOnce => {
                (watson::command_topic(device_type, name, "set", "json"), QoS::ExactlyOnce)
            }
        };
        let payload = serde_json::json!({ "n": number, "from": self.name, "last": self.ended });
        let payload = payload.to_string().into_bytes();
        client.send_message(&Message { topic, payload, qos, retain: false, dup: false, packet_id }).await
    }

    /// Which device the next message is about. Gateways hear of new children all the time.
    fn pick_device(&mut self) -> usize {
        if self.stream == Stream::Events && self.random.once_in(EVENTS_PER_CHILD) {
            self.devices.push(("sensor".to_owned(), format!("{}-{}", self.name, self.devices.len())));
            return self.devices.len() - 1;
        }
        let range =
            if self.random.once_in(2) { self.devices.len().min(YOUNG_DEVICES) } else { self.devices.len() };
        self.devices.len() - 1 - self.random.below(range as u64) as usize
    }

    /// The devices of which an event was acknowledged.
    pub(crate) fn acknowledged_devices(&self) -> impl Iterator<Item = &(String, String)> {
        let mut heard = vec![false; self.devices.len()];
        self.sent.iter().filter(|it| it.acknowledged.is_some()).for_each(|it| heard[it.device] = true);
        self.devices.iter().zip(heard).filter_map(|(device, heard)| heard.then_some(device))
    }
}
