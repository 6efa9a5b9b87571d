//! Messages through the connections of a run, and the counting of what comes back.
//!
//! Each turn reads what has come, works out which publishers may therefore send, and gives each of these one write. So
//! batches grow by themselves with the load, and no message costs more than its bytes, a step of the walker and a
//! few additions.

use std::time::Duration;

use mqtt::QoS;
use mqtt::packet::Kind;

use super::limits::{LOSS_MS, STALL_MS_MAX, WARM_UP_MS_MAX};
use super::link::Link;
use super::outcome::{Clocks, Outcome};
use super::pace::{Alarm, Timetable};
use super::plan::{Length, Plan, Target, Workload};
use super::swarm::{ALARM, Ready, Swarm};
use super::walker::{self, Step};
use super::{Fault, Histogram, payload};

const NS_PER_MS: u64 = 1_000_000;
/// How long a turn waits when nothing happens.
const TURN_MS_MAX: u64 = 50;

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) delivered: u64,
    pub(super) acknowledged: u64,
    /// Acknowledged with a reason that means no.
    pub(super) refused: u64,
    /// Given up at QoS 0.
    pub(super) lost: u64,
}

/// The traffic of a run.
pub(super) struct Traffic<'a> {
    plan: &'a Plan,
    target: Target,
    swarm: Swarm,
    publishers: usize,
    counts: Counts,
    latency: Histogram,
    /// Fan-in: deliveries of one read, by publisher.
    by_publisher: Vec<u64>,
    /// Fan-out: deliveries to all subscribers, losses included.
    fanned_out: u64,
    /// Publishers that may have something to send.
    wakeful: Vec<usize>,
    is_wakeful: Vec<bool>,
    ready: Vec<Ready>,
    pace: Option<Pace>,
    /// Deliveries by publisher when losses were last looked for, and when that was.
    delivered_before: Vec<u64>,
    looked_ns: u64,
    progress_ns: u64,
}

/// What an open loop has beside a closed one.
struct Pace {
    timetable: Timetable,
    alarm: Alarm,
    /// The next message of all.
    next: u64,
}

