//! Client ids and credentials: what a CONNECT says about who sent it (spec watson 1.1, 1.2, 1.5, E11).
//!
//! Called once for each connection. Reads what is written and never judges whether it is true: whether the
//! organisation exists and the token is right, only the registry knows.

use domain::{Claim, Class, Code, DeviceName, Identity, OrgId, Refusal};
use mqtt::packet::Connect;

use crate::limits::{CLIENT_ID_BYTES_MAX, NAME_CHARS_MAX, SCALABLE_KEEP_ALIVE_S_MAX};
use crate::user::{self, org_of_key};
use crate::{Claimed, Hello, Recognition, SessionRule};

/// The user name of every device and gateway; the password is the token.
pub const TOKEN_USER: &str = "use-token-auth";

/// An organisation of the cloud for trials without credentials. Too long to be one of ours.
const QUICKSTART_ORG: &str = "quickstart";

/// The kind of client, by the first part of its client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Device(Class),
    Application,
    ScalableApplication,
}

impl Kind {
    fn of(prefix: &str) -> Option<Kind> {
        match prefix {
            "d" => Some(Kind::Device(Class::Device)),
            "g" => Some(Kind::Device(Class::Gateway)),
            "a" => Some(Kind::Application),
            "A" => Some(Kind::ScalableApplication),
            _ => None,
        }
    }
}

/// Reads a CONNECT. Ours is what has one of the class prefixes or nearly so, or Watson's user name.
pub(super) fn recognise<'a>(hello: &Hello<'_, 'a>) -> Recognition<'a> {
    let connect = hello.connect;
    let client_id = connect.client_id;
    let mut parts = client_id.split(':');
    let kind = parts.next().and_then(Kind::of).filter(|_| client_id.contains(':'));
    let is_ours = match kind {
        // The class prefixes are not only ours to use; a device that says its name otherwise is no Watson client.
        Some(_) => connect.username.is_none_or(|it| user::device(it).is_none()),
        None => looks_like_ours(connect),
    };
    if !is_ours {
        return Recognition::Unknown;
    }
    claim(kind, hello).map_or_else(Recognition::Refused, Recognition::Claimed)
}

/// Whether a client without a class prefix is a Watson client all the same, only a mistaken one.
fn looks_like_ours(connect: &Connect<'_>) -> bool {
    let user_is_ours = connect.username == Some(TOKEN_USER);
    let mut parts = connect.client_id.split(':');
    let prefix_is_a_letter = parts.next().is_some_and(|it| it.chars().count() == 1);
    let names_an_org = parts.next().is_some_and(|it| OrgId::parse(it).is_some()) && parts.next().is_some();
    user_is_ours || (prefix_is_a_letter && names_an_org)
}

fn claim<'a>(kind: Option<Kind>, hello: &Hello<'_, 'a>) -> Result<Claimed<'a>, Refusal> {
    let Connect { client_id, username: user, password, .. } = *hello.connect;
    check_characters(client_id)?;
    let parts: Vec<&str> = client_id.splitn(6, ':').collect();
    check_certificate(client_id, hello.certificate)?;
    let mut claimed = match (kind, parts.as_slice()) {
        (Some(Kind::Device(class)), &[_, org, device_type, name]) => {
            check_parts(org, &[("device type", device_type), ("device id", name)])?;
            let name = DeviceName { device_type, name };
            // A token may be left out where a certificate says the same; where it is sent, it has to be right.
            match hello.certificate {
                Some(_) if password.is_none_or(<[u8]>::is_empty) => {
                    admit(org, Identity::Certified { class, name }, b"")
                }
                _ => {
                    let identity = Identity::Device { class: Some(class), name };
                    admit(org, identity, device_token(user, password)?)
                }
            }
        }
        (Some(Kind::Application), &[_, org, app]) => {
            check_parts(org, &[("application id", app)])?;
            application(org, app, user, password)?
        }
        (Some(Kind::ScalableApplication), &[_, org, app]) => {
            check_parts(org, &[("application id", app)])?;
            let claimed = application(org, app, user, password)?;
            // All members of the group come with this very client id at the same time.
            Claimed { session: SessionRule::Fresh, share: Some(client_id.to_owned()), ..claimed }
        }
        (Some(Kind::ScalableApplication), &[_, org, app, instance]) => {
            check_parts(org, &[("application id", app), ("instance id", instance)])?;
            let claimed = application(org, app, user, password)?;
            Claimed { share: Some(format!("A:{org}:{app}:")), ..claimed }
        }
        (Some(_), parts) if parts.len() > 3 => return Err(invalid("it has too many parts")),
        _ => return Err(unrecognised()),
    };
    if kind == Some(Kind::ScalableApplication) {
        claimed.keep_alive_s = Some(1..=SCALABLE_KEEP_ALIVE_S_MAX);
    }
    Ok(claimed)
}

