//! Topics and filters: what each class of client may publish and subscribe to (spec watson 2.1, 2.5, 3.1, 3.2,
//! appendix B, E8, E13).
//!
//! Every topic of the dialect appears once, as a pattern below. In the topic space all topics are org-wide
//! (`iot-2/type/T/id/D/…`); a directly connected device writes and sees them without `type/T/id/D/`. Called on a
//! cache miss and for subscriptions, never for each message. It knows no registry: whether the device exists is asked
//! later.

use std::borrow::Cow;

use domain::{Class, Code, DeviceName, Peer, Refusal};

use super::client::is_name;
use crate::level::escaped;
use crate::limits::NAME_CHARS_MAX;
use crate::{Grant, Retention, Uplink, View, What};

// In a pattern, `~` stands for one level that is not empty and holds no wildcard, `+` for such a level or `+`.
const EVENT: &str = "iot-2/type/~/id/~/evt/~/fmt/~";
const COMMAND: &str = "iot-2/type/~/id/~/cmd/~/fmt/~";
const OWN_EVENT: &str = "iot-2/evt/~/fmt/~";

const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
const COMMANDS: &str = "iot-2/type/+/id/+/cmd/+/fmt/+";
const OWN_COMMANDS: &str = "iot-2/cmd/+/fmt/+";
const NOTIFICATIONS: &str = "iot-2/type/+/id/+/notify";
const OWN_NOTIFICATIONS: &str = "iot-2/notify";
const RESPONSES: &str = "iot-2/type/+/id/+/response";
const STATUS: &str = "iot-2/type/+/id/+/mon";
const OWN_STATUS: &str = "iot-2/mon";
const APPLICATION_STATUS: &str = "iot-2/app/+/mon";
/// Subscribed to by SDK methods for functions of the cloud that this server does not have: accepted, silent.
const STATE: [&str; 6] = [
    "iot-2/type/+/id/+/intf/+/evt/state",
    "iot-2/type/+/id/+/err/data",
    "iot-2/thing/type/+/id/+/intf/+/evt/state",
    "iot-2/thing/type/+/id/+/err/data",
    "iot-2/intf/+/rule/+/evt/trigger",
    "iot-2/intf/+/rule/+/err/data",
];

/// Where clients publish device management, and where they hear it.
const MANAGE_TO_SERVER: &str = "iotdevice-1/";
const MANAGE_TO_CLIENT: &str = "iotdm-1/";
/// What may follow `iotdevice-1/` of a device and `iotdevice-1/type/T/id/D/` of a gateway.
const OPERATIONS: [&str; 6] = ["response", "notify", "device/update/~", "add/~/~", "clear/~/~", "mgmt/~"];

/// The topic on which a gateway hears what was refused.
pub(super) fn notify_topic(device: DeviceName<'_>) -> String {
    format!("{}notify", own_prefix("iot-2/", device))
}

/// The topic on which applications hear that a device or gateway comes and goes.
pub(super) fn device_status_topic(device: DeviceName<'_>) -> String {
    format!("{}mon", own_prefix("iot-2/", device))
}

/// The topic on which applications hear that an application comes and goes.
pub(super) fn application_status_topic(app: &str) -> String {
    format!("iot-2/app/{app}/mon")
}

/// The topic of an event that came in another dialect.
pub(super) fn of_event(device: DeviceName<'_>, event: &str, format: &str) -> Option<String> {
    of_message(device, "evt", event, format)
}

/// The topic of a command, in JSON, that came in another dialect.
pub(super) fn of_command(device: DeviceName<'_>, command: &str, format: &str) -> Option<String> {
    of_message(device, "cmd", command, format)
}

/// Names that cannot be a level of a topic have those characters escaped: `a/b` is `a%2Fb`. An event or command has no
/// such name.
fn of_message(device: DeviceName<'_>, kind: &str, name: &str, format: &str) -> Option<String> {
    let is_level = |it: &str| !it.is_empty() && !it.contains(['/', '+', '#', '\0']);
    if !is_level(name) || !is_level(format) {
        return None;
    }
    let (device_type, device) = (escaped(device.device_type), escaped(device.name));
    Some(format!("iot-2/type/{device_type}/id/{device}/{kind}/{name}/fmt/{format}"))
}

/// Whether a topic is one of those.
pub(super) fn is_application_status(topic: &str) -> bool {
    topic.starts_with("iot-2/app/") && topic.ends_with("/mon")
}

/// How topics of the space look to this peer: a device does not see its own name in them.
pub(super) fn view(peer: &Peer) -> View {
    match peer {
        Peer::Device { class: Class::Device, device_type, name, .. } => {
            let own_bytes = own_prefix("", DeviceName { device_type, name }).len();
            // Names of registered devices are far shorter.
            View::Own { skip: u16::try_from(own_bytes).unwrap_or(u16::MAX) }
        }
        _ => View::Whole,
    }
}

