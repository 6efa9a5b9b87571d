//! Who came and who went: what the server tells whoever monitors an organisation. The dialect finds the words; a client
//! that was refused is told of at the door, with the same facts.

use domain::notice::PresenceChange;
use domain::{Peer, Presence};
use mqtt::Version;

use super::{Connection, Origin};

impl Connection {
    /// Tells whoever monitors the organisation that this client came or went.
    pub(super) fn announce(&self, change: PresenceChange) {
        let client_addr = self.origin.remote.ip().to_string();
        let base = presence(change, self.origin, self.version, &self.peer, self.connected_ms);
        let presence = Presence { client_addr: &client_addr, at_ms: self.worker.hub.clock.wall_ms(), ..base };
        if let Some(announcement) = self.dialect.presence(&self.peer, &presence) {
            self.worker.hub.announce(&self.seat.space, &announcement);
        }
    }
}

/// A presence with everything but the time and the address.
pub(super) fn presence<'a>(
    change: PresenceChange,
    origin: Origin,
    version: Version,
    peer: &'a Peer,
    connected_ms: u64,
) -> Presence<'a> {
    Presence {
        change,
        at_ms: connected_ms,
        client_addr: "",
        client_id: peer.client_id(),
        port: origin.port,
        secure: origin.secure,
        protocol: match version {
            Version::V31 if origin.websocket => "mqtt3-ws",
            Version::V311 if origin.websocket => "mqtt4-ws",
            Version::V5 if origin.websocket => "mqtt5-ws",
            Version::V31 => "mqtt3",
            Version::V311 => "mqtt4",
            Version::V5 => "mqtt5",
        },
        user: match peer {
            Peer::Application { key, .. } => Some(key),
            Peer::Device { .. } | Peer::Anonymous { .. } => None,
        },
        connected_ms,
    }
}
