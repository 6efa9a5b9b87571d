//! What was refused, to whom and why: counted by code, the latest kept for people to look at.

use std::collections::{HashMap, VecDeque};

use domain::{Code, Millis, OrgId, Refusal};
use parking_lot::Mutex;
use serde::Serialize;

use crate::limits;

/// A refusal as people see it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Recorded {
    /// Milliseconds since the Unix epoch.
    pub(crate) at_ms: Millis,
    /// The organisation, as the peer named it.
    pub(crate) org: Option<String>,
    /// Who was refused: a client id, or an address before there is one.
    pub(crate) peer: String,
    /// What it had asked: `connect`, `publish`, `subscribe`, `unsubscribe`; `packet` where that cannot be told.
    pub(crate) request: &'static str,
    /// The topic or filter, where there is one.
    pub(crate) topic: Option<String>,
    /// The code's name.
    pub(crate) code: &'static str,
    /// A sentence with the remedy.
    pub(crate) hint: String,
}

/// The record of refusals.
#[derive(Default)]
pub(crate) struct Refusals {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    latest: VecDeque<Recorded>,
    counts: HashMap<Code, u64>,
}

impl Refusals {
    /// Writes a refusal down: log line, counter and record in one.
    pub(crate) fn record(
        &self,
        at_ms: Millis,
        org: Option<&str>,
        peer: &str,
        request: &'static str,
        topic: Option<&str>,
        refusal: &Refusal,
    ) {
        let code = refusal.code.name();
        tracing::info!(org, peer, request, topic, code, "Refused: {}", refusal.hint);
        let recorded = Recorded {
            at_ms,
            org: org.map(str::to_owned),
            peer: peer.to_owned(),
            request,
            topic: topic.map(str::to_owned),
            code,
            hint: refusal.hint.clone(),
        };
        let mut inner = self.inner.lock();
        *inner.counts.entry(refusal.code).or_default() += 1;
        if inner.latest.len() >= limits::REFUSALS_COUNT_MAX {
            inner.latest.pop_front();
        }
        inner.latest.push_back(recorded);
    }

    /// The latest refusals, oldest first, of one organisation or of all.
    pub(crate) fn latest(&self, org: Option<OrgId>) -> Vec<Recorded> {
        let wanted = org.map(|it| it.to_string());
        let inner = self.inner.lock();
        inner.latest.iter().filter(|it| wanted.is_none() || it.org == wanted).cloned().collect()
    }

    /// How often each code occurred, by name.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts: Vec<_> =
            self.inner.lock().counts.iter().map(|(code, count)| (code.name(), *count)).collect();
        counts.sort_unstable();
        counts
    }
}
