//! Commands: what a device is asked to do, by when, and what it answers.

use crate::{DeviceId, Millis, OrgId};

/// A command's own id, unique in the installation and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// Whether whoever asks waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nobody waits: the command is done when it is delivered.
    None,
    /// The answer is waited for.
    Wanted,
}

/// Whether a command outlives whoever asked, and this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Gone once it is done or its deadline is over.
    Passing,
    /// Kept with its state and answer until it is removed.
    Stored,
    /// Kept while it waits, and gone once it is done or its deadline is over: nobody asks what became of it.
    UntilDone,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandState {
    /// It waits for the device.
    Queued,
    /// It is on its way.
    Sent,
    /// The device has it.
    Delivered,
    /// The device has answered.
    Successful,
    /// The device had it and did not answer in time.
    TimedOut,
    /// The device did not come for it in time.
    Expired,
    /// It could not be delivered.
    Failed,
}

impl CommandState {
    /// Whether nothing further can become of it.
    pub fn is_final(self, reply: Reply) -> bool {
        match self {
            CommandState::Queued | CommandState::Sent => false,
            CommandState::Delivered => reply == Reply::None,
            _ => true,
        }
    }
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// The organisation of the device.
    pub org: OrgId,
    /// Who is asked.
    pub device: DeviceId,
    /// What to do.
    pub method: String,
    /// With what: a JSON text.
    pub params: String,
    /// Whether an answer is waited for.
    pub reply: Reply,
    /// Whether it is kept.
    pub keeping: Keeping,
    /// When it was made.
    pub created_ms: Millis,
    /// When it stops being worth delivering or answering.
    pub deadline_ms: Millis,
    /// How often it is sent again, if it is kept and the device does not acknowledge it.
    pub retries_count_max: u8,
    /// How far it has come.
    pub state: CommandState,
    /// What the device answered, as it came: a JSON text, as a rule.
    pub answer: Option<String>,
    /// What whoever asked wants to find again beside it: a JSON text.
    pub additional: Option<String>,
}
