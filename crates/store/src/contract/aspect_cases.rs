//! Cases of what is so about devices.

use std::sync::Arc;

use domain::{
    Command, CommandBody, CommandId, CommandState, Delivery, DeviceId, DeviceNumber, Keeping, Login,
    Numbered, OrgId, Points, Reply, Scope, Value,
};

use super::samples::*;
use super::{Opener, put};
use crate::{Aspect, AspectRow, Change, Store};

const D1: DeviceId = DeviceId(1);
const D2: DeviceId = DeviceId(2);

fn aspect(org: OrgId, device: DeviceId, aspect: Aspect) -> Change {
    Change::Aspect { org, device, aspect }
}

fn written(scope: Scope, at_ms: u64, values: &[(&str, Value<'_>)]) -> Aspect {
    let mut points = Points::new();
    values.iter().for_each(|(key, value)| points.push(key, *value));
    Aspect::Attributes { scope, at_ms, points }
}

/// All that is so about devices, a line for each row.
fn all(store: &dyn Store, org: OrgId) -> Vec<String> {
    let mut all = Vec::new();
    let mut note = |device: DeviceId, row: AspectRow<'_>| {
        all.push(match row {
            AspectRow::Login(Login::AccessToken(token)) => format!("{} token {token}", device.0),
            AspectRow::Login(Login::Basic { client_id, user, password }) => {
                format!("{} basic {client_id:?} {user:?} {password:?}", device.0)
            }
            AspectRow::Login(Login::Certificate { body }) => {
                format!("{} certificate {body}", device.0)
            }
            AspectRow::Door { gateway, attached } => format!("{} behind {} {attached}", device.0, gateway.0),
            AspectRow::Attribute { scope, key, at_ms, value } => {
                format!("{} {} {key} {at_ms} {value:?}", device.0, scope.name())
            }
            AspectRow::Command(it) => {
                let answer = it.answer.map(|it| String::from_utf8(it).unwrap());
                format!("{} command {} {:?} {answer:?}", device.0, it.id.0, it.state)
            }
            AspectRow::Assigned(key) => format!("{} of {key}", device.0),
            AspectRow::Numbered(it) => format!("{} number {} {:?}", device.0, it.number, it.auth_info),
        });
    };
    store.aspects(org, &mut note).unwrap();
    all
}

fn command(org: OrgId, device: DeviceId, id: u64, state: CommandState) -> Command {
    Command {
        id: CommandId(id),
        org,
        device,
        body: CommandBody::call("reboot", r#"{"in_s":5}"#),
        reply: Reply::Wanted,
        keeping: Keeping::Stored,
        delivery: Delivery::UntilTaken,
        sent_ms: None,
        answered_ms: None,
        created_ms: 7,
        deadline_ms: 9,
        retries_count_max: 3,
        state,
        answer: (state == CommandState::Successful).then(|| b"true".to_vec()),
        additional: None,
    }
}

pub(crate) fn attributes_are_kept_by_scope_and_key(opener: &mut dyn Opener) {
    let store = opener.open();
    let (a, b) = (org_id("abc123"), org_id("abc124"));
    put(
        &*store,
        vec![
            aspect(a, D1, written(Scope::Shared, 1, &[("k", Value::I64(1)), ("x/ä", Value::Json("[1]"))])),
            aspect(a, D1, written(Scope::Client, 2, &[("k", Value::Text("own"))])),
            aspect(a, D2, written(Scope::Server, 3, &[("k", Value::Bool(true))])),
            aspect(b, D1, written(Scope::Server, 3, &[("k", Value::F64(0.5))])),
            aspect(a, D1, written(Scope::Shared, 4, &[("k", Value::I64(2)), ("k", Value::I64(3))])),
            aspect(a, D1, written(Scope::Shared, 4, &[("gone", Value::I64(2))])),
        ],
    );
    let keys = vec!["gone".to_owned(), "never there".to_owned()];
    put(&*store, vec![aspect(a, D1, Aspect::AttributesGone { scope: Scope::Shared, keys })]);
    drop(store);
    let store = opener.open();
    let expected = [
        "1 client k 2 Text(\"own\")",
        "1 shared k 4 I64(3)",
        "1 shared x/ä 1 Json(\"[1]\")",
        "2 server k 3 Bool(true)",
    ];
    assert_eq!(all(&*store, a), expected);
    assert_eq!(all(&*store, b), ["1 server k 3 F64(0.5)"]);
}

pub(crate) fn logins_doors_and_commands_come_back_and_go(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let basic = Login::Basic { client_id: Some("c".to_owned()), user: None, password: Some("p".to_owned()) };
    let token = Login::AccessToken("T1".to_owned());
    let queued = command(a, D1, 5, CommandState::Queued);
    put(
        &*store,
        vec![
            aspect(a, D1, Aspect::Login(Some(basic))),
            aspect(a, D2, Aspect::Login(Some(token))),
            aspect(a, D1, Aspect::Door { gateway: D2, attached: true }),
            aspect(a, D1, Aspect::Command(Arc::new(queued.clone()))),
            aspect(a, D1, Aspect::Command(Arc::new(command(a, D1, 6, CommandState::Sent)))),
            aspect(a, D1, Aspect::Assigned(Some("a-abc123-one".to_owned()))),
            aspect(a, D2, Aspect::Assigned(Some("a-abc123-two".to_owned()))),
        ],
    );
    let expected = [
        "1 basic Some(\"c\") None Some(\"p\")",
        "1 behind 2 true",
        "1 command 5 Queued None",
        "1 command 6 Sent None",
        "1 of a-abc123-one",
        "2 token T1",
        "2 of a-abc123-two",
    ];
    assert_eq!(all(&*store, a), expected);
    let mut commands = Vec::new();
    let mut note = |_, row: AspectRow<'_>| {
        if let AspectRow::Command(it) = row {
            commands.push(it);
        }
    };
    store.aspects(a, &mut note).unwrap();
    assert_eq!(commands, [queued, command(a, D1, 6, CommandState::Sent)]);
    let answered = command(a, D1, 5, CommandState::Successful);
    let certificate = Login::Certificate { body: "MAMCAQU=".to_owned() };
    put(
        &*store,
        vec![
            aspect(a, D1, Aspect::Login(None)),
            aspect(a, D2, Aspect::Login(Some(certificate))),
            aspect(a, D1, Aspect::Door { gateway: D2, attached: false }),
            aspect(a, D1, Aspect::Command(Arc::new(answered))),
            aspect(a, D1, Aspect::CommandGone(CommandId(6))),
            aspect(a, D1, Aspect::Assigned(None)),
        ],
    );
    drop(store);
    let store = opener.open();
    let expected = [
        "1 behind 2 false",
        "1 command 5 Successful Some(\"true\")",
        "2 certificate MAMCAQU=",
        "2 of a-abc123-two",
    ];
    assert_eq!(all(&*store, a), expected);
    assert_eq!(all(&*store, org_id("abc124")), [""; 0]);
}

fn numbered(number: u32, auth_info: Option<&str>) -> Aspect {
    let number = DeviceNumber::new(number).unwrap();
    Aspect::Numbered(Arc::new(Numbered { number, auth_info: auth_info.map(str::to_owned) }))
}

pub(crate) fn numbers_are_kept_and_replaced(opener: &mut dyn Opener) {
    let store = opener.open();
    let (a, b) = (org_id("abc123"), org_id("abc124"));
    put(
        &*store,
        vec![
            aspect(a, D1, numbered(1, Some("sn-1"))),
            aspect(a, D2, numbered(u32::MAX, None)),
            aspect(b, D1, numbered(3, Some(r#"{"a":1}"#))),
        ],
    );
    put(&*store, vec![aspect(a, D1, numbered(4, Some("sn-ä")))]);
    drop(store);
    let store = opener.open();
    assert_eq!(all(&*store, a), ["1 number 4 Some(\"sn-ä\")", "2 number 4294967295 None"]);
    assert_eq!(all(&*store, b), ["1 number 3 Some(\"{\\\"a\\\":1}\")"]);
}

pub(crate) fn a_forgotten_device_takes_its_aspects_along(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    for (id, gateway) in [(D1, D2), (D2, D1)] {
        put(
            &*store,
            vec![
                Change::PutDevice(Arc::new(device(a, id.0))),
                aspect(a, id, written(Scope::Shared, 1, &[("k", Value::I64(1))])),
                aspect(a, id, Aspect::Login(Some(Login::AccessToken(format!("T{}", id.0))))),
                aspect(a, id, Aspect::Door { gateway, attached: true }),
                aspect(a, id, Aspect::Command(Arc::new(command(a, id, 5, CommandState::Queued)))),
                aspect(a, id, numbered(id.0 as u32, None)),
            ],
        );
    }
    put(&*store, vec![Change::DropDevice { org: a, device: D1 }]);
    // What is deleted by and by goes with the groups that follow.
    put(&*store, vec![Change::PutOrg(org(a))]);
    let expected = [
        "2 token T2",
        "2 behind 1 true",
        "2 shared k 1 I64(1)",
        "2 command 5 Queued None",
        "2 number 2 None",
    ];
    assert_eq!(all(&*store, a), expected);
}
