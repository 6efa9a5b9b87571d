//! Commands as applications give them and ask what became of them (spec onenet 7.2, 7.4, 7.5).

use std::fmt::Write;
use std::ops::Range;

use domain::{Command, CommandState, DeviceNumber, Millis};
use serde::Serialize;

use super::HttpRefusal;
use crate::command::as_bytes;
use crate::limits::ONENET_COMMAND_S_MAX;
use crate::onenet::command::uuid;
use crate::onenet::time::{self, Zone, shown_s};

/// How a command is to reach its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Now, or not at all.
    Now,
    /// When the device comes in so many milliseconds, once.
    Once {
        /// From now on.
        within_ms: Millis,
    },
    /// The same, and again each time it comes until it has answered.
    UntilAnswered {
        /// From now on.
        within_ms: Millis,
    },
}

impl Sending {
    /// Reads the parameters `qos` and `timeout`. The type of a command counts for another protocol only.
    pub fn parse(qos: Option<&str>, timeout: Option<&str>) -> Result<Sending, HttpRefusal> {
        let is_repeated = match qos {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(HttpRefusal::invalid("qos")),
        };
        let within_s = timeout.map_or(Some(0), |it| it.parse().ok());
        let within_s = within_s.filter(|it: &u64| *it <= ONENET_COMMAND_S_MAX);
        let within_ms = within_s.ok_or_else(|| HttpRefusal::invalid("timeout"))? * 1_000;
        Ok(match is_repeated {
            _ if within_ms == 0 => Sending::Now,
            false => Sending::Once { within_ms },
            true => Sending::UntilAnswered { within_ms },
        })
    }
}

/// The number of a state, and its text.
pub fn status(state: CommandState) -> (u8, &'static str) {
    match state {
        CommandState::Queued => (1, "command created"),
        CommandState::Sent | CommandState::Delivered => (2, "Command Sent"),
        CommandState::Failed => (3, "Send Command Failed"),
        CommandState::Successful => (4, "Command Response Received"),
        CommandState::TimedOut | CommandState::Expired => (5, "Command Response Timeout"),
        CommandState::AnswerTooLarge => (6, "Command Response Too Large"),
    }
}

/// What became of a command.
pub fn shown(state: CommandState) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Status {
        status: u8,
        desc: &'static str,
    }
    let (status, desc) = status(state);
    Status { status, desc }
}

/// Which commands of a device a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Those made then.
    pub range: Range<Millis>,
    /// Those in this state.
    pub status: Option<u8>,
}

impl HistoryQuery {
    /// Reads a query. `get` gives a parameter that is there and not empty.
    pub fn parse<'q>(get: impl Fn(&str) -> Option<&'q str>, zone: Zone) -> Result<HistoryQuery, HttpRefusal> {
        let moment = |name: &str| match get(name) {
            None => Ok(None),
            Some(it) => time::text(it, zone).map(Some).ok_or_else(|| HttpRefusal::invalid(name)),
        };
        let number = |name: &str| match get(name) {
            None => Ok(None),
            Some(it) => it.parse::<u32>().map(Some).map_err(|_| HttpRefusal::invalid(name)),
        };
        let start = moment("start")?.ok_or_else(|| HttpRefusal::missing("start"))?;
        let end = match (moment("end")?, number("duration")?) {
            (Some(end), _) => end.saturating_add(1),
            (None, Some(it)) => start.saturating_add(u64::from(it) * 1_000).saturating_add(1),
            (None, None) => Millis::MAX,
        };
        let status = number("status")?.map(u8::try_from).transpose();
        let status = status.map_err(|_| HttpRefusal::invalid("status"))?;
        Ok(HistoryQuery { range: start..end, status })
    }

    /// Whether a command is one of them.
    pub fn picks(&self, command: &Command) -> bool {
        self.range.contains(&command.created_ms) && self.status.is_none_or(|it| it == status(command.state).0)
    }
}

/// A command in a list of a device's, bodies as hexadecimal text. Clients of two times read it: one calls the device
/// `device_id`, the other `dev_id`.
pub fn item(command: &Command, device: DeviceNumber, zone: Zone) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Item {
        cmd_uuid: String,
        device_id: String,
        dev_id: String,
        expire_time: String,
        status: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        send_time: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        confirm_time: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        confirm_body: Option<String>,
        body: String,
    }
    Item {
        cmd_uuid: uuid(command.id),
        device_id: device.to_string(),
        dev_id: device.to_string(),
        expire_time: shown_s(command.deadline_ms, zone),
        status: status(command.state).0,
        send_time: command.sent_ms.map(|it| shown_s(it, zone)),
        confirm_time: command.answered_ms.map(|it| shown_s(it, zone)),
        confirm_body: command.answer.as_deref().map(hex),
        body: hex(&as_bytes(&command.body)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut to = String::with_capacity(2 * bytes.len());
    // Writing to a string cannot fail.
    bytes.iter().for_each(|it| _ = write!(to, "{it:02x}"));
    to
}
