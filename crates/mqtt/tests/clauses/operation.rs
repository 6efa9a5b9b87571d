//! Retained messages and subscriptions, as the router keeps them, and chapters 4 to 7: topics, transports, conformance.
//!
//! What concerns one session stands in `session.rs`.

use mqtt::codec;
use mqtt::limits::FIELD_BYTES_MAX;
use mqtt::router::{Match, Retained, Router};
use mqtt::topic::{self, TopicFault};
use mqtt::{QoS, Reason, Version::V311};

use crate::row::Verdict::{Accept, Reject, RejectBy};
use crate::row::{Row, absent, clause, dialogue, peer, server};

const MALFORMED: Reason = Reason::MALFORMED_PACKET;

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // 3.1.2.4 and 3.3.1.3 Retained messages
    dialogue("MQTT-3.1.2-7", retained_messages_outlive_subscriptions),
    dialogue("MQTT-3.3.1-5", a_retained_message_is_kept_with_its_qos),
    dialogue("MQTT-3.3.1-6", a_new_subscription_finds_the_last_retained_messages),
    dialogue("MQTT-3.3.1-7", a_retained_message_replaces_the_last_one),
    // Clients of the Watson dialect retain nothing (spec watson 2.4, a documented deviation): shown with what the
    // server itself retains.
    server("MQTT-3.3.1-8", "retained_messages_come_with_the_flag_and_live_ones_without"),
    server("MQTT-3.3.1-9", "retained_messages_come_with_the_flag_and_live_ones_without"),
    dialogue("MQTT-3.3.1-10", a_removed_retained_message_is_not_found),
    dialogue("MQTT-3.3.1-11", a_removed_retained_message_is_not_found),
    dialogue("MQTT-3.3.1-12", a_message_that_is_only_routed_leaves_what_is_retained),
    // 3.3.2.1, 3.3.5, 3.8.4 and 3.10.4 Subscriptions
    dialogue("MQTT-3.3.2-3", a_topic_reaches_matching_filters_only),
    dialogue("MQTT-3.3.5-1", overlapping_subscriptions_are_all_found),
    dialogue("MQTT-3.8.4-3", the_same_filter_replaces_the_subscription),
    server("MQTT-3.8.4-6", "a_message_arrives_at_the_lower_qos"),
    dialogue("MQTT-3.10.4-1", only_the_same_filter_is_removed),
    dialogue("MQTT-3.10.4-2", a_removed_subscription_finds_nothing),

    // 4.1 Session state
    server("MQTT-4.1.0-1", "a_session_outlives_its_connection"),
    server("MQTT-4.1.0-2", "a_session_outlives_its_connection"),
    // 4.5 Receipt
    server("MQTT-4.5.0-1", "messages_wait_for_a_session_that_is_away"),
    // 4.6 Order
    server("MQTT-4.6.0-5", "messages_of_one_publisher_keep_their_order"),
    server("MQTT-4.6.0-6", "messages_of_one_publisher_keep_their_order"),
    // 4.7.1 Wildcards
    clause("MQTT-4.7.1-1", V311, "30 __ 0001'#'", RejectBy("MQTT-3.3.2-2", MALFORMED)),
    clause("MQTT-4.7.1-1", V311, "30 __ 0003'a/+'", RejectBy("MQTT-3.3.2-2", MALFORMED)),
    clause("MQTT-4.7.1-2", V311, "82 __ 0001 0001'#' 00", Accept),
    clause("MQTT-4.7.1-2", V311, "82 __ 0001 000e'sport/tennis/#' 00", Accept),
    clause("MQTT-4.7.1-2", V311, "82 __ 0001 000d'sport/tennis#' 00", Reject(MALFORMED)),
    clause("MQTT-4.7.1-2", V311, "82 __ 0001 0016'sport/tennis/#/ranking' 00", Reject(MALFORMED)),
    clause("MQTT-4.7.1-2", V311, "82 __ 0001 0002'##' 00", Reject(MALFORMED)),
    clause("MQTT-4.7.1-2", V311, "82 __ 0001 0002'#/' 00", Reject(MALFORMED)),
    clause("MQTT-4.7.1-2", V311, "a2 __ 0001 0002'#a'", Reject(MALFORMED)),
    clause("MQTT-4.7.1-3", V311, "82 __ 0001 0001'+' 00", Accept),
    clause("MQTT-4.7.1-3", V311, "82 __ 0001 0011'+/tennis/+/+//+/#' 00", Accept),
    clause("MQTT-4.7.1-3", V311, "82 __ 0001 0006'sport+' 00", Reject(MALFORMED)),
    clause("MQTT-4.7.1-3", V311, "82 __ 0001 0005'a/+b/' 00", Reject(MALFORMED)),
    clause("MQTT-4.7.1-3", V311, "a2 __ 0001 0002'++'", Reject(MALFORMED)),
    dialogue("MQTT-4.7.1-2", the_examples_of_the_standard_match),
    dialogue("MQTT-4.7.1-3", the_examples_of_the_standard_match),
    // 4.7.2 Topics that start with '$'
    dialogue("MQTT-4.7.2-1", wildcards_do_not_match_topics_of_the_server),
    // 4.7.3 Topic semantics
    clause("MQTT-4.7.3-1", V311, "30 __ 0000 'x'", Reject(MALFORMED)),
    clause("MQTT-4.7.3-1", V311, "82 __ 0001 0000 00", Reject(MALFORMED)),
    clause("MQTT-4.7.3-1", V311, "a2 __ 0001 0000", Reject(MALFORMED)),
    clause("MQTT-4.7.3-1", V311, "10 __ 0004'MQTT' 04 06 003c 0001'a' 0000 0001'm'", Reject(MALFORMED)),
    clause("MQTT-4.7.3-1", V311, "30 __ 0001'/'", Accept),
    clause("MQTT-4.7.3-2", V311, "30 __ 0003 'a' 00 'b'", RejectBy("MQTT-1.5.3-2", MALFORMED)),
    clause("MQTT-4.7.3-2", V311, "82 __ 0001 0001 00 00", RejectBy("MQTT-1.5.3-2", MALFORMED)),
    dialogue("MQTT-4.7.3-3", a_topic_has_at_most_65_535_bytes),
    dialogue("MQTT-4.7.3-4", topics_are_compared_as_they_are),
    // 4.8 Errors
    server("MQTT-4.8.0-2", "a_failing_store_closes_the_connection"),

    // 6 WebSocket
    server("MQTT-6.0.0-1", "text_is_not_taken"),
    server("MQTT-6.0.0-2", "frames_and_packets_need_not_agree"),
    peer("MQTT-6.0.0-3", "the client offers it; one that offers nothing is served all the same"),
    server("MQTT-6.0.0-4", "the_subprotocol_is_mqtt_where_that_is_offered"),
    // 7 Conformance
    absent("MQTT-7.0.0-1", "this server opens no connections to other servers"),
    clause("MQTT-7.0.0-2", V311, "10 __ 0004'MQTT' 04 02 0000 0001'a'", Accept),
    server("MQTT-7.1.1-1", "a_connect_is_acknowledged_first"),
    peer("MQTT-7.1.2-1", "binds the client's choice of transport"),
];

