//! ThingsBoard: the customs of its devices and gateways over MQTT.
//!
//! One file for each question: whose client is this (`client`), how does it get a login by itself (`provision`), what
//! is a topic about (`topic`), what does a payload ask for (`request`, over `json` and `value`), what are devices told
//! (`notice`), how is a refusal answered (`refusal`). The README beside this file describes the wire as it is served.

use std::borrow::Cow;
use std::ops::ControlFlow;

use domain::{
    ChildChange, Code, Device, DeviceId, Intent, Login, Millis, Notice, Peer, Points, Presence, Refusal,
    Rejection, Whose,
};
use mqtt::{QoS, Version};

use crate::{
    Announcement, Answer, Dialect, Grant, Hello, Push, Recognition, Rendered, Request, Status, Terms,
    Understood, Uplink, View,
};

pub mod certificate;
mod client;
pub mod http;
mod json;
mod notice;
mod provision;
mod refusal;
mod request;
mod topic;
mod value;

/// The dialect's name.
pub const NAME: &str = "thingsboard";

/// The event under which telemetry is known in other dialects, and as a device's last event.
pub const TELEMETRY: &str = "telemetry";

/// A reading as others hear of it: its values as a JSON object, with its time as `ts` where the device named one and no
/// value is called so.
pub fn telemetry(at_ms: Option<Millis>, points: &Points) -> String {
    let mut to = String::with_capacity(points.as_bytes().len() + 32);
    value::print_points(&mut to, points);
    if let Some(at_ms) = at_ms.filter(|_| points.iter().all(|(key, _)| key != "ts")) {
        let comma = if points.is_empty() { "" } else { "," };
        to.truncate(to.len() - 1);
        to.push_str(&format!("{comma}\"ts\":{at_ms}}}"));
    }
    to
}

/// A 3.1.1 client whose payload cannot be read is closed, as there by default.
pub static CLOSING: ThingsBoard = ThingsBoard { unreadable: Unreadable::Closes };

/// It is told "done" instead, as there with `sendAckOnValidationException`.
pub static ACKNOWLEDGING: ThingsBoard = ThingsBoard { unreadable: Unreadable::Acknowledged };

/// The ThingsBoard dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThingsBoard {
    /// What a client before 5.0 hears of a payload that cannot be read; one of 5.0 is told.
    pub unreadable: Unreadable,
}

/// What becomes of a client before 5.0 whose payload at QoS 1 or 2 cannot be read (spec 3.12, 4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is closed, without an acknowledgement.
    Closes,
    /// It is acknowledged, and stays: it will not send the same again for ever.
    Acknowledged,
}

impl Dialect for ThingsBoard {
    fn name(&self) -> &'static str {
        NAME
    }

    fn recognise<'a>(&self, hello: &Hello<'_, 'a>) -> Recognition<'a> {
        client::recognise(hello)
    }

    fn session_key<'p>(&self, peer: &'p Peer) -> Cow<'p, str> {
        Cow::Owned(client::session_key(peer))
    }

    fn assigns_client_ids(&self) -> bool {
        true
    }

    fn has_shared_subscriptions(&self) -> bool {
        false
    }

    fn view(&self, _: &Peer) -> View {
        View::Whole
    }

    fn uplink<'a>(&self, peer: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
        topic::uplink(peer, topic)
    }

    fn points(&self, _: &str, _: &str, _: &[u8], points: &mut Points) {
        points.clear();
    }

    fn grant(&self, peer: &Peer, filter: &str) -> Result<Grant, Refusal> {
        topic::grant(peer, filter)
    }

    fn answer(&self, peer: &Peer, version: Version, request: Request, qos: QoS, refusal: &Refusal) -> Answer {
        if provision::is_newcomer(peer) && request == Request::Publish && refusal.code == Code::TopicInvalid {
            return refusal::to_newcomer(version);
        }
        refusal::answer(self.unreadable, version, request, qos, refusal)
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

    fn intents(
        &self,
        topic: &str,
        payload: &[u8],
        each: &mut dyn FnMut(Intent<'_>) -> ControlFlow<()>,
    ) -> Result<Understood, Refusal> {
        match topic::subject(topic) {
            Some(subject) => {
                let refusal = request::read(subject, payload, each)?;
                Ok(Understood { refusal, ..Understood::default() })
            }
            None => Err(Refusal::new(Code::TopicInvalid, "The topic is none of the API.")),
        }
    }

    fn call(&self, peer: &Peer, method: &str, terms: &Terms<'_>) -> String {
        notice::call(peer, method, terms)
    }

    fn door_key(&self, device: DeviceId) -> Option<String> {
        Some(client::door_key(device))
    }

    fn keeps_record(&self) -> bool {
        true
    }

    fn has_wills(&self) -> bool {
        false
    }

    fn notice(&self, _: &Device, whose: Whose<'_>, notice: &Notice<'_>) -> Option<Rendered> {
        notice::notice(whose, notice)
    }

    fn provisioned(&self, outcome: Result<&Login, &Refusal>) -> Option<Push> {
        Some(provision::told(outcome))
    }

    fn slow_down(&self, version: Version, name: &str) -> Option<Push> {
        (version == Version::V5).then(|| notice::slow_down(name))
    }

    fn child_change(&self, change: &ChildChange<'_>) -> Option<(&'static str, String)> {
        Some(notice::child_change(change))
    }

    fn status(&self, _: &Status<'_>) -> Vec<Announcement> {
        Vec::new()
    }
}
