//! Points that are told one by one to those who are subscribed to them, in dialects whose customs say so.
//!
//! Each is a message on a topic of its own, as if the device had published it there, at the quality of the upload.

use std::ops::ControlFlow;

use dialects::PointsTold;
use domain::{Intent, Points, Value};

use super::Connection;
use super::batch::Batch;
use super::publish::{Inbound, Outcome};
use crate::hub::delivery::{Outbound, Round, deadline_ms};

impl Connection {
    /// Tells the points of one message, in their order.
    pub(super) fn tell_points(&mut self, points: &Points, inbound: &Inbound<'_>, batch: &mut Batch) {
        if self.seat.space.customs.points == PointsTold::OneByOne {
            points.iter().for_each(|(key, value)| self.tell_point(key, value, inbound, batch));
        }
    }

    /// Tells the binaries of a message, which is read again for them: they were not copied.
    pub(super) fn tell_binaries(&mut self, inbound: &Inbound<'_>, batch: &mut Batch) {
        if self.seat.space.customs.points == PointsTold::Never {
            return;
        }
        let dialect = self.dialect;
        let mut tell = |intent: Intent<'_>| {
            if let Intent::Binary { key, bytes, .. } = intent {
                self.tell_point(key, Value::Bytes(bytes), inbound, batch);
            }
            ControlFlow::Continue(())
        };
        // What could be read once can be read again.
        dialect.intents(inbound.topic, inbound.payload, &mut tell).ok();
    }

    fn tell_point(&mut self, key: &str, value: Value<'_>, inbound: &Inbound<'_>, batch: &mut Batch) {
        let Some((topic, payload)) = self.dialect.point(&self.peer, key, value) else { return };
        let Outcome::Go(way) = self.outcome(&topic) else { return };
        if way.targets.is_empty() {
            return;
        }
        let retention_s = self.worker.hub.limits.queue_retention_s;
        let mut outbound = Outbound {
            org: self.peer.org(),
            topic: &way.topic,
            headers: &[],
            payload: &payload,
            qos: inbound.qos,
            retain: false,
            deadline_ms: deadline_ms(self.wall_ms(), retention_s, 0),
            expires_ms: 0,
            absent: self.seat.space.customs.messages,
            message: None,
            from: Some(self.seat.subscriber()),
        };
        let mut round =
            Round { changes: &mut batch.changes, wake: &mut batch.wake, counts: &mut batch.counts };
        outbound.deliver(&way.targets, &mut round);
    }
}