impl<'a> Traffic<'a> {
    /// Traffic through connections that are open.
    pub(super) fn new(plan: &'a Plan, target: Target, swarm: Swarm) -> Result<Traffic<'a>, Fault> {
        let (publishers, _) = plan.shares();
        let now_ns = swarm.now_ns();
        let pace = if plan.workload.is_open_loop() {
            let timetable = Timetable::new(now_ns + NS_PER_MS, plan.rate_per_s, publishers, plan.burst);
            let alarm = Alarm::new(swarm.poll.registry(), ALARM).map_err(Fault::Poll)?;
            Some(Pace { timetable, alarm, next: 0 })
        } else {
            None
        };
        Ok(Traffic {
            plan,
            target,
            swarm,
            publishers,
            counts: Counts::default(),
            latency: Histogram::default(),
            by_publisher: if plan.workload == Workload::FanIn { vec![0; publishers] } else { Vec::new() },
            fanned_out: 0,
            wakeful: (0..publishers).collect(),
            is_wakeful: vec![true; publishers],
            ready: Vec::new(),
            pace,
            delivered_before: vec![0; publishers],
            looked_ns: now_ns,
            progress_ns: now_ns,
        })
    }

    /// Runs the traffic for as long as the plan says, and says how it went.
    pub(super) fn run(mut self) -> Result<Outcome, Fault> {
        let until = match self.plan.length {
            Length::Messages(_) => None,
            Length::Seconds(seconds) => {
                let warm_up_ns = ((seconds * 1e8) as u64).min(WARM_UP_MS_MAX * NS_PER_MS);
                let warm_ns = self.swarm.now_ns() + warm_up_ns;
                while self.swarm.now_ns() < warm_ns {
                    self.turn()?;
                }
                Some((seconds * 1e9) as u64)
            }
        };
        self.latency.clear();
        let (counts, clocks) = (self.counts, Clocks::read(self.target, self.swarm.now_ns())?);
        while match (until, self.plan.length) {
            (Some(ns), _) => self.swarm.now_ns() < clocks.ns + ns,
            (None, Length::Messages(count)) => self.counted() < count,
            (None, Length::Seconds(_)) => false,
        } {
            self.turn()?;
        }
        let spent = Clocks::read(self.target, self.swarm.now_ns())?.since(&clocks);
        let counted = self.counted() - self.counted_of(&counts);
        self.swarm.close();
        Ok(Outcome {
            counted,
            points_per_message: self.plan.content.points_per_message(),
            latency: self.latency,
            lost: self.counts.lost - counts.lost,
            failed: self.counts.refused - counts.refused,
            ..Outcome::new(self.plan.workload, spent)
        })
    }

    fn counted(&self) -> u64 {
        self.counted_of(&self.counts)
    }

    fn counted_of(&self, counts: &Counts) -> u64 {
        if self.plan.workload == Workload::Ingest { counts.acknowledged } else { counts.delivered }
    }

    /// Reads what has come, and sends what may be sent.
    fn turn(&mut self) -> Result<(), Fault> {
        let mut ready = std::mem::take(&mut self.ready);
        self.swarm.wait(&mut ready, Duration::from_millis(TURN_MS_MAX))?;
        for it in &ready {
            if it.writable {
                if let Some(link) = self.swarm.links.get_mut(it.index) {
                    link.unblock();
                }
                self.swarm.flush(it.index)?;
                if it.index < self.publishers {
                    self.wake(it.index);
                }
            }
            if it.readable {
                while self.take(it.index).map_err(|fault| self.named(fault, it.index))? || it.ended {}
            }
        }
        self.ready = ready;
        self.send()
    }

    fn named(&self, fault: Fault, index: usize) -> Fault {
        fault.of_client(&self.swarm.client_id(self.plan, index))
    }

    fn wake(&mut self, publisher: usize) {
        if let Some(it) = self.is_wakeful.get_mut(publisher)
            && !*it
        {
            *it = true;
            self.wakeful.push(publisher);
        }
    }

    /// Reads a connection once. Returns whether there is more.
    fn take(&mut self, index: usize) -> Result<bool, Fault> {
        let Traffic { swarm, latency, by_publisher, .. } = self;
        let mut tally = Counts::default();
        let now_ns = swarm.now_ns();
        let more =
            swarm.read(index, |bytes, link| walk(bytes, link, now_ns, latency, by_publisher, &mut tally))?;
        self.swarm.flush(index)?;
        if tally == Counts::default() {
            return Ok(more);
        }
        self.progress_ns = now_ns;
        self.counts.delivered += tally.delivered;
        self.counts.acknowledged += tally.acknowledged;
        self.counts.refused += tally.refused;
        if index < self.publishers {
            self.credit(index, 0, tally.acknowledged);
            return Ok(more);
        }
        match self.plan.workload {
            Workload::Pair | Workload::Open => self.credit(index - self.publishers, tally.delivered, 0),
            Workload::FanOut => {
                self.fanned_out += tally.delivered;
                let before =
                    self.swarm.links.first().and_then(|it| it.feed.as_ref()).map_or(0, |it| it.delivered);
                let delivered = self.fanned_out / self.plan.connections as u64;
                self.credit(0, delivered.saturating_sub(before), 0);
            }
            Workload::FanIn => {
                for publisher in 0..self.publishers {
                    let delivered = self.by_publisher.get_mut(publisher).map_or(0, std::mem::take);
                    if delivered > 0 {
                        self.credit(publisher, delivered, 0);
                    }
                }
            }
            Workload::Sparse | Workload::Ingest | Workload::Idle | Workload::Storm => {}
        }
        Ok(more)
    }

    /// Messages of a publisher have arrived or are acknowledged.
    fn credit(&mut self, publisher: usize, delivered: u64, acknowledged: u64) {
        let Some(feed) = self.swarm.links.get_mut(publisher).and_then(|it| it.feed.as_mut()) else { return };
        // What was given up as lost may still come.
        feed.delivered = (feed.delivered + delivered).min(feed.queued());
        feed.acknowledged = (feed.acknowledged + acknowledged).min(feed.queued());
        self.wake(publisher);
    }

    /// Queues what may be sent and writes it.
    fn send(&mut self) -> Result<(), Fault> {
        let now_ns = self.swarm.now_ns();
        if let Some(mut pace) = self.pace.take() {
            while pace.timetable.due_ns(pace.next) <= now_ns {
                self.wake(pace.timetable.publisher_of(pace.next));
                pace.next += 1;
            }
            self.pace = Some(pace);
        }
        let mut wakeful = std::mem::take(&mut self.wakeful);
        for publisher in wakeful.drain(..) {
            if let Some(it) = self.is_wakeful.get_mut(publisher) {
                *it = false;
            }
            self.queue(publisher, now_ns);
            self.swarm.flush(publisher).map_err(|fault| self.named(fault, publisher))?;
        }
        self.wakeful = wakeful;
        if let Some(pace) = &self.pace {
            let in_ns = pace.timetable.due_ns(pace.next).saturating_sub(self.swarm.now_ns());
            pace.alarm.set(in_ns).map_err(Fault::Poll)?;
        }
        if now_ns - self.looked_ns > LOSS_MS * NS_PER_MS {
            self.looked_ns = now_ns;
            self.look_for_losses(now_ns)?;
        }
        Ok(())
    }

    /// Queues what the window of a publisher, and the timetable if there is one, let it send.
    fn queue(&mut self, publisher: usize, now_ns: u64) {
        let Some(feed) = self.swarm.links.get_mut(publisher).and_then(|it| it.feed.as_mut()) else { return };
        let under_way = match (self.plan.workload, self.plan.qos) {
            (Workload::Ingest, _) => feed.queued() - feed.acknowledged,
            (Workload::Open | Workload::Sparse, QoS::AtMostOnce) => feed.unwritten(),
            (Workload::Open | Workload::Sparse, _) => feed.queued() - feed.acknowledged,
            (_, QoS::AtMostOnce) => feed.queued() - feed.delivered,
            (_, _) => feed.queued() - feed.delivered.min(feed.acknowledged),
        };
        let mut room = feed.window.saturating_sub(under_way);
        let Some(pace) = &self.pace else {
            feed.queue(room, now_ns);
            return;
        };
        while room > 0 {
            let due_ns = pace.timetable.due_of(publisher, feed.queued());
            if due_ns > now_ns {
                break;
            }
            feed.queue_due(due_ns);
            room -= 1;
        }
    }

    /// At QoS 0 a server may drop messages: where nothing comes any more the window is given back. Above, everything
    /// has to come; a run in which nothing at all does is given up.
    fn look_for_losses(&mut self, now_ns: u64) -> Result<(), Fault> {
        if now_ns - self.progress_ns > STALL_MS_MAX * NS_PER_MS {
            return Err(Fault::Stalled { what: "messages", seconds: STALL_MS_MAX / 1_000 });
        }
        if self.plan.qos != QoS::AtMostOnce || self.pace.is_some() {
            return Ok(());
        }
        for publisher in 0..self.publishers {
            let Some(feed) = self.swarm.links.get_mut(publisher).and_then(|it| it.feed.as_mut()) else {
                continue;
            };
            let Some(before) = self.delivered_before.get_mut(publisher) else { continue };
            let is_still = *before == feed.delivered && feed.queued() > feed.delivered && !feed.is_pending();
            if is_still {
                if self.plan.workload == Workload::FanOut {
                    let all = feed.queued() * self.plan.connections as u64;
                    self.counts.lost += all.saturating_sub(self.fanned_out);
                    self.fanned_out = all;
                } else {
                    self.counts.lost += feed.queued() - feed.delivered;
                }
                feed.delivered = feed.queued();
            }
            *before = feed.delivered;
            if is_still {
                self.wake(publisher);
            }
        }
        Ok(())
    }
}

/// Counts packets and answers them. Returns how many bytes were whole packets.
#[inline]
fn walk(
    bytes: &[u8],
    link: &mut Link,
    now_ns: u64,
    latency: &mut Histogram,
    by_publisher: &mut [u64],
    tally: &mut Counts,
) -> Result<usize, Fault> {
    const PUBLISH: u8 = Kind::Publish as u8;
    const PUBACK: u8 = Kind::PubAck as u8;
    const PUBREC: u8 = Kind::PubRec as u8;
    const PUBREL: u8 = Kind::PubRel as u8;
    const PUBCOMP: u8 = Kind::PubComp as u8;
    const DISCONNECT: u8 = Kind::Disconnect as u8;
    let mut at = 0;
    loop {
        let (first, body, end) = match walker::step(bytes, at) {
            Step::Packet { first, body, end } => (first, body, end),
            Step::Partial => return Ok(at),
            Step::Broken => return Err(Fault::NotMqtt),
        };
        at = end;
        let packet = bytes.get(body..end).unwrap_or_default();
        match first >> 4 {
            PUBLISH => {
                tally.delivered += 1;
                if let Some(sample) = payload::sample(packet) {
                    latency.record(now_ns.saturating_sub(sample.ns));
                }
                if !by_publisher.is_empty() {
                    let publisher = payload::publisher(packet).unwrap_or_default();
                    if let Some(count) = by_publisher.get_mut(usize::from(publisher)) {
                        *count += 1;
                    }
                }
                let qos = first >> 1 & 0b11;
                if qos > 0 {
                    let answer = if qos == 1 { PUBACK << 4 } else { PUBREC << 4 };
                    reply(link, answer, walker::publish_id(packet));
                }
            }
            PUBACK | PUBCOMP => {
                tally.acknowledged += 1;
                tally.refused += u64::from(packet.get(2).is_some_and(|reason| *reason >= 0x80));
            }
            // A refusal ends the exchange.
            PUBREC if packet.get(2).is_some_and(|reason| *reason >= 0x80) => {
                tally.acknowledged += 1;
                tally.refused += 1;
            }
            PUBREC => reply(link, PUBREL << 4 | 0b0010, packet.first_chunk().copied()),
            PUBREL => reply(link, PUBCOMP << 4, packet.first_chunk().copied()),
            DISCONNECT => return Err(Fault::Refused { code: packet.first().copied().unwrap_or_default() }),
            _ => {}
        }
    }
}

fn reply(link: &mut Link, first: u8, id: Option<[u8; 2]>) {
    if let Some([high, low]) = id {
        link.out.extend_from_slice(&[first, 2, high, low]);
    }
}
