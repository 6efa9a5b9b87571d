//! Requests that wait for a registration slot (spec watson 2.7).
//!
//! They wait in the order they came, and later messages of the same device wait behind them; everything else of the
//! connection goes on. The list is bounded: when it is full the connection stops reading, and TCP tells the gateway.

use std::collections::VecDeque;

use domain::{Millis, QoS};
use store::Ticket;

use super::batch::Why;
use super::publish::{Inbound, Source};
use super::replay::Wanted;
use crate::limits;

/// What waits.
#[derive(Default)]
pub(crate) struct Parked {
    /// Nearly always nothing.
    line: Option<Box<Line>>,
    /// When to try again.
    pub(crate) until: Ticket,
}

#[derive(Default)]
struct Line {
    list: VecDeque<Request>,
    bytes: usize,
}

/// A request that waits.
pub(crate) enum Request {
    Publish(Box<HeldPublish>),
    /// A SUBSCRIBE or UNSUBSCRIBE as it came, and what has been decided of it.
    Filters {
        packet: Vec<u8>,
        decided: Decided,
    },
}

/// A PUBLISH that waits.
pub(crate) struct HeldPublish {
    /// The device it is about, as `type/name`.
    pub(crate) device: String,
    pub(crate) topic: String,
    pub(crate) headers: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) packet_id: u16,
    /// When it expires by its publisher's word; 0 = never.
    pub(crate) expires_ms: Millis,
    /// The packet id has to be noted together with the message (QoS 2 of a durable session).
    pub(crate) keep_receive: bool,
}

impl HeldPublish {
    /// The same as it came.
    pub(crate) fn inbound(&self) -> Inbound<'_> {
        Inbound {
            topic: &self.topic,
            headers: &self.headers,
            payload: &self.payload,
            qos: self.qos,
            retain: self.retain,
            source: Source::Client,
            packet_id: self.packet_id,
            expires_ms: self.expires_ms,
        }
    }
}

/// The filters of a SUBSCRIBE that have been decided, in order.
#[derive(Default)]
pub(crate) struct Decided {
    /// A code for each.
    pub(crate) codes: Vec<u8>,
    /// What is wanted of the retained messages.
    pub(crate) retained: Vec<Wanted>,
    /// Why one was refused.
    pub(crate) why: Why,
}

impl Request {
    fn cost_bytes(&self) -> usize {
        size_of::<Request>()
            + match self {
                Request::Publish(it) => {
                    size_of::<HeldPublish>()
                        + it.device.len()
                        + it.topic.len()
                        + it.headers.len()
                        + it.payload.len()
                }
                Request::Filters { packet, decided } => {
                    packet.len()
                        + decided.codes.len()
                        + decided.why.cost_bytes()
                        + decided.retained.iter().map(|it| it.route.len()).sum::<usize>()
                }
            }
    }
}

impl Parked {
    fn requests(&self) -> impl Iterator<Item = &Request> {
        self.line.iter().flat_map(|it| &it.list)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_none()
    }

    /// Whether reading has to pause.
    pub(crate) fn is_full(&self) -> bool {
        let is_full =
            |it: &Line| it.list.len() >= limits::PARKED_COUNT_MAX || it.bytes >= limits::PARKED_BYTES_MAX;
        self.line.as_deref().is_some_and(is_full)
    }

    /// Whether a message of this device (`type/name`) waits, so that the next one has to wait behind it.
    pub(crate) fn holds(&self, wanted: &str) -> bool {
        self.requests().any(|it| matches!(it, Request::Publish(it) if it.device == wanted))
    }

    /// Whether a SUBSCRIBE or UNSUBSCRIBE waits, so that the next one has to wait behind it.
    pub(crate) fn holds_filters(&self) -> bool {
        self.requests().any(|it| matches!(it, Request::Filters { .. }))
    }

    pub(crate) fn push(&mut self, request: Request) {
        let line = self.line.get_or_insert_default();
        line.bytes += request.cost_bytes();
        line.list.push_back(request);
    }

    /// Puts a request back to the front: it has to wait on.
    pub(crate) fn push_front(&mut self, request: Request) {
        let line = self.line.get_or_insert_default();
        line.bytes += request.cost_bytes();
        line.list.push_front(request);
    }

    pub(crate) fn pop(&mut self) -> Option<Request> {
        let line = self.line.as_deref_mut()?;
        let request = line.list.pop_front()?;
        line.bytes -= request.cost_bytes();
        self.line.take_if(|it| it.list.is_empty());
        Some(request)
    }

    /// The packet id of the newest request must be noted together with its message. False when it is another one.
    pub(crate) fn keep_receive_with_last(&mut self, id: u16) -> bool {
        match self.line.as_deref_mut().and_then(|it| it.list.back_mut()) {
            Some(Request::Publish(it)) if it.packet_id == id => {
                it.keep_receive = true;
                true
            }
            _ => false,
        }
    }
}
