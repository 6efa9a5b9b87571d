//! A topic space: the subscriptions of one organisation in one dialect, and what is retained there.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dialects::Customs;
use domain::{Millis, OrgId, QoS, Retained, SessionRecord, Subscription};
use mqtt::limits::SUBSCRIPTION_IDENTIFIER_COUNT_MAX;
use mqtt::router::{Group, Match, Router};
use mqtt::topic;
use parking_lot::{Mutex, RwLock};

use super::Counter;
use super::delivery::{NO_LOCAL, RETAIN_AS_PUBLISHED};
use super::shelf::{Shelf, ShelfBounds};
use super::subscriber::{Held, Subscriber};

/// A subscription's end: who receives, and how.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) to: Arc<Subscriber>,
    /// Messages above it are lowered to it.
    pub(crate) qos: QoS,
    pub(crate) options: u8,
    /// The numbers that the client gave its subscriptions (5.0).
    pub(crate) identifiers: Box<[u32]>,
    /// Filters whose messages are withheld; nearly always none.
    pub(crate) except: Option<Arc<[String]>>,
}

/// Where a message of a topic goes.
#[derive(Clone)]
pub(crate) enum Target {
    /// To this subscription.
    One(Route),
    /// To one member of the group.
    Group(Arc<Group<Route>>),
}

/// The topic space of one organisation and dialect.
pub(crate) struct Space {
    pub(crate) org: OrgId,
    /// The dialect's name.
    pub(crate) name: &'static str,
    /// How messages are delivered here.
    pub(crate) customs: Customs,
    router: RwLock<Router<Route>>,
    generation: AtomicU64,
    next_id: AtomicU64,
    retained: RwLock<Shelf>,
    subscribers: Mutex<HashSet<ByKey>>,
    /// Sessions that are connected.
    pub(crate) connected: AtomicUsize,
    pub(crate) traffic: Traffic,
}

/// What has passed through a topic space.
#[derive(Default)]
pub(crate) struct Traffic {
    /// Messages that clients published.
    pub(crate) received: Counter,
    /// Messages given to a receiver: a live one, or a stored queue.
    pub(crate) sent: Counter,
    /// Messages dropped because a receiver could not take them.
    pub(crate) dropped: Counter,
}

impl Traffic {
    /// Counts what a round has counted for itself: other workers count here too, and a shared counter is dear.
    pub(crate) fn add(&self, counts: Counts) {
        for (counter, count) in
            [(&self.received, counts.received), (&self.sent, counts.sent), (&self.dropped, counts.dropped)]
        {
            if count > 0 {
                counter.add(count);
            }
        }
    }
}

/// What passed during one round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) dropped: u64,
}

/// A subscription was refused because the session holds as many as it may.
#[derive(Debug)]
pub(crate) struct TooManySubscriptions;

/// A message was not retained because there are as many as may be.
#[derive(Debug)]
pub(crate) struct TooMuchRetained;

impl Space {
    pub(crate) fn new(org: OrgId, name: &'static str, customs: Customs) -> Space {
        Space {
            org,
            name,
            customs,
            router: RwLock::new(Router::new()),
            generation: AtomicU64::new(1),
            next_id: AtomicU64::new(1),
            retained: RwLock::default(),
            subscribers: Mutex::default(),
            connected: AtomicUsize::new(0),
            traffic: Traffic::default(),
        }
    }

    /// Grows with every change of the subscriptions: what was found before is void then.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Everyone a message of this topic goes to, by the subscriptions of `generation()` or later.
    pub(crate) fn targets(&self, topic: &str) -> Arc<[Target]> {
        let mut targets = Vec::new();
        let mut merged = HashMap::new();
        self.router.read().matching(topic, |found| match found {
            Match::One(route) if route.withholds(topic) => {}
            Match::One(route) if route.to.wants_one_copy() => merge(&mut targets, &mut merged, route),
            Match::One(route) => targets.push(Target::One(route.clone())),
            Match::Group(group) => targets.push(Target::Group(group.clone())),
        });
        targets.into()
    }

