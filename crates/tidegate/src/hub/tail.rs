//! Live views: whoever runs `tidegate tail` sees every event and command of an organisation as it passes.
//!
//! A view that reads too slowly misses lines and is told how many; it never slows a connection down.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use domain::{Millis, OrgId};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::limits;

/// The views that are open.
#[derive(Default)]
pub(crate) struct Tails {
    open: AtomicUsize,
    views: Mutex<Vec<View>>,
}

struct View {
    org: OrgId,
    lines: mpsc::Sender<String>,
    missed: AtomicU64,
}

/// A line of a live view.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    /// Milliseconds since the Unix epoch.
    pub(crate) at_ms: Millis,
    /// The dialect it came in.
    pub(crate) dialect: &'a str,
    /// `event` or `command`.
    pub(crate) kind: &'a str,
    /// The device type.
    pub(crate) device_type: &'a str,
    /// The device.
    pub(crate) device: &'a str,
    /// The event's or command's name.
    pub(crate) name: &'a str,
    /// The payload's format.
    pub(crate) format: &'a str,
    /// The payload, as far as it is text.
    pub(crate) payload: std::borrow::Cow<'a, str>,
    /// Who sent it.
    pub(crate) from: &'a str,
    /// Lines this view missed before this one because it read too slowly.
    pub(crate) missed: u64,
}

impl Tails {
    /// Opens a view. When as many are open as may be, the oldest ends.
    pub(crate) fn open(&self, org: OrgId) -> mpsc::Receiver<String> {
        let mut views = self.views.lock();
        views.retain(|it| !it.lines.is_closed());
        if views.len() >= limits::TAIL_COUNT_MAX {
            views.remove(0);
        }
        let (sender, receiver) = mpsc::channel(limits::TAIL_EVENT_COUNT_MAX);
        views.push(View { org, lines: sender, missed: AtomicU64::new(0) });
        self.open.store(views.len(), Ordering::Release);
        receiver
    }

    /// Whether anybody is looking: the price of the question is one load.
    pub(crate) fn anybody(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// Shows a line to the views of the organisation.
    pub(crate) fn show(&self, org: OrgId, mut line: Line<'_>) {
        let mut views = self.views.lock();
        views.retain(|it| !it.lines.is_closed());
        self.open.store(views.len(), Ordering::Release);
        for view in views.iter().filter(|it| it.org == org) {
            line.missed = view.missed.load(Ordering::Relaxed);
            let Ok(text) = serde_json::to_string(&line) else { continue };
            match view.lines.try_send(text) {
                Ok(()) => view.missed.store(0, Ordering::Relaxed),
                Err(_) => drop(view.missed.fetch_add(1, Ordering::Relaxed)),
            }
        }
    }
}
