//! Topics and filters: everything is allowed but what begins with `$`. Who may use which topics is a matter of the
//! credential's rights, not of this dialect.

use std::borrow::Cow;

use domain::{Code, Refusal};
use mqtt::topic;

use crate::{Grant, Retention, Uplink, What};

/// Where the server tells about itself.
const SYSTEM: &str = "$SYS";

/// What publishing to `topic` means: nothing but the message itself.
pub(super) fn uplink(topic: &str) -> Result<Uplink<'_>, Refusal> {
    if topic.starts_with('$') {
        let hint = "Topics that begin with $ are the server's own. Publish to another topic.";
        return Err(Refusal::new(Code::TopicReserved, hint));
    }
    Ok(Uplink {
        device: None,
        topic: Cow::Borrowed(topic),
        what: What::Message,
        registers: false,
        retention: Retention::AsAsked,
    })
}

/// What subscribing to `filter` is worth. A shared subscription is one in every version of MQTT.
pub(super) fn grant(filter: &str) -> Result<Grant, Refusal> {
    let shared = topic::share(filter).map_err(|fault| {
        Refusal::new(Code::TopicInvalid, format!("The filter is not valid: {}.", fault.what()))
    })?;
    let (share, route) = match shared {
        Some(it) => (Some(it.group.to_owned()), it.filter),
        None => (None, filter),
    };
    if route.starts_with('$') && topic::levels(route).next() != Some(SYSTEM) {
        let hint = "Of the topics that begin with $ only those below $SYS can be subscribed to.";
        return Err(Refusal::new(Code::TopicReserved, hint));
    }
    Ok(Grant { route: Some(route.to_owned()), reads_retained: share.is_none(), share, device: None })
}
