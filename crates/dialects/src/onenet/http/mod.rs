//! The shapes of OneNET's HTTP API (spec onenet 8): bodies into domain words, domain words into bodies.
//!
//! The `web` crate owns routes, credentials and the store; it calls this for everything that has a shape. Every answer
//! is 200 and a compact object whose members come in one order, `errno`, `data`, `error`: a client that was in use
//! takes the second one for the data. Reads no clock and knows no registry.

mod bodies;
pub mod commands;
pub mod form;
pub mod points;
#[cfg(test)]
mod tests;
mod views;

use domain::{Code, Refusal};
use serde::Serialize;

pub use bodies::{DeviceBody, KeyBody, Registering, StreamBody, StreamFacts, day, name_of_topic};
pub use views::{
    Current, DeviceFacts, Page, device, devices_of_topic, key, newest_of_device, status, statuses, stream,
};

/// What became of a request: the numbers that this server answers with (spec 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Errno {
    /// We failed.
    Internal = 1,
    /// No key was shown.
    KeyRequired = 2,
    /// The key is nobody's, or not good for this.
    AuthFailed = 3,
    /// The body is not JSON.
    InvalidJson = 4,
    /// The body is too large.
    TooLarge = 5,
    /// A parameter, or a member of the body, is not what it may be.
    InvalidParameter = 6,
    /// A parameter, or a member of the body, is missing.
    ParameterRequired = 7,
    /// There is no such thing.
    NotFound = 8,
    /// The body is empty.
    DataRequired = 9,
    /// The device is not connected.
    NotOnline = 10,
    /// The device has a stream of that name.
    StreamExists = 11,
    /// There is such a thing already.
    Exists = 12,
    /// A bound was reached.
    SystemLimit = 13,
    /// Too much is asked in too short a time.
    Frequency = 15,
    /// There are as many devices as there may be.
    DeviceCount = 19,
    /// More devices are named than may be at a time.
    TooManyIds = 20,
}

impl Errno {
    /// All of them.
    pub const ALL: [Errno; 16] = [
        Errno::Internal,
        Errno::KeyRequired,
        Errno::AuthFailed,
        Errno::InvalidJson,
        Errno::TooLarge,
        Errno::InvalidParameter,
        Errno::ParameterRequired,
        Errno::NotFound,
        Errno::DataRequired,
        Errno::NotOnline,
        Errno::StreamExists,
        Errno::Exists,
        Errno::SystemLimit,
        Errno::Frequency,
        Errno::DeviceCount,
        Errno::TooManyIds,
    ];

    /// Its text.
    pub fn text(self) -> &'static str {
        match self {
            Errno::Internal => "internal server error",
            Errno::KeyRequired => "api-key required",
            Errno::AuthFailed => "auth failed",
            Errno::InvalidJson => "invalid JSON",
            Errno::TooLarge => "request entity too large",
            Errno::InvalidParameter => "invalid parameter",
            Errno::ParameterRequired => "parameter required",
            Errno::NotFound => "not found",
            Errno::DataRequired => "entity data required",
            Errno::NotOnline => "device not online",
            Errno::StreamExists => "datastream already exists",
            Errno::Exists => "already exists",
            Errno::SystemLimit => "system limit",
            Errno::Frequency => "api freq out of limit",
            Errno::DeviceCount => "device count limit by account policy",
            Errno::TooManyIds => "max device count limit is 1000 for one time",
        }
    }
}

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRefusal {
    /// What programs go by.
    pub errno: Errno,
    /// What it is about; may be empty.
    pub detail: String,
}

impl HttpRefusal {
    /// A refusal that says what it is about.
    pub fn new(errno: Errno, detail: impl Into<String>) -> HttpRefusal {
        HttpRefusal { errno, detail: detail.into() }
    }

    /// A parameter, or a member of the body, that is not what it may be.
    pub fn invalid(name: &str) -> HttpRefusal {
        HttpRefusal::new(Errno::InvalidParameter, name)
    }

    /// A parameter, or a member of the body, that is missing.
    pub fn missing(name: &str) -> HttpRefusal {
        HttpRefusal::new(Errno::ParameterRequired, name)
    }

    /// There is no such thing.
    pub fn not_found(what: impl Into<String>) -> HttpRefusal {
        HttpRefusal::new(Errno::NotFound, what)
    }

    /// The body of the answer.
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            errno: u8,
            error: &'a str,
        }
        let text = self.errno.text();
        let error = if self.detail.is_empty() { text.to_owned() } else { format!("{text}: {}", self.detail) };
        json(&Body { errno: self.errno as u8, error: &error })
    }
}

impl From<Errno> for HttpRefusal {
    fn from(errno: Errno) -> HttpRefusal {
        HttpRefusal { errno, detail: String::new() }
    }
}

impl From<&Refusal> for HttpRefusal {
    /// Our own failures, and whatever concerns credentials, are not explained to whoever asks.
    fn from(refusal: &Refusal) -> HttpRefusal {
        let errno = match refusal.code {
            Code::StoreFailed | Code::CreateFailed => return Errno::Internal.into(),
            Code::OrgUnknown
            | Code::OrgMismatch
            | Code::KeyUnknown
            | Code::TokenWrong
            | Code::TypeUnknown
            | Code::ClassMismatch
            | Code::DeviceDisabled
            | Code::NotAllowed => return Errno::AuthFailed.into(),
            Code::DeviceUnknown | Code::NotFound | Code::NotServed => Errno::NotFound,
            Code::Exists | Code::InUse => Errno::Exists,
            Code::OrgFull | Code::GatewayFull => Errno::DeviceCount,
            Code::TooMany | Code::BackingOff => Errno::SystemLimit,
            Code::RateExceeded => Errno::Frequency,
            Code::DeviceAbsent => Errno::NotOnline,
            Code::TooLarge => Errno::TooLarge,
            Code::Malformed
            | Code::RequestInvalid
            | Code::TopicInvalid
            | Code::TopicReserved
            | Code::TypeInvalid
            | Code::NameInvalid
            | Code::ClientIdInvalid
            | Code::ClientIdUnrecognised
            | Code::VersionUnsupported => Errno::InvalidParameter,
        };
        HttpRefusal::new(errno, refusal.hint.as_str())
    }
}

/// The body of the answer to what was done and has nothing to show.
pub const DONE: &str = r#"{"errno":0,"error":"succ"}"#;

/// The body of an answer with data.
pub fn answer(data: &impl Serialize) -> String {
    answer_raw(&json(data))
}

/// The body of an answer whose data are JSON text already.
pub fn answer_raw(data: &str) -> String {
    format!(r#"{{"errno":0,"data":{data},"error":"succ"}}"#)
}

/// Shapes have no maps with keys that are no texts, and no numbers that JSON has not: writing them cannot fail.
fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}
