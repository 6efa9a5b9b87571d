//! The shapes of Watson's HTTP registration service, `/api/v0002` (spec watson 5.1, 5.2, 5.4–5.6): bodies into domain
//! words, domain words into bodies.
//!
//! The `web` crate owns routes, credentials and status codes of success; it calls this for everything that has a
//! shape. Reads no clock and knows no registry.

mod bodies;
mod paging;
mod views;

use domain::{Code, Refusal};
use serde::{Serialize, Serializer};

pub use bodies::{BulkAdd, CreateDevice, CreateType, UpdateDevice, UpdateType, bulk_remove, location};
pub use paging::{Page, PageQuery, SortKey, property};
pub use views::{BulkResult, DeviceTypeView, DeviceView, LocationView};

/// The code of every request that was not valid; what was wrong is in the violations.
const NOT_VALID: &str = "CUDRS0007E";
/// A latitude or longitude out of range.
const LOCATION_RANGE: &str = "CUDHT0300I";

/// A refused request, as its body says it: `{"message", "exception": {"id", "properties"}, "violations": […]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpRefusal {
    /// The status it is answered with.
    #[serde(skip)]
    pub status: u16,
    /// A sentence for a person.
    pub message: String,
    /// What programs go by.
    pub exception: Exception,
    /// What was wrong in the request, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
}

/// The part of a refusal that programs go by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// The service's own code where one is known, otherwise the name of ours.
    pub id: &'static str,
    /// What the message speaks about.
    pub properties: Vec<String>,
}

/// One thing that is wrong in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// A sentence for a person.
    pub message: String,
    /// What programs go by.
    pub exception: Exception,
}

impl HttpRefusal {
    /// A body or a value that is not valid.
    pub fn not_valid(problem: impl Into<String>) -> HttpRefusal {
        HttpRefusal::violated(NOT_VALID, problem.into(), Vec::new())
    }

    fn violated(id: &'static str, problem: String, properties: Vec<String>) -> HttpRefusal {
        HttpRefusal {
            status: 400,
            message: format!("{id}: The request was not valid. {problem}"),
            exception: Exception { id, properties: Vec::new() },
            violations: vec![Violation { message: problem, exception: Exception { id, properties } }],
        }
    }
}

impl From<&Refusal> for HttpRefusal {
    fn from(refusal: &Refusal) -> HttpRefusal {
        let status = status(refusal.code);
        if status == 400 {
            return HttpRefusal::not_valid(refusal.hint.clone());
        }
        HttpRefusal {
            status,
            message: refusal.hint.clone(),
            exception: Exception { id: refusal.code.name(), properties: Vec::new() },
            violations: Vec::new(),
        }
    }
}

/// The status a refusal is answered with (spec 5.1).
fn status(code: Code) -> u16 {
    match code {
        Code::VersionUnsupported
        | Code::ClientIdInvalid
        | Code::ClientIdUnrecognised
        | Code::TopicInvalid
        | Code::TopicReserved
        | Code::TypeInvalid
        | Code::NameInvalid
        | Code::Malformed
        | Code::RequestInvalid => 400,
        Code::TokenWrong => 401,
        Code::OrgUnknown
        | Code::KeyUnknown
        | Code::ClassMismatch
        | Code::OrgMismatch
        | Code::DeviceDisabled
        | Code::DeviceAbsent
        | Code::NotAllowed
        | Code::GatewayFull
        | Code::OrgFull => 403,
        Code::DeviceUnknown | Code::TypeUnknown | Code::NotFound | Code::NotServed => 404,
        Code::Exists | Code::InUse | Code::BackingOff => 409,
        Code::TooLarge => 413,
        Code::TooMany | Code::RateExceeded => 429,
        Code::CreateFailed | Code::StoreFailed => 500,
    }
}

/// Serialises a time as ISO 8601.
fn time<S: Serializer>(at_ms: &domain::Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::time::iso8601(*at_ms))
}

#[cfg(test)]
mod tests;
