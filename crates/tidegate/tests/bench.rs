//! The load generator against a server in this process: every workload, ended by a count and never by a clock.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use domain::{Class, DeviceInfo, OrgId, Registrar};
use mqtt::{QoS, Version};
use platform::{NewDevice, NewKey, NewType};
use sim::bench::{
    self, Content, Fault, Identity, Length, Names, Outcome, Plan, Sessions, Target, Template, Workload,
};
use tempfile::TempDir;
use tidegate::{Config, Running};

const ORG: &str = "abc123";
const TOKEN: &str = "secret-token";
const KEY: &str = "a-abc123-0123456789";
const GATEWAY_COUNT: usize = 4;
const MESSAGE_COUNT: u64 = 2_000;

/// A server with gateways `gw/load0`, … and an API key.
async fn serve(folder: &TempDir) -> Running {
    let text = format!(
        "[data]\npath = {:?}\n[listen]\nmqtt = \"127.0.0.1:0\"\nmqtts = \"off\"\nhttp = \"off\"\nhttps = \"off\"\nonenet = \"off\"\n\
         [server]\nworker_count = 2\n",
        folder.path().join("data")
    );
    let running = tidegate::start(Config::from_toml(&text, "test").unwrap()).await.unwrap();
    let (platform, org) = (&running.platform, OrgId::parse(ORG).unwrap());
    platform.create_org(Some(org), "Acme", 1).unwrap();
    let info = DeviceInfo::default();
    let draft = NewType {
        name: "gw".into(),
        class: Class::Gateway,
        description: None,
        info: info.clone(),
        metadata: None,
    };
    platform.create_type(org, draft, 1).unwrap();
    for n in 0..GATEWAY_COUNT {
        let draft = NewDevice {
            device_type: "gw".into(),
            name: format!("load{n}").as_str().into(),
            class: None,
            token: Some(TOKEN.into()),
            info: info.clone(),
            metadata: None,
            location: None,
            gateway: None,
            registrar: Registrar::Operator,
        };
        platform.register(org, draft, 1).unwrap();
    }
    let key = NewKey { key: Some(KEY.into()), token: Some(TOKEN.into()), ..NewKey::default() };
    platform.create_key(org, key, 1).unwrap();
    running
}

fn template(text: &str) -> Template {
    text.parse().unwrap()
}

fn identity(client_id: &str, user: &str) -> Identity {
    Identity { client_id: template(client_id), user: Some(template(user)), password: Some(template(TOKEN)) }
}

/// Gateways that publish events, applications that receive them.
fn plan(workload: Workload, qos: QoS) -> Plan {
    let filter = match workload {
        Workload::FanIn | Workload::Sparse => "iot-2/type/+/id/+/evt/e/fmt/json",
        Workload::FanOut => "iot-2/type/gw/id/load0/evt/e/fmt/json",
        _ => "iot-2/type/gw/id/load{n}/evt/e/fmt/json",
    };
    Plan {
        workload,
        version: Version::V311,
        qos,
        content: Content::Event { bytes: 100 },
        window: 20,
        connections: GATEWAY_COUNT,
        length: Length::Messages(MESSAGE_COUNT),
        rate_per_s: 20_000.0,
        burst: 1,
        sources: None,
        sessions: Sessions::Clean,
        names: Names {
            publisher: identity("g:abc123:gw:load{n}", "use-token-auth"),
            subscriber: identity("a:abc123:listener{n}", KEY),
            topic: template("iot-2/type/gw/id/load{n}/evt/e/fmt/json"),
            filter: template(filter),
            children: 1,
        },
    }
}

/// Runs plans one after the other against one server. The generator blocks, so it has a thread of its own.
async fn run(plans: Vec<Plan>) -> Vec<Result<Outcome, Fault>> {
    let folder = TempDir::new().unwrap();
    let running = serve(&folder).await;
    let target = Target { addr: running.addresses.mqtt[0], pid: Some(std::process::id()) };
    let load = move || plans.iter().map(|plan| bench::run(plan, target)).collect();
    let outcomes = tokio::task::spawn_blocking(load).await.unwrap();
    running.shutdown().await.unwrap();
    outcomes
}

#[tokio::test]
async fn messages_of_every_workload_arrive() {
    let workloads = [
        Workload::Pair,
        Workload::FanIn,
        Workload::FanOut,
        Workload::Ingest,
        Workload::Sparse,
        Workload::Open,
    ];
    let mut plans: Vec<Plan> = workloads.map(|it| plan(it, QoS::AtLeastOnce)).into();
    plans.push(plan(Workload::Pair, QoS::AtMostOnce));
    plans.push(plan(Workload::Pair, QoS::ExactlyOnce));
    plans.push(Plan { version: Version::V5, ..plan(Workload::FanIn, QoS::AtLeastOnce) });
    let names: Vec<String> = plans.iter().map(|it| format!("{} at {:?}", it.workload, it.qos)).collect();
    for (name, outcome) in names.iter().zip(run(plans).await) {
        let outcome = outcome.unwrap_or_else(|it| panic!("{name}: {it}"));
        assert!(outcome.counted >= MESSAGE_COUNT, "{name}: {} counted", outcome.counted);
        assert_eq!((outcome.failed, outcome.lost), (0, 0), "{name}");
        let sampled = outcome.latency.count();
        assert_eq!(sampled > 0, outcome.workload != Workload::Ingest, "{name}: {sampled} samples");
        assert!(outcome.cpu_us().is_some() && outcome.rate_per_s() > 0.0, "{name}");
    }
}

#[tokio::test]
async fn commands_between_applications_arrive() {
    let mut plan = plan(Workload::FanOut, QoS::AtMostOnce);
    plan.names.publisher = identity("a:abc123:app{n}", KEY);
    plan.names.topic = template("iot-2/type/gw/id/load0/cmd/c/fmt/json");
    plan.names.filter = plan.names.topic.clone();
    let outcomes = run(vec![plan]).await;
    assert!(outcomes[0].as_ref().unwrap().counted >= MESSAGE_COUNT);
}

#[tokio::test]
async fn a_durable_run_starts_and_ends_with_nothing_kept() {
    let durable = Plan { sessions: Sessions::Durable, ..plan(Workload::FanIn, QoS::AtLeastOnce) };
    for outcome in run(vec![durable.clone(), durable]).await {
        assert!(outcome.unwrap().counted >= MESSAGE_COUNT);
    }
}

#[tokio::test]
async fn a_storm_counts_who_gets_in_and_who_does_not() {
    let good = plan(Workload::Storm, QoS::AtMostOnce);
    let mut bad = good.clone();
    bad.names.publisher.password = Some(template("wrong"));
    let idle = plan(Workload::Idle, QoS::AtMostOnce);
    let outcomes: Vec<Outcome> = run(vec![good, bad, idle]).await.into_iter().map(Result::unwrap).collect();
    let let_in = |it: &Outcome| (it.counted, it.failed);
    let all = GATEWAY_COUNT as u64;
    assert_eq!(outcomes.iter().map(let_in).collect::<Vec<_>>(), [(all, 0), (0, all), (all, 0)]);
    assert_eq!(outcomes[0].latency.count(), all);
    assert!(outcomes[2].bytes_per_connection.is_some());
}

#[tokio::test]
async fn whoever_is_refused_is_named() {
    let mut plan = plan(Workload::Ingest, QoS::AtLeastOnce);
    plan.names.publisher.password = Some(template("wrong"));
    let fault = run(vec![plan]).await.remove(0).unwrap_err();
    assert!(fault.to_string().starts_with("g:abc123:gw:load"), "{fault}");
}
