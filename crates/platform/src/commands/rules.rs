//! How commands go out, and how often: what an operator may set.

use domain::Millis;

use crate::registry::Platform;

/// How the commands of all devices go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandRules {
    /// What the next command of a device waits for.
    pub submission: Submission,
    /// How often a stored command is sent again that the device does not acknowledge, whoever asks for more.
    pub retries_count_max: u8,
    /// For how long a stored command may go unacknowledged before it is sent again.
    pub delivery_ms_max: Millis,
    /// For how long an answer holds the next command up, where that waits for it.
    pub answer_ms_max: Millis,
}

/// What the next command of a device waits for (spec thingsboard 8). The order of creation is kept in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// Nothing.
    Burst,
    /// That the device has the one before.
    AfterDelivery,
    /// That the device has answered the one before, if an answer is wanted.
    AfterAnswer,
}

impl Default for CommandRules {
    fn default() -> CommandRules {
        CommandRules {
            submission: Submission::Burst,
            retries_count_max: 5,
            delivery_ms_max: 10_000,
            answer_ms_max: 30_000,
        }
    }
}

impl Platform {
    /// The same, with other rules for commands.
    pub fn with_command_rules(mut self, rules: CommandRules) -> Platform {
        self.command_rules = rules;
        self
    }
}
