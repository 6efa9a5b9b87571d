//! The session in dialogues. The language of the scripts is told in `dialogue/mod.rs`; the clauses of the standard have
//! dialogues of their own in `clauses/session.rs`.

mod dialogue;

use dialogue::play;

#[test]
fn an_acknowledgement_waits_for_the_disk() {
    play(
        "QoS 0, 1 and 2 of a session that ends with its connection",
        "open 311
         > publish q0
         = publish q0
         > publish q1 #7
         = publish q1 #7
         > publish q2 #8
         = publish q2 #8
         ? unacknowledged 2
         + stored publish q1 #7
         < puback #7
         + stored publish q2 #8
         < pubrec #8
         ? unacknowledged 0
         > pubrel #8
         < pubcomp #8
         ? idle true",
    );
    play(
        "QoS 2 of a durable session",
        "open 311 durable
         > publish q2 #8
         = publish q2 #8
         = keep receive #8
         + stored publish q2 #8
         < pubrec #8
         > pubrel #8
         = keep receive-done #8 then complete #8
         ? unacknowledged 1
         > pubrel #8
         + stored complete #8
         < pubcomp #8
         > pubrel #8
         < pubcomp #8",
    );
}

#[test]
fn a_repeated_message_is_answered_and_not_taken_twice() {
    play(
        "while the first one is being stored, its answer is the answer",
        "open 311
         > publish q2 #3
         = publish q2 #3
         > publish q2 #3 dup
         + stored publish q2 #3
         < pubrec #3
         > publish q2 #3 dup
         < pubrec #3
         > pubrel #3
         < pubcomp #3
         > publish q2 #3
         = publish q2 #3",
    );
    play(
        "over a connection that broke",
        "open 311 durable received#9 received#3
         > publish q2 #3 dup
         < pubrec #3
         > pubrel #9
         = keep receive-done #9 then complete #9
         > publish q2 #4
         = publish q2 #4
         = keep receive #4",
    );
    play(
        "an id is new again from its PUBREL on, even where the client did not wait for PUBCOMP",
        "open 311 durable
         > publish q2 #3
         = publish q2 #3
         = keep receive #3
         + stored publish q2 #3
         < pubrec #3
         > pubrel #3
         = keep receive-done #3 then complete #3
         > publish q2 #3
         = publish q2 #3
         = keep receive #3
         + stored complete #3
         < pubcomp #3
         > publish q2 #3 dup
         + stored publish q2 #3
         < pubrec #3
         ? unacknowledged 0",
    );
}

#[test]
fn the_owner_is_told_of_releases_where_it_wants_to_know() {
    play(
        "a session that ends with its connection: the answer waits for the owner",
        "open 311 releases
         > publish q2 #8
         = publish q2 #8
         + stored publish q2 #8
         < pubrec #8
         > pubrel #8
         = release #8
         ? unacknowledged 1
         > pubrel #8
         + stored complete #8
         < pubcomp #8
         ? idle true
         > pubrel #8
         < pubcomp #8",
    );
    play(
        "a durable session, of messages from before as well",
        "open 311 durable releases received#3
         > pubrel #3
         = release #3
         = keep receive-done #3
         > publish q2 #8
         = publish q2 #8
         = keep receive #8
         + stored complete #3
         < pubcomp #3
         + stored publish q2 #8
         < pubrec #8
         > publish q2 #8 dup
         < pubrec #8
         > pubrel #8
         = release #8
         = keep receive-done #8
         > publish q2 #8
         = publish q2 #8
         = keep receive #8
         + stored complete #8
         < pubcomp #8
         + stored publish q2 #8
         < pubrec #8
         > pubrel #8
         = release #8
         = keep receive-done #8
         + stored complete #8
         < pubcomp #8
         ? idle true",
    );
    play(
        "what was refused and acknowledged plainly is released as well, and what ended in 5.0 is not",
        "open 5 releases
         > publish q2 #8
         = publish q2 #8
         + refused q2 #8 x87
         < pubrec #8 x87
         > pubrel #8
         < pubcomp #8 x92",
    );
}

