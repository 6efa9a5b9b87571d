//! What a credential may publish and subscribe to.
//!
//! Rules are topic filters of the topic space that the credential's clients speak in. They are decided by whoever knows
//! what a topic is (the dialects); this crate only says what a set of rules is and what may be in it.

use crate::limits::{RIGHTS_RULE_BYTES_MAX, RIGHTS_RULE_COUNT_MAX};
use crate::{Code, Refusal};

/// What a credential may do: two lists of rules, of which an empty one allows everything in the organisation.
///
/// A rule is a topic filter; `%c` in it stands for the client id and `%d` for the device as `type/name`. A rule that
/// begins with `!` denies what it matches, whatever the others say. Where a list has nothing but such rules, all else
/// is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Topics that may be published to.
    pub publish: Vec<String>,
    /// Filters that may be subscribed to.
    pub subscribe: Vec<String>,
}

impl Rights {
    /// Whether nothing is forbidden.
    pub fn is_everything(&self) -> bool {
        self.publish.is_empty() && self.subscribe.is_empty()
    }

    /// Checks the bounds; what the rules say is not looked at.
    pub fn check(&self) -> Result<(), Refusal> {
        for rules in [&self.publish, &self.subscribe] {
            if rules.len() > RIGHTS_RULE_COUNT_MAX {
                let hint = format!("A credential may have {RIGHTS_RULE_COUNT_MAX} rules of a kind.");
                return Err(Refusal::new(Code::TooMany, hint));
            }
            if let Some(rule) = rules.iter().find(|it| it.len() > RIGHTS_RULE_BYTES_MAX) {
                let hint =
                    format!("A rule has {} bytes; at most {RIGHTS_RULE_BYTES_MAX} are allowed.", rule.len());
                return Err(Refusal::new(Code::TooLarge, hint));
            }
        }
        Ok(())
    }
}
