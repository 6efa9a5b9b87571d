//! The hub: where connections meet.
//!
//! It holds the topic spaces, the sessions that are alive in them, and what people want to watch: counters, refusals,
//! live views. It decides nothing about rights and knows no dialect by name: connections ask their dialect and the
//! platform, then come here with the answer.

pub(crate) mod delivery;
pub(crate) mod late_will;
pub(crate) mod polls;
pub(crate) mod post;
pub(crate) mod readings;
pub(crate) mod refusals;
pub(crate) mod rights;
pub(crate) mod sessions;
pub(crate) mod shelf;
pub(crate) mod space;
pub(crate) mod status;
pub(crate) mod subscriber;
pub(crate) mod tail;
pub(crate) mod watches;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dialects::{Absent, Announcement, Customs, Dialect, Leniency, Retain, RetainedWills};
use domain::{Closing, Code, OrgId, QoS, Refusal, Retained};
use parking_lot::RwLock;
use platform::Platform;
use store::{Change, Changes, Store, StoreFault, Ticket, Waiter};
use tokio::sync::watch;

use self::delivery::Outbound;
use self::polls::Polls;
use self::refusals::Refusals;
use self::sessions::Sessions;
use self::shelf::ShelfBounds;
use self::space::{Space, TooMuchRetained};
use self::subscriber::{Attached, Subscriber};
use self::tail::Tails;
use self::watches::Watches;
use crate::clock::Clock;
use crate::config::{AnonymousFrom, Config, Limits, NotifyStyle};
use crate::connection::publish::Source;

/// A number that only grows, for metrics.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted.
#[derive(Default)]
pub(crate) struct Counters {
    /// Connections accepted by the operating system.
    pub(crate) accepted: Counter,
    /// Connections closed at once because there were too many.
    pub(crate) turned_away: Counter,
    /// Stored messages that were past their time when their receiver came.
    pub(crate) expired: Counter,
    /// Stored sessions that ended because their clients stayed away.
    pub(crate) sessions_expired: Counter,
    /// Messages that waited for a registration slot.
    pub(crate) parked: Counter,
    /// Broken rules that were forgiven, by their place in [`Leniency::ALL`].
    forgiven: [Counter; Leniency::ALL.len()],
}

impl Counters {
    /// Counts a broken rule that was forgiven.
    pub(crate) fn forgive(&self, leniency: Leniency) {
        self.forgiven[leniency as usize].add(1);
    }

    /// How often each leniency was used.
    pub(crate) fn forgiven(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Leniency::ALL.into_iter().map(|it| (it.name(), self.forgiven[it as usize].get()))
    }
}

/// Where connections meet.
pub(crate) struct Hub {
    pub(crate) platform: Arc<Platform>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    /// In the order in which they are asked to recognise a client.
    pub(crate) dialects: Vec<&'static dyn Dialect>,
    pub(crate) counters: Counters,
    pub(crate) refusals: Refusals,
    pub(crate) tails: Tails,
    pub(crate) polls: Polls,
    pub(crate) watches: Watches,
    sessions: Sessions,
    spaces: RwLock<HashMap<(OrgId, &'static str), Arc<Space>>>,
    connections: AtomicUsize,
    closing: watch::Sender<bool>,
    serial: AtomicU64,
}

impl Hub {
    /// A hub with the stored sessions and retained messages of every organisation in place.
    pub(crate) fn open(
        platform: Arc<Platform>,
        clock: Clock,
        config: &Config,
        dialects: Vec<&'static dyn Dialect>,
    ) -> Result<Hub, StoreFault> {
        let hub = Hub {
            store: platform.store().clone(),
            platform,
            clock,
            limits: config.limits.clone(),
            dialects,
            counters: Counters::default(),
            refusals: Refusals::default(),
            tails: Tails::default(),
            polls: Polls::default(),
            watches: Watches::default(),
            sessions: Sessions::default(),
            spaces: RwLock::default(),
            connections: AtomicUsize::new(0),
            closing: watch::Sender::new(false),
            serial: AtomicU64::new(1),
        };
        for org in hub.platform.orgs() {
            hub.restore(org.id)?;
        }
        Ok(hub)
    }

    fn restore(&self, org: OrgId) -> Result<(), StoreFault> {
        for (record, subscriptions) in self.store.sessions(org)? {
            match self.dialects.iter().find(|it| it.name() == record.dialect) {
                Some(dialect) => {
                    let space = self.space(org, dialect.name());
                    let subscriber = space.restore_session(&record, &subscriptions);
                    self.restore_lifetime(&space, &subscriber, &record);
                }
                None => tracing::warn!(
                    session = record.key,
                    dialect = record.dialect,
                    "A stored session belongs to a dialect that this version does not have"
                ),
            }
        }
        for dialect in &self.dialects {
            for retained in self.store.retained(org, dialect.name())? {
                let (space, now_ms) = (self.space(org, dialect.name()), self.clock.wall_ms());
                let message = &retained.message;
                let outlived = dialect.outlived(message.topic(), message.payload(), now_ms);
                // What was taken once is kept, even if the bounds were lowered since.
                space.retain(retained, None, |_| ()).ok();
                if let Some(announcement) = outlived {
                    self.announce(&space, &announcement);
                }
            }
        }
        Ok(())
    }

