//! What a publisher sends: a ring of messages that were encoded once, repeated for ever.
//!
//! Queueing messages is arithmetic on two counters; sending them is one write of as many bytes of the ring as are
//! due. Only the time stamp of a sample is ever written into it again. Packet ids are places in the ring: as fewer
//! messages are under way than it holds, none is used twice at a time.

use std::io::IoSlice;
use std::time::{SystemTime, UNIX_EPOCH};

use mqtt::packet::Publish;
use mqtt::property::Properties;
use mqtt::{Packet, QoS, codec};

use super::limits::{RING_BYTES, RINGS_BYTES, WINDOW_COUNT_MAX};
use super::plan::{Content, Plan};
use super::{payload, telemetry, upload};

/// In a closed loop one message in so many is a sample. A ring holds a multiple of it, so that the places of samples
/// are the same in each round: what has a time in it gets a new one before it is sent again.
const SAMPLE_EVERY: u64 = 32;
const _: () = assert!(
    (WINDOW_COUNT_MAX as u64).is_multiple_of(SAMPLE_EVERY),
    "the largest ring holds the largest window"
);

/// The state of one publisher.
pub(super) struct Feed {
    ring: Vec<u8>,
    /// Where each message ends in the ring.
    ends: Vec<usize>,
    /// Readings: where their times are in each message, and the time of the first message.
    times: Vec<Vec<usize>>,
    from_ms: u64,
    children: u64,
    /// Messages queued since the start.
    queued: u64,
    /// Bytes of them, and how many of these are written.
    queued_bytes: u64,
    written_bytes: u64,
    /// The value of `queued` when everything was last written.
    drained: u64,
    /// Messages that may be under way.
    pub(super) window: u64,
    /// Messages that have arrived at their receivers.
    pub(super) delivered: u64,
    /// Messages that the server has acknowledged.
    pub(super) acknowledged: u64,
}

impl Feed {
    /// The ring of publisher `n`, of whose messages at most `window` may be under way.
    pub(super) fn new(plan: &Plan, n: usize, window: usize) -> Feed {
        let mut feed = Feed {
            ring: Vec::new(),
            ends: Vec::new(),
            times: Vec::new(),
            from_ms: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
            children: plan.names.children as u64,
            queued: 0,
            queued_bytes: 0,
            written_bytes: 0,
            drained: 0,
            window: window as u64,
            delivered: 0,
            acknowledged: 0,
        };
        let (publishers, _) = plan.shares();
        let ring_bytes = RING_BYTES.min(RINGS_BYTES / publishers.max(1));
        let count_min = window.max(cycle(plan));
        let is_whole = |count: usize| (count as u64).is_multiple_of(SAMPLE_EVERY);
        while feed.ends.len() < count_min
            || !is_whole(feed.ends.len())
            || feed.ring.len() < ring_bytes && feed.ends.len() < WINDOW_COUNT_MAX
        {
            feed.push_message(plan, n);
        }
        feed.ring.shrink_to_fit();
        feed
    }

    /// Encodes one more message of publisher `n`.
    fn push_message(&mut self, plan: &Plan, n: usize) {
        let (index, children) = (self.ends.len(), plan.names.children);
        let topic = plan.names.topic.expand(n, index % children);
        let payload = match &plan.content {
            Content::Event { bytes } => payload::payload(*bytes, n as u16, index),
            Content::Readings { device, per_message } => {
                let first = index * per_message;
                let devices = (first..first + per_message).map(|it| device.expand(n, it % children));
                let (payload, times) = telemetry::payload(devices, index);
                self.times.push(times);
                payload
            }
            Content::Upload => {
                // Without times, and without a stamp either: nothing in it may be written over.
                self.times.push(Vec::new());
                upload::payload(index)
            }
        };
        let publish = Publish {
            dup: false,
            qos: plan.qos,
            retain: false,
            topic: &topic,
            packet_id: if plan.qos == QoS::AtMostOnce { 0 } else { index as u16 + 1 },
            properties: Properties::EMPTY,
            payload: &payload,
        };
        codec::encode(&Packet::Publish(publish), plan.version, &mut self.ring);
        self.ends.push(self.ring.len());
        let payload_start = self.ring.len() - payload.len();
        if let Some(times) = self.times.get_mut(index) {
            times.iter_mut().for_each(|it| *it += payload_start);
        }
    }