/// What publishing to `topic` means.
pub(super) fn uplink<'a>(peer: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
    match peer {
        Peer::Device { class: Class::Gateway, device_type, name, .. } => {
            gateway_uplink(DeviceName { device_type, name }, topic)
        }
        Peer::Device { class: Class::Device, device_type, name, .. } => {
            device_uplink(DeviceName { device_type, name }, topic)
        }
        Peer::Application { .. } => application_uplink(topic),
        Peer::Anonymous { .. } => Err(no_rule("Watson has no anonymous clients")),
    }
}

fn gateway_uplink<'a>(own: DeviceName<'a>, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
    let (device, canonical, what) = if let Some([device_type, name, event, format]) = fit(EVENT, topic) {
        (DeviceName { device_type, name }, topic, What::Event { name: event, format })
    } else if let Some((device, canonical, operation)) = gateway_manage(topic) {
        (device, canonical, What::Manage { operation })
    } else {
        return Err(no_rule("a gateway publishes to iot-2/type/{type}/id/{id}/evt/{event}/fmt/{format}"));
    };
    check_names(device.device_type, device.name)?;
    let registers = device != own;
    let topic = Cow::Borrowed(canonical);
    Ok(Uplink { device: Some(device), topic, what, registers, retention: Retention::Cleared })
}

/// Takes a gateway's device management topic apart: device, topic without trailing slash (D4), operation.
fn gateway_manage(topic: &str) -> Option<(DeviceName<'_>, &str, &str)> {
    let canonical = topic.strip_suffix('/').unwrap_or(topic);
    let (device_type, name, operation) = split_device(canonical.strip_prefix(MANAGE_TO_SERVER)?)?;
    let allowed = match operation {
        // The bare prefix is answered by device management, not refused (D4).
        None => canonical.len() < topic.len(),
        Some(it) => is_operation(it),
    };
    allowed.then_some((DeviceName { device_type, name }, canonical, operation.unwrap_or_default()))
}

fn device_uplink<'a>(own: DeviceName<'a>, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
    let (prefix, rest, what) = if let Some([name, format]) = fit(OWN_EVENT, topic) {
        let (prefix, rest) = topic.split_at("iot-2/".len());
        (prefix, rest, What::Event { name, format })
    } else if let Some(rest) = topic.strip_prefix(MANAGE_TO_SERVER) {
        let operation = rest.strip_suffix('/').unwrap_or(rest);
        if !is_operation(operation) {
            return Err(no_rule("this is no operation of device management"));
        }
        (MANAGE_TO_SERVER, operation, What::Manage { operation })
    } else {
        return Err(no_rule("a device publishes to iot-2/evt/{event}/fmt/{format}"));
    };
    let topic = Cow::Owned(format!("{}{rest}", own_prefix(prefix, own)));
    Ok(Uplink { device: Some(own), topic, what, registers: false, retention: Retention::Cleared })
}

fn application_uplink(topic: &str) -> Result<Uplink<'_>, Refusal> {
    let (device_type, name, what) = if let Some([device_type, name, event, format]) = fit(EVENT, topic) {
        (device_type, name, What::Event { name: event, format })
    } else if let Some([device_type, name, command, format]) = fit(COMMAND, topic) {
        (device_type, name, What::Command { name: command, format })
    } else {
        return Err(no_rule(
            "an application publishes to iot-2/type/{type}/id/{id}/evt/{event}/fmt/{format} or …/cmd/{command}/fmt/{format}",
        ));
    };
    let (device, topic) = (Some(DeviceName { device_type, name }), Cow::Borrowed(topic));
    Ok(Uplink { device, topic, what, registers: false, retention: Retention::Cleared })
}

/// What subscribing to `filter` is worth.
pub(super) fn grant(peer: &Peer, filter: &str) -> Result<Grant, Refusal> {
    if filter.starts_with("$SYS") {
        return Err(Refusal::new(Code::TopicReserved, "System topics are not for clients."));
    }
    if filter.starts_with('$') {
        return Err(no_rule("shared subscriptions are not authorized; an A: client id shares all of them"));
    }
    match peer {
        Peer::Device { class: Class::Gateway, device_type, name, .. } => {
            gateway_grant(DeviceName { device_type, name }, filter)
        }
        Peer::Device { class: Class::Device, device_type, name, .. } => {
            device_grant(DeviceName { device_type, name }, filter)
        }
        Peer::Application { client_id, .. } => application_grant(client_id, filter),
        Peer::Anonymous { .. } => Err(no_rule("Watson has no anonymous clients")),
    }
}