#[test]
fn an_answer_at_qos_2_may_be_given_a_time() {
    play(
        "PUBREL, from the first PUBREC on",
        "open 311 answers=30
         > publish q2 #8
         = publish q2 #8
         + tick 100
         ? deadline none
         + stored publish q2 #8
         < pubrec #8
         ? deadline 130
         + tick 110
         > publish q2 #8 dup
         < pubrec #8
         > publish q2 #9
         = publish q2 #9
         + stored publish q2 #9
         < pubrec #9
         ? deadline 130
         > pubrel #8
         < pubcomp #8
         ? deadline 140
         + tick 139
         + tick 140
         = close without pubrel
         ? deadline none",
    );
    play(
        "PUBREC, and not PUBCOMP or PUBACK",
        "open 311 answers=30
         + deliver q1
         < publish q1 #1
         + deliver q0
         < publish q0
         ? deadline none
         + tick 100
         + deliver q2
         < publish q2 #2
         ? deadline 130
         > pubrec #2
         < pubrel #2
         ? deadline none
         + deliver q2
         < publish q2 #3
         + tick 130
         = close without pubrec",
    );
    play(
        "silence is told as silence, and 5.0 hears why",
        "open 5 answers=20000 keepalive=10
         > publish q2 #8
         = publish q2 #8
         + stored publish q2 #8
         < pubrec #8
         ? deadline 15000
         + tick 14000
         > pingreq
         < pingresp
         ? deadline 20000
         + tick 20000
         < disconnect x83
         = close without pubrel",
    );
    play(
        "what is refused with a reason ends there",
        "open 5 answers=30
         > publish q2 #8
         = publish q2 #8
         + refused q2 #8 x87
         < pubrec #8 x87
         ? deadline none",
    );
    play(
        "a PUBREL that came too early answers no later PUBREC",
        "open 311 answers=30
         > publish q2 #8
         = publish q2 #8
         > pubrel #8
         < pubcomp #8
         + stored publish q2 #8
         < pubrec #8
         ? deadline 30
         > pubrel #8
         < pubcomp #8
         ? deadline none",
    );
    play(
        "what an earlier connection left is waited for once it is sent again",
        "open 311 durable answers=30 received#4 received#5 sent@9
         ? deadline none
         > publish q2 #4 dup
         < pubrec #4
         ? deadline 30
         > pubrel #4
         = keep receive-done #4 then complete #4
         ? deadline none
         + deliver q2 @9 released
         < pubrel #9
         ? deadline none
         + deliver q2 @10
         = keep sent @10
         < publish q2 #10
         ? deadline 30",
    );
}

#[test]
fn a_refused_message_is_acknowledged_as_the_version_can() {
    play(
        "3.1.1: plainly, and the rest of the flow works",
        "open 311 durable
         > publish q1 #1
         = publish q1 #1
         + refused q1 #1 x87
         < puback #1
         > publish q2 #2
         = publish q2 #2
         = keep receive #2
         + refused q2 #2 x87
         = keep receive-done #2
         < pubrec #2
         > pubrel #2
         < pubcomp #2
         > publish q2 #2
         = publish q2 #2
         = keep receive #2",
    );
    play(
        "5.0: with the reason, which ends the flow at once",
        "open 5 receive=1
         > publish q1 #1
         = publish q1 #1
         + refused q1 #1 x87
         < puback #1 x87
         > publish q2 #2
         = publish q2 #2
         + refused q2 #2 x97
         < pubrec #2 x97
         > publish q2 #2
         = publish q2 #2
         + refused q2 #2 x10
         < pubrec #2 x10
         > pubrel #2
         < pubcomp #2
         ? unacknowledged 0",
    );
}

#[test]
fn an_unknown_release_is_answered() {
    play("3.1.1", "open 311\n > pubrel #5\n < pubcomp #5");
    play("5.0", "open 5\n > pubrel #5\n < pubcomp #5 x92");
}

#[test]
fn the_receive_maximum_binds_5_0_clients_only() {
    play(
        "5.0",
        "open 5 receive=2
         > publish q1 #1
         = publish q1 #1
         > publish q2 #2
         = publish q2 #2
         > publish q2 #2 dup
         > publish q0
         = publish q0
         + stored publish q1 #1
         < puback #1
         > publish q1 #3
         = publish q1 #3
         + stored publish q2 #2
         < pubrec #2
         > publish q1 #4
         < disconnect x93
         = close [5.0 § 3.3.4]",
    );
    play(
        "5.0: a flow that an earlier connection left behind does not count before it is taken up again",
        "open 5 durable receive=1 received#8 received#9
         > publish q1 #1
         = publish q1 #1
         + stored publish q1 #1
         < puback #1
         > publish q2 #9 dup
         < pubrec #9
         > publish q1 #1
         < disconnect x93
         = close [5.0 § 3.3.4]",
    );
    play(
        "3.1.1",
        "open 311 receive=1
         > publish q1 #1
         = publish q1 #1
         > publish q1 #2
         = publish q1 #2
         ? unacknowledged 2",
    );
}

