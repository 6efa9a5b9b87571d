//! What proves an identity. Secrets are kept only as keyed hashes and never printed.

use std::fmt;
use std::sync::Arc;

use crate::{Millis, OrgId, Rights};

/// A keyed hash (HMAC-SHA-256 under the installation's key) of a token. Compare in constant time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A credential by which a device is found without being named, as ThingsBoard's devices come (spec thingsboard 2.2).
/// Kept as it is, because that platform's API shows it to whoever may see the device.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A token, which is the user name.
    AccessToken(String),
    /// Client id, user name, or both; with both or the user name alone there may be a password.
    Basic {
        /// The client id.
        client_id: Option<String>,
        /// The user name.
        user: Option<String>,
        /// The password.
        password: Option<String>,
    },
    /// A certificate that the device shows when it connects over TLS.
    Certificate {
        /// The certificate: its DER in base64, without line breaks.
        body: String,
    },
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::AccessToken(_) => "AccessToken(…)",
            Login::Basic { .. } => "Basic(…)",
            Login::Certificate { .. } => "Certificate(…)",
        })
    }
}

/// An application's credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The organisation it opens.
    pub org: OrgId,
    /// The public half, `a-{org}-{random}` (spec watson 1.2).
    pub key: String,
    /// What its token hashes to.
    pub secret: Secret,
    /// What it is for, in the words of whoever made it.
    pub comment: String,
    /// When it was made.
    pub created_ms: Millis,
    /// What clients that come with it may do.
    pub rights: Arc<Rights>,
}