    /// The topic space of an organisation in a dialect, made when there is none.
    pub(crate) fn space(&self, org: OrgId, dialect: &'static str) -> Arc<Space> {
        if let Some(space) = self.spaces.read().get(&(org, dialect)) {
            return space.clone();
        }
        let mut is_new = false;
        let mut spaces = self.spaces.write();
        let make = || {
            is_new = true;
            let customs = self.dialects.iter().find(|it| it.name() == dialect).map(|it| it.customs());
            Arc::new(Space::new(org, dialect, customs.unwrap_or(Customs::STANDARD)))
        };
        let space = spaces.entry((org, dialect)).or_insert_with(make).clone();
        drop(spaces);
        if is_new {
            self.tell_status(&space);
        }
        space
    }

    /// The topic space of an organisation in a dialect, where there is one.
    pub(crate) fn known_space(&self, org: OrgId, dialect: &'static str) -> Option<Arc<Space>> {
        self.spaces.read().get(&(org, dialect)).cloned()
    }

    /// All topic spaces that there are.
    pub(crate) fn spaces(&self) -> Vec<Arc<Space>> {
        self.spaces.read().values().cloned().collect()
    }

    /// Messages received, given to receivers and dropped, over all spaces.
    pub(crate) fn traffic(&self) -> [u64; 3] {
        let counts = self
            .spaces()
            .into_iter()
            .map(|it| [&it.traffic.received, &it.traffic.sent, &it.traffic.dropped].map(Counter::get));
        counts.fold([0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z])
    }

    /// Retains a client's message: the ticket is that of its row.
    pub(crate) fn retain(
        &self,
        space: &Space,
        retained: Retained,
        waiter: Arc<dyn Waiter>,
    ) -> Result<Ticket, TooMuchRetained> {
        let bounds = ShelfBounds {
            count_max: self.limits.retained_count_max,
            bytes_max: self.limits.retained_bytes_max,
        };
        space.retain(retained, Some(bounds), |it| {
            let change = Change::Retain { org: space.org, space: space.name, retained: it.clone() };
            self.store.commit(Changes { list: vec![change], waiter: Some(waiter) })
        })
    }

    /// Makes a message the retained one of its topic; an empty one removes what is retained [MQTT-3.3.1-10]. The ticket
    /// is what the message's answer waits for.
    pub(crate) fn retain_published(
        &self,
        space: &Space,
        outbound: &mut Outbound<'_>,
        source: Source,
        by: &Arc<Subscriber>,
    ) -> Result<Ticket, Refusal> {
        let waiter = by.clone();
        if outbound.payload.is_empty() {
            return Ok(self.unretain(space, outbound.topic, Some(waiter)));
        }
        let goes = source == Source::Will && space.customs.retained_wills == RetainedWills::UntilLogin;
        let retained = Retained {
            message: outbound.shared(),
            qos: outbound.qos,
            expires_ms: outbound.expires_ms,
            will_of: goes.then(|| by.key.clone()),
        };
        self.retain(space, retained, waiter).map_err(|_| {
            let hint = format!(
                "the organisation's retained messages fill the limits ({} messages, {} bytes): remove some, or \
                 raise limits.retained_count_max or limits.retained_bytes_max",
                self.limits.retained_count_max, self.limits.retained_bytes_max
            );
            Refusal::new(Code::TooMany, hint)
        })
    }

    /// The client of a session is back: its will that is retained goes, where the customs say so.
    pub(crate) fn unretain_will(&self, space: &Space, key: &str) {
        if space.customs.retained_wills == RetainedWills::UntilLogin {
            space.unretain_will(key, |topic| {
                let change = Change::Unretain { org: space.org, space: space.name, topic };
                self.store.commit(change.into());
            });
        }
    }

    /// Forgets what is retained under a topic: the ticket is that of the row's end.
    pub(crate) fn unretain(&self, space: &Space, topic: &str, waiter: Option<Arc<dyn Waiter>>) -> Ticket {
        let change = Change::Unretain { org: space.org, space: space.name, topic: topic.to_owned() };
        let stored = space.unretain(topic, || self.store.commit(Changes { list: vec![change], waiter }));
        stored.unwrap_or(Ticket::NONE)
    }

    /// The dialect of this name.
    pub(crate) fn dialect(&self, name: &str) -> Option<&'static dyn Dialect> {
        self.dialects.iter().copied().find(|it| it.name() == name)
    }

