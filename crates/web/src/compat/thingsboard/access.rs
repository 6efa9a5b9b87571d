//! Who asks: `X-Authorization: Bearer` with a token of a login, or `ApiKey` with key and token (spec thingsboard 11.1).
//!
//! A handler that needs a [`Caller`] cannot run without one, and one that needs an [`Administrator`] not with that of a
//! customer. What a caller may see of devices is decided in [`Caller::sees`] and nowhere else.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use dialects::thingsboard::http::{AUTHENTICATION, Authority, HttpRefusal, TOKEN_EXPIRED, Uuid};
use domain::{ApiKey, Claim, Device, Identity, OrgId};
use platform::{Platform, org_of_key};

use super::ThingsBoard;
use super::reply::Refused;
use super::tokens::{Use, Worthless};

/// Who asks, once the token was right.
#[derive(Clone)]
pub(super) struct Caller {
    /// The organisation that the request is about.
    pub(super) org: OrgId,
    /// The API key it came with.
    pub(super) key: ApiKey,
    /// What it is to the organisation.
    pub(super) authority: Authority,
}

/// A caller that administers its organisation.
pub(super) struct Administrator(pub(super) Caller);

impl Caller {
    fn of(platform: &Platform, key: ApiKey) -> Option<Caller> {
        platform.org(key.org).filter(|it| it.enabled)?;
        let authority = if key.rights.is_everything() { Authority::Tenant } else { Authority::Customer };
        Some(Caller { org: key.org, key, authority })
    }

    /// Who has this user name and password.
    pub(super) fn logged_in(platform: &Platform, key: &str, token: &str) -> Result<Caller, Refused> {
        let wrong = || HttpRefusal::unauthorised(AUTHENTICATION, "Invalid username or password");
        let org = org_of_key(key).ok_or_else(wrong)?;
        let identity = Identity::Application { app: "http", key };
        let claim = Claim { org: org.as_str(), identity, token: token.as_bytes() };
        platform.admit(&claim, key).map_err(|_| wrong())?;
        let record = platform.key(org, key).ok_or_else(wrong)?;
        Caller::of(platform, record).ok_or_else(|| wrong().into())
    }

    /// Who shows this token.
    pub(super) fn with_token(of: &ThingsBoard, token: &str, wanted: Use) -> Result<Caller, Refused> {
        let wrong = || HttpRefusal::unauthorised(AUTHENTICATION, "Authentication failed");
        let platform = &of.shared.platform;
        let named = of.tokens.read(token, wanted, of.shared.now_ms()).map_err(|it| match it {
            Worthless::Wrong => wrong(),
            Worthless::Expired => HttpRefusal::unauthorised(TOKEN_EXPIRED, "Token has expired"),
        })?;
        let org = org_of_key(&named.key).ok_or_else(wrong)?;
        let record = platform.key(org, &named.key).filter(|it| it.created_ms == named.created_ms);
        record.and_then(|it| Caller::of(platform, it)).ok_or_else(|| wrong().into())
    }

    /// Whether what the caller came with is still good.
    pub(super) fn is_current(&self, platform: &Platform) -> bool {
        let known = platform.key(self.org, &self.key.key).and_then(|it| Caller::of(platform, it));
        known.is_some_and(|it| it.key.created_ms == self.key.created_ms && it.authority == self.authority)
    }

    /// A device that the caller may see.
    pub(super) fn device(&self, platform: &Platform, id: &str) -> Result<Arc<Device>, Refused> {
        let uuid = uuid(id)?;
        let device = uuid.device().and_then(|it| platform.device_by_id(self.org, it));
        self.seen(platform, device)
    }

    /// The device of a name, if the caller may see it.
    pub(super) fn device_named(&self, platform: &Platform, name: &str) -> Result<Arc<Device>, Refused> {
        self.seen(platform, platform.device_named(self.org, name))
    }

    /// Whether a device is the caller's to see.
    pub(super) fn sees(&self, platform: &Platform, device: &Device) -> bool {
        match self.authority {
            Authority::Tenant => true,
            Authority::Customer => {
                platform.assigned(self.org, device.id).is_some_and(|it| *it == *self.key.key)
            }
        }
    }

    fn seen(&self, platform: &Platform, device: Option<Arc<Device>>) -> Result<Arc<Device>, Refused> {
        let device = device.ok_or_else(HttpRefusal::not_found)?;
        if !self.sees(platform, &device) {
            return Err(denied());
        }
        Ok(device)
    }
}

impl Administrator {
    fn of(caller: Caller) -> Result<Administrator, Refused> {
        match caller.authority {
            Authority::Tenant => Ok(Administrator(caller)),
            Authority::Customer => Err(denied()),
        }
    }
}

fn denied() -> Refused {
    HttpRefusal::denied("You don't have permission to perform this operation!").into()
}

/// A UUID of a path or query.
pub(super) fn uuid(text: &str) -> Result<Uuid, Refused> {
    Uuid::parse(text).ok_or_else(|| HttpRefusal::bad(format!("Invalid UUID string: {text}")).into())
}

impl FromRequestParts<ThingsBoard> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, of: &ThingsBoard) -> Result<Caller, Refused> {
        let missing = || HttpRefusal::unauthorised(AUTHENTICATION, "Authentication failed");
        let shown = shown(&parts.headers).ok_or_else(missing)?;
        let (scheme, rest) = shown.split_once(' ').ok_or_else(missing)?;
        match rest.trim() {
            token if scheme.eq_ignore_ascii_case("bearer") => Caller::with_token(of, token, Use::Access),
            both if scheme.eq_ignore_ascii_case("apikey") => {
                let (key, token) = both.split_once(':').ok_or_else(missing)?;
                Caller::logged_in(&of.shared.platform, key, token)
            }
            _ => Err(missing().into()),
        }
    }
}

impl FromRequestParts<ThingsBoard> for Administrator {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, of: &ThingsBoard) -> Result<Administrator, Refused> {
        Administrator::of(Caller::from_request_parts(parts, of).await?)
    }
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-authorization").or_else(|| headers.get(AUTHORIZATION))?.to_str().ok()
}