fn gateway_grant(own: DeviceName<'_>, filter: &str) -> Result<Grant, Refusal> {
    if let Some(rest) = filter.strip_prefix(MANAGE_TO_CLIENT) {
        return gateway_manage_grant(own, rest);
    }
    if fit::<2>(OWN_COMMANDS, filter).is_some() {
        return Ok(routed(own_filter(own, filter)));
    }
    if filter == OWN_STATUS {
        return Ok(Grant { reads_retained: true, ..routed(device_status_topic(own)) });
    }
    let (device_type, name, grant) = if let Some([device_type, name, _, _]) = fit(COMMANDS, filter) {
        (device_type, name, routed(filter.to_owned()))
    } else if let Some([device_type, name]) = fit(NOTIFICATIONS, filter) {
        // Whatever devices it names, only its own notifications reach a gateway (spec 2.8.1).
        let is_own = covers(device_type, own.device_type) && covers(name, own.name);
        (device_type, name, Grant { route: is_own.then(|| notify_topic(own)), ..silent() })
    } else if let Some([device_type, name]) = fit(STATUS, filter) {
        (device_type, name, Grant { reads_retained: true, ..routed(filter.to_owned()) })
    } else if let Some([device_type, name]) = fit(RESPONSES, filter) {
        (device_type, name, silent())
    } else {
        return Err(no_rule(
            "a gateway subscribes to iot-2/type/{type}/id/{id}/cmd/{command}/fmt/{format}, where each of the four may be +, to …/notify, and below iotdm-1/",
        ));
    };
    let device = registered_by(own, device_type, name)?;
    Ok(Grant { device, ..grant })
}

/// A gateway's filter below `iotdm-1/` (spec 4.1, D3, E13). A filter that names one device is routed as it is; with a
/// wildcard for type or name it is narrowed to the gateway itself, so that no gateway hears what is said to another.
fn gateway_manage_grant(own: DeviceName<'_>, rest: &str) -> Result<Grant, Refusal> {
    if let Some((device_type, name, Some(below))) =
        split_device(rest).filter(|it| is_literal(it.0) && is_literal(it.1))
    {
        let device = registered_by(own, device_type, name)?;
        let prefix = own_prefix(MANAGE_TO_CLIENT, DeviceName { device_type, name });
        let route = format!("{prefix}{}", widened(below));
        return Ok(Grant { device, ..routed(route) });
    }
    let route =
        below_own(own, rest).map(|below| format!("{}{}", own_prefix(MANAGE_TO_CLIENT, own), widened(below)));
    Ok(Grant { route, ..silent() })
}

fn device_grant(own: DeviceName<'_>, filter: &str) -> Result<Grant, Refusal> {
    if fit::<2>(OWN_COMMANDS, filter).is_some() || filter == OWN_NOTIFICATIONS {
        return Ok(routed(own_filter(own, filter)));
    }
    if filter == OWN_STATUS {
        return Ok(Grant { reads_retained: true, ..routed(device_status_topic(own)) });
    }
    match filter.strip_prefix(MANAGE_TO_CLIENT) {
        Some(below) => Ok(routed(format!("{}{below}", own_prefix(MANAGE_TO_CLIENT, own)))),
        None => Err(no_rule("a device subscribes to iot-2/cmd/{command}/fmt/{format} and below iotdm-1/")),
    }
}

fn application_grant(client_id: &str, filter: &str) -> Result<Grant, Refusal> {
    if fit::<4>(EVENTS, filter).is_some() || fit::<4>(COMMANDS, filter).is_some() {
        return Ok(routed(filter.to_owned()));
    }
    if fit::<2>(STATUS, filter).is_some() || fit::<1>(APPLICATION_STATUS, filter).is_some() {
        // A message that is shared out among a group cannot be caught up on by one member (E14).
        let reads_retained = !client_id.starts_with("A:");
        return Ok(Grant { reads_retained, ..routed(filter.to_owned()) });
    }
    if STATE.iter().any(|pattern| levels_fit(pattern, filter)) {
        return Ok(silent());
    }
    Err(no_rule(
        "an application subscribes to iot-2/type/{type}/id/{id}/evt/{event}/fmt/{format}, …/cmd/{command}/fmt/{format}, …/mon and iot-2/app/{app}/mon, where each {} may be +",
    ))
}

/// The type and the device that a topic or filter names, even if the rest of it is wrong (spec 2.8.2).
pub(super) fn device_in(topic: &str) -> Option<DeviceName<'_>> {
    let (first, rest) = topic.split_once('/')?;
    let (device_type, name, _) = split_device(rest)?;
    matches!(first, "iot-2" | "iotdevice-1" | "iotdm-1").then_some(DeviceName { device_type, name })
}

