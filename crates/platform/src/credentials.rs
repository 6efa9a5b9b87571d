//! Tokens and API keys: how they are made, and how they are recognised again.
//!
//! Secrets are kept as HMAC-SHA-256 under the installation's own key, bound to the identity they belong to, so that
//! equal tokens of two devices do not look equal in the store. They are compared in constant time. A reconnect storm
//! costs one short hash per connection; that is why no slow password hash is used: tokens are random, not chosen by
//! people.

use domain::{DeviceId, OrgId, Secret};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Fills a buffer with the operating system's randomness; given by whoever runs the platform.
pub type Entropy = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// Length of the installation's key, in bytes.
pub(crate) const INSTALLATION_KEY_BYTES: usize = 32;

const TOKEN_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*?!@()+&$";
const NAME_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const ACCESS_TOKEN_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ACCESS_TOKEN_CHARS: usize = 20;
const PRODUCT_KEY_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=";
const PRODUCT_KEY_CHARS: usize = 28;
const REGISTER_CODE_CHARS: usize = 16;
const TOKEN_CHARS: usize = 18;
const KEY_CHARS: usize = 10;

/// Who a secret belongs to. It is part of what is hashed.
#[derive(Clone, Copy)]
pub(crate) enum Holder<'a> {
    /// A device; its id survives every rename.
    Device(DeviceId),
    /// An API key.
    Key(&'a str),
}

/// Makes and checks secrets.
pub(crate) struct Credentials {
    entropy: Entropy,
    keyed: Hmac<Sha256>,
}

impl Credentials {
    pub(crate) fn new(entropy: Entropy, installation_key: &[u8; INSTALLATION_KEY_BYTES]) -> Credentials {
        // A key of the hash's block length or less is used as it is, so `new` on the padded block cannot fail.
        let mut block = [0; 64];
        block[..INSTALLATION_KEY_BYTES].copy_from_slice(installation_key);
        let keyed = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        Credentials { entropy, keyed }
    }

    /// What a token of this holder hashes to.
    pub(crate) fn secret(&self, holder: Holder<'_>, token: &[u8]) -> Secret {
        let mut mac = self.keyed.clone();
        match holder {
            Holder::Device(id) => {
                mac.update(b"device\0");
                mac.update(&id.0.to_le_bytes());
            }
            Holder::Key(key) => {
                mac.update(b"key\0");
                mac.update(key.as_bytes());
                mac.update(b"\0");
            }
        }
        mac.update(token);
        Secret(mac.finalize().into_bytes().into())
    }

    /// Whether the token is the holder's. Without an expected secret the same work is done and the answer is no, so
    /// that the time taken does not tell whether the holder exists.
    pub(crate) fn proves(&self, holder: Holder<'_>, token: &[u8], expected: Option<&Secret>) -> bool {
        let shown = self.secret(holder, token);
        let known = u8::from(expected.is_some());
        let expected = expected.map_or([0; 32], |it| it.0);
        bool::from(shown.0.ct_eq(&expected) & known.ct_eq(&1))
    }

