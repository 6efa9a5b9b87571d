//! `[onenet]`: what its document leaves open, or excludes and its devices do.

use dialects::onenet::time::Zone;
use dialects::onenet::{self, KeepAlive};
use serde::de::{Deserialize, Deserializer, Error};

/// Settings of the OneNET dialect.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneNet {
    keep_alive: KeepAliveRule,
    #[serde(deserialize_with = "zone")]
    pub(crate) zone: Zone,
}

/// What becomes of keep-alives below 120 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeepAliveRule {
    Lenient,
    Strict,
}

impl OneNet {
    /// The dialect with these settings.
    pub(crate) fn dialect(&self) -> onenet::OneNet {
        let keep_alive = match self.keep_alive {
            KeepAliveRule::Lenient => KeepAlive::Lenient,
            KeepAliveRule::Strict => KeepAlive::Strict,
        };
        onenet::OneNet { keep_alive, zone: self.zone }
    }
}

fn zone<'de, D: Deserializer<'de>>(from: D) -> Result<Zone, D::Error> {
    let text = String::deserialize(from)?;
    Zone::parse(&text)
        .ok_or_else(|| D::Error::custom(format!("`{text}` is no zone: write it as `+08:00` or `Z`")))
}
