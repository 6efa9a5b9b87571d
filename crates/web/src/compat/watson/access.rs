//! Who asks: HTTP Basic with an API key and its token (spec watson 5.1, E9).
//!
//! A handler that needs a [`Caller`] cannot run without one. The organisation is the key's; a `Host` that names
//! another existing organisation in its first label is refused.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{Claim, Code, Identity, OrgId, Refusal};
use platform::{Platform, org_of_key};

use super::Watson;
use super::reply::Refused;

/// Who asks, once the token was right.
pub(super) struct Caller {
    /// The organisation that the request is about.
    pub(super) org: OrgId,
    /// The API key it came with.
    pub(super) key: String,
}

impl FromRequestParts<Watson> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, watson: &Watson) -> Result<Caller, Refused> {
        let platform = &watson.shared.platform;
        let (key, token) = credentials(&parts.headers)?;
        let org = admit(platform, &key, &token)?;
        let named = parts.uri.host().or_else(|| parts.headers.get(HOST)?.to_str().ok());
        match named.and_then(org_of_host).filter(|it| *it != org) {
            Some(other) if platform.org(other).is_some() => {
                let hint = format!("The API key belongs to the organisation {org}, not to {other}.");
                Err(Refused::new(Code::OrgMismatch, hint))
            }
            _ => Ok(Caller { org, key }),
        }
    }
}

fn admit(platform: &Platform, key: &str, token: &str) -> Result<OrgId, Refusal> {
    let Some(org) = org_of_key(key) else {
        let hint = "The user of the request is not an API key of the form a-{org}-….";
        return Err(Refusal::new(Code::KeyUnknown, hint));
    };
    let identity = Identity::Application { app: "http", key };
    let peer = platform.admit(&Claim { org: org.as_str(), identity, token: token.as_bytes() }, key)?;
    if !peer.rights().is_everything() {
        let hint =
            format!("The API key {key} is for some topics only; the HTTP API takes keys without such rules.");
        return Err(Refusal::new(Code::NotAllowed, hint));
    }
    Ok(org)
}

/// User and password of the `Authorization` header.
fn credentials(headers: &HeaderMap) -> Result<(String, String), Refusal> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err(Refusal::new(Code::TokenWrong, "The request shows no API key and token."));
    };
    let malformed = || Refusal::new(Code::Malformed, "The Authorization header cannot be read.");
    let (scheme, rest) = header.to_str().ok().and_then(|it| it.split_once(' ')).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refusal::new(Code::NotAllowed, "Basic authorisation with API key and token is wanted."));
    }
    let bytes = STANDARD.decode(rest.trim()).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let (user, password) = text.split_once(':').ok_or_else(malformed)?;
    Ok((user.to_owned(), password.to_owned()))
}

fn org_of_host(host: &str) -> Option<OrgId> {
    OrgId::parse(host.split(['.', ':']).next()?)
}