#[test]
fn a_session_that_ends_with_its_connection_numbers_messages_itself() {
    play(
        "the three qualities",
        "open 311 window=2
         + deliver q0
         < publish q0
         ? room 2
         + deliver q1
         < publish q1 #1
         + deliver q2
         < publish q2 #2
         ? room 0
         > puback #1
         ? room 1
         > pubrec #2
         < pubrel #2
         > pubrec #2
         < pubrel #2
         ? room 1
         > pubcomp #2
         ? room 2
         + deliver q1 retain
         < publish q1 #3 retain",
    );
}

#[test]
fn a_durable_session_numbers_messages_by_their_place() {
    play(
        "QoS 1 and 2",
        "open 311 durable
         + deliver q1 @65535
         = keep sent @65535
         < publish q1 #65535
         + deliver q2 @65536
         = keep sent @65536
         < publish q2 #1
         > pubrec #1
         = keep release @65536 then release #1
         > pubrec #1
         + stored release #1
         < pubrel #1
         > pubrec #1
         < pubrel #1
         > pubcomp #1
         = keep dequeue @65536 then dequeue #1
         > puback #65535
         = keep dequeue @65535
         > pubcomp #1
         ? idle false
         + stored dequeue #1
         ? idle true",
    );
    play(
        "after a connection that broke: what may have been sent goes out as a repetition",
        "open 311 durable sent@6
         + deliver q1 @4
         < publish q1 #4 dup
         + deliver q2 @5 released
         < pubrel #5
         + deliver q1 @6
         < publish q1 #6 dup
         + deliver q1 @7
         = keep sent @7
         < publish q1 #7
         + deliver q1 @8 again
         = keep sent @8
         < publish q1 #8 dup
         > pubcomp #5
         = keep dequeue @5 then dequeue #5",
    );
    play(
        "a place is sent once on a connection",
        "open 311 durable
         + deliver q1 @4
         = keep sent @4
         < publish q1 #4
         + deliver q1 @4
         + deliver q1 @3
         > puback #4
         = keep dequeue @4
         + deliver q1 @4
         + deliver q1
         ? idle true",
    );
}

#[test]
fn a_message_at_qos_0_may_have_waited_in_the_queue() {
    play(
        "it leaves the queue when it is sent, and is no repetition",
        "open 311 durable sent@6
         + deliver q2 @6
         < publish q2 #6 dup
         + deliver q0 @7
         = keep dequeue @7
         < publish q0
         + deliver q0 @7
         + deliver q0
         < publish q0
         + deliver q1 @9
         = keep sent @9
         < publish q1 #9
         + deliver q0 @65541
         + deliver q0 @65540
         = keep dequeue @65540
         < publish q0
         ? room 0",
    );
    play(
        "too large: it leaves the queue unsent",
        "open 5 durable takes-bytes=5
         + deliver q0 @1
         = keep dequeue @1
         = too large 7",
    );
}

#[test]
fn a_packet_id_in_use_is_never_used_again() {
    play(
        "durable: the window closes when it spans all ids",
        "open 311 durable window=65535
         ? place_max 18446744073709551615
         + deliver q1 @10
         = keep sent @10
         < publish q1 #10
         ? room 65534
         + deliver q1 @65543
         = keep sent @65543
         < publish q1 #8
         ? room 1
         ? place_max 65544
         + deliver q1 @65545
         + deliver q1 @65544
         = keep sent @65544
         < publish q1 #9
         ? room 0
         > puback #10
         = keep dequeue @10
         + deliver q1 @65545
         = keep sent @65545
         < publish q1 #10",
    );
    let mut script =
        "open 311\n + deliver q1\n < publish q1 #1\n + deliver q1\n < publish q1 #2\n".to_owned();
    for packet_id in 3..=65_535 {
        script += &format!("+ deliver q1\n < publish q1 #{packet_id}\n > puback #{packet_id}\n");
    }
    script += "+ deliver q1\n < publish q1 #3\n > puback #2\n + deliver q1\n < publish q1 #4";
    play("not durable: an unanswered one is passed over", &script);
}

#[test]
fn acknowledgements_nobody_waits_for_do_no_harm() {
    play(
        "3.1.1",
        "open 311 durable
         > puback #1
         > pubcomp #1
         > pubrec #1
         < pubrel #1
         + deliver q1 @1
         = keep sent @1
         < publish q1 #1
         + deliver q2 @2
         = keep sent @2
         < publish q2 #2
         > puback #2
         > pubcomp #2
         > pubcomp #1
         > pubrec #1
         < pubrel #1
         + stored release #2
         > pubrec #2
         = keep release @2 then release #2
         > pubcomp #2
         > puback #1
         = keep dequeue @1
         ? room 99",
    );
    play(
        "5.0",
        "open 5
         > puback #1
         > pubcomp #1
         > pubrec #1 x80
         > pubrec #1
         < pubrel #1 x92",
    );
}

