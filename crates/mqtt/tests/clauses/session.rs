//! The statements about one session, shown by dialogues with `mqtt::session::Session`.
//!
//! The language of the scripts is told in `dialogue/mod.rs`. What a dialogue leaves to the owner of the session (who
//! may subscribe, what is stored) is shown by tests of the whole server.

#[path = "../dialogue/mod.rs"]
mod dialogue_with_session;

pub(crate) use dialogue_with_session::play;
use mqtt::router::{Match, Router};

use crate::row::{Row, dialogue, peer, server};

pub(crate) const ROWS: &[Row] = &[
    peer("MQTT-2.3.1-2", "the client chooses its packet identifiers"),
    peer("MQTT-2.3.1-3", "the client re-sends; that we take it as the same packet is shown at MQTT-4.3.3-2"),
    dialogue("MQTT-2.3.1-4", identifiers_are_unused_and_kept),
    dialogue("MQTT-2.3.1-5", || play("MQTT-2.3.1-5", "open 311\n + deliver q0\n < publish q0")),
    dialogue("MQTT-2.3.1-6", receiver_of_qos_1_and_2),
    dialogue("MQTT-2.3.1-7", subscriptions),
    dialogue("MQTT-3.1.0-2", || play("MQTT-3.1.0-2", "open 311\n > connect\n = close [MQTT-3.1.0-2]")),
    peer("MQTT-3.1.2-23", "the client has to say something in time"),
    dialogue("MQTT-3.1.2-24", keep_alive),
    dialogue("MQTT-3.3.1-1", resumed_session),
    dialogue("MQTT-3.3.1-2", || play("MQTT-3.3.1-2", "open 311\n + deliver q0 again\n < publish q0")),
    dialogue("MQTT-3.3.1-3", dup_is_of_this_hop),
    dialogue("MQTT-3.3.4-1", receiver_of_qos_1_and_2),
    dialogue("MQTT-3.3.5-2", || {
        play(
            "MQTT-3.3.5-2",
            "open 311\n > publish q1 #1\n = publish q1 #1\n + refused q1 #1 x87\n < puback #1",
        );
    }),
    dialogue("MQTT-3.8.4-1", subscriptions),
    dialogue("MQTT-3.8.4-2", subscriptions),
    dialogue("MQTT-3.8.4-3", same_filter_again),
    dialogue("MQTT-3.8.4-4", subscriptions),
    dialogue("MQTT-3.8.4-5", subscriptions),
    dialogue("MQTT-3.9.3-1", subscriptions),
    dialogue("MQTT-3.10.4-1", only_the_same_filter_is_deleted),
    dialogue("MQTT-3.10.4-2", only_the_same_filter_is_deleted),
    dialogue("MQTT-3.10.4-3", delivery_goes_on_after_unsubscribe),
    dialogue("MQTT-3.10.4-4", unsubscribe),
    dialogue("MQTT-3.10.4-5", unsubscribe),
    dialogue("MQTT-3.10.4-6", unsubscribe),
    dialogue("MQTT-3.12.4-1", || play("MQTT-3.12.4-1", "open 311\n > pingreq\n < pingresp")),
    peer("MQTT-3.14.4-1", "the client closes; we close as well"),
    dialogue("MQTT-3.14.4-2", disconnect),
    dialogue("MQTT-3.14.4-3", disconnect),
    dialogue("MQTT-4.3.1-1", || play("MQTT-4.3.1-1", "open 311\n + deliver q0 again\n < publish q0")),
    dialogue("MQTT-4.3.2-1", sender_of_qos_1),
    dialogue("MQTT-4.3.2-2", receiver_of_qos_1),
    dialogue("MQTT-4.3.3-1", sender_of_qos_2),
    dialogue("MQTT-4.3.3-2", receiver_of_qos_2),
    dialogue("MQTT-4.4.0-1", resumed_session),
    peer("MQTT-4.5.0-2", "the client acknowledges what it does not use"),
    dialogue("MQTT-4.6.0-1", resumed_session),
    dialogue("MQTT-4.6.0-2", acknowledgements_keep_the_order),
    server("MQTT-4.6.0-2", "acknowledgements_keep_the_order_of_the_messages"),
    dialogue("MQTT-4.6.0-3", acknowledgements_keep_the_order),
    server("MQTT-4.6.0-3", "acknowledgements_keep_the_order_of_the_messages"),
    dialogue("MQTT-4.6.0-4", releases_keep_the_order),
    dialogue("MQTT-4.6.0-5", messages_keep_the_order),
    dialogue("MQTT-4.6.0-6", messages_keep_the_order),
    dialogue("MQTT-4.8.0-1", || {
        play("MQTT-4.8.0-1", "open 311\n > pingresp\n = close [§ 2.2.1]\n > pingreq");
    }),
];

fn identifiers_are_unused_and_kept() {
    play(
        "an identifier is free after its acknowledgement, and not before",
        "open 311 durable
         + deliver q1 @1
         = keep sent @1
         < publish q1 #1
         + deliver q1 @65536
         > puback #1
         = keep dequeue @1
         + deliver q1 @65536
         = keep sent @65536
         < publish q1 #1",
    );
    resumed_session();
}

fn keep_alive() {
    play(
        "fifteen seconds of silence at a keep alive of ten",
        "open 311 keepalive=10
         + tick 10000
         > pingreq
         < pingresp
         + tick 24999
         + tick 25000
         = close silent",
    );
}

fn dup_is_of_this_hop() {
    play(
        "a message came as a repetition and goes out as a first one; another came first and goes out again",
        "open 311
         > publish q1 #9 dup
         = publish q1 #9 dup
         + deliver q1
         < publish q1 #1",
    );
    resumed_session();
}

