//! Readings of devices: kept, and told to those who listen in another dialect than the one they came in.
//!
//! Called by connections for messages that may be of many devices, and by the API for what comes over HTTP.

use std::sync::Arc;

use dialects::Dialect;
use dialects::thingsboard::telemetry;
use domain::{Device, Event, Message, Millis, Points, QoS};
use store::{Change, Changes};

use super::Hub;
use super::delivery::{Outbound, Round, deadline_ms, expires_ms};
use super::space::{Counts, Space};
use super::subscriber::Subscriber;
use super::tail::Line;

/// A reading and where it comes from.
pub(crate) struct Reading<'a> {
    pub(crate) device: &'a Device,
    /// The event's name and format, as others hear of it.
    pub(crate) event: &'a (Arc<str>, Arc<str>),
    /// When it came.
    pub(crate) now_ms: Millis,
    /// When it was measured; `None`: when it came.
    pub(crate) at_ms: Option<Millis>,
    pub(crate) points: Points,
    /// The dialect it came in.
    pub(crate) dialect: &'a str,
    /// Who sent it.
    pub(crate) from: &'a str,
    pub(crate) qos: QoS,
    /// When it expires by its sender's word; 0 = never.
    pub(crate) expires_ms: Millis,
}

impl Hub {
    /// Keeps a reading: it is in `changes` then. Those of `others` who hear of it at once are in `wake`.
    pub(crate) fn keep_reading(
        &self,
        reading: Reading<'_>,
        others: &[(&'static dyn Dialect, Arc<Space>)],
        changes: &mut Changes,
        wake: &mut Vec<Arc<Subscriber>>,
    ) {
        let Reading { device, event: (name, format), at_ms, points, .. } = &reading;
        let now_ms = reading.now_ms;
        let payload = telemetry(*at_ms, points);
        for (dialect, space) in others {
            let Some(topic) = dialect.event_topic(device, name, format) else { continue };
            let mut outbound = Outbound {
                org: device.org,
                topic: &topic,
                headers: &[],
                payload: payload.as_bytes(),
                qos: reading.qos,
                retain: false,
                deadline_ms: deadline_ms(now_ms, self.limits.queue_retention_s, reading.expires_ms),
                expires_ms: expires_ms(now_ms, None),
                absent: space.customs.messages,
                message: None,
                from: None,
            };
            let mut counts = Counts::default();
            let mut round = Round { changes: &mut *changes, wake: &mut *wake, counts: &mut counts };
            outbound.deliver(&space.targets(&topic), &mut round);
            space.traffic.add(counts);
        }
        if self.tails.anybody() {
            let line = Line {
                at_ms: now_ms,
                dialect: reading.dialect,
                kind: "event",
                device_type: &device.device_type,
                device: &device.name,
                name,
                format,
                payload: payload.as_str().into(),
                from: reading.from,
                missed: 0,
            };
            self.tails.show(device.org, line);
        }
        self.watches.show(device.id, None, at_ms.unwrap_or(now_ms), points);
        let mut event = Event {
            org: device.org,
            device: device.id,
            name: name.clone(),
            format: format.clone(),
            at_ms: now_ms,
            message: Message::shared("", &[], payload.as_bytes()),
            points: reading.points,
        };
        // At a time that the device names, a point takes the place of one that is there; at ours none does.
        if let Some(at_ms) = reading.at_ms {
            let points = std::mem::take(&mut event.points);
            changes.push(Change::Points { org: event.org, device: event.device, at_ms, points });
        }
        changes.push(Change::Event(event));
    }
}