/// A certificate of a device lets nobody else in (spec 1.2).
fn check_certificate(client_id: &str, certificate: Option<&str>) -> Result<(), Refusal> {
    match certificate.filter(|it| *it != client_id) {
        None => Ok(()),
        Some(other) => {
            let hint =
                format!("The client certificate is that of \"{other}\", the client id says \"{client_id}\".");
            Err(Refusal::new(Code::NotAllowed, hint))
        }
    }
}

fn admit<'a>(org: &'a str, identity: Identity<'a>, token: &'a [u8]) -> Claimed<'a> {
    let claim = Claim { org, identity, token };
    Claimed { claim, session: SessionRule::Takeover, share: None, keep_alive_s: None }
}

fn device_token<'a>(user: Option<&str>, password: Option<&'a [u8]>) -> Result<&'a [u8], Refusal> {
    match (user, password) {
        (Some(TOKEN_USER), Some(token)) if !token.is_empty() => Ok(token),
        (Some(TOKEN_USER), _) => Err(Refusal::new(
            Code::TokenWrong,
            "The password is missing. Send the device's token as the password.",
        )),
        _ => Err(Refusal::new(
            Code::TokenWrong,
            "Devices and gateways log in with the user name \"use-token-auth\" and their token as the password.",
        )),
    }
}

fn application<'a>(
    org: &'a str,
    app: &'a str,
    user: Option<&'a str>,
    password: Option<&'a [u8]>,
) -> Result<Claimed<'a>, Refusal> {
    let Some(key) = user.filter(|it| !it.is_empty()) else {
        return Err(Refusal::new(
            Code::TokenWrong,
            "The user name is missing. Send the API key as the user name.",
        ));
    };
    let Some(key_org) = org_of_key(key) else {
        return Err(Refusal::new(
            Code::KeyUnknown,
            "The user name is not an API key. API keys look like \"a-abc123-0123456789\".",
        ));
    };
    if key_org != org {
        return Err(Refusal::new(
            Code::OrgMismatch,
            format!("The API key is for the organization \"{key_org}\", the client id names \"{org}\"."),
        ));
    }
    let Some(token) = password.filter(|it| !it.is_empty()) else {
        return Err(Refusal::new(
            Code::TokenWrong,
            "The password is missing. Send the API key's token as the password.",
        ));
    };
    Ok(admit(org, Identity::Application { app, key }, token))
}

/// Whether this may be the name of a device type, a device, an application or an instance (spec 1.1).
pub fn is_name(text: &str) -> bool {
    let characters_are_right =
        text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-'));
    (1..=NAME_CHARS_MAX).contains(&text.len()) && characters_are_right
}

fn check_characters(client_id: &str) -> Result<(), Refusal> {
    if client_id.len() > CLIENT_ID_BYTES_MAX {
        return Err(invalid(&format!("it is longer than {CLIENT_ID_BYTES_MAX} bytes")));
    }
    if client_id.contains(|it: char| matches!(it, '/' | '+' | '#') || it.is_control()) {
        return Err(invalid("it contains one of / + # or a control character"));
    }
    Ok(())
}

fn check_parts(org: &str, names: &[(&str, &str)]) -> Result<(), Refusal> {
    if org == QUICKSTART_ORG {
        return Err(Refusal::new(
            Code::OrgUnknown,
            "This server has no \"quickstart\" organization. Register the device and connect with its token.",
        ));
    }
    if OrgId::parse(org).is_none() {
        return Err(invalid("the organization is not six characters of a-z and 0-9"));
    }
    match names.iter().find(|(_, name)| !is_name(name)) {
        None => Ok(()),
        Some((what, _)) => Err(invalid(&format!(
            "the {what} is not 1 to {NAME_CHARS_MAX} characters of A-Z, a-z, 0-9, \".\", \"_\" and \"-\""
        ))),
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::new(Code::ClientIdInvalid, format!("The client id is not valid: {why}."))
}

fn unrecognised() -> Refusal {
    Refusal::new(
        Code::ClientIdUnrecognised,
        "The client id is none of d:org:type:id, g:org:type:id, a:org:app, A:org:app and A:org:app:instance.",
    )
}
