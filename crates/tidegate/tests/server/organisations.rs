//! Two organisations with the same types, devices, applications and filters never see anything of each other.

use domain::OrgId;
use mqtt::QoS;
use sim::{Client, Event, Options};

use crate::house::{House, ORG, TOKEN};
use crate::steps::{Q0, Q1, durable, so_far, text};

const OTHER: &str = "xyz789";
const EVENTS: &str = "iot-2/type/+/id/+/evt/+/fmt/+";
const COMMANDS: &str = "iot-2/type/+/id/+/cmd/+/fmt/+";
const DEVICES: &str = "iot-2/type/+/id/+/mon";
const APPLICATIONS: &str = "iot-2/app/+/mon";
const NOTIFICATIONS: &str = "iot-2/type/gw/id/g1/notify";
const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";
/// What everybody who listens to events, and to commands, gets last.
const LAST_EVENT: &str = "iot-2/type/gw/id/g1/evt/last/fmt/text";
const LAST_COMMAND: &str = "iot-2/type/dev/id/d1/cmd/last/fmt/text";

fn app(org: &str, kind: &str, name: &str) -> Options {
    let key = format!("a-{org}-0123456789");
    Options::new(format!("{kind}:{org}:{name}")).login(key, TOKEN)
}

fn device(org: &str, kind: &str, name: &str) -> Options {
    House::device(&format!("{kind}:{org}:{name}"))
}

/// Everyone who listens in one organisation.
struct Ears {
    org: &'static str,
    application: Client,
    group: Client,
    gateway: Client,
    device: Client,
}

impl Ears {
    async fn open(house: &House, org: &'static str) -> Ears {
        let mut application = house.client(app(org, "a", "ear")).await;
        let filters = [EVENTS, COMMANDS, DEVICES, APPLICATIONS];
        application.subscribe(&filters.map(|it| (it, Q1))).await.unwrap();
        let mut group = house.client(app(org, "A", "group")).await;
        group.subscribe(&[(EVENTS, Q0)]).await.unwrap();
        let mut gateway = house.client(device(org, "g", "gw:g1")).await;
        gateway.subscribe(&[(COMMANDS, Q1), (NOTIFICATIONS, Q0), (DEVICES, Q0)]).await.unwrap();
        let mut own = house.client(device(org, "d", "dev:d1")).await;
        own.subscribe(&[("iot-2/cmd/+/fmt/+", Q1)]).await.unwrap();
        let mut away = house.client(durable(app(org, "a", "away"))).await;
        away.subscribe(&[(EVENTS, Q1)]).await.unwrap();
        away.disconnect().await.unwrap();
        Ears { org, application, group, gateway, device: own }
    }

    /// Does everything that somebody could hear.
    async fn make_noise(&mut self, house: &House) {
        let payload = format!("of {}", self.org).into_bytes();
        for topic in [EVENT, "iot-2/type/dev/id/child/evt/status/fmt/text", "not/a/topic"] {
            self.gateway.publish_done(topic, &payload, Q1).await.unwrap();
        }
        self.device.publish_done("iot-2/evt/status/fmt/text", &payload, Q1).await.unwrap();
        let mut visitor = house.client(device(self.org, "g", "gw:g2")).await;
        visitor.publish_done("iot-2/type/gw/id/g2/evt/hello/fmt/text", &payload, Q1).await.unwrap();
        visitor.disconnect().await.unwrap();
        let mut sender = house.client(app(self.org, "a", "sender")).await;
        sender.publish_done("iot-2/type/dev/id/d1/cmd/do/fmt/text", &payload, Q1).await.unwrap();
        sender.publish_done(LAST_COMMAND, &payload, Q1).await.unwrap();
        sender.publish_done(LAST_EVENT, &payload, Q1).await.unwrap();
        sender.disconnect().await.unwrap();
    }
}

