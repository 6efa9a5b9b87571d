//! What a client says in its CONNECT, and how it behaves.

use std::time::Duration;

use mqtt::Version;
use mqtt::packet::{Connect, Will};
use mqtt::property::Properties;

use super::Message;

/// Who acknowledges the messages that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// The client, at once.
    Automatically,
    /// The caller, with [`Client::acknowledge`](crate::Client::acknowledge).
    ByHand,
}

/// What a client says in its CONNECT, and how it behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The version it speaks.
    pub version: Version,
    /// Its client id.
    pub client_id: String,
    /// Its user name.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Vec<u8>>,
    /// Forget what the server has of the session.
    pub clean_start: bool,
    /// Seconds; 0 = no promise. [`Client::next_event`](crate::Client::next_event) keeps it.
    pub keep_alive_s: u16,
    /// What the server publishes should the client fall silent.
    pub will: Option<Message>,
    /// Properties of the will, encoded (5.0).
    pub will_properties: Vec<u8>,
    /// Properties of the CONNECT, encoded (5.0).
    pub properties: Vec<u8>,
    /// Who acknowledges.
    pub acknowledge: Acknowledge,
    /// How long to wait for an answer.
    pub patience: Duration,
}

impl Options {
    /// A client of MQTT 3.1.1 with a clean session and no credentials.
    pub fn new(client_id: impl Into<String>) -> Options {
        Options {
            version: Version::V311,
            client_id: client_id.into(),
            username: None,
            password: None,
            clean_start: true,
            keep_alive_s: 60,
            will: None,
            will_properties: Vec::new(),
            properties: Vec::new(),
            acknowledge: Acknowledge::Automatically,
            patience: Duration::from_secs(10),
        }
    }

    /// With these credentials.
    pub fn login(mut self, username: impl Into<String>, password: impl Into<Vec<u8>>) -> Options {
        (self.username, self.password) = (Some(username.into()), Some(password.into()));
        self
    }

    /// In this version.
    pub fn version(mut self, version: Version) -> Options {
        self.version = version;
        self
    }

    /// With a session that outlives the connection. (In 5.0 the properties say for how long.)
    pub fn durable(mut self) -> Options {
        self.clean_start = false;
        self
    }

    /// The packet that says all this.
    pub fn connect(&self) -> Connect<'_> {
        Connect {
            version: self.version,
            clean_start: self.clean_start,
            keep_alive_s: self.keep_alive_s,
            client_id: &self.client_id,
            will: self.will.as_ref().map(|it| Will {
                topic: &it.topic,
                payload: &it.payload,
                qos: it.qos,
                retain: it.retain,
                properties: Properties::stored(&self.will_properties),
            }),
            username: self.username.as_deref(),
            password: self.password.as_deref(),
            properties: Properties::stored(&self.properties),
        }
    }

    /// How long the client may be silent before it sends a PINGREQ: well within its promise.
    pub(super) fn ping_interval(&self) -> Option<Duration> {
        (self.keep_alive_s > 0).then(|| Duration::from_secs(self.keep_alive_s.into()) * 3 / 4)
    }
}
