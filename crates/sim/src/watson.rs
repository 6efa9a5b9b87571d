//! How a client speaks to IBM Watson IoT Platform: who it says it is and which topics it uses (spec watson 1.1, 2.1,
//! 3.2). Written from the client's side and without the server's dialect, so that each checks the other.

mod machine;
mod plant;

pub use plant::{Gateway, Plant, Seen};

use crate::Options;

/// The user name of all devices and gateways.
const TOKEN_USER: &str = "use-token-auth";

/// What a gateway connects with.
pub fn gateway(org: &str, device_type: &str, name: &str, token: &str) -> Options {
    Options::new(format!("g:{org}:{device_type}:{name}")).login(TOKEN_USER, token)
}

/// What a device connects with.
pub fn device(org: &str, device_type: &str, name: &str, token: &str) -> Options {
    Options::new(format!("d:{org}:{device_type}:{name}")).login(TOKEN_USER, token)
}

/// What an application connects with.
pub fn application(org: &str, app: &str, key: &str, token: &str) -> Options {
    Options::new(format!("a:{org}:{app}")).login(key, token)
}

/// The topic of a device's event, as gateways publish and applications receive it. Any part may be `+` in a filter.
pub fn event_topic(device_type: &str, name: &str, event: &str, format: &str) -> String {
    format!("iot-2/type/{device_type}/id/{name}/evt/{event}/fmt/{format}")
}

/// The topic of a command, as applications publish and gateways receive it. Any part may be `+` in a filter.
pub fn command_topic(device_type: &str, name: &str, command: &str, format: &str) -> String {
    format!("iot-2/type/{device_type}/id/{name}/cmd/{command}/fmt/{format}")
}

/// The topic on which a gateway is told what was refused.
pub fn notify_topic(device_type: &str, name: &str) -> String {
    format!("iot-2/type/{device_type}/id/{name}/notify")
}

/// The parts of an event's or command's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The device's type.
    pub device_type: &'a str,
    /// The device's name.
    pub name: &'a str,
    /// `evt` or `cmd`.
    pub kind: &'a str,
    /// The name of the event or command.
    pub event: &'a str,
    /// The payload's format.
    pub format: &'a str,
}

impl Parts<'_> {
    /// Takes a topic apart; `None` when it is no event's and no command's.
    pub fn of(topic: &str) -> Option<Parts<'_>> {
        let mut levels = topic.split('/');
        let parts = match std::array::from_fn(|_| levels.next()) {
            [
                Some("iot-2"),
                Some("type"),
                Some(t),
                Some("id"),
                Some(d),
                Some(kind),
                Some(e),
                Some("fmt"),
                Some(f),
            ] => Parts { device_type: t, name: d, kind, event: e, format: f },
            _ => return None,
        };
        (levels.next().is_none() && ["evt", "cmd"].contains(&parts.kind)).then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_apart_as_they_were_put_together() {
        let topic = event_topic("pump", "p1", "status", "json");
        assert_eq!(topic, "iot-2/type/pump/id/p1/evt/status/fmt/json");
        let parts = Parts { device_type: "pump", name: "p1", kind: "evt", event: "status", format: "json" };
        assert_eq!(Parts::of(&topic), Some(parts));
        assert_eq!(Parts::of(&command_topic("pump", "p1", "set", "json")).map(|it| it.kind), Some("cmd"));
        for other in [notify_topic("gw", "g1"), format!("{topic}/x"), "iot-2/evt/e/fmt/json".to_owned()] {
            assert_eq!(Parts::of(&other), None, "{other}");
        }
    }
}
