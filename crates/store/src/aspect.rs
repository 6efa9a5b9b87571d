//! What is so about a device besides its registration: attributes, login, door, commands, whose it is, its number.
//!
//! The change, its rows and their values, and the queries, side by side: a row of this kind depends on nothing, so the
//! plan has nothing to decide about it. All of a device's aspects go with the device.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use domain::{Command, CommandId, DeviceId, Login, Millis, Numbered, OrgId, Points, Scope, Value};

use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::command::{put_command, take_command};
use crate::disk::Disk;
use crate::engine::{corrupt, list};
use crate::product::{put_numbered, take_numbered};
use crate::rows::Rows;
use crate::schema::aspects::{ASSIGNED, ATTRIBUTE, COMMAND, DOOR, LOGIN, NUMBERED};
use crate::schema::{self, Keys, Table, VERSION, registry};

/// Something about a device that is to be stored.
#[derive(Clone, Debug)]
pub enum Aspect {
    /// Creates or replaces attributes.
    Attributes {
        /// Their scope.
        scope: Scope,
        /// When they were written.
        at_ms: Millis,
        /// Keys and values; of one key the last counts.
        points: Points,
    },
    /// Forgets attributes.
    AttributesGone {
        /// Their scope.
        scope: Scope,
        /// Their keys.
        keys: Vec<String>,
    },
    /// Replaces the login, or forgets it.
    Login(Option<Login>),
    /// Notes the gateway that the device is behind, or was the last time.
    Door {
        /// The gateway.
        gateway: DeviceId,
        /// Whether it still is.
        attached: bool,
    },
    /// Creates or replaces a command.
    Command(Arc<Command>),
    /// Forgets a command.
    CommandGone(CommandId),
    /// Notes the API key that the device is assigned to, or that it is assigned to none.
    Assigned(Option<String>),
    /// Replaces the number and the password that goes with it.
    Numbered(Arc<Numbered>),
}

/// Something about a device, as the store gives it back.
#[derive(Clone, Debug, PartialEq)]
pub enum AspectRow<'a> {
    /// The login by which it is found.
    Login(Login),
    /// The gateway that it is behind, or was the last time.
    Door {
        /// The gateway.
        gateway: DeviceId,
        /// Whether it still is.
        attached: bool,
    },
    /// An attribute.
    Attribute {
        /// Its scope.
        scope: Scope,
        /// Its key.
        key: &'a str,
        /// When it was written.
        at_ms: Millis,
        /// Its value.
        value: Value<'a>,
    },
    /// A command.
    Command(Command),
    /// The API key that it is assigned to.
    Assigned(String),
    /// Its number, and the password that goes with it.
    Numbered(Numbered),
}

impl Aspect {
    /// The length of the longest text that becomes a part of a key.
    pub(crate) fn key_text_len(&self) -> usize {
        match self {
            Aspect::Attributes { points, .. } => points.iter().map(|(key, _)| key.len()).max().unwrap_or(0),
            Aspect::AttributesGone { keys, .. } => keys.iter().map(String::len).max().unwrap_or(0),
            Aspect::Login(_)
            | Aspect::Door { .. }
            | Aspect::Command(_)
            | Aspect::CommandGone(_)
            | Aspect::Assigned(_)
            | Aspect::Numbered(_) => 0,
        }
    }

    /// Bytes that it keeps waiting, about.
    pub(crate) fn cost_bytes(&self) -> usize {
        match self {
            Aspect::Attributes { points, .. } => points.as_bytes().len(),
            Aspect::Command(it) => it.body.size_bytes() + it.answer.as_ref().map_or(0, Vec::len),
            Aspect::AttributesGone { .. }
            | Aspect::Login(_)
            | Aspect::Door { .. }
            | Aspect::CommandGone(_)
            | Aspect::Assigned(_)
            | Aspect::Numbered(_) => 0,
        }
    }
}