    /// A keyed hash under which what the wire shows of a login is looked up.
    pub(crate) fn finder(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(b"login\0");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// A secret derived from the installation's key.
    pub(crate) fn derived(&self, purpose: &str) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(b"purpose\0");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A ThingsBoard access token: 20 letters and digits (spec thingsboard 1).
    pub(crate) fn access_token(&self) -> String {
        random_text(&self.entropy, ACCESS_TOKEN_ALPHABET, ACCESS_TOKEN_CHARS)
    }

    /// A key of a product: 28 letters, digits and `=` (spec onenet 0.6).
    pub(crate) fn product_key(&self) -> String {
        random_text(&self.entropy, PRODUCT_KEY_ALPHABET, PRODUCT_KEY_CHARS)
    }

    /// A product's register code: 16 letters and digits (spec onenet 0.6).
    pub(crate) fn register_code(&self) -> String {
        random_text(&self.entropy, ACCESS_TOKEN_ALPHABET, REGISTER_CODE_CHARS)
    }

    /// A number of nine digits, for a product or device: it fits the buffers of firmware, and does not tell how many
    /// there are.
    pub(crate) fn number(&self) -> u32 {
        let mut bytes = [0; 8];
        (self.entropy)(&mut bytes);
        100_000_000 + (u64::from_le_bytes(bytes) % 900_000_000) as u32
    }

    /// A device's or key's token: 18 characters of letters, digits and `-_*?!@()+&$` (spec watson 1.2), 111 bits.
    pub(crate) fn token(&self) -> String {
        random_text(&self.entropy, TOKEN_ALPHABET, TOKEN_CHARS)
    }

    /// An API key, `a-{org}-` and ten characters (spec watson 1.2).
    pub(crate) fn key(&self, org: OrgId) -> String {
        format!("a-{org}-{}", random_text(&self.entropy, NAME_ALPHABET, KEY_CHARS))
    }

    /// Six characters that might be an organisation's id.
    pub(crate) fn org(&self) -> String {
        random_text(&self.entropy, NAME_ALPHABET, 6)
    }
}

/// The organisation that an API key names: SDKs and servers alike cut it out of `a-{org}-{random}` (spec watson 1.1).
pub fn org_of_key(key: &str) -> Option<OrgId> {
    let (org, rest) = key.strip_prefix("a-")?.split_once('-')?;
    if rest.is_empty() { None } else { OrgId::parse(org) }
}

fn random_text(entropy: &Entropy, alphabet: &[u8], chars: usize) -> String {
    // Bytes past the last whole multiple of the alphabet are thrown away: every character is equally likely.
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(chars);
    let mut bytes = [0; 64];
    while text.len() < chars {
        entropy(&mut bytes);
        let picks = bytes.iter().map(|it| usize::from(*it)).filter(|it| *it < fair);
        let left = chars - text.len();
        text.extend(picks.take(left).map(|it| char::from(alphabet[it % alphabet.len()])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::entropy;

    #[test]
    fn tokens_and_keys_have_the_shape_that_sdks_expect() {
        let credentials = Credentials::new(entropy(), &[7; 32]);
        let org = OrgId::parse("abc123").expect("a valid id");
        let token = credentials.token();
        assert_eq!(token.len(), 18);
        assert!(token.bytes().all(|it| TOKEN_ALPHABET.contains(&it)), "{token}");
        assert_ne!(token, credentials.token());
        let (key, code) = (credentials.product_key(), credentials.register_code());
        assert_eq!((key.len(), code.len()), (28, 16));
        assert!(key.bytes().all(|it| PRODUCT_KEY_ALPHABET.contains(&it)), "{key}");
        assert!(code.bytes().all(|it| it.is_ascii_alphanumeric()), "{code}");
        assert!((100_000_000..1_000_000_000).contains(&credentials.number()));
        let key = credentials.key(org);
        assert_eq!((key.len(), org_of_key(&key)), (19, Some(org)), "{key}");
        for wrong in ["", "a-", "a-abc123", "a-abc123-", "b-abc123-x", "a-ABC123-x", "a-abc1234-x"] {
            assert_eq!(org_of_key(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_belongs_to_one_holder_one_token_and_one_installation() {
        let credentials = Credentials::new(entropy(), &[7; 32]);
        let device = Holder::Device(DeviceId(1));
        let secret = credentials.secret(device, b"token");
        assert!(credentials.proves(device, b"token", Some(&secret)));
        assert!(!credentials.proves(device, b"Token", Some(&secret)));
        assert!(!credentials.proves(Holder::Device(DeviceId(2)), b"token", Some(&secret)));
        assert!(!credentials.proves(Holder::Key("a-abc123-x"), b"token", Some(&secret)));
        assert!(!credentials.proves(device, b"token", None));
        assert!(!Credentials::new(entropy(), &[8; 32]).proves(device, b"token", Some(&secret)));
    }
}
