#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

fn bench(line: &str) -> Bench {
    let words = format!("tidegate bench {line}");
    match Cli::try_parse_from(words.split(' ')).unwrap_or_else(|it| panic!("{line}: {it}")).command {
        Command::Bench(it) => *it,
        other => panic!("{other:?}"),
    }
}

fn plan(line: &str) -> Plan {
    bench(line).plan().unwrap()
}

#[test]
fn each_workload_has_defaults_that_suit_it() {
    let pair = plan("pair");
    assert_eq!((pair.connections, pair.qos, pair.window), (50, QoS::AtMostOnce, 100));
    assert_eq!(pair.names.filter.expand(7, 0), "bench/7");
    assert_eq!(plan("fan-out").names.filter.expand(7, 0), "bench/0");
    assert_eq!(plan("fan-in").names.filter.expand(7, 0), "bench/+");
    assert_eq!(plan("ingest").qos, QoS::AtLeastOnce);
    let sparse = plan("sparse --connections 300");
    assert_eq!((sparse.rate_per_s, sparse.window), (300.0, SPARSE_WINDOW_COUNT));
    assert_eq!(bench("pair").rounds(1), 1);
    assert_eq!(bench("pair").rounds(2), 3);
    assert_eq!(bench("idle --rounds 9").rounds(2), 1);
}

#[test]
fn other_servers_may_have_names_and_processes() {
    let vs = bench("pair --vs 127.0.0.1:1884 --vs flashmq=127.0.0.1:1885,4712").vs;
    let addr = |text: &str| text.parse().unwrap();
    let unnamed = Target { addr: addr("127.0.0.1:1884"), pid: None };
    let named = Target { addr: addr("127.0.0.1:1885"), pid: Some(4712) };
    let expected = [("127.0.0.1:1884", unnamed), ("flashmq", named)];
    assert_eq!(vs, expected.map(|(name, target)| Contestant { name: name.to_owned(), target }));
    for wrong in ["nowhere", "127.0.0.1", "127.0.0.1:1884,me", "name="] {
        assert!(wrong.parse::<Contestant>().is_err(), "{wrong}");
    }
}

#[test]
fn watson_names_are_those_of_the_platform() {
    let names = plan("pair --watson abc123 --type edge --token t{n} --key k --key-token s").names;
    assert_eq!(names.publisher.client_id.expand(4, 0), "g:abc123:edge:load4");
    assert_eq!(names.publisher.user.unwrap().expand(4, 0), "use-token-auth");
    assert_eq!(names.publisher.password.unwrap().expand(4, 0), "t{n}", "a token is no template");
    assert_eq!(names.topic.expand(4, 0), "iot-2/type/edge/id/load4/evt/e/fmt/json");
    assert_eq!(names.filter.expand(4, 0), "iot-2/type/edge/id/load4/evt/e/fmt/json");
    assert_eq!(names.subscriber.client_id.expand(4, 0), "a:abc123:listener4");
    assert_eq!(names.subscriber.password.unwrap().expand(4, 0), "s");

    let names = plan("ingest --watson abc123 --token t --children 10").names;
    assert_eq!(names.topic.expand(4, 9), "iot-2/type/dev/id/load4-9/evt/e/fmt/json");
    assert_eq!(names.children, 10);

    let names = plan("fan-out --watson abc123 --token t --key k --commands").names;
    assert_eq!(names.publisher.client_id.expand(0, 0), "a:abc123:app0");
    assert_eq!(names.filter.expand(4, 0), "iot-2/type/gw/id/load0/cmd/c/fmt/json");
    assert!(bench("pair --watson abc123 --token t --children 2").plan().is_err());

    let who = |line: &str| plan(line).names.publisher.client_id.expand(1, 0);
    assert_eq!(who("storm --watson abc123 --token t"), "g:abc123:gw:load1");
    assert_eq!(who("storm --watson abc123 --token t --key k"), "a:abc123:app1");
}

#[test]
fn thingsboard_gateways_log_in_with_their_tokens_and_speak_for_others() {
    let it = plan("ingest --thingsboard --connections 2 --children 500 --per-message 50");
    assert_eq!(it.names.publisher.user.unwrap().expand(1, 0), "load1");
    assert_eq!((it.names.publisher.password, it.names.children), (None, 500));
    assert_eq!(it.names.topic.expand(1, 7), "v1/gateway/telemetry");
    assert_eq!(it.content.points_per_message(), Some(150));
    let Content::Readings { device, per_message: 50 } = it.content else { panic!("{:?}", it.content) };
    assert_eq!(device.expand(1, 499), "load1-499");
    assert_eq!(plan("ingest --thingsboard").names.children, 1_000);
    assert!(bench("pair --thingsboard").plan().is_err());
}

#[test]
fn what_was_typed_wins() {
    let names =
        plan("pair --user u{n} --password p --sub-user s{n} --topic t/{n} --filter t/# --client-id c{n}")
            .names;
    let texts = [&names.publisher.client_id, &names.topic, &names.filter].map(|it| it.expand(3, 0));
    assert_eq!(texts, ["c3", "t/3", "t/#"]);
    let logins = [names.publisher.user, names.subscriber.user, names.subscriber.password];
    assert_eq!(logins.map(|it| it.unwrap().expand(3, 0)), ["u3", "s3", "p"]);
}

#[test]
fn nonsense_is_refused() {
    for line in [
        "pair --qos 3",
        "pair --version 4",
        "swim",
        "pair --watson abc123",
        "pair --key k",
        "ingest --children 5",
        "ingest --per-message 5",
        "ingest --thingsboard --watson abc123 --token t",
        "pair --rounds 0",
    ] {
        let words = format!("tidegate bench {line}");
        assert!(Cli::try_parse_from(words.split(' ')).is_err(), "{line}");
    }
    assert!(bench("pair --seconds 1e9").plan().is_err());
}
