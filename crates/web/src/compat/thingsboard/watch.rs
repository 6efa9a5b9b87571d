//! Watching devices: what the running server shows of them to whoever has a socket open, as it comes.

use std::sync::Arc;

use domain::{DeviceId, Millis, Points, Scope, Value};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::limits::THINGSBOARD_NOTICED_COUNT_MAX;

/// Something that has come from, or for, a device.
pub struct Noticed {
    /// The device.
    pub device: DeviceId,
    /// The scope of attributes; `None`: they are points.
    pub scope: Option<Scope>,
    /// Their time.
    pub at_ms: Millis,
    /// All that came together.
    pub points: Points,
}

impl Noticed {
    /// That attributes, or all points, of these keys are gone: the empty text, at no time. So ThingsBoard tells it.
    pub fn gone(device: DeviceId, scope: Option<Scope>, keys: &[String]) -> Noticed {
        let mut points = Points::new();
        keys.iter().for_each(|it| points.push(it, Value::Text("")));
        Noticed { device, scope, at_ms: 0, points }
    }
}

/// Somebody who watches devices. It gets what there is in order and without a gap: one that does not keep up is cut
/// off, and hears of it.
pub struct Watcher(Mutex<Option<mpsc::Sender<Arc<Noticed>>>>);

impl Watcher {
    /// A watcher, and where it gets what it watches. That ends when it has not kept up.
    pub fn new() -> (Arc<Watcher>, mpsc::Receiver<Arc<Noticed>>) {
        let (sender, receiver) = mpsc::channel(THINGSBOARD_NOTICED_COUNT_MAX);
        (Arc::new(Watcher(Mutex::new(Some(sender)))), receiver)
    }

    /// Shows it something; `false` when it is gone, or is cut off now.
    pub fn show(&self, noticed: &Arc<Noticed>) -> bool {
        let mut sender = self.0.lock();
        let is_shown = sender.as_ref().is_some_and(|it| it.try_send(Arc::clone(noticed)).is_ok());
        if !is_shown {
            *sender = None;
        }
        is_shown
    }
}
