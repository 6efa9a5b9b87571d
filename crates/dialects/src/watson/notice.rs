//! What the server itself says in a Watson topic space: notifications to gateways (spec watson 2.8) and the coming and
//! going of clients (spec 3.5). The order of the members is the order of the specification.

use std::borrow::Cow;

use domain::notice::PresenceChange;
use domain::{Closing, Code, Millis, Peer, Presence, Rejection};
use serde::{Deserialize, Serialize, Serializer};

use super::client::TOKEN_USER;
use super::{NotifyStyle, refusal, topic};
use crate::time::iso8601;
use crate::{Announcement, Request, Retain};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Notification<'a> {
    request: &'static str,
    time: String,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    client: &'a str,
    #[serde(rename = "RC")]
    return_code: ReturnCode,
    message: String,
}

enum ReturnCode {
    Text(u16),
    Number(u16),
}

impl Serialize for ReturnCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ReturnCode::Text(code) => serializer.collect_str(code),
            ReturnCode::Number(code) => serializer.serialize_u16(*code),
        }
    }
}

/// Tells a gateway what was refused; nothing for other peers.
pub(super) fn rejection(style: NotifyStyle, peer: &Peer, rejection: &Rejection<'_>) -> Option<Announcement> {
    let own = peer.device_name().filter(|_| peer.is_gateway())?;
    let named = topic::device_in(rejection.topic);
    let (code, words) = refusal::return_code(rejection.refusal.code);
    let hint = &rejection.refusal.hint;
    let notification = Notification {
        request: request_word(style, rejection.request),
        time: iso8601(rejection.at_ms),
        topic: rejection.topic,
        r#type: named.map(|it| it.device_type),
        id: named.map(|it| it.name),
        client: rejection.client_id,
        return_code: match style {
            NotifyStyle::Seed => ReturnCode::Text(code),
            NotifyStyle::Cloud => ReturnCode::Number(code),
        },
        message: match rejection.refusal.code {
            Code::TopicInvalid | Code::TypeInvalid | Code::NameInvalid => {
                format!("{words}: {} {hint}", rejection.topic)
            }
            _ => format!("{words}: {hint}"),
        },
    };
    announce(topic::notify_topic(own), &notification, Retain::No)
}

fn request_word(style: NotifyStyle, request: Request) -> &'static str {
    match (style, request) {
        (NotifyStyle::Seed, Request::Publish) => "publish",
        (NotifyStyle::Seed, Request::Subscribe) => "subscribe",
        (NotifyStyle::Seed, Request::Unsubscribe) => "unsubscribe",
        (NotifyStyle::Cloud, Request::Publish) => "Publish",
        (NotifyStyle::Cloud, Request::Subscribe) => "Subscribe",
        (NotifyStyle::Cloud, Request::Unsubscribe) => "Unsubscribe",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Monitoring<'a> {
    action: &'static str,
    time: String,
    client_addr: &'a str,
    #[serde(rename = "ClientID")]
    client_id: &'a str,
    port: u16,
    secure: bool,
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    connect_time: String,
    #[serde(flatten)]
    end: Option<End>,
    #[serde(flatten)]
    traffic: Option<Traffic>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct End {
    close_code: u16,
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Traffic {
    read_bytes: u64,
    read_msg: u64,
    write_bytes: u64,
    write_msg: u64,
}

/// Tells applications that a client came, went or was refused.
pub(super) fn presence(peer: &Peer, presence: &Presence<'_>) -> Option<Announcement> {
    let (action, end) = match &presence.change {
        PresenceChange::Connected => ("Connect", None),
        PresenceChange::Failed { refusal } => {
            let (close_code, words) = refusal::return_code(refusal.code);
            ("FailedConnect", Some(End { close_code, reason: format!("{words}.") }))
        }
        PresenceChange::Disconnected { closing, .. } => {
            let (close_code, reason) = refusal::close_code(*closing);
            let tells_anything = *closing != Closing::Normal;
            ("Disconnect", tells_anything.then(|| End { close_code, reason: reason.to_owned() }))
        }
    };
    let monitoring = Monitoring {
        action,
        time: iso8601(presence.at_ms),
        client_addr: presence.client_addr,
        client_id: presence.client_id,
        port: presence.port,
        secure: presence.secure,
        protocol: presence.protocol,
        user: presence.user.filter(|it| *it != TOKEN_USER),
        connect_time: iso8601(presence.connected_ms),
        end,
        traffic: traffic(&presence.change),
    };
    let topic = match peer {
        Peer::Application { app, .. } => topic::application_status_topic(app),
        Peer::Device { .. } => topic::device_status_topic(peer.device_name()?),
        Peer::Anonymous { .. } => return None,
    };
    announce(topic, &monitoring, retain(peer, &presence.change))
}

/// A monitoring message as it was kept.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept<'a> {
    action: Cow<'a, str>,
    client_addr: Cow<'a, str>,
    #[serde(rename = "ClientID")]
    client_id: Cow<'a, str>,
    port: u16,
    secure: bool,
    protocol: Cow<'a, str>,
    user: Option<Cow<'a, str>>,
    connect_time: Cow<'a, str>,
}

/// A client that was connected when the server was killed is not any more (spec watson 3.5).
pub(super) fn outlived(topic: &str, payload: &[u8], now_ms: Millis) -> Option<Announcement> {
    let kept: Kept<'_> = serde_json::from_slice(payload).ok()?;
    if kept.action != "Connect" {
        return None;
    }
    let (close_code, reason) = refusal::close_code(Closing::ServerFailed);
    let monitoring = Monitoring {
        action: "Disconnect",
        time: iso8601(now_ms),
        client_addr: &kept.client_addr,
        client_id: &kept.client_id,
        port: kept.port,
        secure: kept.secure,
        protocol: &kept.protocol,
        user: kept.user.as_deref(),
        connect_time: kept.connect_time.into_owned(),
        end: Some(End { close_code, reason: reason.to_owned() }),
        traffic: None,
    };
    let retain = if topic::is_application_status(topic) { Retain::Remove } else { Retain::Keep };
    announce(topic.to_owned(), &monitoring, retain)
}

fn traffic(change: &PresenceChange) -> Option<Traffic> {
    let PresenceChange::Disconnected { read_bytes, read_count, write_bytes, write_count, .. } = *change
    else {
        return None;
    };
    Some(Traffic { read_bytes, read_msg: read_count, write_bytes, write_msg: write_count })
}

/// A device's last state is kept for those who come later; of applications only those that are there.
fn retain(peer: &Peer, change: &PresenceChange) -> Retain {
    match (peer, change) {
        (_, PresenceChange::Failed { .. }) => Retain::No,
        (_, PresenceChange::Connected) | (Peer::Device { .. }, PresenceChange::Disconnected { .. }) => {
            Retain::Keep
        }
        // It is there again: its Connect follows at once.
        (Peer::Application { .. }, PresenceChange::Disconnected { closing: Closing::TakenOver, .. }) => {
            Retain::No
        }
        (Peer::Application { .. } | Peer::Anonymous { .. }, PresenceChange::Disconnected { .. }) => {
            Retain::Remove
        }
    }
}

fn announce(topic: String, content: &impl Serialize, retain: Retain) -> Option<Announcement> {
    let payload = serde_json::to_vec(content).ok()?;
    Some(Announcement { topic, payload, retain })
}