/// Turns an aspect into rows.
pub(crate) fn put(rows: &mut Rows, org: OrgId, device: DeviceId, aspect: Aspect) {
    let table = Table::Aspects;
    let key = |kind: u8| move |to: &mut Vec<u8>| aspect_key(to, org, device, kind);
    match aspect {
        Aspect::Attributes { scope, at_ms, points } => {
            for (name, value) in points.iter() {
                let key = |to: &mut Vec<u8>| attribute_key(to, org, device, scope, name);
                rows.put(table, key, |to| put_attribute(to, at_ms, value));
            }
        }
        Aspect::AttributesGone { scope, keys } => {
            for name in &keys {
                rows.delete(table, |to| attribute_key(to, org, device, scope, name));
            }
        }
        Aspect::Login(Some(login)) => _ = rows.put(table, key(LOGIN), |to| put_login(to, &login)),
        Aspect::Login(None) => rows.delete(table, key(LOGIN)),
        Aspect::Door { gateway, attached } => {
            rows.put(table, key(DOOR), |to| put_door(to, gateway, attached));
        }
        Aspect::Command(it) => {
            let key = |to: &mut Vec<u8>| command_key(to, org, device, it.id);
            rows.put(table, key, |to| put_command(to, &it));
        }
        Aspect::Assigned(Some(to_key)) => {
            rows.put(table, key(ASSIGNED), |to| {
                to.put_u8(VERSION);
                to.put_sized(to_key.as_bytes());
            });
        }
        Aspect::Numbered(it) => _ = rows.put(table, key(NUMBERED), |to| put_numbered(to, &it)),
        Aspect::Assigned(None) => rows.delete(table, key(ASSIGNED)),
        Aspect::CommandGone(command) => rows.delete(table, |to| command_key(to, org, device, command)),
    }
}

fn aspect_key(to: &mut Vec<u8>, org: OrgId, device: DeviceId, kind: u8) {
    schema::device_key(to, org, device, "");
    to.put_u8(kind);
}

fn attribute_key(to: &mut Vec<u8>, org: OrgId, device: DeviceId, scope: Scope, name: &str) {
    aspect_key(to, org, device, ATTRIBUTE);
    to.put_u8(scope as u8);
    to.put(name.as_bytes());
}

fn command_key(to: &mut Vec<u8>, org: OrgId, device: DeviceId, command: CommandId) {
    aspect_key(to, org, device, COMMAND);
    to.put_u64(command.0);
}

fn put_attribute(to: &mut Vec<u8>, at_ms: Millis, value: Value<'_>) {
    to.put_u8(VERSION);
    to.put_u64(at_ms);
    // The form of a list of points, with one point that has no name.
    let mut points = Points::new();
    points.push("", value);
    to.put(points.as_bytes());
}

fn take_attribute(value: &[u8]) -> Option<(Millis, Points)> {
    let mut from = open(value)?;
    Some((from.u64()?, Points::from_bytes(from.rest()).filter(|it| it.len() == 1)?))
}

fn open(value: &[u8]) -> Option<Take<'_>> {
    let mut take = Take::new(value);
    (take.u8()? == VERSION).then_some(take)
}

const ACCESS_TOKEN: u8 = 0;
const BASIC: u8 = 1;
const CERTIFICATE: u8 = 2;

fn put_login(to: &mut Vec<u8>, login: &Login) {
    to.put_u8(VERSION);
    match login {
        Login::AccessToken(token) => {
            to.put_u8(ACCESS_TOKEN);
            to.put_sized(token.as_bytes());
        }
        Login::Basic { client_id, user, password } => {
            to.put_u8(BASIC);
            for it in [client_id, user, password] {
                to.put_text_option(it.as_deref());
            }
        }
        Login::Certificate { body } => {
            to.put_u8(CERTIFICATE);
            to.put_sized(body.as_bytes());
        }
    }
}