/// The values of all subscriptions that a topic finds, in ascending order.
fn found(router: &Router<QoS>, topic: &str) -> Vec<QoS> {
    let mut found = Vec::new();
    router.matching(topic, |it| match it {
        Match::One(qos) => found.push(*qos),
        Match::Group(group) => found.extend(group.members().copied()),
    });
    found.sort();
    found
}

/// The retained messages that a filter finds, in ascending order of topics.
fn last<M: Copy + Ord>(retained: &Retained<M>, filter: &str) -> Vec<M> {
    let mut found = Vec::new();
    retained.matching(filter, |topic, message| found.push((topic, *message)));
    found.sort();
    found.into_iter().map(|(_, message)| message).collect()
}

const A_CLIENT: u64 = 1;
const ANOTHER: u64 = 2;

fn retained_messages_outlive_subscriptions() {
    let (mut router, mut retained) = (Router::new(), Retained::new());
    router.insert("a/+", A_CLIENT, QoS::AtMostOnce);
    retained.set("a/b", 1);
    router.remove("a/+", A_CLIENT);
    assert!(router.is_empty());
    assert_eq!(last(&retained, "a/+"), [1]);
}

fn a_retained_message_is_kept_with_its_qos() {
    let mut retained = Retained::new();
    retained.set("a/b", ("text", QoS::AtLeastOnce));
    assert_eq!(retained.get("a/b"), Some(&("text", QoS::AtLeastOnce)));
    assert_eq!(last(&retained, "#"), [("text", QoS::AtLeastOnce)]);
}

