//! Who takes part: gateways with children, applications that send commands, gateways that receive them.

use std::collections::BTreeSet;

use domain::OrgId;
use mqtt::{QoS, Version};
use serde_json::Value;
use sim::{Options, watson};

use crate::board::Stream;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::receiver::{Habit, Receiver};
use crate::round::Visit;
use crate::server::Folder;

const ORG: &str = "abc123";
const TOKEN: &str = "secret-token";
/// Gateways that publish events.
const GATEWAYS: [&str; 4] = ["g1", "g2", "g3", "g4"];
/// Events under way at a time, for each gateway.
const EVENT_WINDOW: usize = 64;
/// Commands under way at a time, for each application.
const COMMAND_WINDOW: usize = 16;
/// Property "session expiry interval" of MQTT 5: an hour.
const EXPIRY: [u8; 5] = [0x11, 0, 0, 0x0e, 0x10];

/// All clients.
#[derive(Default)]
pub(crate) struct Plant {
    pub(crate) publishers: Vec<Publisher>,
    pub(crate) receivers: Vec<Receiver>,
}

/// An API key and its token.
pub(crate) struct Key {
    key: String,
    token: String,
}

pub(crate) fn org() -> OrgId {
    OrgId::parse(ORG).unwrap()
}

/// Makes the organisation, its types, its gateways and an API key, with the command line and before the first start.
pub(crate) fn furnish(folder: &Folder) -> Key {
    folder.tidegate(&["org", "add", ORG]);
    folder.tidegate(&["type", "add", "gw", "--gateway"]);
    for name in ["sensor", "valve"] {
        folder.tidegate(&["type", "add", name]);
    }
    for gateway in GATEWAYS.iter().chain(&["sleeper", "vault"]) {
        folder.tidegate(&["device", "add", &format!("gw/{gateway}"), "--token", TOKEN]);
    }
    let made = folder.tidegate(&["key", "add"]);
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    Key { key: text(&made["key"]), token: text(&made["token"]) }
}

/// The names of all sensors that are registered, asked through the command line.
pub(crate) fn registered_sensors(folder: &Folder) -> BTreeSet<String> {
    let answer = folder.tidegate(&["device", "list", "--type", "sensor"]);
    let devices = answer["devices"].as_array().unwrap().iter();
    devices.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

impl Plant {
    /// Everybody, with their subscriptions made.
    pub(crate) async fn new(key: &Key, visit: &Visit, random: &mut Random) -> Plant {
        let mut publishers: Vec<_> =
            GATEWAYS.iter().enumerate().map(|(index, name)| gateway(index, name, random)).collect();
        for (name, durable) in [("commander", true), ("operator", false)] {
            publishers.push(commander(
                name,
                Stream::Commands,
                "sleeper",
                application(name, key, durable),
                random,
            ));
        }
        for name in ["teller", "clerk"] {
            publishers.push(commander(
                name,
                Stream::ExactlyOnce,
                "vault",
                application(name, key, true),
                random,
            ));
        }
        let sleeper = receiver("sleeper", Stream::Commands, &["commander", "operator"], visit, random).await;
        let vault = receiver("vault", Stream::ExactlyOnce, &["teller", "clerk"], visit, random).await;
        Plant { publishers, receivers: vec![sleeper, vault] }
    }

    /// Sensors of which an event was acknowledged.
    pub(crate) fn acknowledged_sensors(&self) -> BTreeSet<String> {
        let events = self.publishers.iter().filter(|it| it.stream == Stream::Events);
        let devices = events.flat_map(Publisher::acknowledged_devices);
        devices.filter(|it| it.0 == "sensor").map(|it| it.1.clone()).collect()
    }
}

/// Gateways differ in what the server has to keep for them: a session or none, in MQTT 3.1, 3.1.1 and 5.
fn gateway(index: usize, name: &str, random: &mut Random) -> Publisher {
    let options = watson::gateway(ORG, "gw", name, TOKEN);
    let options = match index {
        0 => options,
        1 => options.durable(),
        2 => options.version(Version::V31),
        _ => Options { properties: EXPIRY.to_vec(), ..options.version(Version::V5).durable() },
    };
    Publisher::new(name, Stream::Events, &[("gw", name)], options, EVENT_WINDOW, random.fork())
}

fn application(name: &str, key: &Key, durable: bool) -> Options {
    let options = watson::application(ORG, name, &key.key, &key.token);
    if durable { options.durable() } else { options }
}

/// An application that sends commands to a gateway and to a device behind it.
fn commander(name: &str, stream: Stream, to: &str, options: Options, random: &mut Random) -> Publisher {
    let valve = format!("{to}-valve");
    let devices = [("gw", to), ("valve", valve.as_str())];
    Publisher::new(name, stream, &devices, options, COMMAND_WINDOW, random.fork())
}

async fn receiver(
    name: &str,
    stream: Stream,
    publishers: &[&str],
    visit: &Visit,
    random: &mut Random,
) -> Receiver {
    let (qos, habit) = match stream {
        Stream::ExactlyOnce => (QoS::ExactlyOnce, Habit { stay_count_max: 400, away_count_max: 20 }),
        _ => (QoS::AtLeastOnce, Habit { stay_count_max: 300, away_count_max: 500 }),
    };
    let own = watson::command_topic("gw", name, "+", "+");
    let behind = watson::command_topic("valve", &format!("{name}-valve"), "set", "json");
    let filters = [(own.as_str(), qos), (behind.as_str(), qos)];
    let options = watson::gateway(ORG, "gw", name, TOKEN).durable();
    let mut receiver = Receiver::new(name, stream, publishers, options, habit, random.fork());
    receiver.subscribe(visit, &filters).await;
    receiver
}