fn resumed_session() {
    play(
        "places 4 to 6 were sent on an earlier connection, 5 was received",
        "open 311 durable sent@6
         + deliver q1 @4
         < publish q1 #4 dup
         + deliver q2 @5 released
         < pubrel #5
         + deliver q2 @6
         < publish q2 #6 dup
         + deliver q1 @7
         = keep sent @7
         < publish q1 #7",
    );
}

fn receiver_of_qos_1_and_2() {
    play("QoS 0", "open 311\n > publish q0\n = publish q0");
    receiver_of_qos_1();
    receiver_of_qos_2();
}

fn receiver_of_qos_1() {
    play(
        "after PUBACK the identifier stands for a new message, whatever DUP says",
        "open 311
         > publish q1 #7
         = publish q1 #7
         + stored publish q1 #7
         < puback #7
         > publish q1 #7 dup
         = publish q1 #7 dup
         + stored publish q1 #7
         < puback #7",
    );
}

fn receiver_of_qos_2() {
    play(
        "each copy is answered and one is delivered",
        "open 311
         > publish q2 #7
         = publish q2 #7
         + stored publish q2 #7
         < pubrec #7
         > publish q2 #7 dup
         < pubrec #7
         > pubrel #7
         < pubcomp #7
         > pubrel #7
         < pubcomp #7
         > publish q2 #7
         = publish q2 #7",
    );
}

fn sender_of_qos_1() {
    play(
        "unacknowledged until PUBACK",
        "open 311 window=2
         + deliver q1
         < publish q1 #1
         + deliver q1
         < publish q1 #2
         ? room 0
         > puback #1
         ? room 1",
    );
}

fn sender_of_qos_2() {
    play(
        "PUBREL for each PUBREC, nothing sent again, unacknowledged until PUBCOMP",
        "open 311 durable window=1
         + deliver q2 @1
         = keep sent @1
         < publish q2 #1
         > pubrec #1
         = keep release @1 then release #1
         + stored release #1
         < pubrel #1
         > pubrec #1
         < pubrel #1
         ? room 0
         > pubcomp #1
         = keep dequeue @1 then dequeue #1
         + stored dequeue #1
         ? room 1",
    );
}

fn subscriptions() {
    play(
        "one answer with a code for each filter, in their order",
        "open 311
         > subscribe #5
         = subscribe #5 2 filters
         + granted #5 x80 x01
         < suback #5 x80 x01",
    );
}

fn same_filter_again() {
    let mut router = Router::new();
    router.insert("a/+", 1, "QoS 0");
    assert_eq!(router.insert("a/+", 1, "QoS 1"), Some("QoS 0"));
    assert_eq!(values(&router, "a/b"), ["QoS 1"]);
}

fn only_the_same_filter_is_deleted() {
    let mut router = Router::new();
    for filter in ["a/+", "a/b", "a/#", "A/b"] {
        router.insert(filter, 1, filter);
    }
    assert_eq!(router.remove("+/b", 1), None);
    assert_eq!(router.remove("a/+", 1), Some("a/+"));
    let mut left = values(&router, "a/b");
    left.sort();
    assert_eq!(left, ["a/#", "a/b"]);
    assert_eq!(values(&router, "A/b"), ["A/b"]);
}

fn values<'r>(router: &'r Router<&'static str>, topic: &str) -> Vec<&'r str> {
    let mut values = Vec::new();
    router.matching(topic, |found| {
        if let Match::One(value) = found {
            values.push(*value);
        }
    });
    values
}

fn delivery_goes_on_after_unsubscribe() {
    play(
        "the message was sent before, and its flow is completed",
        "open 311
         + deliver q2
         < publish q2 #1
         > unsubscribe #5
         = unsubscribe #5 1 filters
         + removed #5 x00
         < unsuback #5 x00
         > pubrec #1
         < pubrel #1
         > pubcomp #1
         ? idle true",
    );
}

fn unsubscribe() {
    play(
        "answered whether or not there was such a subscription",
        "open 311
         > unsubscribe #5
         = unsubscribe #5 1 filters
         + removed #5 x11
         < unsuback #5 x11",
    );
}

fn disconnect() {
    play(
        "the will is not to be published, and nothing that follows is looked at",
        "open 311
         > disconnect
         = close goodbye
         > publish q0
         > pingreq",
    );
}

fn acknowledgements_keep_the_order() {
    play(
        "as the messages are stored in their order",
        "open 311
         > publish q1 #3
         = publish q1 #3
         > publish q2 #1
         = publish q2 #1
         > publish q1 #2
         = publish q1 #2
         + stored publish q1 #3
         < puback #3
         + stored publish q2 #1
         < pubrec #1
         + stored publish q1 #2
         < puback #2",
    );
}

fn releases_keep_the_order() {
    play(
        "in the order of the PUBRECs, not of the messages",
        "open 311 durable
         + deliver q2 @1
         = keep sent @1
         < publish q2 #1
         + deliver q2 @2
         = keep sent @2
         < publish q2 #2
         > pubrec #2
         = keep release @2 then release #2
         > pubrec #1
         = keep release @1 then release #1
         + stored release #2
         < pubrel #2
         + stored release #1
         < pubrel #1",
    );
}

fn messages_keep_the_order() {
    play(
        "in the order in which they are handed over, and an earlier place never after a later one",
        "open 311 durable
         + deliver q1 @1
         = keep sent @1
         < publish q1 #1
         + deliver q1 @3
         = keep sent @3
         < publish q1 #3
         + deliver q1 @2",
    );
}
