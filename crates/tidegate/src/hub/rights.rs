//! Rights that change while sessions live: subscriptions are decided again.
//!
//! Called when a credential has other rights, for all its stored sessions, and when a client comes back to a stored
//! session, for that one. What waits in a stored queue already was allowed when it was published, and stays.

use std::sync::Arc;

use dialects::{Dialect, Grant};
use domain::{Class, Closing, Code, DeviceId, OrgId, Peer, Refusal, Subscription};
use store::{Change, Changes};

use super::Hub;
use super::space::Space;
use super::subscriber::{Held, Subscriber};

/// What a subscription is worth to a peer: the dialect's grant, and the filters that its rights keep back.
pub(crate) fn grant(
    dialect: &dyn Dialect,
    peer: &Peer,
    filter: &str,
) -> Result<(Grant, Vec<String>), Refusal> {
    let grant = dialect.grant(peer, filter)?;
    let Some(route) = grant.route.as_deref().filter(|_| !peer.rights().is_everything()) else {
        return Ok((grant, Vec::new()));
    };
    let except = dialects::rights::may_subscribe(peer, route)?;
    if grant.share.is_some() && !except.is_empty() {
        let hint = format!(
            "The rights deny a part of {route}, and a message of a group has to be for any of its members."
        );
        return Err(Refusal::new(Code::NotAllowed, hint));
    }
    Ok((grant, except))
}

/// Decides the subscriptions of a stored session again; gives what has to be stored of that.
pub(crate) fn grant_again(
    space: &Space,
    subscriber: &Arc<Subscriber>,
    dialect: &dyn Dialect,
    peer: &Peer,
) -> Changes {
    let mut changes = Changes::new();
    let Some(session) = subscriber.session() else { return changes };
    let held: Vec<Held> = subscriber.held().clone();
    for it in held.into_iter().map(|it| it.subscription) {
        match grant(dialect, peer, &it.filter) {
            Ok((_, except)) if except == it.except => {}
            Ok((_, except)) => {
                let subscription = Subscription { except, ..it };
                // It replaces one of the same filter, so that no bound is reached.
                space.subscribe(subscriber, &subscription, usize::MAX).ok();
                changes.push(Change::Subscribe { org: space.org, session, subscription });
            }
            Err(_) => {
                space.unsubscribe(subscriber, &it.filter);
                let filter = it.filter;
                changes.push(Change::Unsubscribe { org: space.org, session, filter });
            }
        }
    }
    changes
}

impl Hub {
    /// A device was removed, disabled, or has other rights now: its connections end, its stored sessions are revised.
    pub(crate) fn device_changed(&self, org: OrgId, id: DeviceId) {
        self.close_where(org, |it| it.device == Some(id));
        let holder = match self.platform.device_by_id(org, id) {
            Some(device) => Holder::Known(Peer::of_device(&device, "")),
            None => Holder::Gone(Peer::Device {
                org,
                id,
                class: Class::Device,
                device_type: String::new(),
                name: String::new(),
                client_id: String::new(),
                rights: Arc::default(),
            }),
        };
        self.revise(&holder);
    }

    /// A device is called otherwise: its connections end where it came in under its name. In a dialect with doors it
    /// came with a login, which is its own still.
    pub(crate) fn device_renamed(&self, org: OrgId, id: DeviceId) {
        for space in self.spaces().into_iter().filter(|it| it.org == org) {
            let has_doors =
                self.dialects.iter().any(|it| it.name() == space.name && it.door_key(id).is_some());
            let subscribers = if has_doors { Vec::new() } else { space.subscribers() };
            for subscriber in subscribers.iter().filter(|it| it.is_attached_by(|it| it.device == Some(id))) {
                subscriber.kick(Closing::Removed);
            }
        }
    }

    /// An API key was removed or has other rights now: as for a device.
    pub(crate) fn key_changed(&self, org: OrgId, key: &str) {
        self.close_where(org, |it| it.key.as_deref() == Some(key));
        let peer = |rights| Peer::Application {
            org,
            app: String::new(),
            key: key.to_owned(),
            client_id: String::new(),
            rights,
        };
        self.revise(&match self.platform.key(org, key) {
            Some(known) => Holder::Known(peer(known.rights)),
            None => Holder::Gone(peer(Arc::default())),
        });
    }

    fn revise(&self, holder: &Holder) {
        let (Holder::Known(peer) | Holder::Gone(peer)) = holder;
        for space in self.spaces().into_iter().filter(|it| it.org == peer.org()) {
            let Some(dialect) = self.dialects.iter().find(|it| it.name() == space.name) else { continue };
            // Where a key says nothing but the client id, sessions belong to names and not to credentials.
            let prefix = dialect.session_key(peer);
            if prefix.is_empty() {
                continue;
            }
            for subscriber in space.subscribers() {
                let Some(client_id) = subscriber.key.strip_prefix(&*prefix) else { continue };
                let Holder::Known(peer) = holder else {
                    self.disown_session(&space, &subscriber);
                    continue;
                };
                let peer = peer.clone().with_client_id(client_id);
                let changes = grant_again(&space, &subscriber, *dialect, &peer);
                if !changes.is_empty() {
                    self.store.commit(changes);
                }
            }
        }
    }
}

/// Whose sessions are revised; the client id is empty.
enum Holder {
    /// As it is now.
    Known(Peer),
    /// Nobody comes with this identity any more.
    Gone(Peer),
}
