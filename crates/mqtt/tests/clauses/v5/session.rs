//! The statements about one session, shown by dialogues with it, and those about subscriptions, as the router keeps
//! them.

use crate::operation::{
    a_message_that_is_only_routed_leaves_what_is_retained, a_removed_retained_message_is_not_found,
    a_removed_subscription_finds_nothing, a_retained_message_replaces_the_last_one,
    a_topic_reaches_matching_filters_only, only_the_same_filter_is_removed,
    overlapping_subscriptions_are_all_found, the_same_filter_replaces_the_subscription,
    topics_are_compared_as_they_are, wildcards_do_not_match_topics_of_the_server,
};
use crate::row::{Row, dialogue};
use crate::session::play;

pub(crate) const ROWS: &[Row] = &[
    dialogue("MQTT-2.2.1-4", identifiers_are_unused),
    dialogue("MQTT-2.2.1-5", || {
        receiver_of_qos_1();
        receiver_of_qos_2();
        sender_of_qos_2();
    }),
    dialogue("MQTT-2.2.1-6", answers_to_filters),
    dialogue("MQTT-3.1.0-2", || {
        play("MQTT-3.1.0-2", "open 5\n > connect\n < disconnect x82\n = close [MQTT-3.1.0-2]");
    }),
    dialogue("MQTT-3.1.2-22", keep_alive),
    dialogue("MQTT-3.1.2-24", nothing_exceeds_the_maximum_packet_size),
    dialogue("MQTT-3.1.2-25", a_message_too_large_counts_as_sent),
    dialogue("MQTT-3.1.2-26", aliases_to_the_client),
    dialogue("MQTT-3.1.2-27", || {
        play(
            "MQTT-3.1.2-27",
            "open 5
             + deliver q0 on=a/topic
             < publish q0 on=a/topic
             + deliver q0 on=a/topic
             < publish q0 on=a/topic",
        );
    }),
    dialogue("MQTT-3.1.2-29", || {
        // What this server sends to nobody but those who ask for it, it does not send to those who do not want it.
        for (said, told) in [("problems=0", ""), ("", ""), ("problems=1", " because=why")] {
            let script = format!(
                "open 5 {said}
                 > publish q1 #1
                 = publish q1 #1
                 + refused q1 #1 x87 because=why
                 < puback #1 x87{told}
                 + granted #2 x87 because=why
                 < suback #2 x87{told}
                 + removed #3 x00 because=why
                 < unsuback #3 x00{told}"
            );
            play("MQTT-3.1.2-29", &script);
        }
    }),
    dialogue("MQTT-3.2.2-22", keep_alive),
    dialogue("MQTT-3.3.1-1", resumed_session),
    dialogue("MQTT-3.3.1-2", || play("MQTT-3.3.1-2", "open 5\n + deliver q0 again\n < publish q0")),
    dialogue("MQTT-3.3.1-3", || {
        play(
            "MQTT-3.3.1-3",
            "open 5
             > publish q1 #9 dup
             = publish q1 #9 dup
             + deliver q1
             < publish q1 #1",
        );
    }),
    dialogue("MQTT-3.3.1-5", a_retained_message_replaces_the_last_one),
    dialogue("MQTT-3.3.1-6", a_removed_retained_message_is_not_found),
    dialogue("MQTT-3.3.1-7", a_removed_retained_message_is_not_found),
    dialogue("MQTT-3.3.1-8", a_message_that_is_only_routed_leaves_what_is_retained),
    dialogue("MQTT-3.3.2-3", a_topic_reaches_matching_filters_only),
    dialogue("MQTT-3.3.2-7", || {
        play("one connection", "open 5 aliases=1\n > publish q0 on=a alias=1\n = publish q0 on=a alias=1");
        play(
            "the next one",
            "open 5 aliases=1\n > publish q0 on= alias=1\n < disconnect x82\n = close [5.0 § 3.3.2.3.4]",
        );
    }),
    dialogue("MQTT-3.3.2-9", || {
        for aliases in ["", "aliases=1"] {
            play(
                "MQTT-3.3.2-9",
                &format!(
                    "open 5 {aliases}\n > publish q0 on=a alias=2\n < disconnect x94\n = close [5.0 § 3.3.2.3.4]"
                ),
            );
        }
    }),
    dialogue("MQTT-3.3.2-11", aliases_to_the_client),
    dialogue("MQTT-3.3.2-12", aliases_from_the_client),
    dialogue("MQTT-3.3.4-1", || {
        play("QoS 0", "open 5\n > publish q0\n = publish q0");
        receiver_of_qos_1();
        receiver_of_qos_2();
    }),
    dialogue("MQTT-3.3.4-2", overlapping_subscriptions_are_all_found),
    dialogue("MQTT-3.3.4-3", overlapping_subscriptions_are_all_found),
    dialogue("MQTT-3.3.4-4", || {
        play("MQTT-3.3.4-4", "open 5\n + deliver q0 id=1 id=7\n < publish q0 id=1 id=7");
    }),
    dialogue("MQTT-3.3.4-7", || {
        play(
            "MQTT-3.3.4-7",
            "open 5 receive=1
             > publish q1 #1
             = publish q1 #1
             > publish q2 #2
             < disconnect x93
             = close [5.0 § 3.3.4]",
        );
    }),
    dialogue("MQTT-3.3.4-9", send_quota),
    dialogue("MQTT-3.3.4-10", other_packets_are_not_held_back),
    dialogue("MQTT-3.4.2-2", || explanations_keep_to_the_maximum_packet_size("q1", "puback")),
    dialogue("MQTT-3.4.2-3", || explanations_keep_to_the_maximum_packet_size("q1", "puback")),
    dialogue("MQTT-3.5.2-2", || explanations_keep_to_the_maximum_packet_size("q2", "pubrec")),
    dialogue("MQTT-3.5.2-3", || explanations_keep_to_the_maximum_packet_size("q2", "pubrec")),
    dialogue("MQTT-3.8.4-1", answers_to_filters),
    dialogue("MQTT-3.8.4-2", answers_to_filters),
    dialogue("MQTT-3.8.4-3", the_same_filter_replaces_the_subscription),
    dialogue("MQTT-3.8.4-5", answers_to_filters),
    dialogue("MQTT-3.8.4-6", answers_to_filters),
    dialogue("MQTT-3.8.4-7", answers_to_filters),
    dialogue("MQTT-3.9.2-1", explained_answers_to_filters),
    dialogue("MQTT-3.9.2-2", explained_answers_to_filters),
    dialogue("MQTT-3.9.3-1", answers_to_filters),
    dialogue("MQTT-3.10.4-1", only_the_same_filter_is_removed),
    dialogue("MQTT-3.10.4-2", a_removed_subscription_finds_nothing),
    dialogue("MQTT-3.10.4-3", || {
        play(
            "MQTT-3.10.4-3",
            "open 5
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
    }),
    dialogue("MQTT-3.10.4-4", answers_to_filters),
    dialogue("MQTT-3.10.4-5", answers_to_filters),
    dialogue("MQTT-3.10.4-6", answers_to_filters),
    dialogue("MQTT-3.11.2-1", explained_answers_to_filters),
    dialogue("MQTT-3.11.2-2", explained_answers_to_filters),
    dialogue("MQTT-3.11.3-1", answers_to_filters),
    dialogue("MQTT-3.12.4-1", || play("MQTT-3.12.4-1", "open 5\n > pingreq\n < pingresp")),
    dialogue("MQTT-3.14.4-1", nothing_follows_disconnect),
    dialogue("MQTT-3.14.4-2", nothing_follows_disconnect),
    dialogue("MQTT-3.14.4-3", || {
        play("normal", "open 5\n > disconnect\n = close goodbye");
        play("with will", "open 5\n > disconnect x04\n = close goodbye with will");
        play("with an error", "open 5\n > disconnect x81\n = close goodbye with will");
    }),
    dialogue("MQTT-4.3.1-1", || play("MQTT-4.3.1-1", "open 5\n + deliver q0 again\n < publish q0")),
    dialogue("MQTT-4.3.2-1", identifiers_are_unused),
    dialogue("MQTT-4.3.2-2", sender_of_qos_1),
    dialogue("MQTT-4.3.2-3", sender_of_qos_1),
    dialogue("MQTT-4.3.2-4", receiver_of_qos_1),
    dialogue("MQTT-4.3.2-5", receiver_of_qos_1),
    dialogue("MQTT-4.3.3-1", identifiers_are_unused),
    dialogue("MQTT-4.3.3-2", sender_of_qos_2),
    dialogue("MQTT-4.3.3-3", sender_of_qos_2),
    dialogue("MQTT-4.3.3-4", sender_of_qos_2),
    dialogue("MQTT-4.3.3-5", sender_of_qos_2),
    dialogue("MQTT-4.3.3-6", sender_of_qos_2),
    dialogue("MQTT-4.3.3-8", receiver_of_qos_2),
    dialogue("MQTT-4.3.3-9", || {
        play(
            "MQTT-4.3.3-9",
            "open 5
             > publish q2 #7
             = publish q2 #7
             + refused q2 #7 x87
             < pubrec #7 x87
             > publish q2 #7
             = publish q2 #7",
        );
    }),
    dialogue("MQTT-4.3.3-10", receiver_of_qos_2),
    dialogue("MQTT-4.3.3-11", receiver_of_qos_2),
    dialogue("MQTT-4.3.3-12", receiver_of_qos_2),
    // Whoever holds the message, and lets it expire, is not part of the flow.
    dialogue("MQTT-4.3.3-13", receiver_of_qos_2),
    dialogue("MQTT-4.4.0-1", resumed_session),
    dialogue("MQTT-4.4.0-2", messages_answered_with_an_error),
    dialogue("MQTT-4.6.0-1", resumed_session),
    dialogue("MQTT-4.6.0-2", acknowledgements_keep_the_order),
    dialogue("MQTT-4.6.0-3", acknowledgements_keep_the_order),
    dialogue("MQTT-4.6.0-4", releases_keep_the_order),
    dialogue("MQTT-4.7.2-1", wildcards_do_not_match_topics_of_the_server),
    dialogue("MQTT-4.7.3-4", topics_are_compared_as_they_are),
    dialogue("MQTT-4.8.2-6", messages_answered_with_an_error),
    dialogue("MQTT-4.9.0-1", send_quota),
    dialogue("MQTT-4.9.0-2", send_quota),
    dialogue("MQTT-4.9.0-3", other_packets_are_not_held_back),
    dialogue("MQTT-4.12.0-7", || {
        play("MQTT-4.12.0-7", "open 5\n > auth\n < disconnect x82\n = close [5.0 § 4.12]");
    }),
    dialogue("MQTT-4.13.1-1", || {
        play("MQTT-4.13.1-1", "open 5\n > pingresp\n < disconnect x82\n = close [§ 2.2.1]\n > pingreq");
    }),
    dialogue("MQTT-4.13.2-1", nothing_follows_disconnect),
];

fn identifiers_are_unused() {
    play(
        "an identifier is free after its acknowledgement, and not before",
        "open 5 durable
         + deliver q1 @1
         = keep sent @1
         < publish q1 #1
         + deliver q2 @65536
         > puback #1
         = keep dequeue @1
         + deliver q2 @65536
         = keep sent @65536
         < publish q2 #1",
    );
}

fn keep_alive() {
    play(
        "fifteen seconds of silence at a keep alive of ten",
        "open 5 keepalive=10
         + tick 10000
         > pingreq
         < pingresp
         + tick 24999
         + tick 25000
         < disconnect x8d
         = close silent",
    );
}

fn nothing_exceeds_the_maximum_packet_size() {
    play(
        "messages are left out, and a longer answer than the client takes ends the connection",
        "open 5 takes-bytes=8
         + deliver q0 on=ab
         < publish q0 on=ab
         + deliver q0 on=abc
         = too large 9
         + granted #1 x00 x01 x02
         < suback #1 x00 x01 x02
         + removed #1 x00 x00 x00 x00
         < disconnect x95
         = close [5.0 § 3.1.2.11.4]",
    );
}

fn a_message_too_large_counts_as_sent() {
    play(
        "it leaves the stored queue, and its place in the window is not taken",
        "open 5 durable window=1 takes-bytes=20
         + deliver q2 @1 on=a-long-topic-name
         = keep dequeue @1
         = too large 25
         ? room 1
         + deliver q1 @2
         = keep sent @2
         < publish q1 #2",
    );
}

fn aliases_to_the_client() {
    play(
        "no more than two",
        "open 5 takes-aliases=2
         + deliver q0 on=site/a
         < publish q0 on=site/a alias=1
         + deliver q0 on=site/b
         < publish q0 on=site/b alias=2
         + deliver q0 on=site/c
         < publish q0 on=site/c
         + deliver q0 on=site/b
         < publish q0 on= alias=2",
    );
}

fn aliases_from_the_client() {
    let mut script = "open 5 aliases=16\n".to_owned();
    for alias in 1..=16 {
        script +=
            &format!("> publish q0 on=t/{alias} alias={alias}\n = publish q0 on=t/{alias} alias={alias}\n");
    }
    for alias in 1..=16 {
        script += &format!("> publish q0 on= alias={alias}\n = publish q0 on=t/{alias} alias={alias}\n");
    }
    play("all of them", &script);
}

fn send_quota() {
    play(
        "two messages, until one is acknowledged, released to its end, or refused",
        "open 5 window=2
         + deliver q1
         < publish q1 #1
         + deliver q2
         < publish q2 #2
         ? room 0
         > puback #1
         ? room 1
         > pubrec #2
         < pubrel #2
         ? room 1
         > pubcomp #2
         ? room 2
         + deliver q2
         < publish q2 #3
         > pubrec #3 x80
         ? room 2",
    );
}

fn other_packets_are_not_held_back() {
    play(
        "answers go out while there is no room for a message",
        "open 5 window=1
         + deliver q2
         < publish q2 #1
         ? room 0
         > pingreq
         < pingresp
         > publish q1 #9
         = publish q1 #9
         + stored publish q1 #9
         < puback #9
         > subscribe #5
         = subscribe #5 2 filters
         + granted #5 x00 x01
         < suback #5 x00 x01
         + deliver q0
         < publish q0
         > pubrec #1
         < pubrel #1",
    );
}

/// A packet of ten bytes with the reason `x`: a header of two, an identifier, a code and five of properties.
fn explanations_keep_to_the_maximum_packet_size(qos: &str, ack: &str) {
    for (takes, because) in [("10", " because=x"), ("9", "")] {
        play(
            ack,
            &format!(
                "open 5 problems=1 takes-bytes={takes}
                 > publish {qos} #1
                 = publish {qos} #1
                 + refused {qos} #1 x87 because=x
                 < {ack} #1 x87{because}"
            ),
        );
    }
}

fn answers_to_filters() {
    play(
        "one answer with a code for each filter, in their order",
        "open 5
         > subscribe #5
         = subscribe #5 2 filters
         + granted #5 x87 x01
         < suback #5 x87 x01
         > unsubscribe #6
         = unsubscribe #6 1 filters
         + removed #6 x11
         < unsuback #6 x11",
    );
}

fn explained_answers_to_filters() {
    for (takes, because) in [("11", " because=x"), ("10", "")] {
        play(
            takes,
            &format!(
                "open 5 problems=1 takes-bytes={takes}
                 + granted #5 x87 x01 because=x
                 < suback #5 x87 x01{because}
                 + removed #6 x11 x00 because=x
                 < unsuback #6 x11 x00{because}"
            ),
        );
    }
}

fn nothing_follows_disconnect() {
    play(
        "ours",
        "open 5
         > connack
         < disconnect x82
         = close [§ 2.2.1]
         > pingreq
         + deliver q0
         + stored publish q1 #1
         + tick 99999",
    );
    play("the client's", "open 5\n > disconnect\n = close goodbye\n > pingreq\n + deliver q0");
}

fn receiver_of_qos_1() {
    play(
        "after PUBACK the identifier stands for a new message, whatever DUP says",
        "open 5
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
        "open 5
         > publish q2 #7
         = publish q2 #7
         + stored publish q2 #7
         < pubrec #7
         > publish q2 #7 dup
         < pubrec #7
         > pubrel #7
         < pubcomp #7
         > pubrel #7
         < pubcomp #7 x92
         > publish q2 #7
         = publish q2 #7",
    );
}

fn sender_of_qos_1() {
    play(
        "unacknowledged until PUBACK",
        "open 5 window=1
         + deliver q1
         < publish q1 #1
         ? room 0
         > puback #1
         ? room 1",
    );
}

fn sender_of_qos_2() {
    play(
        "PUBREL for each PUBREC, nothing sent again, unacknowledged until PUBCOMP",
        "open 5 durable window=1
         + deliver q2 @1
         = keep sent @1
         < publish q2 #1
         > pubrec #1
         = keep release @1 then release #1
         + stored release #1
         < pubrel #1
         > pubrec #1
         < pubrel #1
         + deliver q2 @1
         ? room 0
         > pubcomp #1
         = keep dequeue @1 then dequeue #1
         + stored dequeue #1
         ? room 1",
    );
}

fn resumed_session() {
    play(
        "places 4 to 6 were sent on an earlier connection, 5 was received",
        "open 5 durable sent@6
         + deliver q1 @4
         < publish q1 #4 dup
         + deliver q2 @5 released
         < pubrel #5
         + deliver q2 @6
         < publish q2 #6 dup
         + deliver q1 @7
         = keep sent @7
         < publish q1 #7
         + deliver q1 @4",
    );
}

fn messages_answered_with_an_error() {
    play(
        "they leave the queue",
        "open 5 durable
         + deliver q1 @1
         = keep sent @1
         < publish q1 #1
         + deliver q2 @2
         = keep sent @2
         < publish q2 #2
         > puback #1 x97
         = keep dequeue @1
         > pubrec #2 x97
         = keep dequeue @2 then dequeue #2
         + stored dequeue #2
         ? idle true",
    );
}

fn acknowledgements_keep_the_order() {
    play(
        "as the messages are stored in their order",
        "open 5
         > publish q1 #3
         = publish q1 #3
         > publish q2 #1
         = publish q2 #1
         + stored publish q1 #3
         < puback #3
         + stored publish q2 #1
         < pubrec #1",
    );
}

fn releases_keep_the_order() {
    play(
        "in the order of the PUBRECs, not of the messages",
        "open 5
         + deliver q2
         < publish q2 #1
         + deliver q2
         < publish q2 #2
         > pubrec #2
         < pubrel #2
         > pubrec #1
         < pubrel #1",
    );
}
