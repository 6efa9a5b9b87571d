//! What a peer asks: first to be let in (a claim), then to be heard.

use crate::{Class, DeviceId, DeviceName, OrgId};

/// What a CONNECT asks for, as its dialect reads it. The registry decides about it, because only it knows secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The organisation, as it was written; it need not exist.
    pub org: &'a str,
    /// Who the peer says it is.
    pub identity: Identity<'a>,
    /// The token it proves that with.
    pub token: &'a [u8],
}

/// Who a peer says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// A device or gateway.
    Device {
        /// Which of the two it says it is.
        class: Class,
        /// Its wire name.
        name: DeviceName<'a>,
    },
    /// An application.
    Application {
        /// The application's name; any name will do.
        app: &'a str,
        /// The API key it shows.
        key: &'a str,
    },
}

/// Who a peer is, once admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A device or gateway.
    Device {
        /// Its organisation.
        org: OrgId,
        /// Its permanent id.
        id: DeviceId,
        /// Whether it may speak for others.
        class: Class,
        /// The name of its type.
        device_type: String,
        /// Its name within the type.
        name: String,
        /// Its client id on the wire: how registrations and notifications name it.
        client_id: String,
    },
    /// An application.
    Application {
        /// Its organisation.
        org: OrgId,
        /// The application's name.
        app: String,
        /// The API key it came with.
        key: String,
        /// Its client id on the wire.
        client_id: String,
    },
}

impl Peer {
    /// The organisation the peer belongs to.
    pub fn org(&self) -> OrgId {
        match self {
            Peer::Device { org, .. } | Peer::Application { org, .. } => *org,
        }
    }

    /// The client id it came with.
    pub fn client_id(&self) -> &str {
        match self {
            Peer::Device { client_id, .. } | Peer::Application { client_id, .. } => client_id,
        }
    }

    /// The wire name of a device or gateway.
    pub fn device_name(&self) -> Option<DeviceName<'_>> {
        match self {
            Peer::Device { device_type, name, .. } => Some(DeviceName { device_type, name }),
            Peer::Application { .. } => None,
        }
    }

    /// Whether the peer may speak for others.
    pub fn is_gateway(&self) -> bool {
        matches!(self, Peer::Device { class: Class::Gateway, .. })
    }
}