/// Reads up to the last message; every one has to be of this organisation. Returns the topics.
async fn hear(client: &mut Client, org: &str, last: &str) -> Vec<String> {
    let (mut topics, other) = (Vec::new(), if org == ORG { OTHER } else { ORG });
    while topics.last().is_none_or(|it| it != last) {
        let message = client.next_message().await.unwrap();
        let text = text(&message);
        assert!(text.contains(org) && !text.contains(other), "in {org}: {} {text}", message.topic);
        topics.push(message.topic);
    }
    for event in so_far(client).await {
        let Event::Message(message) = event else { continue };
        assert!(text(&message).contains(org), "in {org}: {} {}", message.topic, text(&message));
        topics.push(message.topic);
    }
    topics
}

fn count(topics: &[String], ending: &str) -> usize {
    topics.iter().filter(|it| it.ends_with(ending)).count()
}

#[tokio::test]
async fn organisations_never_see_each_other() {
    let house = House::open().await;
    house.furnish_org(OrgId::parse(OTHER).unwrap(), "a-xyz789-0123456789");
    let mut ears = [Ears::open(&house, ORG).await, Ears::open(&house, OTHER).await];
    for ears in &mut ears {
        ears.make_noise(&house).await;
    }
    for ears in &mut ears {
        let org = ears.org;
        let heard = hear(&mut ears.application, org, LAST_EVENT).await;
        assert_eq!(heard.iter().filter(|it| it.contains("/evt/")).count(), 5, "{heard:?}");
        assert_eq!(heard.iter().filter(|it| it.contains("/cmd/")).count(), 2, "{heard:?}");
        assert!(count(&heard, "/mon") > 0, "{heard:?}");
        let heard = hear(&mut ears.group, org, LAST_EVENT).await;
        assert_eq!(heard.len(), 5, "{heard:?}");
        let heard = hear(&mut ears.gateway, org, LAST_COMMAND).await;
        assert_eq!(
            (count(&heard, "/notify"), heard.iter().filter(|it| it.contains("/cmd/")).count()),
            (1, 2)
        );
        let heard = hear(&mut ears.device, org, "iot-2/cmd/last/fmt/text").await;
        assert_eq!(heard.len(), 2, "{heard:?}");
        let mut away = house.client(durable(app(org, "a", "away"))).await;
        let heard = hear(&mut away, org, LAST_EVENT).await;
        assert_eq!(heard.len(), 5, "{heard:?}");
        let mut late = house.client(app(org, "a", "late")).await;
        late.subscribe(&[(DEVICES, Q0), (APPLICATIONS, Q0)]).await.unwrap();
        let heard = hear(&mut late, org, "iot-2/app/late/mon").await;
        assert!(count(&heard, "gw/id/g1/mon") == 1 && count(&heard, "gw/id/g2/mon") == 1, "{heard:?}");
    }
    keep_apart(&house, QoS::AtLeastOnce).await;
    house.close().await;
}

/// What one organisation registered, retained or was refused is not there for the other.
async fn keep_apart(house: &House, qos: QoS) {
    for (org, other) in [(ORG, OTHER), (OTHER, ORG)] {
        let refusals = house.ask(&format!("/v1/orgs/{org}/refusals")).await;
        let refusals = refusals["refusals"].as_array().unwrap();
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0]["org"], org);
        // A device that speaks another organisation's name in its topic speaks for itself all the same.
        let mut gateway = house.client(device(org, "g", "gw:g2")).await;
        let name = format!("only-{org}");
        let topic = format!("iot-2/type/dev/id/{name}/evt/status/fmt/text");
        gateway.publish_done(&topic, other.as_bytes(), qos).await.unwrap();
        let name = domain::DeviceName { device_type: "dev", name: &name };
        let platform = &house.running.platform;
        assert!(platform.device(OrgId::parse(org).unwrap(), name).is_some());
        assert!(platform.device(OrgId::parse(other).unwrap(), name).is_none());
    }
}
