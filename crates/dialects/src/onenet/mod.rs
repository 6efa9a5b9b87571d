//! OneNET: the customs of devices of its "multi-protocol" platform, document V2.6, over MQTT.
//!
//! One file for each question: whose client is this (`client`), what is a topic or filter worth (`topic`), what does an
//! upload of data points say (`upload`, with its times in `time`), what does a message ask for (`request`), where are
//! binary data (`binary`), how is a data point told to those who subscribe to its stream (`push`), how is a refusal
//! answered (`refusal`); `http` has the shapes of its HTTP API. The README beside this file describes the wire as it is
//! served.

use std::borrow::Cow;
use std::ops::ControlFlow;

use domain::{
    Device, DeviceId, Intent, Millis, Notice, Peer, Points, Presence, Refusal, Rejection, Value, Whose,
};
use mqtt::{QoS, Version};

use crate::limits::{ONENET_PAYLOAD_BYTES_MAX, ONENET_SUBSCRIPTIONS_COUNT_MAX};
use crate::{
    Announcement, Answer, Customs, Dialect, Grant, Hello, Leniency, Recognition, Rendered, Request, Status,
    Understood, Uplink, View,
};
use time::Zone;

pub use request::in_product;

pub mod binary;
mod client;
pub mod command;
pub mod http;
pub mod push;
mod refusal;
mod request;
pub mod time;
pub mod topic;
pub mod upload;

/// The dialect's name.
pub const NAME: &str = "onenet";

/// The OneNET dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneNet {
    /// What becomes of keep-alives out of range.
    pub keep_alive: KeepAlive,
    /// The zone of times that name none.
    pub zone: Zone,
}

/// What becomes of keep-alives below 120 s, which the document excludes (spec 3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepAlive {
    /// They are taken as 120 s, and none as the longest that there is.
    #[default]
    Lenient,
    /// The connection is closed without an answer.
    Strict,
}

impl Dialect for OneNet {
    fn name(&self) -> &'static str {
        NAME
    }

    fn recognise<'a>(&self, hello: &Hello<'_, 'a>) -> Recognition<'a> {
        client::recognise(self.keep_alive, hello)
    }

    fn session_key<'p>(&self, peer: &'p Peer) -> Cow<'p, str> {
        Cow::Owned(peer.device_id().map(client::door_key).unwrap_or_default())
    }

    fn assigns_client_ids(&self) -> bool {
        false
    }

    fn has_shared_subscriptions(&self) -> bool {
        false
    }

    /// Topics are private to a product: its name is their first level, which nobody sees.
    fn view(&self, _: &Peer) -> View {
        View::Below
    }

    fn customs(&self) -> Customs {
        Customs::ONENET
    }

    fn uplink<'a>(&self, peer: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
        request::uplink(peer, topic)
    }

    fn points(&self, _: &str, _: &str, _: &[u8], points: &mut Points) {
        points.clear();
    }

    fn grant(&self, peer: &Peer, filter: &str) -> Result<Grant, Refusal> {
        request::grant(peer, filter)
    }

    fn answer(&self, _: &Peer, _: Version, request: Request, _: QoS, refusal: &Refusal) -> Answer {
        refusal::answer(request, refusal)
    }

    fn connack(&self, _: Version, refusal: &Refusal) -> Option<u8> {
        refusal::connack(refusal)
    }

    fn refuses_in(&self, _: Version) -> Version {
        Version::V311
    }

    fn forgives(&self, leniency: Leniency) -> bool {
        self.keep_alive == KeepAlive::Lenient || leniency != Leniency::KeepAlive
    }

    fn writes_packets_apart(&self) -> bool {
        true
    }

    fn subscription_count_max(&self) -> Option<usize> {
        Some(ONENET_SUBSCRIPTIONS_COUNT_MAX)
    }

    fn payload_bytes_max(&self) -> Option<usize> {
        Some(ONENET_PAYLOAD_BYTES_MAX)
    }

    fn presence(&self, _: &Peer, _: &Presence<'_>) -> Option<Announcement> {
        None
    }

    fn rejection(&self, _: &Peer, _: &Rejection<'_>) -> Option<Announcement> {
        None
    }

    fn intents(
        &self,
        topic: &str,
        payload: &[u8],
        each: &mut dyn FnMut(Intent<'_>) -> ControlFlow<()>,
    ) -> Result<Understood, Refusal> {
        request::read(topic, payload, self.zone, each)
    }

    fn binary(&self, peer: &Peer, ms: Millis, key: &str, description: Option<&str>) -> String {
        binary::value(peer.client_id(), ms, key, description)
    }

    fn point<'v>(&self, peer: &Peer, key: &str, value: Value<'v>) -> Option<(String, Cow<'v, [u8]>)> {
        Some((push::topic(peer.client_id(), key)?, push::payload(value)))
    }

    fn door_key(&self, device: DeviceId) -> Option<String> {
        Some(client::door_key(device))
    }

    fn notice(&self, device: &Device, whose: Whose<'_>, notice: &Notice<'_>) -> Option<Rendered> {
        match notice {
            Notice::Command { id, body, .. } => command::rendered(device, whose, *id, body),
            _ => None,
        }
    }

    fn status(&self, _: &Status<'_>) -> Vec<Announcement> {
        Vec::new()
    }
}