    /// The name of a dialect that the settings name.
    pub(crate) fn dialect_name(&self, name: &str) -> anyhow::Result<&'static str> {
        self.dialect(name).map(|it| it.name()).ok_or_else(|| {
            let known: Vec<_> = self.dialects.iter().map(|it| it.name()).collect();
            anyhow::anyhow!("there is no dialect `{name}`: [listen.pinned] may name {}", known.join(", "))
        })
    }

    /// A number no other caller gets.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Publishes what the server itself has to say, at QoS 0, and keeps or forgets it as retained. Returns the
    /// ticket of what had to be stored.
    pub(crate) fn announce(&self, space: &Space, announcement: &Announcement) -> Ticket {
        let mut changes = Changes::new();
        let mut outbound = Outbound {
            org: space.org,
            topic: &announcement.topic,
            headers: &[],
            payload: &announcement.payload,
            qos: QoS::AtMostOnce,
            retain: false,
            deadline_ms: 0,
            expires_ms: 0,
            absent: Absent::Queued,
            message: None,
            from: None,
        };
        outbound.deliver_alone(space, &space.targets(&announcement.topic), &mut changes);
        let store = |retained: &Retained| {
            let change = Change::Retain { org: space.org, space: space.name, retained: retained.clone() };
            self.store.commit(change.into())
        };
        let ticket = match announcement.retain {
            Retain::Keep => space.retain(Retained::of_server(outbound.shared()), None, store).ok(),
            Retain::WhileRunning => {
                space.retain(Retained::of_server(outbound.shared()), None, |_| Ticket::NONE).ok()
            }
            Retain::Remove => Some(self.unretain(space, &announcement.topic, None)),
            Retain::No => None,
        };
        // What went into stored queues, if anything, comes behind what is retained.
        if changes.is_empty() { ticket.unwrap_or(Ticket::NONE) } else { self.store.commit(changes) }
    }

    /// Counts a connection in; `None` when there are as many as may be, or the server is closing.
    pub(crate) fn admit_connection(self: &Arc<Hub>) -> Option<Counted> {
        let before = self.connections.fetch_add(1, Ordering::AcqRel);
        let counted = Counted { hub: self.clone() };
        let admitted = before < self.limits.connection_count_max && !self.is_closing();
        if !admitted {
            self.counters.turned_away.add(1);
        }
        admitted.then_some(counted)
    }

    /// Connections now.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Whether the server is closing.
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Returns when the server is closing.
    pub(crate) async fn closed(&self) {
        // The sender is ours, so that waiting for it cannot fail.
        drop(self.closing.subscribe().wait_for(|it| *it).await);
    }

    /// Asks every connection to end, now and from now on.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
        let spaces: Vec<_> = self.spaces.read().values().cloned().collect();
        for subscriber in spaces.iter().flat_map(|it| it.subscribers()) {
            subscriber.kick(Closing::ShuttingDown);
        }
    }

    /// Closes the connections of an organisation that was disabled.
    pub(crate) fn close_org(&self, org: OrgId) {
        self.close_where(org, |_| true);
    }

    fn close_where(&self, org: OrgId, whose: impl Fn(&Attached) -> bool) {
        let spaces: Vec<_> = self.spaces.read().values().filter(|it| it.org == org).cloned().collect();
        let subscribers = spaces.iter().flat_map(|it| it.subscribers());
        for subscriber in subscribers.filter(|it| it.is_attached_by(&whose)) {
            subscriber.kick(Closing::Removed);
        }
    }
}

/// The dialects with their settings, in the order in which they are asked.
pub(crate) fn all_dialects(config: &Config) -> Vec<&'static dyn Dialect> {
    let watson = match config.watson.notify_style {
        NotifyStyle::Seed => &dialects::watson::SEED,
        NotifyStyle::Cloud => &dialects::watson::CLOUD,
    };
    let plain = match config.plain.anonymous {
        AnonymousFrom::Off => &dialects::plain::CLOSED,
        AnonymousFrom::Loopback => &dialects::plain::LOOPBACK,
        AnonymousFrom::Everywhere => &dialects::plain::OPEN,
    };
    // Dialects live as long as the program; one for each server that is started in it is little.
    let onenet = Box::leak(Box::new(config.onenet.dialect()));
    let thingsboard = match config.thingsboard.ack_invalid {
        true => &dialects::thingsboard::ACKNOWLEDGING,
        false => &dialects::thingsboard::CLOSING,
    };
    dialects::all(watson, onenet, thingsboard, plain)
}

/// A connection that is counted; dropping it counts it out.
pub(crate) struct Counted {
    hub: Arc<Hub>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.hub.connections.fetch_sub(1, Ordering::AcqRel);
    }
}