fn a_new_subscription_finds_the_last_retained_messages() {
    let mut retained = Retained::new();
    for (topic, message) in [("a/b", 1), ("a/c", 2), ("a/b", 3), ("d/b", 4)] {
        retained.set(topic, message);
    }
    assert_eq!(last(&retained, "a/+"), [3, 2]);
    assert_eq!(last(&retained, "+/b"), [3, 4]);
    assert_eq!(last(&retained, "d/c"), []);
}

pub(crate) fn a_retained_message_replaces_the_last_one() {
    let mut retained = Retained::new();
    retained.set("a", (1, QoS::ExactlyOnce));
    assert_eq!(retained.set("a", (2, QoS::AtMostOnce)), Some((1, QoS::ExactlyOnce)));
    assert_eq!(last(&retained, "a"), [(2, QoS::AtMostOnce)]);
}

pub(crate) fn a_removed_retained_message_is_not_found() {
    let mut retained = Retained::new();
    retained.set("a", 1);
    assert_eq!(retained.remove("a"), Some(1));
    assert_eq!(last(&retained, "#"), []);
    assert!(retained.is_empty());
}

pub(crate) fn a_message_that_is_only_routed_leaves_what_is_retained() {
    let (mut router, mut retained) = (Router::new(), Retained::new());
    router.insert("a", A_CLIENT, QoS::AtMostOnce);
    retained.set("a", 1);
    assert_eq!(found(&router, "a"), [QoS::AtMostOnce]);
    assert_eq!(last(&retained, "a"), [1]);
}

pub(crate) fn a_topic_reaches_matching_filters_only() {
    let filters = ["a", "a/b", "a/+", "+/b", "a/#", "#", "b/a", "A/b", "a/b/c", "/a/b"];
    for topic in ["a", "a/b", "a/b/c", "/a/b", "b"] {
        for filter in filters {
            let mut router = Router::new();
            router.insert(filter, A_CLIENT, QoS::AtMostOnce);
            assert_eq!(
                !found(&router, topic).is_empty(),
                topic::matches(filter, topic),
                "{filter} for {topic}"
            );
        }
    }
}

pub(crate) fn overlapping_subscriptions_are_all_found() {
    let mut router = Router::new();
    router.insert("a/b", A_CLIENT, QoS::AtMostOnce);
    router.insert("a/#", A_CLIENT, QoS::ExactlyOnce);
    router.insert("+/b", A_CLIENT, QoS::AtLeastOnce);
    assert_eq!(
        found(&router, "a/b").into_iter().max(),
        Some(QoS::ExactlyOnce),
        "the highest is there to be taken"
    );
    assert_eq!(found(&router, "a/b").len(), 3);
}

pub(crate) fn the_same_filter_replaces_the_subscription() {
    let mut router = Router::new();
    assert_eq!(router.insert("a/+", A_CLIENT, QoS::AtMostOnce), None);
    assert_eq!(router.insert("a/+", A_CLIENT, QoS::AtLeastOnce), Some(QoS::AtMostOnce));
    assert_eq!(found(&router, "a/b"), [QoS::AtLeastOnce]);
    assert_eq!(router.len(), 1);
}

