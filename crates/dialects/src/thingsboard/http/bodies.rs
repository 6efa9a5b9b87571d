//! Request bodies. Members that are not known are ignored, `null` says nothing, and the content type is not looked at
//! (spec thingsboard 11).

use domain::{Class, Login, ProvisionRule};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{HttpRefusal, Uuid};
use crate::thingsboard::certificate;

/// The body of `POST /api/device`.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceBody {
    /// The device that is changed; `None`: one is created.
    pub id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// The name of its profile.
    pub device_type: Option<String>,
    /// Its profile, which wins over the name.
    pub profile: Option<Uuid>,
    /// A word for people.
    pub label: Option<String>,
    /// Whether it may speak for others: `additionalInfo.gateway`. `None`: the body does not speak of additional facts.
    pub class: Option<Class>,
    /// The additional facts, a JSON object.
    pub additional: Option<String>,
}

/// The body of `POST /api/deviceProfile`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileBody {
    /// The profile that is changed; `None`: one is created.
    pub id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// A word for people.
    pub description: Option<String>,
    /// How its devices get their logins by themselves; `None`: the body does not speak of it.
    pub provisioning: Option<ProfileProvisioning>,
}

/// How a profile's devices get their logins by themselves (spec 7).
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileProvisioning {
    /// Which devices; `None`: none do.
    pub rule: Option<ProvisionRule>,
    /// Names the profile.
    pub key: Option<String>,
    /// What devices show with it.
    pub secret: Option<String>,
}

