//! What is stored of a command, as an aspect of its device (`aspect.rs`).

use domain::{
    Command, CommandBody, CommandId, CommandState, Delivery, DeviceId, Keeping, Millis, OrgId, Reply,
};

use crate::coding::{Put, Take};
use crate::schema::VERSION;

/// The first byte of a command that has got a number of retries; earlier ones are not sent again.
const RETRIED: u8 = 2;
/// The first byte since a command may be bytes; earlier ones are all methods with parameters, as ThingsBoard has them.
const COMMAND_VERSION: u8 = 3;

/// States by their stored numbers.
const STATES: [CommandState; 8] = [
    CommandState::Queued,
    CommandState::Sent,
    CommandState::Delivered,
    CommandState::Successful,
    CommandState::TimedOut,
    CommandState::Expired,
    CommandState::Failed,
    CommandState::AnswerTooLarge,
];

/// Ways of keeping by their stored numbers.
const KEEPINGS: [Keeping; 3] = [Keeping::Passing, Keeping::Stored, Keeping::UntilDone];

/// Deliveries by their stored numbers.
const DELIVERIES: [Delivery; 3] = [Delivery::UntilTaken, Delivery::Once, Delivery::UntilAnswered];

const CALL: u8 = 0;
const RAW: u8 = 1;

pub(crate) fn put_command(to: &mut Vec<u8>, it: &Command) {
    to.put_u8(COMMAND_VERSION);
    put_body(to, &it.body);
    to.put_u8(u8::from(it.reply == Reply::Wanted));
    to.put_u8(KEEPINGS.iter().position(|keeping| *keeping == it.keeping).unwrap_or(0) as u8);
    to.put_u64(it.created_ms);
    to.put_u64(it.deadline_ms);
    to.put_u8(STATES.iter().position(|state| *state == it.state).unwrap_or(0) as u8);
    to.put_option(it.answer.as_ref(), |to, it| to.put_sized(it));
    to.put_text_option(it.additional.as_deref());
    to.put_u8(it.retries_count_max);
    to.put_u8(DELIVERIES.iter().position(|delivery| *delivery == it.delivery).unwrap_or(0) as u8);
    put_time(to, it.sent_ms);
    put_time(to, it.answered_ms);
}

pub(crate) fn take_command(org: OrgId, device: DeviceId, id: CommandId, value: &[u8]) -> Option<Command> {
    let mut from = Take::new(value);
    let version = from.u8().filter(|it| (VERSION..=COMMAND_VERSION).contains(it))?;
    let mut command = Command {
        id,
        org,
        device,
        body: if version == COMMAND_VERSION { take_body(&mut from)? } else { take_call(&mut from)? },
        reply: if from.flag()? { Reply::Wanted } else { Reply::None },
        keeping: *KEEPINGS.get(usize::from(from.u8()?))?,
        created_ms: from.u64()?,
        deadline_ms: from.u64()?,
        state: *STATES.get(usize::from(from.u8()?))?,
        answer: from.option(Take::sized)?.map(<[u8]>::to_vec),
        additional: from.option(Take::string)?,
        retries_count_max: if version >= RETRIED { from.u8()? } else { 0 },
        delivery: Delivery::UntilTaken,
        sent_ms: None,
        answered_ms: None,
    };
    if version == COMMAND_VERSION {
        command.delivery = *DELIVERIES.get(usize::from(from.u8()?))?;
        command.sent_ms = from.option(Take::u64)?;
        command.answered_ms = from.option(Take::u64)?;
    }
    from.end(command)
}

fn put_time(to: &mut Vec<u8>, at_ms: Option<Millis>) {
    to.put_option(at_ms.as_ref(), |to, it| to.put_u64(*it));
}

fn put_body(to: &mut Vec<u8>, body: &CommandBody) {
    match body {
        CommandBody::Call { method, params } => {
            to.put_u8(CALL);
            to.put_sized(method.as_bytes());
            to.put_sized(params.as_bytes());
        }
        CommandBody::Raw { name, format, bytes } => {
            to.put_u8(RAW);
            to.put_text_option(name.as_deref());
            to.put_text_option(format.as_deref());
            to.put_sized(bytes);
        }
    }
}

fn take_body(from: &mut Take<'_>) -> Option<CommandBody> {
    match from.u8()? {
        CALL => take_call(from),
        RAW => Some(CommandBody::Raw {
            name: from.option(Take::string)?,
            format: from.option(Take::string)?,
            bytes: from.sized()?.to_vec(),
        }),
        _ => None,
    }
}

fn take_call(from: &mut Take<'_>) -> Option<CommandBody> {
    Some(CommandBody::Call { method: from.string()?, params: from.string()? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    const ID: CommandId = CommandId(2);

    fn command() -> Command {
        Command {
            id: ID,
            org: OrgId::parse("abc123").unwrap(),
            device: DeviceId(1),
            body: CommandBody::call("m", "1"),
            reply: Reply::Wanted,
            keeping: Keeping::Stored,
            delivery: Delivery::UntilTaken,
            created_ms: 1,
            deadline_ms: 2,
            state: CommandState::Queued,
            sent_ms: None,
            answer: None,
            answered_ms: None,
            additional: Some("{}".to_owned()),
            retries_count_max: 3,
        }
    }

    fn put(command: &Command) -> Vec<u8> {
        let mut value = Vec::new();
        put_command(&mut value, command);
        value
    }

    fn take(value: &[u8]) -> Option<Command> {
        take_command(OrgId::parse("abc123").unwrap(), DeviceId(1), ID, value)
    }

    #[test]
    fn all_of_a_command_comes_back() {
        let raw = Command {
            body: CommandBody::Raw {
                name: Some("n".to_owned()),
                format: Some("bin".to_owned()),
                bytes: vec![0, 255],
            },
            delivery: Delivery::UntilAnswered,
            state: CommandState::AnswerTooLarge,
            sent_ms: Some(5),
            answer: Some(vec![255]),
            answered_ms: Some(u64::MAX),
            additional: None,
            ..command()
        };
        let once = Command {
            body: CommandBody::raw(b""),
            keeping: Keeping::UntilDone,
            delivery: Delivery::Once,
            ..command()
        };
        for command in [command(), raw, once] {
            let value = put(&command);
            assert_eq!(take(&value), Some(command));
            assert!((0..value.len()).all(|len| take(&value[..len]).is_none()));
        }
    }

    #[test]
    fn commands_of_earlier_versions_are_read() {
        /// The kind of the body, behind the version; and delivery and times.
        const ADDED_LAST_BYTES: usize = 3;
        let mut second = put(&command());
        second.truncate(second.len() - ADDED_LAST_BYTES);
        second.remove(1);
        second[0] = RETRIED;
        assert_eq!(take(&second), Some(command()));
        let mut first = second;
        first.pop();
        first[0] = VERSION;
        assert_eq!(take(&first), Some(Command { retries_count_max: 0, ..command() }));
    }
}