pub(crate) fn only_the_same_filter_is_removed() {
    let mut router = Router::new();
    router.insert("a/+", A_CLIENT, QoS::AtMostOnce);
    router.insert("a/+", ANOTHER, QoS::AtLeastOnce);
    for other in ["a/b", "a/#", "A/+", "a/+/", "/a/+", "+/+"] {
        assert_eq!(router.remove(other, A_CLIENT), None, "{other}");
    }
    assert_eq!(router.remove("a/+", A_CLIENT), Some(QoS::AtMostOnce));
    assert_eq!(found(&router, "a/b"), [QoS::AtLeastOnce], "another client's is still there");
}

pub(crate) fn a_removed_subscription_finds_nothing() {
    let mut router = Router::new();
    router.insert("a/#", A_CLIENT, QoS::AtMostOnce);
    router.remove("a/#", A_CLIENT);
    assert_eq!(found(&router, "a/b"), []);
}

pub(crate) fn the_examples_of_the_standard_match() {
    let cases = [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/#", "sport", true),
        ("#", "a/b", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
    ];
    for (filter, topic, expected) in cases {
        assert_eq!(topic::matches(filter, topic), expected, "{filter} for {topic}");
        let mut router = Router::new();
        router.insert(filter, A_CLIENT, QoS::AtMostOnce);
        assert_eq!(!found(&router, topic).is_empty(), expected, "{filter} for {topic}, in the router");
    }
}

pub(crate) fn wildcards_do_not_match_topics_of_the_server() {
    let cases = [
        ("#", "$SYS/uptime", false),
        ("+/uptime", "$SYS/uptime", false),
        ("+/#", "$SYS", false),
        ("$SYS/#", "$SYS/uptime", true),
        ("$SYS/+", "$SYS/uptime", true),
        ("a/+", "a/$b", true),
    ];
    for (filter, topic, expected) in cases {
        assert_eq!(topic::matches(filter, topic), expected, "{filter} for {topic}");
        let (mut router, mut retained) = (Router::new(), Retained::new());
        router.insert(filter, A_CLIENT, QoS::AtMostOnce);
        retained.set(topic, 1);
        assert_eq!(!found(&router, topic).is_empty(), expected, "{filter} for {topic}, in the router");
        assert_eq!(!last(&retained, filter).is_empty(), expected, "{filter} for {topic}, retained");
    }
}

/// Two bytes of length can say no more; this server takes less, by a bound with a name.
pub(crate) fn a_topic_has_at_most_65_535_bytes() {
    let topic = "a".repeat(FIELD_BYTES_MAX);
    assert_eq!(topic::check_name(&topic), Err(TopicFault::TooLong));
    assert_eq!(topic::check_filter(&topic), Err(TopicFault::TooLong));
    let mut packet = vec![0x30, 0x81, 0x80, 0x04, 0xFF, 0xFF];
    packet.extend_from_slice(topic.as_bytes());
    assert_eq!(codec::decode(&packet, V311).unwrap_err().clause, "TOPIC_BYTES_MAX");
}

/// Case, spaces, empty levels and the several ways to write a character all tell topics apart.
pub(crate) fn topics_are_compared_as_they_are() {
    let names = [
        "ACCOUNTS",
        "Accounts",
        "accounts ",
        "accounts",
        "/accounts",
        "accounts/",
        "caf\u{E9}",
        "cafe\u{301}",
    ];
    for filter in names {
        for topic in names {
            assert_eq!(topic::matches(filter, topic), filter == topic, "{filter:?} for {topic:?}");
            let mut router = Router::new();
            router.insert(filter, A_CLIENT, QoS::AtMostOnce);
            assert_eq!(
                !found(&router, topic).is_empty(),
                filter == topic,
                "{filter:?} for {topic:?}, in the router"
            );
        }
    }
}
