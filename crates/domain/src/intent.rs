//! What a peer asks: first to be let in (a claim), then to be heard (intents).

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::attribute::Wanted;
use crate::{
    Class, CommandId, Device, DeviceId, DeviceName, Millis, OrgId, PackageKind, Points, ProvisionRequest,
    Rights,
};

/// What a CONNECT asks for, as its dialect reads it. The registry decides about it, because only it knows secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The organisation, as it was written; it need not exist. Ignored for anonymous peers, for logins and for
    /// numbers, which say nothing of it.
    pub org: &'a str,
    /// Who the peer says it is.
    pub identity: Identity<'a>,
    /// The token it proves that with, where that is left to do.
    pub token: &'a [u8],
}

/// Who a peer says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// A device or gateway.
    Device {
        /// Which of the two it says it is; `None` where the dialect does not tell them apart.
        class: Option<Class>,
        /// Its wire name.
        name: DeviceName<'a>,
    },
    /// A device or gateway that nothing is left to prove of: a client certificate, found good, names it with its
    /// organisation.
    Certified {
        /// Which of the two the certificate says it is.
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
    /// A device that does not say its name: its [`Login`](crate::Login) finds it. The token is its password.
    Login {
        /// The user name; an empty one is none.
        user: &'a str,
        /// The client id.
        client_id: &'a str,
    },
    /// A device that does not say its name and has shown a certificate, whose key it has: the
    /// [`Login`](crate::Login) of that fingerprint is its. Nobody vouches for what the certificate says.
    Certificate {
        /// What finds the certificate.
        fingerprint: [u8; 32],
    },
    /// A device that comes by numbers, as OneNET's do (spec onenet 3.3). The token is its own password, its product's
    /// master key, or a key of the product that is good for it.
    Numbered {
        /// The product's number, as it was written.
        product: &'a str,
        /// The device's number, as it was written.
        device: &'a str,
    },
    /// A device without a login, which comes to get one ([`Intent::Provision`]).
    Newcomer,
    /// Nobody in particular.
    Anonymous,
}

/// Whom a device or gateway speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose<'a> {
    /// Itself.
    Own,
    /// A device behind it, by its name in the organisation.
    Child(&'a str),
}

/// What a message asks for, where that stands in its payload: one message may be of many devices.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent<'a> {
    /// From now on the gateway is the door of this device, which is registered if nobody knows it.
    Attach {
        /// The device's name.
        child: &'a str,
        /// The type it gets if it is new; `None`: the default one.
        device_type: Option<&'a str>,
    },
    /// The gateway is the door of this device no longer.
    Detach {
        /// The device's name.
        child: &'a str,
    },
    /// The device has measured something.
    Telemetry {
        /// Which device.
        whose: Whose<'a>,
        /// When; `None`: now.
        at_ms: Option<Millis>,
        /// What.
        points: Points,
    },
    /// The device has bytes to keep that are no value.
    Binary {
        /// Which device.
        whose: Whose<'a>,
        /// When; `None`: now.
        at_ms: Option<Millis>,
        /// The key of the point that says where they are kept.
        key: &'a str,
        /// What it says about them: a JSON text.
        description: Option<&'a str>,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The device says what is so about it.
    Attributes {
        /// Which device.
        whose: Whose<'a>,
        /// What.
        points: Points,
    },
    /// The device wants to know attributes.
    Ask {
        /// Which device.
        whose: Whose<'a>,
        /// The question's number, for the answer.
        id: i64,
        /// Which attributes.
        wanted: &'a Wanted,
    },
    /// The device answers a command.
    Answer {
        /// Which device.
        whose: Whose<'a>,
        /// The command's number.
        id: i64,
        /// What it says: a JSON text, as a rule.
        answer: &'a str,
    },
    /// The device answers the command with this id.
    Response {
        /// Which device.
        whose: Whose<'a>,
        /// The command.
        command: CommandId,
        /// What it says.
        answer: &'a [u8],
    },
    /// The device wants the server to do something.
    Call {
        /// The call's number, for the answer.
        id: i64,
        /// What.
        method: &'a str,
    },
    /// The device wants a part of the package that it is to have.
    Fetch {
        /// Which device.
        whose: Whose<'a>,
        /// Of which package.
        kind: PackageKind,
        /// The number of the part, from 0.
        chunk: u64,
        /// How many bytes a part has; `None`: as many as the last time, or all that may be sent at once.
        size_bytes: Option<NonZeroU64>,
    },
    /// The device may be claimed by whoever knows the secret.
    OpenToClaims {
        /// Which device.
        whose: Whose<'a>,
        /// The secret; an empty one is one too.
        secret: &'a str,
        /// For how long; `None`: as long as the server says.
        duration_ms: Option<Millis>,
    },
    /// A device without a login wants one.
    Provision(&'a ProvisionRequest),
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
        /// What it may do.
        rights: Arc<Rights>,
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
        /// What it may do.
        rights: Arc<Rights>,
    },
    /// Nobody in particular, where the configuration lets such peers in; or a newcomer.
    Anonymous {
        /// The organisation that anonymous peers belong to; of a newcomer [`OrgId::NOWHERE`].
        org: OrgId,
        /// Its client id on the wire.
        client_id: String,
        /// What it may do.
        rights: Arc<Rights>,
    },
}

impl Peer {
    /// Who a device is, once admitted with this client id.
    pub fn of_device(device: &Device, client_id: &str) -> Peer {
        Peer::Device {
            org: device.org,
            id: device.id,
            class: device.class,
            device_type: device.device_type.clone(),
            name: device.name.clone(),
            client_id: client_id.to_owned(),
            rights: device.rights.clone(),
        }
    }

    /// The organisation the peer belongs to.
    pub fn org(&self) -> OrgId {
        match self {
            Peer::Device { org, .. } | Peer::Application { org, .. } | Peer::Anonymous { org, .. } => *org,
        }
    }

    /// The permanent id of a device or gateway.
    pub fn device_id(&self) -> Option<DeviceId> {
        match self {
            Peer::Device { id, .. } => Some(*id),
            Peer::Application { .. } | Peer::Anonymous { .. } => None,
        }
    }

    /// The client id it came with.
    pub fn client_id(&self) -> &str {
        match self {
            Peer::Device { client_id, .. }
            | Peer::Application { client_id, .. }
            | Peer::Anonymous { client_id, .. } => client_id,
        }
    }

    /// The same peer with another client id.
    pub fn with_client_id(mut self, id: &str) -> Peer {
        let (Peer::Device { client_id, .. }
        | Peer::Application { client_id, .. }
        | Peer::Anonymous { client_id, .. }) = &mut self;
        id.clone_into(client_id);
        self
    }

    /// The wire name of a device or gateway.
    pub fn device_name(&self) -> Option<DeviceName<'_>> {
        match self {
            Peer::Device { device_type, name, .. } => Some(DeviceName { device_type, name }),
            Peer::Application { .. } | Peer::Anonymous { .. } => None,
        }
    }

    /// What the peer's credential may do.
    pub fn rights(&self) -> &Rights {
        match self {
            Peer::Device { rights, .. }
            | Peer::Application { rights, .. }
            | Peer::Anonymous { rights, .. } => rights,
        }
    }

    /// Whether the peer may speak for others.
    pub fn is_gateway(&self) -> bool {
        matches!(self, Peer::Device { class: Class::Gateway, .. })
    }
}