fn take_login(value: &[u8]) -> Option<Login> {
    let mut from = open(value)?;
    let login = match from.u8()? {
        ACCESS_TOKEN => Login::AccessToken(from.string()?),
        BASIC => Login::Basic {
            client_id: from.option(Take::string)?,
            user: from.option(Take::string)?,
            password: from.option(Take::string)?,
        },
        CERTIFICATE => Login::Certificate { body: from.string()? },
        _ => return None,
    };
    from.end(login)
}

fn put_door(to: &mut Vec<u8>, gateway: DeviceId, attached: bool) {
    to.put_u8(VERSION);
    to.put_u64(gateway.0);
    to.put_u8(u8::from(attached));
}

fn take_door(value: &[u8]) -> Option<(DeviceId, bool)> {
    let mut from = open(value)?;
    let door = (DeviceId(from.u64()?), from.flag()?);
    from.end(door)
}

/// Bytes of an organisation's id.
const ORG_LEN: usize = 6;
/// Bytes of a registry key before its last part.
const REGISTRY_LEN: usize = 7;

/// Calls `each` with all that is so about the devices of an organisation, by device.
pub(crate) fn aspects(
    disk: &impl Disk,
    org: OrgId,
    each: &mut dyn FnMut(DeviceId, AspectRow<'_>),
) -> Result<(), StoreFault> {
    let keys = Keys::prefixed(|to| to.extend(org.as_bytes()));
    let forgotten = forgotten(disk, org)?;
    disk.scan(Table::Aspects, &keys, &mut |key, value| {
        let mut from = Take::new(key);
        let read = (|| {
            from.bytes(ORG_LEN)?;
            let device = DeviceId(from.u64()?);
            if !forgotten.contains(&device) {
                read_one(org, device, from, value, each)?;
            }
            Some(())
        })();
        read.ok_or_else(|| corrupt(Table::Aspects, key))?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Reads one row, of whose key the kind and what follows it are left.
fn read_one(
    org: OrgId,
    device: DeviceId,
    mut from: Take<'_>,
    value: &[u8],
    each: &mut dyn FnMut(DeviceId, AspectRow<'_>),
) -> Option<()> {
    match from.u8()? {
        LOGIN => each(device, AspectRow::Login(take_login(value)?)),
        DOOR => {
            let (gateway, attached) = take_door(value)?;
            each(device, AspectRow::Door { gateway, attached });
        }
        ATTRIBUTE => {
            let scope = *Scope::ALL.get(usize::from(from.u8()?))?;
            let (at_ms, points) = take_attribute(value)?;
            let (_, value) = points.iter().next()?;
            each(device, AspectRow::Attribute { scope, key: from.rest_text()?, at_ms, value });
        }
        COMMAND => {
            each(device, AspectRow::Command(take_command(org, device, CommandId(from.u64()?), value)?));
        }
        ASSIGNED => {
            let mut from = open(value)?;
            let key = from.string()?;
            each(device, AspectRow::Assigned(from.end(key)?));
        }
        NUMBERED => each(device, AspectRow::Numbered(take_numbered(value)?)),
        _ => return None,
    }
    Some(())
}

/// The devices whose rows are only waiting to be deleted.
fn forgotten(disk: &impl Disk, org: OrgId) -> Result<HashSet<DeviceId>, StoreFault> {
    let keys = Keys::prefixed(|to| schema::registry_key(to, org, registry::PURGE, &[]));
    let list = list(disk, Table::Registry, &keys, usize::MAX, |key, _| {
        key.bytes(REGISTRY_LEN)?;
        key.u64().map(DeviceId)
    })?;
    Ok(list.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_read_as_they_were_written_before_there_were_certificates() {
        let token = [&[VERSION, 0, 0, 0, 0, 2][..], b"T1"].concat();
        assert_eq!(take_login(&token), Some(Login::AccessToken("T1".to_owned())));
        let user = [&[VERSION, 1, 0, 1, 0, 0, 0, 1][..], b"u", &[0]].concat();
        let login = Login::Basic { client_id: None, user: Some("u".to_owned()), password: None };
        assert_eq!(take_login(&user), Some(login));
        assert_eq!(take_login(&[VERSION, 3]), None);
    }
}
