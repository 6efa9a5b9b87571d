//! Plans that the tests of this folder start from, and what is refused before anything is sent.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use mqtt::{QoS, Version};

use super::*;

/// A small plan for a plain server.
pub(super) fn plan(workload: Workload) -> Plan {
    let identity =
        |client_id: &str| Identity { client_id: client_id.parse().unwrap(), user: None, password: None };
    Plan {
        workload,
        version: Version::V311,
        qos: QoS::AtMostOnce,
        content: Content::Event { bytes: 100 },
        window: 100,
        connections: 10,
        length: Length::Messages(1_000),
        rate_per_s: 1_000.0,
        burst: 1,
        sources: None,
        sessions: Sessions::Clean,
        names: Names {
            publisher: identity("bench-pub-{n}"),
            subscriber: identity("bench-sub-{n}"),
            topic: "bench/{n}".parse().unwrap(),
            filter: "bench/{n}".parse().unwrap(),
            children: 1,
        },
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let edits: [fn(&mut Plan); 7] = [
        |it| it.connections = 0,
        |it| it.window = 65_536,
        |it| it.content = Content::Event { bytes: 3 },
        |it| it.names.children = 0,
        |it| it.content = Content::Readings { device: Template::literal("d"), per_message: 2 },
        |it| it.workload = Workload::Ingest,
        |it| (it.workload, it.rate_per_s) = (Workload::Open, 0.0),
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut plan = plan(Workload::Pair);
        assert!(plan.check().is_ok());
        edit(&mut plan);
        assert!(plan.check().is_err(), "edit {index}");
    }
}

#[test]
fn many_connections_come_from_several_loopback_addresses() {
    let (here, there) = ("127.0.0.1:1883".parse().unwrap(), "192.0.2.1:1883".parse().unwrap());
    let mut plan = plan(Workload::Idle);
    assert_eq!(plan.source(5, here), None);
    plan.connections = 30_000;
    let sources: std::collections::BTreeSet<_> = (0..100).filter_map(|it| plan.source(it, here)).collect();
    assert_eq!(sources.len(), 3);
    assert_eq!(plan.source(5, there), None);
    plan.sources = Some(1);
    assert_eq!(plan.source(5, here), None);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    // A port that was free a moment ago: nobody listens.
    let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fault = run(&plan(Workload::Pair), Target { addr, pid: None }).unwrap_err();
    assert!(fault.to_string().contains("bench-pub-0"), "{fault}");
    let mut plan = plan(Workload::Storm);
    plan.connections = 3;
    let outcome = run(&plan, Target { addr, pid: None }).unwrap();
    assert_eq!((outcome.counted, outcome.failed), (0, 3));
}