    /// Messages queued since the start.
    pub(super) fn queued(&self) -> u64 {
        self.queued
    }

    /// Messages that the ring holds.
    pub(super) fn ring_count(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Messages queued that are not known to be written.
    pub(super) fn unwritten(&self) -> u64 {
        self.queued - self.drained
    }

    /// Whether bytes wait to be written.
    pub(super) fn is_pending(&self) -> bool {
        self.queued_bytes > self.written_bytes
    }

    /// Queues messages; some of them become samples sent at `now_ns`.
    pub(super) fn queue(&mut self, count: u64, now_ns: u64) {
        let first_sample = self.queued.next_multiple_of(SAMPLE_EVERY);
        for message in (first_sample..self.queued + count).step_by(SAMPLE_EVERY as usize) {
            self.stamp(message, now_ns);
        }
        self.advance(count);
    }

    /// Queues one message, a sample that was due at `due_ns`.
    pub(super) fn queue_due(&mut self, due_ns: u64) {
        self.stamp(self.queued, due_ns);
        self.advance(1);
    }

    fn stamp(&mut self, message: u64, ns: u64) {
        if !self.times.is_empty() {
            return;
        }
        let slot = (message % self.ring_count()) as usize;
        if let Some(packet) = self.ends.get(slot).and_then(|end| self.ring.get_mut(..*end)) {
            payload::stamp(packet, ns);
        }
    }

    fn advance(&mut self, count: u64) {
        if !self.times.is_empty() {
            (self.queued..self.queued + count).for_each(|it| self.set_times(it));
        }
        self.queued += count;
        let (rounds, slot) = (self.queued / self.ring_count(), (self.queued % self.ring_count()) as usize);
        let into = if slot == 0 { 0 } else { self.ends.get(slot - 1).copied().unwrap_or_default() };
        self.queued_bytes = rounds * self.ring.len() as u64 + into as u64;
    }

    /// Gives the readings of a message a time that no other of the same child has. It goes on by a millisecond whenever
    /// a child speaks again, so that it runs ahead of the clock only if each child speaks more than a thousand times a
    /// second.
    fn set_times(&mut self, message: u64) {
        let (round, slot) = (message / self.ring_count(), (message % self.ring_count()) as usize);
        let (per_message, children) = (self.times.get(slot).map_or(1, Vec::len) as u64, self.children);
        let laps = (self.ring_count() * per_message).div_ceil(children);
        for (at, number) in self.times.get(slot).into_iter().flatten().zip(slot as u64 * per_message..) {
            let ms = self.from_ms + round * laps + number / children;
            telemetry::set_time(&mut self.ring, *at, ms);
        }
    }

    /// The bytes to be written next: up to the ring's end, and on from its start.
    pub(super) fn pending(&self) -> [IoSlice<'_>; 2] {
        let from = (self.written_bytes % self.ring.len() as u64) as usize;
        let count = ((self.queued_bytes - self.written_bytes) as usize).min(self.ring.len());
        let end = (from + count).min(self.ring.len());
        let head = self.ring.get(from..end).unwrap_or_default();
        let tail = self.ring.get(..count - head.len()).unwrap_or_default();
        [IoSlice::new(head), IoSlice::new(tail)]
    }

    /// So many of the pending bytes are written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written_bytes += bytes as u64;
        if !self.is_pending() {
            self.drained = self.queued;
        }
    }
}

