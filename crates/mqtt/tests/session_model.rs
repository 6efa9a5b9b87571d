//! The session against a model of everything around it: an owner whose store is slow and may forget, a network that may
//! break at any moment, and a client that keeps to the standard.
//!
//! Whatever the interleaving: at QoS 0 a message of the queue arrives once at most, unless the store has forgotten that
//! it was sent; at QoS 1 each message arrives at least once, at QoS 2 exactly once, both in order; a
//! packet identifier is never used for two messages at a time, and the window is never exceeded. In 5.0, where both
//! sides use topic aliases, each message arrives under its topic, with what it was to be delivered with; no packet is
//! larger than the client takes, and what would have been is the only thing that does not arrive.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "session_model/world.rs"]
mod world;

use mqtt::packet::{Disconnect, Packet};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::session::{Close, Effect, Input, Opening, Session, Terms};
use mqtt::{QoS, Reason, Version};
use proptest::prelude::*;
use world::{Event, run};

fn qos() -> impl Strategy<Value = QoS> {
    prop::sample::select(vec![QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn event() -> impl Strategy<Value = Event> {
    let gap = prop_oneof![8 => Just(1), 1 => 1_u64..4, 1 => 65_533_u64..65_538];
    prop_oneof![
        4 => qos().prop_map(Event::ClientPublishes),
        4 => (qos(), gap.clone()).prop_map(|(qos, gap)| Event::Queue(qos, gap)),
        1 => gap.prop_map(|gap| Event::Queue(QoS::AtMostOnce, gap)),
        6 => Just(Event::HandOver),
        8 => Just(Event::ServerReads),
        8 => Just(Event::ClientReads),
        8 => Just(Event::Commit),
        1 => any::<bool>().prop_map(Event::Break),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(
        version in prop::sample::select(vec![Version::V31, Version::V311, Version::V5]),
        is_durable in prop::bool::weighted(0.8),
        tells_releases in any::<bool>(),
        first_place in prop::sample::select(vec![0, 65_530]),
        events in prop::collection::vec(event(), 1..400),
    ) {
        run(version, is_durable, tells_releases, first_place, events);
    }

    #[test]
    fn only_a_session_that_was_to_be_kept_may_be_kept_longer(
        before in prop::sample::select(vec![0, 1, 3_600, u32::MAX]),
        after in prop::option::of(prop::sample::select(vec![0, 1, 3_600, u32::MAX])),
        reason in prop::sample::select(vec![Reason::SUCCESS, Reason::DISCONNECT_WITH_WILL]),
    ) {
        let terms = Terms { session_expiry_s: before, ..Terms::default() };
        let mut session = Session::open(0, &Opening { terms, ..Opening::new(Version::V5) });
        let mut headers = Vec::new();
        if let Some(after) = after {
            PropertyWriter::new(&mut headers).push(PropertyId::SessionExpiryInterval, Value::Four(after));
        }
        let disconnect = Disconnect { reason, properties: Properties::stored(&headers) };
        let mut effects = Vec::new();
        session.step(0, Input::Packet(Packet::Disconnect(disconnect)), &mut effects);
        match effects.last() {
            Some(Effect::Close(Close::Goodbye { send_will, session_expiry_s })) => {
                prop_assert!(before != 0 || after.unwrap_or(0) == 0);
                prop_assert_eq!(*session_expiry_s, after);
                prop_assert_eq!(*send_will, reason != Reason::SUCCESS);
            }
            Some(Effect::Close(Close::Protocol(violation))) => {
                prop_assert!(before == 0 && after.unwrap_or(0) != 0);
                prop_assert_eq!(violation.reason, Reason::PROTOCOL_ERROR);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
