//! Whose client is this: devices come with a login and say neither organisation nor name (spec thingsboard 2.2).

use domain::{Claim, DeviceId, Identity, Peer};

use super::provision;
use crate::limits::THINGSBOARD_NEWCOMER_KEEP_ALIVE_S_MAX;
use crate::{Claimed, Hello, Recognition, SessionRule};

/// Whatever has a user name or a client id may be ours: only the registry knows its logins.
pub(super) fn recognise<'a>(hello: &Hello<'_, 'a>) -> Recognition<'a> {
    let connect = hello.connect;
    let user = connect.username.unwrap_or_default();
    if provision::is_name(user, connect.client_id) && connect.password.is_none_or(<[u8]>::is_empty) {
        return Recognition::Perhaps(Claimed {
            claim: Claim { org: "", identity: Identity::Newcomer, token: b"" },
            session: SessionRule::Fresh,
            share: None,
            keep_alive_s: Some(1..=THINGSBOARD_NEWCOMER_KEEP_ALIVE_S_MAX),
        });
    }
    // Who shows a certificate is whom it stands for, or nobody: user name and password are not looked at.
    let claim = match hello.fingerprint {
        Some(fingerprint) => Claim { org: "", identity: Identity::Certificate { fingerprint }, token: b"" },
        None => Claim {
            org: "",
            identity: Identity::Login { user, client_id: connect.client_id },
            token: connect.password.unwrap_or_default(),
        },
    };
    Recognition::Perhaps(Claimed { claim, session: SessionRule::Takeover, share: None, keep_alive_s: None })
}

/// One session for each device, whatever client ids its connections have (spec 2.4): two devices with one client id do
/// not disturb each other, a second connection of one device takes over.
pub(super) fn session_key(peer: &Peer) -> String {
    match peer.device_id() {
        Some(device) => door_key(device),
        // A newcomer: whatever is not admitted by a login.
        None => format!("client {}", peer.client_id()),
    }
}

/// The key of a device's one session.
pub(super) fn door_key(device: DeviceId) -> String {
    device.0.to_string()
}
