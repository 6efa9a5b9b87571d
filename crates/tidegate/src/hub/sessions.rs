//! The life of stored sessions: how long each outlives its connection, and how many an organisation may have.
//!
//! Connections say when a session's client comes and goes, holding the session's seat. In between, a look once a second
//! ends the sessions whose time has come and publishes the wills whose delay is over. Every session has at most one
//! moment in the list, the next at which something is due.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{Code, Millis, OrgId, Refusal, SessionRecord};
use parking_lot::Mutex;
use store::{Change, Changes};

use super::Hub;
use super::late_will::LateWill;
use super::space::Space;
use super::subscriber::Subscriber;
use crate::limits;

/// A session that never ends by itself has this expiry.
pub(crate) const NEVER_S: u32 = u32::MAX;

/// A stored session's time.
#[derive(Default)]
pub(crate) struct Lifetime {
    created_ms: Millis,
    /// Seconds for which the session outlives its connection.
    expiry_s: u32,
    /// When it ends; 0 while its client is connected, and for one that never does.
    ends_ms: Millis,
    /// The will that waits, and for when.
    will: Option<(Millis, Box<LateWill>)>,
    /// Its entry in the list of what is due.
    entry: Option<Moment>,
}

/// A moment at which something is due, and a number that no other has.
type Moment = (Millis, u64);

/// Where a session is found.
type Place = (Arc<Space>, Arc<Subscriber>);

/// What is due, and how many sessions there are.
#[derive(Default)]
pub(crate) struct Sessions {
    due: Mutex<BTreeMap<Moment, Place>>,
    next_number: AtomicU64,
    counts: Mutex<HashMap<OrgId, usize>>,
}

/// What became of the session of a client that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There was none.
    Nothing,
    /// There was one, and it has ended.
    Ended,
    /// There is one to go on with.
    Session,
}

impl Lifetime {
    fn of(record: &SessionRecord) -> Lifetime {
        let (created_ms, expiry_s, ends_ms) = (record.created_ms, record.expiry_s, record.ends_ms);
        Lifetime { created_ms, expiry_s, ends_ms, will: None, entry: None }
    }

    fn has_ended(&self, now_ms: Millis) -> bool {
        self.ends_ms != 0 && self.ends_ms <= now_ms
    }

    /// When the next thing is due.
    fn due_ms(&self) -> Option<Millis> {
        let will_ms = self.will.as_ref().map(|(due_ms, _)| *due_ms);
        will_ms.into_iter().chain(Some(self.ends_ms).filter(|it| *it != 0)).min()
    }
}

impl Hub {
    /// Makes a stored session for the client that holds the seat. Refused when the organisation has as many as it may.
    pub(crate) fn create_session(
        &self,
        space: &Space,
        subscriber: &Subscriber,
        expiry_s: u32,
        now_ms: Millis,
    ) -> Result<(), Refusal> {
        let count_max = self.limits.session_count_max;
        if !self.sessions.count_in(space.org, count_max) {
            let hint = format!(
                "the organisation has {count_max} stored sessions: connect with a clean session, or raise \
                 limits.session_count_max"
            );
            return Err(Refusal::new(Code::TooMany, hint));
        }
        let id = self.platform.next_session_id(now_ms);
        *subscriber.lifetime() = Lifetime { created_ms: now_ms, expiry_s, ..Lifetime::default() };
        subscriber.set_session(Some(id));
        self.store_lifetime(space, subscriber);
        Ok(())
    }

    /// A stored session that opening found. One whose client was connected when the server ended starts to wait now.
    pub(crate) fn restore_lifetime(
        &self,
        space: &Arc<Space>,
        subscriber: &Arc<Subscriber>,
        record: &SessionRecord,
    ) {
        *self.sessions.counts.lock().entry(space.org).or_default() += 1;
        *subscriber.lifetime() = Lifetime::of(record);
        if record.ends_ms == 0 && record.expiry_s != NEVER_S {
            self.leave_session(space, subscriber, record.expiry_s, None);
            space.release(subscriber);
        } else {
            self.sessions.list(space, subscriber);
        }
    }

    /// The client is back and holds the seat: its will does not have to be published any more, and its session goes
    /// on, if it has not ended. With a clean start it ends now.
    pub(crate) fn resume_session(
        &self,
        space: &Arc<Space>,
        subscriber: &Arc<Subscriber>,
        clean_start: bool,
        expiry_s: u32,
    ) -> Found {
        if subscriber.session().is_none() {
            return Found::Nothing;
        }
        if clean_start || subscriber.lifetime().has_ended(self.clock.wall_ms()) {
            self.end_session(space, subscriber);
            return Found::Ended;
        }
        self.sessions.unlist(subscriber);
        let mut lifetime = subscriber.lifetime();
        lifetime.will = None;
        let changes = lifetime.expiry_s != expiry_s || lifetime.ends_ms != 0;
        (lifetime.expiry_s, lifetime.ends_ms) = (expiry_s, 0);
        drop(lifetime);
        if changes {
            self.store_lifetime(space, subscriber);
        }
        Found::Session
    }

