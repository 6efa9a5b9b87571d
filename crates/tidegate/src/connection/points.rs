//! Points that are told one by one to those who are subscribed to them, in dialects whose customs say so.
//!
//! Each is a message on a topic of its own, as if the device had published it there, at the quality of the upload.

use dialects::PointsTold;
use domain::Points;

use super::Connection;
use super::batch::Batch;
use super::publish::{Inbound, Outcome};
use crate::hub::delivery::{Outbound, Round, deadline_ms};

impl Connection {
    /// Tells the points of one message, in their order.
    pub(super) fn tell_points(&mut self, points: &Points, inbound: &Inbound<'_>, batch: &mut Batch) {
        if self.seat.space.customs.points == PointsTold::Never {
            return;
        }
        for (key, value) in points.iter() {
            let Some((topic, payload)) = self.dialect.point(&self.peer, key, value) else { continue };
            let Outcome::Go(way) = self.outcome(&topic) else { continue };
            if way.targets.is_empty() {
                continue;
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
}