    /// What was found before is void: something else than a subscription has changed.
    pub(crate) fn forget_targets(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Adds a subscription or replaces the one with the same filter. True when the filter is new to the session, which
    /// may hold `count_max`.
    pub(crate) fn subscribe(
        &self,
        to: &Arc<Subscriber>,
        subscription: &Subscription,
        count_max: usize,
    ) -> Result<bool, TooManySubscriptions> {
        let mut held = to.held();
        let known = held.iter().position(|it| it.subscription.filter == subscription.filter);
        if known.is_none() && held.len() >= count_max {
            return Err(TooManySubscriptions);
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Held { subscription: subscription.clone(), id };
        let before = match known {
            Some(at) => Some(std::mem::replace(&mut held[at], entry)),
            None => {
                if held.is_empty() {
                    held.reserve_exact(1); // most clients have one subscription for ever
                }
                held.push(entry);
                None
            }
        };
        let route = Route {
            to: to.clone(),
            qos: self.customs.live.ceiling(subscription.qos),
            options: subscription.options,
            identifiers: Some(subscription.identifier).filter(|it| *it != 0).into_iter().collect(),
            except: (!subscription.except.is_empty()).then(|| subscription.except.as_slice().into()),
        };
        let mut router = self.router.write();
        if let Some(before) = &before {
            uninstall(&mut router, before);
        }
        match (&subscription.route, &subscription.share) {
            (Some(filter), Some(share)) => drop(router.insert_shared(filter, share, id, route)),
            (Some(filter), None) => drop(router.insert(filter, id, route)),
            (None, _) => {}
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(before.is_none())
    }

    /// Removes a subscription by the filter the client wrote. False when there was none.
    pub(crate) fn unsubscribe(&self, to: &Subscriber, filter: &str) -> bool {
        let mut held = to.held();
        let Some(at) = held.iter().position(|it| it.subscription.filter == filter) else { return false };
        let before = held.swap_remove(at);
        uninstall(&mut self.router.write(), &before);
        self.generation.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// Removes all subscriptions of a session.
    pub(crate) fn unsubscribe_all(&self, to: &Subscriber) {
        let held = std::mem::take(&mut *to.held());
        if held.is_empty() {
            return;
        }
        let mut router = self.router.write();
        for before in &held {
            uninstall(&mut router, before);
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The subscriber of a session key, made when there is none, with its caller counted as waiting for the seat: from
    /// here on it cannot be forgotten.
    pub(crate) fn subscriber_to_sit_on(&self, key: &str) -> Arc<Subscriber> {
        let mut subscribers = self.subscribers.lock();
        let subscriber = match subscribers.get(key) {
            Some(ByKey(known)) => known.clone(),
            None => {
                let new = Arc::new(Subscriber::new(key.into(), None));
                subscribers.insert(ByKey(new.clone()));
                new
            }
        };
        subscriber.seat_waiting.fetch_add(1, Ordering::AcqRel);
        subscriber
    }

    /// The subscriber of a session key, where there is a session.
    pub(crate) fn subscriber(&self, key: &str) -> Option<Arc<Subscriber>> {
        self.subscribers.lock().get(key).map(|it| it.0.clone())
    }

    /// Forgets a clean session's subscriber once nobody else holds or waits for its seat.
    pub(crate) fn release(&self, subscriber: &Arc<Subscriber>) {
        let mut subscribers = self.subscribers.lock();
        let unused = subscriber.session().is_none()
            && subscriber.seat_waiting.load(Ordering::Acquire) == 0
            && subscriber.seat.available_permits() == 1;
        if unused && subscribers.get(&*subscriber.key).is_some_and(|it| Arc::ptr_eq(&it.0, subscriber)) {
            subscribers.remove(&*subscriber.key);
        }
    }

    /// Every subscriber, for rare walks over all of them.
    pub(crate) fn subscribers(&self) -> Vec<Arc<Subscriber>> {
        self.subscribers.lock().iter().map(|it| it.0.clone()).collect()
    }

    /// Brings a stored session back.
    pub(crate) fn restore_session(
        &self,
        record: &SessionRecord,
        subscriptions: &[Subscription],
    ) -> Arc<Subscriber> {
        let subscriber = Arc::new(Subscriber::new(record.key.as_str().into(), Some(record.id)));
        self.subscribers.lock().replace(ByKey(subscriber.clone()));
        for subscription in subscriptions {
            // What a session was granted once it keeps, even if the bound was lowered since.
            self.subscribe(&subscriber, subscription, usize::MAX).ok();
        }
        subscriber
    }

    /// Subscriptions, members of share groups included.
    pub(crate) fn subscription_count(&self) -> usize {
        self.router.read().len()
    }

    /// Durable sessions whose key begins like this.
    pub(crate) fn durable_count(&self, prefix: &str) -> usize {
        let subscribers = self.subscribers.lock();
        subscribers.iter().filter(|it| it.0.session().is_some() && it.0.key.starts_with(prefix)).count()
    }

    /// Retains a message under its topic, if the bounds allow it. `store` is called while nobody else can retain
    /// anything, so that the store is told in the same order.
    pub(crate) fn retain<T>(
        &self,
        retained: Retained,
        bounds: Option<ShelfBounds>,
        store: impl FnOnce(&Retained) -> T,
    ) -> Result<T, TooMuchRetained> {
        let mut shelf = self.retained.write();
        if bounds.is_some_and(|it| !shelf.has_room(&retained, it)) {
            return Err(TooMuchRetained);
        }
        let stored = store(&retained);
        shelf.put(retained);
        Ok(stored)
    }

    /// Forgets what is retained under a topic. `store` is called as by [`Space::retain`], unless there was nothing.
    pub(crate) fn unretain<T>(&self, topic: &str, store: impl FnOnce() -> T) -> Option<T> {
        let mut shelf = self.retained.write();
        shelf.remove(topic).then(store)
    }

    /// Forgets the retained will of a session, where there is one. `store` is called as by [`Space::retain`], with its
    /// topic.
    pub(crate) fn unretain_will(&self, key: &str, store: impl FnOnce(String)) {
        if self.retained.read().will_of(key).is_none() {
            return;
        }
        let mut shelf = self.retained.write();
        if let Some(topic) = shelf.will_of(key).map(str::to_owned)
            && shelf.remove(&topic)
        {
            store(topic);
        }
    }

    /// Forgets what is past its time; gives the topics.
    pub(crate) fn unretain_expired(&self, now_ms: Millis) -> Vec<String> {
        let expired = self.retained.read().expired(now_ms);
        if expired.is_empty() {
            return expired;
        }
        let mut shelf = self.retained.write();
        let is_expired = |it: &Retained| it.expires_ms != 0 && it.expires_ms <= now_ms;
        expired.into_iter().filter(|it| shelf.get(it).is_some_and(is_expired) && shelf.remove(it)).collect()
    }

    /// What is retained under topics that match the filter and is still worth delivering.
    pub(crate) fn retained(&self, filter: &str, now_ms: Millis) -> Vec<Retained> {
        self.retained.read().matching(filter, now_ms)
    }

    /// Whether this very message is what its topic retains.
    pub(crate) fn still_retains(&self, retained: &Retained) -> bool {
        let shelf = self.retained.read();
        shelf.get(retained.message.topic()).is_some_and(|it| Arc::ptr_eq(&it.message, &retained.message))
    }

    /// Messages that clients have retained.
    pub(crate) fn retained_count(&self) -> usize {
        self.retained.read().count()
    }
}

/// A subscriber that is found by its session key.
struct ByKey(Arc<Subscriber>);

impl Borrow<str> for ByKey {
    fn borrow(&self) -> &str {
        &self.0.key
    }
}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.key.hash(hasher);
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &ByKey) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey {}

impl Route {
    /// Whether the receiver's rights keep messages of this topic from it.
    fn withholds(&self, topic: &str) -> bool {
        self.except.as_ref().is_some_and(|except| except.iter().any(|it| topic::matches(it, topic)))
    }
}

/// Several filters of one client match: one copy at the highest quality (spec watson E13) with the identifiers of all
/// of them [MQTT-3.3.4-3 of 5.0]. `merged` says where each client's copy is.
fn merge(targets: &mut Vec<Target>, merged: &mut HashMap<*const Subscriber, usize>, route: &Route) {
    let at = *merged.entry(Arc::as_ptr(&route.to)).or_insert(targets.len());
    match targets.get_mut(at) {
        Some(Target::One(other)) => {
            other.qos = other.qos.max(route.qos);
            // Only what no subscription wants is held back, and the flag is kept if one wants to see it.
            let either = (other.options | route.options) & RETAIN_AS_PUBLISHED;
            other.options = (other.options & route.options & NO_LOCAL) | either;
            let both = other.identifiers.iter().chain(&route.identifiers).copied();
            other.identifiers = both.take(SUBSCRIPTION_IDENTIFIER_COUNT_MAX).collect();
        }
        _ => targets.push(Target::One(route.clone())),
    }
}

fn uninstall(router: &mut Router<Route>, held: &Held) {
    match (&held.subscription.route, &held.subscription.share) {
        (Some(filter), Some(share)) => drop(router.remove_shared(filter, share, held.id)),
        (Some(filter), None) => drop(router.remove(filter, held.id)),
        (None, _) => {}
    }
}
