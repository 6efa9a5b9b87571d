//! Who watches devices through the WebSocket of ThingsBoard's API: points and attributes are shown to them as they
//! pass.
//!
//! A device that nobody watches costs one load for each event of anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use domain::{Code, Device, DeviceId, Millis, Points, Refusal, Scope};
use parking_lot::Mutex;
use web::compat::thingsboard::watch::{Noticed, Watcher};

use crate::limits;

/// The devices that are watched.
#[derive(Default)]
pub(crate) struct Watches {
    count: AtomicUsize,
    watched: Mutex<HashMap<DeviceId, Vec<Weak<Watcher>>>>,
}

impl Watches {
    /// A watcher is shown what comes from a device, for as long as it is there.
    ///
    /// Refuses with [`Code::TooMany`].
    pub(crate) fn add(&self, device: &Device, watcher: &Arc<Watcher>) -> Result<(), Refusal> {
        let mut watched = self.watched.lock();
        if watched.len() >= limits::WATCHED_DEVICE_COUNT_MAX {
            watched.retain(|_, list| list.iter().any(|it| it.strong_count() > 0));
        }
        if !watched.contains_key(&device.id) && watched.len() >= limits::WATCHED_DEVICE_COUNT_MAX {
            return Err(Refusal::new(Code::TooMany, "Too many devices are watched already."));
        }
        let list = watched.entry(device.id).or_default();
        list.retain(|it| it.strong_count() > 0);
        let is_known = list.iter().any(|it| std::ptr::eq(it.as_ptr(), Arc::as_ptr(watcher)));
        if !is_known && list.len() >= limits::WATCHERS_PER_DEVICE_COUNT_MAX {
            return Err(Refusal::new(Code::TooMany, "Too many watch this device already."));
        }
        if !is_known {
            list.push(Arc::downgrade(watcher));
        }
        self.count.store(watched.len(), Ordering::Release);
        Ok(())
    }

    /// Whether anybody watches anything: the price of the question is one load.
    pub(crate) fn anybody(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Shows points, or attributes of a scope, that have come together.
    pub(crate) fn show(&self, device: DeviceId, scope: Option<Scope>, at_ms: Millis, points: &Points) {
        if !self.anybody() || points.is_empty() {
            return;
        }
        if self.watched.lock().contains_key(&device) {
            self.show_it(Noticed { device, scope, at_ms, points: points.clone() });
        }
    }

    /// Shows something that is made already.
    pub(crate) fn show_it(&self, noticed: Noticed) {
        let (device, noticed) = (noticed.device, Arc::new(noticed));
        let mut watched = self.watched.lock();
        let Some(list) = watched.get_mut(&device) else { return };
        list.retain(|it| it.upgrade().is_some_and(|it| it.show(&noticed)));
        if list.is_empty() {
            watched.remove(&device);
            self.count.store(watched.len(), Ordering::Release);
        }
    }
}
