//! IBM Watson IoT Platform.

use domain::{Peer, Points, Presence, Refusal, Rejection};
use mqtt::packet::Connect;
use mqtt::{QoS, Version};

use crate::{Announcement, Answer, Dialect, Grant, Recognition, Request, Uplink, View};

/// The dialect as the manual describes it.
pub static SEED: Watson = Watson { notify_style: NotifyStyle::Seed };

/// The Watson dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watson {
    /// How notifications spell what they say.
    pub notify_style: NotifyStyle,
}

/// How a gateway's notifications spell `Request` and `RC` (spec D2).
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
    fn recognise<'a>(&self, _connect: &Connect<'a>) -> Recognition<'a> {
        Recognition::Unknown
    }
    fn view(&self, _peer: &Peer) -> View {
        View::Whole
    }
    fn uplink<'a>(&self, _peer: &'a Peer, _topic: &'a str) -> Result<Uplink<'a>, Refusal> {
        Err(Refusal::new(domain::Code::NotServed, ""))
    }
    fn points(&self, _event: &str, _format: &str, _payload: &[u8], _points: &mut Points) {}
    fn grant(&self, _peer: &Peer, _filter: &str) -> Result<Grant, Refusal> {
        Err(Refusal::new(domain::Code::NotServed, ""))
    }
    fn answer(&self, _: &Peer, _: Version, _: Request, _: QoS, _: &Refusal) -> Answer {
        Answer { close: None, reason: 0x87, notify: false }
    }
    fn connack(&self, _version: Version, _refusal: &Refusal) -> Option<u8> {
        Some(5)
    }
    fn presence(&self, _peer: &Peer, _presence: &Presence<'_>) -> Option<Announcement> {
        None
    }
    fn rejection(&self, _peer: &Peer, _rejection: &Rejection<'_>) -> Option<Announcement> {
        None
    }
    fn will(&self, peer: &Peer, topic: &str) -> Result<(), Refusal> {
        self.uplink(peer, topic).map(|_| ())
    }
}
