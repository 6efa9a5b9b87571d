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
