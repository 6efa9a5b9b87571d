//! What a client has to remember between two connections.

use std::collections::{BTreeSet, VecDeque};

use super::{Fault, Message};

/// What a client remembers of a session: its own messages that are not done, and the QoS 2 messages it has taken and
/// the server has not let go of.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub(super) unacked: VecDeque<Unacked>,
    pub(super) received: BTreeSet<u16>,
    last_packet_id: u16,
}

/// A message of ours at QoS 1 or 2 that is not done.
#[derive(Clone, Debug)]
pub(super) struct Unacked {
    pub(super) packet_id: u16,
    pub(super) stage: Stage,
}

/// How far it got.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Sent; PUBACK or PUBREC is awaited.
    Published(Message),
    /// The server has it (PUBREC); PUBCOMP is awaited.
    Released,
}

impl Session {
    /// Our messages that are not done and may have to be sent again, in the order they were sent.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &Message> {
        self.unacked.iter().filter_map(|it| match &it.stage {
            Stage::Published(message) => Some(message),
            Stage::Released => None,
        })
    }

    /// A packet id that is not in use.
    pub(super) fn next_packet_id(&mut self) -> Result<u16, Fault> {
        for _ in 0..u16::MAX {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            if !self.unacked.iter().any(|it| it.packet_id == self.last_packet_id) {
                return Ok(self.last_packet_id);
            }
        }
        Err(Fault::Full)
    }

    pub(super) fn sent(&mut self, message: Message) {
        self.unacked.push_back(Unacked { packet_id: message.packet_id, stage: Stage::Published(message) });
    }

    pub(super) fn released(&mut self, packet_id: u16) {
        if let Some(it) = self.unacked.iter_mut().find(|it| it.packet_id == packet_id) {
            it.stage = Stage::Released;
        }
    }

    /// Forgets a message; false when there was none.
    pub(super) fn done(&mut self, packet_id: u16) -> bool {
        let at = self.unacked.iter().position(|it| it.packet_id == packet_id);
        at.and_then(|it| self.unacked.remove(it)).is_some()
    }

    /// The server knows nothing of the session: what it had taken is done, what it had sent may come anew.
    pub(super) fn forget_server_side(&mut self) {
        self.unacked.retain(|it| matches!(it.stage, Stage::Published(_)));
        self.received.clear();
    }
}
