//! `$SYS`: what the server tells about itself in each organisation's plain topic space. The numbers are the
//! organisation's own; nothing is told of others.

use crate::{Announcement, Retain, Status};

/// One message for each topic.
pub(super) fn announcements(status: &Status<'_>) -> Vec<Announcement> {
    let tell = |topic: &str, value: String| Announcement {
        topic: format!("$SYS/broker/{topic}"),
        payload: value.into_bytes(),
        retain: Retain::WhileRunning,
    };
    vec![
        tell("version", format!("tidegate {}", status.version)),
        tell("uptime", format!("{} seconds", status.uptime_s)),
        tell("clients/connected", status.connected_count.to_string()),
        tell("messages/received", status.received_count.to_string()),
        tell("messages/sent", status.sent_count.to_string()),
        tell("messages/dropped", status.dropped_count.to_string()),
        tell("subscriptions/count", status.subscription_count.to_string()),
        tell("retained messages/count", status.retained_count.to_string()),
    ]
}