    /// The client goes and leaves its stored session behind, and a will that may wait so many seconds.
    pub(crate) fn leave_session(
        &self,
        space: &Arc<Space>,
        subscriber: &Arc<Subscriber>,
        expiry_s: u32,
        will: Option<(u32, LateWill)>,
    ) {
        if expiry_s == 0 {
            return self.end_session(space, subscriber);
        }
        let now_ms = self.clock.wall_ms();
        let mut lifetime = subscriber.lifetime();
        let changes = expiry_s != NEVER_S || lifetime.expiry_s != expiry_s;
        lifetime.expiry_s = expiry_s;
        lifetime.ends_ms = if expiry_s == NEVER_S { 0 } else { now_ms + u64::from(expiry_s) * 1_000 };
        lifetime.will = will.map(|(delay_s, will)| (now_ms + u64::from(delay_s) * 1_000, Box::new(will)));
        drop(lifetime);
        if changes {
            self.store_lifetime(space, subscriber);
        }
        self.sessions.list(space, subscriber);
    }

    /// Ends a stored session for good; a will that waited is published [MQTT-3.1.2-8 of 5.0].
    fn end_session(&self, space: &Arc<Space>, subscriber: &Arc<Subscriber>) {
        let Some(session) = subscriber.take_session() else { return };
        self.sessions.unlist(subscriber);
        self.sessions.count_out(space.org);
        let will = std::mem::take(&mut *subscriber.lifetime()).will;
        if let Some((_, will)) = will {
            self.publish_late(space, subscriber, &will);
        }
        space.unsubscribe_all(subscriber);
        self.store.commit(Changes::from(Change::DropSession { org: space.org, session }));
    }

    /// Ends a stored session whose owner may do nothing any more. One that is connected goes on as a clean one until
    /// its connection, which was asked to leave, has left.
    pub(super) fn disown_session(&self, space: &Arc<Space>, subscriber: &Arc<Subscriber>) {
        subscriber.lifetime().will = None;
        self.end_session(space, subscriber);
        space.release(subscriber);
    }

    fn store_lifetime(&self, space: &Space, subscriber: &Subscriber) {
        let Some(id) = subscriber.session() else { return };
        let lifetime = subscriber.lifetime();
        self.store.commit(Changes::from(Change::PutSession(SessionRecord {
            id,
            org: space.org,
            dialect: space.name.to_owned(),
            key: subscriber.key.to_string(),
            created_ms: lifetime.created_ms,
            expiry_s: lifetime.expiry_s,
            ends_ms: lifetime.ends_ms,
        })));
    }

    /// Stored sessions of all organisations.
    pub(crate) fn stored_session_count(&self) -> usize {
        self.sessions.counts.lock().values().sum()
    }

    /// Does what is due, some of it at a time.
    pub(crate) fn sweep_sessions(&self) {
        let now_ms = self.clock.wall_ms();
        for _ in 0..limits::SESSIONS_PER_SWEEP_COUNT_MAX {
            let Some((space, subscriber)) = self.sessions.take_due(now_ms) else { return };
            // A connection that has the seat, or has just got it, sees to the session itself.
            if let Ok(seat) = subscriber.seat.try_acquire() {
                self.do_what_is_due(&space, &subscriber, now_ms);
                drop(seat);
                space.release(&subscriber);
            }
        }
    }

    fn do_what_is_due(&self, space: &Arc<Space>, subscriber: &Arc<Subscriber>, now_ms: Millis) {
        if subscriber.lifetime().has_ended(now_ms) {
            self.counters.sessions_expired.add(1);
            return self.end_session(space, subscriber);
        }
        let will = subscriber.lifetime().will.take_if(|(due_ms, _)| *due_ms <= now_ms);
        if let Some((_, will)) = will {
            self.publish_late(space, subscriber, &will);
        }
        self.sessions.list(space, subscriber);
    }

    /// Publishes the wills that wait: the server ends, and would forget them.
    pub(crate) fn publish_waiting_wills(&self) {
        let all: Vec<_> = self.sessions.due.lock().values().cloned().collect();
        for (space, subscriber) in all {
            let will = subscriber.lifetime().will.take();
            if let Some((_, will)) = will {
                self.publish_late(&space, &subscriber, &will);
            }
        }
    }
}

impl Sessions {
    /// Counts a session in, unless there are as many as may be.
    fn count_in(&self, org: OrgId, count_max: usize) -> bool {
        let mut counts = self.counts.lock();
        let count = counts.entry(org).or_default();
        let has_room = *count < count_max;
        *count += usize::from(has_room);
        has_room
    }

    fn count_out(&self, org: OrgId) {
        let mut counts = self.counts.lock();
        let count = counts.entry(org).or_default();
        *count = count.saturating_sub(1);
    }

    /// Puts a session into the list, at the moment when the next thing is due.
    fn list(&self, space: &Arc<Space>, subscriber: &Arc<Subscriber>) {
        self.unlist(subscriber);
        let mut lifetime = subscriber.lifetime();
        let Some(due_ms) = lifetime.due_ms() else { return };
        let entry = (due_ms, self.next_number.fetch_add(1, Ordering::Relaxed));
        self.due.lock().insert(entry, (space.clone(), subscriber.clone()));
        lifetime.entry = Some(entry);
    }

    /// Takes a session out of the list.
    fn unlist(&self, subscriber: &Subscriber) {
        let mut lifetime = subscriber.lifetime();
        if let Some(entry) = lifetime.entry.take() {
            self.due.lock().remove(&entry);
        }
    }

    /// Takes the first that is due out of the list.
    fn take_due(&self, now_ms: Millis) -> Option<Place> {
        self.due.lock().first_entry().filter(|it| it.key().0 <= now_ms).map(|it| it.remove())
    }
}
