//! IBM Watson IoT Platform: the customs of its gateways, devices and applications.
//!
//! One file for each question: who is this (`client`), what may it publish and subscribe to (`topic`), what does an
//! event say (`payload`), how is a refusal answered (`refusal`), what does the server say itself (`notice`), and the
//! shapes of the HTTP registration service (`http`). The README beside this file describes the wire as it is served.

use std::borrow::Cow;

use domain::{Device, Millis, Notice, Peer, Points, Presence, Refusal, Rejection, Whose};
use mqtt::{QoS, Version};

use crate::command::{Named, as_named};
use crate::{
    Announcement, Answer, Dialect, Grant, Hello, Recognition, Rendered, Request, Status, Uplink, View,
};

pub mod client;
pub mod http;
mod notice;
pub(crate) mod payload;
mod refusal;
#[cfg(test)]
mod tests;
mod topic;

/// The dialect as the manual describes it.
pub static SEED: Watson = Watson { notify_style: NotifyStyle::Seed };

/// The dialect with notifications as the cloud sent them.
pub static CLOUD: Watson = Watson { notify_style: NotifyStyle::Cloud };

/// The Watson dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watson {
    /// How notifications spell what they say.
    pub notify_style: NotifyStyle,
}

/// How a gateway's notifications spell `Request` and `RC` (spec watson D2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyStyle {
    /// As the manual prints it: `"publish"`, `"276"`.
    Seed,
    /// As the cloud sent it: `"Publish"`, `276`.
    Cloud,
}

impl Dialect for Watson {
    fn name(&self) -> &'static str {
        "watson"
    }

    fn recognise<'a>(&self, hello: &Hello<'_, 'a>) -> Recognition<'a> {
        client::recognise(hello)
    }

    fn session_key<'p>(&self, peer: &'p Peer) -> Cow<'p, str> {
        // The client id names device or application; who may use it is decided with every login.
        Cow::Borrowed(peer.client_id())
    }

    fn assigns_client_ids(&self) -> bool {
        false
    }

    fn has_shared_subscriptions(&self) -> bool {
        false
    }

    fn view(&self, peer: &Peer) -> View {
        topic::view(peer)
    }

    fn uplink<'a>(&self, peer: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
        topic::uplink(peer, topic)
    }

    fn points(&self, event: &str, format: &str, payload: &[u8], points: &mut Points) {
        payload::points(event, format, payload, points);
    }

    fn grant(&self, peer: &Peer, filter: &str) -> Result<Grant, Refusal> {
        topic::grant(peer, filter)
    }

    fn answer(&self, peer: &Peer, version: Version, request: Request, qos: QoS, refusal: &Refusal) -> Answer {
        refusal::answer(self.notify_style, peer, version, request, qos, refusal)
    }

    fn connack(&self, version: Version, refusal: &Refusal) -> Option<u8> {
        refusal::connack(version, refusal)
    }

    fn presence(&self, peer: &Peer, presence: &Presence<'_>) -> Option<Announcement> {
        notice::presence(peer, presence)
    }

    fn outlived(&self, topic: &str, payload: &[u8], now_ms: Millis) -> Option<Announcement> {
        notice::outlived(topic, payload, now_ms)
    }

    fn rejection(&self, peer: &Peer, rejection: &Rejection<'_>) -> Option<Announcement> {
        notice::rejection(self.notify_style, peer, rejection)
    }

    fn notice(&self, device: &Device, _: Whose<'_>, notice: &Notice<'_>) -> Option<Rendered> {
        let Notice::Command { body, .. } = notice else { return None };
        let Named { name, format, payload } = as_named(body);
        let topic = topic::of_command(device.wire_name(), &name, &format)?;
        Some(Rendered::Routed { topic, payload: payload.to_vec() })
    }

    fn event_topic(&self, device: &Device, event: &str, format: &str) -> Option<String> {
        topic::of_event(device.wire_name(), event, format)
    }

    fn status(&self, _: &Status<'_>) -> Vec<Announcement> {
        Vec::new()
    }
}
