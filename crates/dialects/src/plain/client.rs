//! Credentials: what a CONNECT says about who sent it, and what its sessions are known by.
//!
//! The client id says nothing here; it only tells the sessions of one identity apart.

use domain::{Claim, Code, Identity, Peer, Refusal};
use mqtt::Version;
use mqtt::packet::Connect;

use super::Anonymous;
use crate::limits::PLAIN_CLIENT_ID_BYTES_MAX;
use crate::user::{certified, device, org_of_key};
use crate::{Claimed, Hello, Place, Recognition, SessionRule};

/// Stands between identity and client id in a session's key. Neither names nor keys hold control characters.
const SEPARATOR: char = '\t';

/// Reads a CONNECT. A user name of no form of ours that comes without a password is some other platform's token.
pub(super) fn recognise<'a>(anonymous: Anonymous, hello: &Hello<'_, 'a>) -> Recognition<'a> {
    let (user, password) = (hello.connect.username.unwrap_or_default(), hello.connect.password);
    let is_ours = org_of_key(user).is_some() || device(user).is_some();
    if !user.is_empty() && !is_ours && password.is_none_or(<[u8]>::is_empty) {
        return Recognition::Unknown;
    }
    claim(anonymous, hello).map_or_else(Recognition::Refused, Recognition::Claimed)
}

fn claim<'a>(anonymous: Anonymous, hello: &Hello<'_, 'a>) -> Result<Claimed<'a>, Refusal> {
    let connect = hello.connect;
    check_client_id(connect)?;
    let token = connect.password.unwrap_or_default();
    let claim = match connect.username.unwrap_or_default() {
        "" if token.is_empty() => match hello.certificate.and_then(certified) {
            Some((org, class, name)) => Claim { org, identity: Identity::Certified { class, name }, token },
            None => nobody(anonymous, hello.from)?,
        },
        user => {
            if let Some(org) = org_of_key(user) {
                Claim { org, identity: Identity::Application { app: connect.client_id, key: user }, token }
            } else if let Some((org, name)) = device(user) {
                Claim { org, identity: Identity::Device { class: None, name }, token }
            } else {
                let hint = "The user name is neither an API key (\"a-abc123-0123456789\") nor a device's \
                            organisation, type and name (\"abc123/pump/p1\").";
                return Err(Refusal::new(Code::KeyUnknown, hint));
            }
        }
    };
    Ok(Claimed { claim, session: SessionRule::Takeover, share: None, keep_alive_s: None })
}

fn nobody(anonymous: Anonymous, from: Place) -> Result<Claim<'static>, Refusal> {
    let hint = match (anonymous, from) {
        (Anonymous::Everybody, _) | (Anonymous::Here, Place::Here) => {
            return Ok(Claim { org: "", identity: Identity::Anonymous, token: b"" });
        }
        (Anonymous::Here, Place::Elsewhere) => {
            "Clients without user name and password are let in from this machine only. Log in with an API key or as \
             a device."
        }
        (Anonymous::Nobody, _) => {
            "Clients without user name and password are not let in. Log in with an API key or as a device \
             (\"abc123/pump/p1\"), or allow it with the setting plain.anonymous."
        }
    };
    Err(Refusal::new(Code::NotAllowed, hint))
}

/// An empty client id asks the server for one: before 5.0 only for a session that ends with the connection
/// [MQTT-3.1.3-7], and before 3.1.1 not at all.
fn check_client_id(connect: &Connect<'_>) -> Result<(), Refusal> {
    let may_be_empty = match connect.version {
        Version::V31 => false,
        Version::V311 => connect.clean_start,
        Version::V5 => true,
    };
    let hint = match connect.client_id.len() {
        0 if may_be_empty => return Ok(()),
        0 => "The client id is empty. Choose one, or ask for a clean session.".to_owned(),
        1..=PLAIN_CLIENT_ID_BYTES_MAX => return Ok(()),
        bytes => {
            format!("The client id has {bytes} bytes; at most {PLAIN_CLIENT_ID_BYTES_MAX} are taken.")
        }
    };
    Err(Refusal::new(Code::ClientIdInvalid, hint))
}

/// Identity and client id. Two identities never share a session, whatever client ids they choose; all anonymous clients
/// are one identity. A device is known by its permanent id: one that is registered again is another device.
pub(super) fn session_key(peer: &Peer) -> String {
    let client_id = peer.client_id();
    match peer {
        Peer::Device { id, .. } => format!("device {}{SEPARATOR}{client_id}", id.0),
        Peer::Application { key, .. } => format!("key {key}{SEPARATOR}{client_id}"),
        Peer::Anonymous { .. } => format!("anonymous{SEPARATOR}{client_id}"),
    }
}
