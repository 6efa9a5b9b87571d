//! Newcomers: devices without a login, which come to get one (spec thingsboard 7).
//!
//! They have a session with one topic to publish to and one to hear from, and belong to no organisation: the key that
//! they show finds their type.

use domain::{Code, Login, OrgId, Peer, ProvisionRequest, Refusal, WantedLogin};

use super::certificate;
use super::value::quote;
use crate::{Push, Way};

/// Where newcomers ask.
pub(super) const REQUEST: &str = "/provision/request";
/// Where they are answered, subscribed to it or not.
pub(super) const RESPONSE: &str = "/provision/response";
/// Their user name, or client id.
const NAME: &str = "provision";

/// Whether somebody without a password comes as a newcomer.
pub(super) fn is_name(user: &str, client_id: &str) -> bool {
    user == NAME || (user.is_empty() && client_id == NAME)
}

/// Whether a peer is a newcomer.
pub(super) fn is_newcomer(peer: &Peer) -> bool {
    peer.org() == OrgId::NOWHERE
}

/// The fields of a request, as they are read.
#[derive(Default)]
pub(super) struct Asked {
    key: Option<String>,
    secret: Option<String>,
    name: Option<String>,
    gateway: bool,
    kind: Option<String>,
    token: Option<String>,
    client_id: Option<String>,
    user: Option<String>,
    password: Option<String>,
    certificate: Option<String>,
}

impl Asked {
    /// Notes a field; others are passed over.
    pub(super) fn note(&mut self, field: &str, value: Option<String>) {
        let place = match field {
            "provisionDeviceKey" => &mut self.key,
            "provisionDeviceSecret" => &mut self.secret,
            "deviceName" => &mut self.name,
            "credentialsType" => &mut self.kind,
            "token" => &mut self.token,
            "clientId" => &mut self.client_id,
            "username" => &mut self.user,
            "password" => &mut self.password,
            "hash" => &mut self.certificate,
            "gateway" => {
                self.gateway = value.as_deref() == Some("true");
                return;
            }
            _ => return,
        };
        *place = value;
    }

    /// The request, if nothing is missing that it has to have.
    pub(super) fn request(self) -> Result<ProvisionRequest, &'static str> {
        let Asked { key, secret, name, gateway, kind, token, client_id, user, password, certificate: text } =
            self;
        let name = name.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
        let login = match kind.as_deref() {
            None => WantedLogin::Any,
            Some("ACCESS_TOKEN") => {
                token.map_or(WantedLogin::Any, |it| WantedLogin::This(Login::AccessToken(it)))
            }
            Some("MQTT_BASIC") => WantedLogin::This(Login::Basic { client_id, user, password }),
            Some("X509_CERTIFICATE") => WantedLogin::This(certificate::login(&text.unwrap_or_default())),
            Some(other) => WantedLogin::Unknown(other.to_owned()),
        };
        Ok(ProvisionRequest {
            key: key.ok_or("it has no provisionDeviceKey")?,
            secret: secret.ok_or("it has no provisionDeviceSecret")?,
            name,
            gateway,
            login,
        })
    }
}

/// The answer to a request, over MQTT.
pub(super) fn told(outcome: Result<&Login, &Refusal>) -> Push {
    let way = Way { filter: RESPONSE, topic: RESPONSE.to_owned() };
    Push { ways: vec![way], unasked: Some(domain::QoS::AtLeastOnce), payload: answer(outcome).into_bytes() }
}

/// The answer to a request.
pub(super) fn answer(outcome: Result<&Login, &Refusal>) -> String {
    match outcome {
        Ok(login) => success(login),
        Err(it) if it.code == Code::NotFound => {
            r#"{"errorMsg":"Provision data was not found!","status":"NOT_FOUND"}"#.to_owned()
        }
        Err(_) => r#"{"errorMsg":"Failed to provision device!","status":"FAILURE"}"#.to_owned(),
    }
}

fn success(login: &Login) -> String {
    let mut to = String::from(r#"{"credentialsValue":"#);
    let kind = match login {
        Login::AccessToken(token) => {
            quote(&mut to, token);
            "ACCESS_TOKEN"
        }
        Login::Basic { client_id, user, password } => {
            let mut mark = '{';
            for (name, value) in [("clientId", client_id), ("userName", user), ("password", password)] {
                to.push(mark);
                quote(&mut to, name);
                to.push(':');
                match value {
                    Some(it) => quote(&mut to, it),
                    None => to.push_str("null"),
                }
                mark = ',';
            }
            to.push('}');
            "MQTT_BASIC"
        }
        Login::Certificate { body } => {
            quote(&mut to, body);
            "X509_CERTIFICATE"
        }
    };
    to.push_str(r#","credentialsType":""#);
    to.push_str(kind);
    to.push_str(r#"","status":"SUCCESS"}"#);
    to
}
