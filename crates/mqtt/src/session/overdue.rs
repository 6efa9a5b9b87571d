//! Answers that a client owes at QoS 2, where it is given a time for them.
//!
//! PUBREL for our PUBREC, and PUBREC for our PUBLISH. Looks on at what comes in and goes out, and changes nothing of
//! it. What an earlier connection left behind is waited for once it was sent again: a client that has forgotten it must
//! not be thrown out for ever.

use std::collections::VecDeque;

use super::{Effect, Input};
use crate::QoS;
use crate::packet::{Kind, Packet};

/// What is waited for, and for how long.
#[derive(Debug)]
pub(super) struct Overdue {
    ms_max: u32,
    releases: Awaited,
    receipts: Awaited,
}

/// Packet ids with the moments since when they are waited for, the oldest first; each is there once.
#[derive(Debug, Default)]
struct Awaited(VecDeque<(u16, u64)>);

impl Awaited {
    fn begin(&mut self, packet_id: u16, now_ms: u64) {
        if !self.0.iter().any(|it| it.0 == packet_id) {
            self.0.push_back((packet_id, now_ms));
        }
    }

    fn end(&mut self, packet_id: u16) {
        // Answers nearly always come in order.
        if let Some(at) = self.0.iter().position(|it| it.0 == packet_id) {
            self.0.remove(at);
        }
    }

    fn since_ms(&self) -> Option<u64> {
        self.0.front().map(|it| it.1)
    }
}

impl Overdue {
    /// `None` where any time is good enough.
    pub(super) fn after(ms_max: u32) -> Option<Box<Overdue>> {
        let none = Awaited::default;
        (ms_max > 0).then(|| Box::new(Overdue { ms_max, releases: none(), receipts: none() }))
    }

    /// An input, before the session deals with it.
    pub(super) fn hear(&mut self, input: &Input<'_>) {
        match input {
            Input::Packet(Packet::PubRel(it)) => self.releases.end(it.packet_id),
            Input::Packet(Packet::PubRec(it)) => self.receipts.end(it.packet_id),
            _ => {}
        }
    }

    /// What the session made of it.
    pub(super) fn say(&mut self, effects: &[Effect<'_>], now_ms: u64) {
        for effect in effects {
            match effect {
                Effect::Send(Packet::PubRec(it)) if !it.reason.is_error() => {
                    self.releases.begin(it.packet_id, now_ms);
                }
                // Its PUBREL may have come before our PUBREC went out.
                Effect::Send(Packet::PubComp(it)) => self.releases.end(it.packet_id),
                Effect::Deliver(it) if it.qos == QoS::ExactlyOnce => {
                    self.receipts.begin(it.packet_id, now_ms);
                }
                _ => {}
            }
        }
    }

    /// The answer that is due next, and when.
    pub(super) fn next(&self) -> Option<(u64, Kind)> {
        let due = |it: &Awaited, kind| it.since_ms().map(|it| (it.saturating_add(self.ms_max.into()), kind));
        let dues = [due(&self.releases, Kind::PubRel), due(&self.receipts, Kind::PubRec)];
        dues.into_iter().flatten().min_by_key(|it| it.0)
    }
}
