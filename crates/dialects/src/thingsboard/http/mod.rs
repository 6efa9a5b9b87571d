//! The shapes of ThingsBoard's HTTP API (spec thingsboard 11): bodies into domain words, domain words into bodies.
//!
//! The `web` crate owns routes, credentials and streams; it calls this for everything that has a shape. Reads no clock
//! and knows no registry.

mod bodies;
pub mod device;
pub mod ids;
pub mod rpc;
pub mod socket;
pub mod telemetry;
mod views;

use domain::{Code, Millis, Refusal};
use serde::Serialize;

pub use bodies::{CredentialsBody, DeviceBody, ProfileBody, ProfileProvisioning, credentials_of};
pub use ids::{NOBODY, Uuid};
pub use views::{
    Authority, Owner, Page, credentials, customer, device, device_info, entity, profile, profile_info,
    relation, user,
};

/// The code of a login that is wrong or missing (spec 11.2).
pub const AUTHENTICATION: u8 = 10;
/// The code of a token that was good once.
pub const TOKEN_EXPIRED: u8 = 11;
const GENERAL: u8 = 2;
const PERMISSION_DENIED: u8 = 20;
const BAD_PARAMETERS: u8 = 31;
const NOT_FOUND: u8 = 32;
const TOO_MANY_REQUESTS: u8 = 33;
const ENTITIES_LIMIT: u8 = 41;

/// A refused request, before it gets its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRefusal {
    /// The status it is answered with.
    pub status: u16,
    /// What programs go by.
    pub error_code: u8,
    /// A sentence for a person.
    pub message: String,
}

/// A refusal as its body says it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    status: u16,
    message: &'a str,
    error_code: u8,
    timestamp: Millis,
}

impl HttpRefusal {
    /// A request that cannot be read, or asks for what cannot be.
    pub fn bad(message: impl Into<String>) -> HttpRefusal {
        HttpRefusal { status: 400, error_code: BAD_PARAMETERS, message: message.into() }
    }

    /// There is no such thing, or none that the asker may see.
    pub fn not_found() -> HttpRefusal {
        let message = "Requested item wasn't found!".to_owned();
        HttpRefusal { status: 404, error_code: NOT_FOUND, message }
    }

    /// The asker may not do this.
    pub fn denied(message: impl Into<String>) -> HttpRefusal {
        HttpRefusal { status: 403, error_code: PERMISSION_DENIED, message: message.into() }
    }

    /// Nobody in particular asks.
    pub fn unauthorised(error_code: u8, message: impl Into<String>) -> HttpRefusal {
        HttpRefusal { status: 401, error_code, message: message.into() }
    }

    /// A refusal that is all in its status.
    pub fn plain(status: u16, message: impl Into<String>) -> HttpRefusal {
        HttpRefusal { status, error_code: GENERAL, message: message.into() }
    }

    /// Its body: `{"status", "message", "errorCode", "timestamp"}`.
    pub fn body(&self, now_ms: Millis) -> Vec<u8> {
        let HttpRefusal { status, error_code, message } = self;
        let body = Body { status: *status, message, error_code: *error_code, timestamp: now_ms };
        // Numbers and a text can always be written.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<&Refusal> for HttpRefusal {
    fn from(refusal: &Refusal) -> HttpRefusal {
        let (status, error_code) = match refusal.code {
            Code::TokenWrong | Code::KeyUnknown | Code::OrgUnknown => (401, AUTHENTICATION),
            Code::NotAllowed | Code::DeviceDisabled | Code::ClassMismatch | Code::OrgMismatch => {
                (403, PERMISSION_DENIED)
            }
            Code::OrgFull | Code::GatewayFull => (403, ENTITIES_LIMIT),
            Code::NotFound | Code::DeviceUnknown | Code::TypeUnknown | Code::NotServed => (404, NOT_FOUND),
            Code::TooLarge => (413, BAD_PARAMETERS),
            Code::TooMany | Code::RateExceeded | Code::BackingOff => (429, TOO_MANY_REQUESTS),
            Code::CreateFailed | Code::StoreFailed => (500, GENERAL),
            Code::VersionUnsupported
            | Code::ClientIdInvalid
            | Code::ClientIdUnrecognised
            | Code::TopicInvalid
            | Code::TopicReserved
            | Code::TypeInvalid
            | Code::NameInvalid
            | Code::Malformed
            | Code::RequestInvalid
            | Code::Exists
            | Code::InUse
            | Code::DeviceAbsent => (400, BAD_PARAMETERS),
        };
        HttpRefusal { status, error_code, message: refusal.hint.clone() }
    }
}

#[cfg(test)]
mod tests;