/// Takes `type/T/id/D` and whatever follows it apart.
fn split_device(text: &str) -> Option<(&str, &str, Option<&str>)> {
    let mut levels = text.splitn(5, '/');
    let names = [levels.next()?, levels.next()?, levels.next()?, levels.next()?];
    match names {
        ["type", device_type, "id", name] if !device_type.is_empty() && !name.is_empty() => {
            Some((device_type, name, levels.next()))
        }
        _ => None,
    }
}

/// What a filter of the form `type/T/id/D/…`, with wildcards anywhere, asks for below the device `own`.
fn below_own<'f>(own: DeviceName<'_>, filter: &'f str) -> Option<&'f str> {
    let mut rest = filter;
    for expected in ["type", own.device_type, "id", own.name] {
        if rest == "#" {
            return Some(rest);
        }
        let (level, below) = rest.split_once('/')?;
        if !covers(level, expected) {
            return None;
        }
        rest = below;
    }
    Some(rest)
}

/// The filters that the manual prints end in a single level and were meant for everything below it (D3).
fn widened(below: &str) -> &str {
    match below {
        "+" => "#",
        // Matches `response` itself, too.
        "response/+" => "response/#",
        other => other,
    }
}

/// The device that a filter registers: the one it names, unless that is the gateway itself.
fn registered_by(
    own: DeviceName<'_>,
    device_type: &str,
    name: &str,
) -> Result<Option<(String, String)>, Refusal> {
    check_names(
        if is_literal(device_type) { device_type } else { own.device_type },
        if is_literal(name) { name } else { own.name },
    )?;
    let is_other = DeviceName { device_type, name } != own;
    let registers = is_literal(device_type) && is_literal(name) && is_other;
    Ok(registers.then(|| (device_type.to_owned(), name.to_owned())))
}

fn check_names(device_type: &str, name: &str) -> Result<(), Refusal> {
    let rule = format!("It is 1 to {NAME_CHARS_MAX} characters of A-Z, a-z, 0-9, \".\", \"_\" and \"-\".");
    if !is_name(device_type) {
        return Err(Refusal::new(
            Code::TypeInvalid,
            format!("The device type \"{device_type}\" is not valid. {rule}"),
        ));
    }
    if !is_name(name) {
        return Err(Refusal::new(
            Code::NameInvalid,
            format!("The device id \"{name}\" is not valid. {rule}"),
        ));
    }
    Ok(())
}

fn routed(route: String) -> Grant {
    Grant { route: Some(route), share: None, device: None, reads_retained: false }
}

/// Accepted, and nothing ever comes.
fn silent() -> Grant {
    Grant { route: None, share: None, device: None, reads_retained: false }
}

fn no_rule(rule: &str) -> Refusal {
    Refusal::new(Code::TopicInvalid, format!("It matches no authorized rule: {rule}."))
}

/// `{first}type/T/id/D/`.
fn own_prefix(first: &str, device: DeviceName<'_>) -> String {
    format!("{first}type/{}/id/{}/", device.device_type, device.name)
}

/// A short `iot-2/…` filter in the form of the topic space.
fn own_filter(own: DeviceName<'_>, filter: &str) -> String {
    format!("{}{}", own_prefix("iot-2/", own), filter.strip_prefix("iot-2/").unwrap_or(filter))
}

fn is_literal(level: &str) -> bool {
    !matches!(level, "+" | "#")
}

/// Whether a level of a filter matches a level of a topic.
fn covers(level: &str, expected: &str) -> bool {
    level == "+" || level == expected
}

fn is_operation(text: &str) -> bool {
    OPERATIONS.iter().any(|pattern| levels_fit(pattern, text))
}

/// Whether `topic` has the form of `pattern`.
fn levels_fit(pattern: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    pattern.split('/').all(|it| levels.next().is_some_and(|level| level_fits(it, level)))
        && levels.next().is_none()
}

fn level_fits(pattern: &str, level: &str) -> bool {
    match pattern {
        "+" => level == "+" || level_fits("~", level),
        "~" => !level.is_empty() && !level.contains(['+', '#']),
        literal => literal == level,
    }
}

/// The levels of `topic` that stand where `pattern` has a placeholder. `N` is how many it has.
fn fit<'t, const N: usize>(pattern: &str, topic: &'t str) -> Option<[&'t str; N]> {
    if !levels_fit(pattern, topic) {
        return None;
    }
    let placed = pattern.split('/').zip(topic.split('/')).filter(|(it, _)| matches!(*it, "~" | "+"));
    let mut found = [""; N];
    for (slot, (_, level)) in found.iter_mut().zip(placed) {
        *slot = level;
    }
    Some(found)
}
