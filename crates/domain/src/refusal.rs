//! Why not, and whose fault. A refusal is the one place from which CONNACK code, PUBACK reason, HTTP status,
//! notification and log level are derived: each dialect maps [`Code`] to its own numbers, nobody invents another.

use std::fmt;

/// Whose fault a refusal is; decides whether the peer may be told "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer sent what it must not send.
    Peer,
    /// The peer asked for what it may not do.
    Policy,
    /// A bound was reached.
    Capacity,
    /// We failed: never acknowledge, so that the peer keeps its copy.
    Ours,
}

/// What was refused. Stable: it appears in logs, metrics and notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The organisation does not exist or is disabled.
    OrgUnknown,
    /// The device is not registered.
    DeviceUnknown,
    /// The API key does not exist.
    KeyUnknown,
    /// The token is missing or wrong.
    TokenWrong,
    /// The identity says gateway and the type says device, or the other way round.
    ClassMismatch,
    /// The credential belongs to another organisation than the one asked for.
    OrgMismatch,
    /// The device is disabled.
    DeviceDisabled,
    /// The device is not connected, and what it is to be told does not wait.
    DeviceAbsent,
    /// The version of MQTT is none that the dialect knows.
    VersionUnsupported,
    /// The client id is malformed.
    ClientIdInvalid,
    /// The client id is well-formed but of no known kind.
    ClientIdUnrecognised,
    /// The topic or filter matches no rule of the dialect.
    TopicInvalid,
    /// A system topic.
    TopicReserved,
    /// The device type in the topic is malformed.
    TypeInvalid,
    /// The device name in the topic is malformed.
    NameInvalid,
    /// The device type is well-formed but unknown: registration of its devices fails.
    TypeUnknown,
    /// The gateway has registered as many devices as it may.
    GatewayFull,
    /// The organisation has as many devices as it may.
    OrgFull,
    /// The device's registration failed a moment ago and is not tried again yet.
    BackingOff,
    /// The payload or packet is larger than allowed.
    TooLarge,
    /// The message is malformed.
    Malformed,
    /// The message can be read, but what it asks for is not what the topic is for.
    RequestInvalid,
    /// A thing of that name exists.
    Exists,
    /// The thing still has parts that depend on it.
    InUse,
    /// There is no such thing.
    NotFound,
    /// A bound on sessions, subscriptions or connections was reached.
    TooMany,
    /// More was sent in a time than is allowed.
    RateExceeded,
    /// The credential may not do this.
    NotAllowed,
    /// This server does not serve the function (yet).
    NotServed,
    /// Creating the device failed inside this server.
    CreateFailed,
    /// The store cannot be relied on; the process is about to end.
    StoreFailed,
}

impl Code {
    /// Whose fault it is.
    pub fn fault(self) -> Fault {
        match self {
            Code::VersionUnsupported
            | Code::ClientIdInvalid
            | Code::ClientIdUnrecognised
            | Code::TopicInvalid
            | Code::TopicReserved
            | Code::TypeInvalid
            | Code::NameInvalid
            | Code::TooLarge
            | Code::Malformed
            | Code::RequestInvalid => Fault::Peer,
            Code::OrgUnknown
            | Code::DeviceUnknown
            | Code::KeyUnknown
            | Code::TokenWrong
            | Code::ClassMismatch
            | Code::OrgMismatch
            | Code::DeviceDisabled
            | Code::DeviceAbsent
            | Code::TypeUnknown
            | Code::BackingOff
            | Code::Exists
            | Code::InUse
            | Code::NotFound
            | Code::NotAllowed
            | Code::NotServed => Fault::Policy,
            Code::GatewayFull | Code::OrgFull | Code::TooMany | Code::RateExceeded => Fault::Capacity,
            Code::CreateFailed | Code::StoreFailed => Fault::Ours,
        }
    }

    /// The code's name in logs and metrics: lower case, words joined by `_`.
    pub fn name(self) -> &'static str {
        match self {
            Code::OrgUnknown => "org_unknown",
            Code::DeviceUnknown => "device_unknown",
            Code::KeyUnknown => "key_unknown",
            Code::TokenWrong => "token_wrong",
            Code::ClassMismatch => "class_mismatch",
            Code::OrgMismatch => "org_mismatch",
            Code::DeviceDisabled => "device_disabled",
            Code::DeviceAbsent => "device_absent",
            Code::VersionUnsupported => "version_unsupported",
            Code::ClientIdInvalid => "client_id_invalid",
            Code::ClientIdUnrecognised => "client_id_unrecognised",
            Code::TopicInvalid => "topic_invalid",
            Code::TopicReserved => "topic_reserved",
            Code::TypeInvalid => "type_invalid",
            Code::NameInvalid => "name_invalid",
            Code::TypeUnknown => "type_unknown",
            Code::GatewayFull => "gateway_full",
            Code::OrgFull => "org_full",
            Code::BackingOff => "backing_off",
            Code::TooLarge => "too_large",
            Code::Malformed => "malformed",
            Code::RequestInvalid => "request_invalid",
            Code::Exists => "exists",
            Code::InUse => "in_use",
            Code::NotFound => "not_found",
            Code::TooMany => "too_many",
            Code::RateExceeded => "rate_exceeded",
            Code::NotAllowed => "not_allowed",
            Code::NotServed => "not_served",
            Code::CreateFailed => "create_failed",
            Code::StoreFailed => "store_failed",
        }
    }
}

/// A refusal: what was refused, and what the person holding the device can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was refused.
    pub code: Code,
    /// A sentence for a person, with the remedy. Never a secret, never parsed.
    pub hint: String,
}

impl Refusal {
    /// A refusal with its hint.
    pub fn new(code: Code, hint: impl Into<String>) -> Refusal {
        Refusal { code, hint: hint.into() }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.code.fault()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.hint, self.code.name())
    }
}

impl std::error::Error for Refusal {}