#[test]
fn a_5_0_client_may_refuse_a_message() {
    play(
        "PUBREC with an error ends the flow",
        "open 5 durable
         + deliver q2 @1 id=300
         = keep sent @1
         < publish q2 #1 id=300
         > pubrec #1 x83
         = keep dequeue @1 then dequeue #1
         + stored dequeue #1
         + deliver q1 @2
         = keep sent @2
         < publish q1 #2
         > puback #2 x83
         = keep dequeue @2
         ? idle true",
    );
}

#[test]
fn subscriptions_are_decided_by_the_owner() {
    for version in ["31", "311", "5"] {
        play(
            version,
            &format!(
                "open {version}
                 > subscribe #3
                 = subscribe #3 2 filters
                 > unsubscribe #4
                 = unsubscribe #4 1 filters
                 + granted #3 x01 x00
                 < suback #3 x01 x00
                 + removed #4 x11
                 < unsuback #4 x11"
            ),
        );
    }
}

#[test]
fn silence_ends_the_connection_at_one_and_a_half_keep_alives() {
    play(
        "3.1.1",
        "open 311 keepalive=10
         ? deadline 15000
         + tick 14999
         > pingreq
         < pingresp
         ? deadline 29999
         + tick 20000
         + deliver q1
         < publish q1 #1
         ? deadline 29999
         + tick 29999
         = close silent
         > pingreq
         + tick 99999
         ? deadline none
         ? room 0",
    );
    play("5.0", "open 5 keepalive=1\n + tick 1500\n < disconnect x8d\n = close silent");
    play("no keep alive", "open 311\n ? deadline none\n + tick 999999999");
}

#[test]
fn disconnect_says_what_becomes_of_the_will() {
    play("3.1.1", "open 311\n > disconnect\n = close goodbye\n > publish q1 #1\n + stored publish q1 #1");
    play("5.0", "open 5\n > disconnect\n = close goodbye");
    play("5.0, with will", "open 5\n > disconnect x04\n = close goodbye with will");
    play("5.0, with an error", "open 5\n > disconnect x81\n = close goodbye with will");
}

#[test]
fn a_broken_rule_ends_the_connection() {
    for packet in ["connack", "suback #1", "unsuback #1", "pingresp"] {
        play(packet, &format!("open 311\n > {packet}\n = close [§ 2.2.1]"));
        play(packet, &format!("open 5\n > {packet}\n < disconnect x82\n = close [§ 2.2.1]"));
    }
    play("3.1", "open 31\n > connect\n = close [MQTT-3.1.0-2]");
    play("5.0", "open 5\n > connect\n < disconnect x82\n = close [MQTT-3.1.0-2]");
    play("5.0", "open 5\n > auth\n < disconnect x82\n = close [5.0 § 4.12]");
    play("5.0", "open 5\n > publish q0 alias=1\n < disconnect x94\n = close [5.0 § 3.3.2.3.4]");
    play(
        "5.0: a session that was to end with its connection",
        "open 5\n > disconnect expiry=1\n < disconnect x82\n = close [5.0 § 3.14.2.2.2]",
    );
}

#[test]
fn a_topic_alias_stands_for_the_last_topic_it_came_with() {
    play(
        "from the client",
        "open 5 aliases=2
         > publish q0 on=a alias=2
         = publish q0 on=a alias=2
         > publish q1 #1 on= alias=2
         = publish q1 #1 on=a alias=2
         > publish q0 on=b alias=2
         = publish q0 on=b alias=2
         > publish q2 #2 on= alias=2
         = publish q2 #2 on=b alias=2
         > publish q0 on=a
         = publish q0 on=a
         > publish q0 on= alias=1
         < disconnect x82
         = close [5.0 § 3.3.2.3.4]",
    );
    play(
        "from the client, beyond what was announced",
        "open 5 aliases=2
         > publish q0 on=a alias=3
         < disconnect x94
         = close [5.0 § 3.3.2.3.4]",
    );
    play(
        "whatever was announced, no more than this server takes",
        "open 5 aliases=65535
         > publish q0 on=a alias=16
         = publish q0 on=a alias=16
         > publish q0 on=a alias=17
         < disconnect x94
         = close [5.0 § 3.3.2.3.4]",
    );
}

