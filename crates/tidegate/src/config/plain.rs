//! `[plain]`: who comes in without a credential, and what they may do.

use std::sync::Arc;

use domain::{OrgId, Rights};
use serde::Deserialize;

/// Settings of plain MQTT.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    pub(crate) anonymous: AnonymousFrom,
    pub(crate) anonymous_everywhere_confirmed: bool,
    pub(crate) anonymous_org: String,
    pub(crate) anonymous_publish: Vec<String>,
    pub(crate) anonymous_subscribe: Vec<String>,
    /// 0 = never.
    pub(crate) status_interval_s: u64,
}

/// From where clients come in without a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnonymousFrom {
    /// From nowhere.
    Off,
    /// From this machine.
    Loopback,
    /// From anywhere.
    Everywhere,
}

impl Plain {
    /// Checks what does not go together; the key and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.anonymous == AnonymousFrom::Everywhere && !self.anonymous_everywhere_confirmed {
            let hint = "lets everybody in who reaches the server: if that is meant, set \
                        `anonymous_everywhere_confirmed = true` as well";
            return Err(("anonymous", hint.to_owned()));
        }
        if !self.anonymous_org.is_empty() && OrgId::parse(&self.anonymous_org).is_none() {
            return Err(("anonymous_org", "is not six characters of a-z and 0-9".to_owned()));
        }
        for (key, rights) in [
            ("anonymous_publish", Rights { publish: self.anonymous_publish.clone(), subscribe: Vec::new() }),
            (
                "anonymous_subscribe",
                Rights { publish: Vec::new(), subscribe: self.anonymous_subscribe.clone() },
            ),
        ] {
            dialects::rights::check(&rights).map_err(|it| (key, it.hint))?;
        }
        Ok(())
    }

    /// What anonymous peers are, as the platform wants to know it.
    pub(crate) fn anonymous_peers(&self) -> platform::Anonymous {
        let rights =
            Rights { publish: self.anonymous_publish.clone(), subscribe: self.anonymous_subscribe.clone() };
        platform::Anonymous { org: OrgId::parse(&self.anonymous_org), rights: Arc::new(rights) }
    }
}