/// Messages after which a publisher has spoken for all its children.
fn cycle(plan: &Plan) -> usize {
    match &plan.content {
        Content::Event { .. } | Content::Upload => 1,
        Content::Readings { per_message, .. } => plan.names.children.div_ceil(*per_message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tests::plan;
    use crate::bench::walker::{self, Step};
    use crate::bench::{Template, Workload};

    /// Takes what is pending, at most so many bytes.
    fn take(feed: &mut Feed, bytes_max: usize) -> Vec<u8> {
        let pending = feed.pending().iter().flat_map(|it| it.to_vec()).collect::<Vec<u8>>();
        let count = pending.len().min(bytes_max);
        feed.wrote(count);
        pending[..count].to_vec()
    }

    #[test]
    fn every_message_queued_is_written_once_and_whole() {
        let mut feed = Feed::new(&plan(Workload::Pair), 3, 100);
        let (mut written, mut turn) = (Vec::new(), 0);
        while feed.queued() < 5_000 {
            turn += 1;
            feed.queue(1 + turn % 97, turn);
            written.extend(take(&mut feed, 7_000));
            written.extend(take(&mut feed, 70_000));
            assert!(!feed.is_pending());
            assert_eq!(feed.unwritten(), 0);
        }
        let (mut at, mut count, mut samples) = (0, 0, 0);
        while let Step::Packet { first, end, .. } = walker::step(&written, at) {
            assert_eq!(first, 0x30);
            assert_eq!(payload::publisher(&written[at..end]), Some(3));
            samples += u64::from(payload::sample(&written[at..end]).is_some());
            (at, count) = (end, count + 1);
        }
        assert_eq!((at, count), (written.len(), feed.queued()));
        assert!(samples >= count / SAMPLE_EVERY, "{samples} samples in {count} messages");
    }

    #[test]
    fn no_sample_is_sent_twice() {
        let mut feed = Feed::new(&plan(Workload::Pair), 0, 100);
        for now_ns in (1..5_000).step_by(2) {
            feed.queue(1 + now_ns % 41, now_ns);
            let bytes = take(&mut feed, usize::MAX);
            let mut at = 0;
            while let Step::Packet { end, .. } = walker::step(&bytes, at) {
                assert!(payload::sample(&bytes[at..end]).is_none_or(|it| it.ns == now_ns));
                at = end;
            }
        }
    }

    #[test]
    fn packet_ids_are_never_zero_and_differ_within_the_ring() {
        let mut plan = plan(Workload::Ingest);
        plan.qos = QoS::AtLeastOnce;
        let mut feed = Feed::new(&plan, 0, 1_000);
        assert!(feed.ring_count() >= 1_000);
        feed.queue(1_000, 1);
        let bytes = take(&mut feed, usize::MAX);
        let (mut at, mut ids) = (0, std::collections::BTreeSet::new());
        while let Step::Packet { body, end, .. } = walker::step(&bytes, at) {
            ids.extend(walker::publish_id(&bytes[body..end]));
            at = end;
        }
        assert_eq!(ids.len(), 1_000);
        assert!(!ids.contains(&[0, 0]));
    }

    #[test]
    fn readings_are_of_every_child_and_have_a_time_once() {
        let mut plan = plan(Workload::Ingest);
        plan.names.children = 10;
        let device = "d{child}".parse().unwrap_or_else(|_| Template::literal(""));
        (plan.qos, plan.content) = (QoS::AtLeastOnce, Content::Readings { device, per_message: 4 });
        let mut feed = Feed::new(&plan, 0, 3);
        let (mut text, rounds) = (Vec::new(), 3);
        for _ in 0..rounds {
            feed.queue(feed.ring_count(), 7);
            text.extend(take(&mut feed, usize::MAX));
        }
        let text = String::from_utf8_lossy(&text);
        let after = |word: &str| -> Vec<String> {
            text.split(word)
                .skip(1)
                .map(|it| it.split([',', '"']).next().unwrap_or_default().into())
                .collect()
        };
        let (names, times) = (after("\"d"), after("\"ts\":"));
        assert_eq!(names[..6], ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(names.len() as u64, feed.queued() * 4);
        let pairs: std::collections::BTreeSet<_> = names.iter().zip(&times).collect();
        assert_eq!((times.len(), pairs.len()), (names.len(), names.len()), "a time twice");
    }

    #[test]
    fn nothing_is_written_over_in_an_upload() {
        let mut plan = plan(Workload::Ingest);
        (plan.qos, plan.content) = (QoS::AtLeastOnce, Content::Upload);
        let mut feed = Feed::new(&plan, 0, 100);
        let ring = feed.ring.clone();
        feed.queue(feed.ring_count() * 2, 7);
        assert!(feed.ring == ring);
    }

    #[test]
    fn an_open_loop_stamps_every_message_with_its_due_time() {
        let mut feed = Feed::new(&plan(Workload::Open), 0, 100);
        for due in [101, 205, 309] {
            feed.queue_due(due);
        }
        let bytes = take(&mut feed, usize::MAX);
        let (mut at, mut times) = (0, Vec::new());
        while let Step::Packet { end, .. } = walker::step(&bytes, at) {
            times.extend(payload::sample(&bytes[at..end]).map(|it| it.ns));
            at = end;
        }
        assert_eq!(times, [101, 205, 309]);
    }
}