#[test]
fn the_first_topics_to_the_client_get_the_aliases_it_takes() {
    play(
        "two aliases",
        "open 5 takes-aliases=2
         + deliver q0 on=site/a
         < publish q0 on=site/a alias=1
         + deliver q1 on=site/a
         < publish q1 #1 on= alias=1
         + deliver q0 on=site/b
         < publish q0 on=site/b alias=2
         + deliver q0 on=site/c
         < publish q0 on=site/c
         + deliver q0 on=site/c
         < publish q0 on=site/c
         + deliver q0 on=site/b
         < publish q0 on= alias=2",
    );
    play("none", "open 5\n + deliver q0 on=site/a\n < publish q0 on=site/a");
    play("3.1.1", "open 311 takes-aliases=2\n + deliver q0 on=site/a\n < publish q0 on=site/a");
    play("as short as an alias", "open 5 takes-aliases=2\n + deliver q0 on=abc\n < publish q0 on=abc");
}

#[test]
fn a_message_that_the_client_does_not_take_counts_as_delivered() {
    play(
        "with the session's connection",
        "open 5 takes-bytes=20
         + deliver q1 on=123456789012
         < publish q1 #1 on=123456789012
         + deliver q1 on=1234567890123
         = too large 21
         + deliver q1 on=123456789012
         < publish q1 #3 on=123456789012
         + deliver q0 on=12345678901234
         < publish q0 on=12345678901234
         + deliver q0 on=123456789012345
         = too large 21
         ? room 98",
    );
    play(
        "from a stored queue",
        "open 5 durable takes-bytes=10
         + deliver q2 @4 on=123456789
         = keep dequeue @4
         = too large 17
         + deliver q2 @4
         + deliver q1 @5
         = keep sent @5
         < publish q1 #5
         + deliver q2 @6 on=123456789 released
         = keep sent @6
         < pubrel #6",
    );
    play(
        "an alias must not make it too large, and may make it fit",
        "open 5 takes-bytes=20 takes-aliases=5
         + deliver q0 on=123456789012
         < publish q0 on=123456789012
         + deliver q0 on=12345678901
         < publish q0 on=12345678901 alias=1
         + deliver q0 on=12345678901 id=1 id=2 id=3 id=4
         < publish q0 on= alias=1 id=1 id=2 id=3 id=4",
    );
}

#[test]
fn a_reason_is_told_to_who_asks_for_it_and_has_room_for_it() {
    let script = |opening: &str, answer: &str| {
        format!(
            "{opening}
             > publish q1 #1
             = publish q1 #1
             + refused q1 #1 x87 because=why
             < puback #1 x87{answer}
             + granted #2 x87 because=why
             < suback #2 x87{answer}
             + removed #3 x11 because=why
             < unsuback #3 x11{answer}"
        )
    };
    play("asked for", &script("open 5 problems=1", " because=why"));
    play("not wanted", &script("open 5 problems=0", ""));
    play("not asked for", &script("open 5", ""));
    play("as much as fits", &script("open 5 problems=1 takes-bytes=12", " because=why"));
    play("too long", &script("open 5 problems=1 takes-bytes=11", ""));
}

#[test]
fn an_answer_that_the_client_cannot_take_ends_the_connection() {
    play(
        "SUBACK",
        "open 5 takes-bytes=7
         + granted #1 x00 x00
         < suback #1 x00 x00
         + granted #2 x00 x00 x00
         < disconnect x95
         = close [5.0 § 3.1.2.11.4]",
    );
}

#[test]
fn disconnect_may_change_how_long_the_session_is_kept() {
    play("to nothing", "open 5 expiry=60\n > disconnect expiry=0\n = close goodbye expiry=0");
    play("to more", "open 5 expiry=60\n > disconnect x04 expiry=90\n = close goodbye with will expiry=90");
    play("or not", "open 5 expiry=60\n > disconnect\n = close goodbye");
    play("nothing stays nothing", "open 5\n > disconnect expiry=0\n = close goodbye expiry=0");
}

#[test]
fn a_refused_filter_has_the_code_that_the_version_has_for_it() {
    use mqtt::session::{Opening, Session};
    use mqtt::{QoS, Reason, Version};
    for (version, refused) in [(Version::V31, 0), (Version::V311, 0x80), (Version::V5, 0x87)] {
        let session = Session::open(0, &Opening::new(version));
        assert_eq!(session.grant_code(Err(Reason::NOT_AUTHORIZED)), refused);
        assert_eq!(session.grant_code(Ok(QoS::ExactlyOnce)), 2);
    }
}