/// The body of `POST /api/device/credentials`.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialsBody {
    /// Whose.
    pub device: Uuid,
    /// What they are.
    pub login: Login,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceMembers {
    id: Option<IdMembers>,
    name: Option<String>,
    #[serde(rename = "type")]
    device_type: Option<String>,
    device_profile_id: Option<IdMembers>,
    label: Option<String>,
    additional_info: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileMembers {
    id: Option<IdMembers>,
    name: Option<String>,
    description: Option<String>,
    provision_type: Option<String>,
    provision_device_key: Option<String>,
    profile_data: Option<ProfileDataMembers>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileDataMembers {
    provision_configuration: Option<ProvisionMembers>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProvisionMembers {
    #[serde(rename = "type")]
    provision_type: Option<String>,
    provision_device_secret: Option<String>,
}

#[derive(Deserialize)]
struct IdMembers {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialsMembers {
    device_id: Option<IdMembers>,
    credentials_type: Option<String>,
    credentials_id: Option<String>,
    credentials_value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BasicMembers {
    client_id: Option<String>,
    user_name: Option<String>,
    password: Option<String>,
}

impl IdMembers {
    fn uuid(self) -> Result<Option<Uuid>, HttpRefusal> {
        self.id.map(|it| Uuid::parse(&it).ok_or_else(|| no_uuid(&it))).transpose()
    }
}

fn no_uuid(text: &str) -> HttpRefusal {
    HttpRefusal::bad(format!("Invalid UUID string: {text}"))
}

pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, HttpRefusal> {
    serde_json::from_slice(body).map_err(|it| HttpRefusal::bad(format!("The body cannot be read: {it}.")))
}

fn id(members: Option<IdMembers>) -> Result<Option<Uuid>, HttpRefusal> {
    members.map_or(Ok(None), IdMembers::uuid)
}

impl DeviceBody {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<DeviceBody, HttpRefusal> {
        let members: DeviceMembers = read(body)?;
        let Some(name) = members.name.filter(|it| !it.trim().is_empty()) else {
            return Err(HttpRefusal::bad("Device name should be specified!"));
        };
        let is_gateway = |it: &Map<String, Value>| it.get("gateway") == Some(&Value::Bool(true));
        let class = members
            .additional_info
            .as_ref()
            .map(|it| if is_gateway(it) { Class::Gateway } else { Class::Device });
        Ok(DeviceBody {
            id: id(members.id)?,
            name,
            device_type: members.device_type.filter(|it| !it.is_empty()),
            profile: id(members.device_profile_id)?,
            label: members.label,
            class,
            additional: members.additional_info.map(|it| Value::Object(it).to_string()),
        })
    }
}

impl ProfileBody {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<ProfileBody, HttpRefusal> {
        let members: ProfileMembers = read(body)?;
        let Some(name) = members.name.filter(|it| !it.trim().is_empty()) else {
            return Err(HttpRefusal::bad("Device profile name should be specified!"));
        };
        let (inner_type, secret) = members
            .profile_data
            .and_then(|it| it.provision_configuration)
            .map(|it| (it.provision_type, it.provision_device_secret))
            .unwrap_or_default();
        let given = |it: Option<String>| it.filter(|it| !it.is_empty());
        let provisioning = members.provision_type.or(inner_type).map(|it| provision_rule(&it)).transpose()?;
        Ok(ProfileBody {
            id: id(members.id)?,
            name,
            description: members.description,
            provisioning: provisioning.map(|rule| ProfileProvisioning {
                rule,
                key: given(members.provision_device_key),
                secret: given(secret),
            }),
        })
    }
}

fn provision_rule(name: &str) -> Result<Option<ProvisionRule>, HttpRefusal> {
    match name {
        "DISABLED" => Ok(None),
        "ALLOW_CREATE_NEW_DEVICES" => Ok(Some(ProvisionRule::New)),
        "CHECK_PRE_PROVISIONED_DEVICES" => Ok(Some(ProvisionRule::Known)),
        other => Err(HttpRefusal::bad(format!(
            "The provision type {other} is not served: use ALLOW_CREATE_NEW_DEVICES or CHECK_PRE_PROVISIONED_DEVICES."
        ))),
    }
}

impl CredentialsBody {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<CredentialsBody, HttpRefusal> {
        let members: CredentialsMembers = read(body)?;
        let device = id(members.device_id)?;
        let device = device.ok_or_else(|| HttpRefusal::bad("The credentials name no deviceId."))?;
        let value = members.credentials_value.unwrap_or_default();
        let login = match members.credentials_type.as_deref() {
            None | Some("ACCESS_TOKEN") => match members.credentials_id.filter(|it| !it.is_empty()) {
                Some(token) => Login::AccessToken(token),
                None => return Err(HttpRefusal::bad("Device credentials id should be specified!")),
            },
            Some("MQTT_BASIC") => basic(&value)?,
            Some("X509_CERTIFICATE") => certificate::login(&value),
            Some(other) => {
                return Err(HttpRefusal::bad(format!(
                    "Credentials of the type {other} are not served: use ACCESS_TOKEN, MQTT_BASIC or \
                     X509_CERTIFICATE."
                )));
            }
        };
        Ok(CredentialsBody { device, login })
    }
}

/// `{"clientId":"…","userName":"…","password":"…"}`, of which empty parts are none (spec 2.2).
fn basic(value: &str) -> Result<Login, HttpRefusal> {
    let BasicMembers { client_id, user_name, password } = read(value.as_bytes())?;
    let [client_id, user, password] =
        [client_id, user_name, password].map(|it| it.filter(|it| !it.is_empty()));
    Ok(Login::Basic { client_id, user, password })
}

/// Credentials as the API shows them: their type, id and value (spec 11.3). The id of a basic login is what finds it
/// on the wire; where that has a client id in it, the platform shows a hash, and so does this. `fingerprint` tells what
/// finds a certificate.
pub fn credentials_of(
    login: &Login,
    fingerprint: fn(&str) -> [u8; 32],
) -> (&'static str, String, Option<String>) {
    match login {
        Login::AccessToken(token) => ("ACCESS_TOKEN", token.clone(), None),
        Login::Basic { client_id, user, password } => {
            let id = match (client_id.as_deref(), user.as_deref()) {
                (None, user) => user.unwrap_or_default().to_owned(),
                (Some(client_id), None) => hash(client_id),
                (Some(client_id), Some(user)) => hash(&format!("{client_id}|{user}")),
            };
            let value = serde_json::json!({ "clientId": client_id, "userName": user, "password": password });
            ("MQTT_BASIC", id, Some(value.to_string()))
        }
        Login::Certificate { body } => {
            ("X509_CERTIFICATE", certificate::shown(&fingerprint(body)), Some(body.clone()))
        }
    }
}

/// An id of our own making: whoever asks cannot tell which hash it is.
fn hash(text: &str) -> String {
    format!("{:032x}", super::ids::hash(text.as_bytes()))
}
