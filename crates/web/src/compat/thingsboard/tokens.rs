//! The tokens that a login gives: JWTs signed with a secret of the installation (spec thingsboard 11.1).
//!
//! A token names its API key and when that was made. Whoever shows one is looked up again, so that a token is worth
//! nothing once its key is gone. Times are arguments.

use dialects::thingsboard::http::{Authority, NOBODY, Uuid};
use domain::{ApiKey, Millis};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::limits::{THINGSBOARD_REFRESH_S, THINGSBOARD_TOKEN_S};

const ISSUER: &str = "thingsboard.io";
/// The scope of tokens that are good for new ones only.
const REFRESH: &str = "REFRESH_TOKEN";

/// Signs tokens and reads them back.
pub(super) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Asking.
    Access,
    /// Getting new tokens.
    Refresh,
}

/// Why a token is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worthless {
    /// It is not one of ours, or not for this.
    Wrong,
    /// Its time is over.
    Expired,
}

/// Two tokens of one login, as they are answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pair {
    token: String,
    refresh_token: String,
    scope: Option<String>,
}

/// What stands in a token.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    sub: String,
    user_id: String,
    scopes: Vec<String>,
    session_id: String,
    iss: String,
    iat: u64,
    exp: u64,
    enabled: bool,
    is_public: bool,
    tenant_id: String,
    customer_id: String,
    /// When the key was made: a later key of the same name is another one.
    key_created_ms: Millis,
}

/// The key that a token names.
pub(super) struct Named {
    pub(super) key: String,
    pub(super) created_ms: Millis,
}

impl Tokens {
    pub(super) fn new(secret: &[u8]) -> Tokens {
        let mut validation = Validation::new(Algorithm::HS512);
        validation.set_issuer(&[ISSUER]);
        // The library would read the clock; the time is compared here.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Tokens { encoding, decoding, validation }
    }

    /// The tokens of a login.
    pub(super) fn pair(&self, key: &ApiKey, authority: Authority, now_ms: Millis) -> Pair {
        Pair {
            token: self.sign(key, authority, Use::Access, now_ms),
            refresh_token: self.sign(key, authority, Use::Refresh, now_ms),
            scope: None,
        }
    }

    fn sign(&self, key: &ApiKey, authority: Authority, of: Use, now_ms: Millis) -> String {
        let now_s = now_ms / 1_000;
        let (scope, life_s) = match of {
            Use::Access => (authority.name(), THINGSBOARD_TOKEN_S),
            Use::Refresh => (REFRESH, THINGSBOARD_REFRESH_S),
        };
        let customer = match authority {
            Authority::Tenant => NOBODY,
            Authority::Customer => Uuid::of_customer(key.org, &key.key),
        };
        let user = Uuid::of_user(key.org, &key.key).to_string();
        let claims = Claims {
            sub: key.key.clone(),
            session_id: format!("{user}-{now_ms}"),
            user_id: user,
            scopes: vec![scope.to_owned()],
            iss: ISSUER.to_owned(),
            iat: now_s,
            exp: now_s + life_s,
            enabled: true,
            is_public: false,
            tenant_id: Uuid::of_org(key.org).to_string(),
            customer_id: customer.to_string(),
            key_created_ms: key.created_ms,
        };
        // A MAC over texts and numbers: there is nothing in it that could fail.
        jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &self.encoding).unwrap_or_default()
    }

    /// The key that a token names, if the token is good for this.
    pub(super) fn read(&self, token: &str, of: Use, now_ms: Millis) -> Result<Named, Worthless> {
        let read = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation);
        let claims = read.map_err(|_| Worthless::Wrong)?.claims;
        let is_refresh = claims.scopes.iter().any(|it| it == REFRESH);
        if is_refresh != (of == Use::Refresh) {
            return Err(Worthless::Wrong);
        }
        if claims.exp <= now_ms / 1_000 {
            return Err(Worthless::Expired);
        }
        Ok(Named { key: claims.sub, created_ms: claims.key_created_ms })
    }
}
