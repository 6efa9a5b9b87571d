//! Commands: what a device is asked to do, by when, and what it answers.

use crate::{DeviceId, Millis, OrgId};

/// A command's own id, unique in the installation and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// What a device is asked to do, in the words of whoever asks. Each dialect says it in its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandBody {
    /// A method with its parameters.
    Call {
        /// What to do.
        method: String,
        /// With what: a JSON text.
        params: String,
    },
    /// Bytes, for the device alone to understand.
    Raw {
        /// What they are called, where their platform gives commands names.
        name: Option<String>,
        /// Their format, where their platform says one: `json`, `text`, `bin` or any other word.
        format: Option<String>,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

impl CommandBody {
    /// A method with its parameters, a JSON text.
    pub fn call(method: &str, params: &str) -> CommandBody {
        CommandBody::Call { method: method.to_owned(), params: params.to_owned() }
    }

    /// Bytes without a name.
    pub fn raw(bytes: &[u8]) -> CommandBody {
        CommandBody::Raw { name: None, format: None, bytes: bytes.to_vec() }
    }

    /// How long it is, in bytes.
    pub fn size_bytes(&self) -> usize {
        match self {
            CommandBody::Call { method, params } => method.len() + params.len(),
            CommandBody::Raw { name, format, bytes } => {
                let words = [name, format].into_iter().flatten().map(String::len).sum::<usize>();
                words + bytes.len()
            }
        }
    }
}

/// How often a command goes out, and which of its answers counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Until the device has it. The first answer in time counts (spec thingsboard 8).
    UntilTaken,
    /// Once: what went out does not go out again, whatever became of it. The last answer counts, whenever it comes
    /// (spec onenet 7.2, 7.3).
    Once,
    /// Again each time the device comes, until it has answered or the deadline is over. The last answer counts,
    /// whenever it comes.
    UntilAnswered,
}

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
    /// The device has answered more than is kept.
    AnswerTooLarge,
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
    pub body: CommandBody,
    /// Whether an answer is waited for.
    pub reply: Reply,
    /// Whether it is kept.
    pub keeping: Keeping,
    /// How often it goes out.
    pub delivery: Delivery,
    /// When it was made.
    pub created_ms: Millis,
    /// When it stops being worth delivering or answering.
    pub deadline_ms: Millis,
    /// How often it is sent again, if it is kept and the device does not acknowledge it.
    pub retries_count_max: u8,
    /// How far it has come.
    pub state: CommandState,
    /// When it went out last.
    pub sent_ms: Option<Millis>,
    /// What the device answered, as it came: a JSON text, as a rule.
    pub answer: Option<Vec<u8>>,
    /// When it did.
    pub answered_ms: Option<Millis>,
    /// What whoever asked wants to find again beside it: a JSON text.
    pub additional: Option<String>,
}
