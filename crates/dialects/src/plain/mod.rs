//! Plain MQTT: any client with a registered identity, in a topic space where nothing has a meaning.
//!
//! Who is this (`client`), what may be published and subscribed to (`topic`), how is a refusal answered (`refusal`),
//! what does the server tell about itself (`status`). The README beside this file describes the wire as it is served.
//! It is asked last: whatever no other dialect claims is a plain client, or is told here why it is not let in.

use std::borrow::Cow;

use domain::{Peer, Points, Presence, Refusal, Rejection};
use mqtt::{QoS, Version};

use crate::{Announcement, Answer, Dialect, Grant, Hello, Recognition, Request, Status, Uplink, View};

mod client;
mod refusal;
mod status;
#[cfg(test)]
mod tests;
mod topic;

/// Nobody comes in without a credential.
pub static CLOSED: Plain = Plain { anonymous: Anonymous::Nobody };

/// Clients on this machine need no credential.
pub static LOOPBACK: Plain = Plain { anonymous: Anonymous::Here };

/// Nobody needs a credential.
pub static OPEN: Plain = Plain { anonymous: Anonymous::Everybody };

/// The plain dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Who comes in without a credential.
    pub anonymous: Anonymous,
}

/// Who comes in without a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// Nobody.
    Nobody,
    /// Clients on this machine.
    Here,
    /// Everybody who reaches the server.
    Everybody,
}

impl Dialect for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn recognise<'a>(&self, hello: &Hello<'_, 'a>) -> Recognition<'a> {
        client::recognise(self.anonymous, hello)
    }

    fn session_key<'p>(&self, peer: &'p Peer) -> Cow<'p, str> {
        Cow::Owned(client::session_key(peer))
    }

    fn assigns_client_ids(&self) -> bool {
        true
    }

    fn has_shared_subscriptions(&self) -> bool {
        true
    }

    fn view(&self, _: &Peer) -> View {
        View::Whole
    }

    fn uplink<'a>(&self, _: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
        topic::uplink(topic)
    }

    fn points(&self, _: &str, _: &str, _: &[u8], points: &mut Points) {
        points.clear();
    }

    fn grant(&self, _: &Peer, filter: &str) -> Result<Grant, Refusal> {
        topic::grant(filter)
    }

    fn answer(&self, _: &Peer, version: Version, request: Request, _: QoS, refusal: &Refusal) -> Answer {
        refusal::answer(version, request, refusal)
    }

    fn connack(&self, version: Version, refusal: &Refusal) -> Option<u8> {
        Some(refusal::connack(version, refusal))
    }

    fn presence(&self, _: &Peer, _: &Presence<'_>) -> Option<Announcement> {
        None
    }

    fn rejection(&self, _: &Peer, _: &Rejection<'_>) -> Option<Announcement> {
        None
    }

    fn status(&self, status: &Status<'_>) -> Vec<Announcement> {
        status::announcements(status)
    }
}
