//! The settings of one Tidegate: read from a TOML file, complete without one.
//!
//! `default.toml` is the only place where a setting is named, explained and given its default: the file a user writes
//! is checked against it and laid over it, and `tidegate config` prints it. An unknown key, a value of the wrong type
//! or out of its range is an error that names file, line and key; nothing is ever guessed or ignored.
//!
//! This module never reads the environment or the command line; `cli` lays its options over the result.

mod fault;
mod listen;
mod onenet;
mod plain;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use domain::rate::{Rates, TrafficRates};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use fault::ConfigFault;
pub(crate) use listen::{Addresses, Pinned};
pub(crate) use onenet::OneNet;
pub(crate) use plain::{AnonymousFrom, Plain};

use crate::proxy::Networks;

/// Every setting with its explanation and default.
pub(crate) const DEFAULT_FILE: &str = include_str!("config/default.toml");

/// The file that is read from the working folder when none is named.
pub(crate) const FILE_NAME: &str = "tidegate.toml";

/// All settings. The fields are explained in `default.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub(crate) server: Server,
    pub(crate) listen: Listen,
    pub(crate) tls: Tls,
    pub(crate) data: Data,
    pub(crate) log: Log,
    pub(crate) watson: Watson,
    pub(crate) thingsboard: ThingsBoard,
    pub(crate) onenet: OneNet,
    pub(crate) plain: Plain,
    pub(crate) limits: Limits,
}

/// Who we are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) domain: String,
    /// 0 = one for each CPU.
    pub(crate) worker_count: usize,
}

/// ThingsBoard's settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThingsBoard {
    pub(crate) claim_duration_s: u64,
    pub(crate) claim_by_default: bool,
    pub(crate) inactivity_timeout_s: u64,
    pub(crate) ack_invalid: bool,
    pub(crate) rpc_submit: RpcSubmit,
    pub(crate) rpc_ack_ms_max: u64,
    pub(crate) rpc_retries_max: u8,
    pub(crate) rpc_response_ms_max: u64,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_org_messages: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_org_readings: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_org_points: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_device_messages: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_device_readings: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_device_points: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_behind_gateway_messages: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_behind_gateway_readings: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_behind_gateway_points: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_gateway_messages: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_gateway_readings: Rates,
    #[serde(deserialize_with = "rates")]
    pub(crate) rate_gateway_points: Rates,
}

/// What the next command of a device waits for (spec thingsboard 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RpcSubmit {
    Burst,
    OnAck,
    OnResponse,
}

impl ThingsBoard {
    /// How devices may be claimed.
    pub(crate) fn claim_rules(&self) -> platform::ClaimRules {
        platform::ClaimRules {
            duration_ms: self.claim_duration_s.saturating_mul(1_000),
            allowed_by_default: self.claim_by_default,
        }
    }

    /// How much devices may send.
    pub(crate) fn rate_rules(&self) -> platform::RateRules {
        let traffic = |[messages, readings, points]: [&Rates; 3]| TrafficRates {
            messages: messages.clone(),
            readings: readings.clone(),
            points: points.clone(),
        };
        platform::RateRules {
            org: traffic([&self.rate_org_messages, &self.rate_org_readings, &self.rate_org_points]),
            device: traffic([
                &self.rate_device_messages,
                &self.rate_device_readings,
                &self.rate_device_points,
            ]),
            behind_gateway: traffic([
                &self.rate_behind_gateway_messages,
                &self.rate_behind_gateway_readings,
                &self.rate_behind_gateway_points,
            ]),
            gateway: traffic([
                &self.rate_gateway_messages,
                &self.rate_gateway_readings,
                &self.rate_gateway_points,
            ]),
        }
    }

    /// How commands go out.
    pub(crate) fn command_rules(&self) -> platform::CommandRules {
        platform::CommandRules {
            submission: match self.rpc_submit {
                RpcSubmit::Burst => platform::Submission::Burst,
                RpcSubmit::OnAck => platform::Submission::AfterDelivery,
                RpcSubmit::OnResponse => platform::Submission::AfterAnswer,
            },
            retries_count_max: self.rpc_retries_max,
            delivery_ms_max: self.rpc_ack_ms_max,
            answer_ms_max: self.rpc_response_ms_max,
        }
    }
}

/// Where we listen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) mqtt: Addresses,
    pub(crate) mqtts: Addresses,
    pub(crate) http: Addresses,
    pub(crate) https: Addresses,
    pub(crate) onenet: Addresses,
    pub(crate) http_on_mqtt: bool,
    pub(crate) proxy_from: Networks,
    pub(crate) pinned: Pinned,
}

/// Which certificate is shown.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    #[serde(deserialize_with = "path_or_none")]
    pub(crate) cert: Option<PathBuf>,
    #[serde(deserialize_with = "path_or_none")]
    pub(crate) key: Option<PathBuf>,
    pub(crate) names: Vec<String>,
    #[serde(deserialize_with = "path_or_none")]
    pub(crate) client_ca: Option<PathBuf>,
}

/// Where the data lie.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    pub(crate) path: PathBuf,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// What differs between Watson's manual, its service and its SDKs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watson {
    pub(crate) notify_style: NotifyStyle,
    pub(crate) bulk_remove_status: BulkRemoveStatus,
}

/// How a gateway is told what was refused (spec watson D2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NotifyStyle {
    Seed,
    Cloud,
}

/// The status of a bulk removal (spec watson D10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum BulkRemoveStatus {
    #[serde(rename = "202")]
    Accepted,
    #[serde(rename = "201")]
    Created,
    #[serde(rename = "by_user_agent")]
    ByUserAgent,
}

/// Bounds. Each name ends in its unit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) connection_count_max: usize,
    pub(crate) login_ms_max: u64,
    pub(crate) newcomer_ms_max: u64,
    pub(crate) answer_ms_max: u32,
    pub(crate) packet_bytes_before_login_max: usize,
    pub(crate) payload_bytes_max: usize,
    pub(crate) session_count_max: usize,
    pub(crate) subscription_count_max: usize,
    pub(crate) inflight_device_count_max: u16,
    pub(crate) inflight_gateway_count_max: u16,
    pub(crate) inflight_application_count_max: u16,
    pub(crate) outbox_bytes_max: usize,
    pub(crate) queue_retention_s: u64,
    pub(crate) retained_count_max: usize,
    pub(crate) retained_bytes_max: usize,
    pub(crate) anonymous_session_count_max: usize,
    pub(crate) keep_alive_s_max: u16,
    pub(crate) registration_pending_count_max: usize,
    pub(crate) registration_back_off_s: u64,
}

/// What each whole number may be; every number of `default.toml` has its row.
const RANGES: &[(&str, &str, RangeInclusive<i64>)] = &[
    ("thingsboard", "claim_duration_s", 1..=86_400),
    ("thingsboard", "inactivity_timeout_s", 1..=31_536_000),
    ("thingsboard", "rpc_ack_ms_max", 1..=3_600_000),
    ("thingsboard", "rpc_retries_max", 0..=255),
    ("thingsboard", "rpc_response_ms_max", 1..=3_600_000),
    ("server", "worker_count", 0..=1_024),
    ("plain", "status_interval_s", 0..=86_400),
    ("limits", "connection_count_max", 1..=100_000_000),
    ("limits", "login_ms_max", 1..=3_600_000),
    ("limits", "newcomer_ms_max", 1..=3_600_000),
    ("limits", "answer_ms_max", 1..=3_600_000),
    // The codec reads no longer first packet.
    ("limits", "packet_bytes_before_login_max", 256..=mqtt::limits::CONNECT_BYTES_MAX as i64),
    ("limits", "payload_bytes_max", 1..=201_326_592),
    ("limits", "session_count_max", 1..=100_000_000),
    ("limits", "subscription_count_max", 1..=1_000_000),
    ("limits", "inflight_device_count_max", 1..=65_535),
    ("limits", "inflight_gateway_count_max", 1..=65_535),
    ("limits", "inflight_application_count_max", 1..=65_535),
    ("limits", "outbox_bytes_max", 65_536..=4_294_967_296),
    ("limits", "queue_retention_s", 1..=31_536_000),
    ("limits", "retained_count_max", 0..=100_000_000),
    ("limits", "retained_bytes_max", 0..=1_099_511_627_776),
    ("limits", "anonymous_session_count_max", 0..=1_000_000),
    ("limits", "keep_alive_s_max", 0..=65_535),
    ("limits", "registration_pending_count_max", 1..=100_000),
    ("limits", "registration_back_off_s", 0..=86_400),
];

impl Default for Config {
    fn default() -> Config {
        Config::parse("", "default.toml").expect("a test reads default.toml")
    }
}

impl Config {
    /// Settings from the text of a file; the error names file, line and the nearest key.
    pub fn from_toml(text: &str, name: &str) -> anyhow::Result<Config> {
        Ok(Config::parse(text, name)?)
    }

    /// Reads the file at `path`.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigFault> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(&text, &name),
            Err(cause) => Err(ConfigFault::unreadable(&name, &cause)),
        }
    }

    /// Reads the settings in `text`; `name` stands for the file in errors.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Config, ConfigFault> {
        let source = fault::Source { name, text };
        let user = DeTable::parse(text).map_err(|it| source.syntax(&it))?;
        let known = DeTable::parse(DEFAULT_FILE).map_err(|it| source.syntax(&it))?;
        check(&source, user.get_ref(), known.get_ref())?;
        let laid = Spanned::new(0..text.len(), lay_over(known.into_inner(), user.get_ref()));
        let config = Config::deserialize(toml::de::Deserializer::from(laid))
            .map_err(|it| source.value(user.get_ref(), &it))?;
        config.plain.check().map_err(|(key, hint)| source.setting(user.get_ref(), "plain", key, &hint))?;
        Ok(config)
    }

    /// Whether the user brought a certificate, both halves of it.
    pub(crate) fn own_certificate(&self) -> Option<(&Path, &Path)> {
        self.tls.cert.as_deref().zip(self.tls.key.as_deref())
    }
}

/// Refuses what `known` does not have: sections, keys, types, and numbers out of range.
fn check(source: &fault::Source<'_>, user: &DeTable<'_>, known: &DeTable<'_>) -> Result<(), ConfigFault> {
    for (section, content) in user.iter() {
        let sections = known.iter().map(|(it, _)| it.get_ref().as_ref());
        let Some(known) = known.get(section.get_ref().as_ref()).and_then(|it| it.get_ref().as_table()) else {
            return Err(source.unknown_section(section, sections, known));
        };
        let Some(content) = content.get_ref().as_table() else {
            return Err(source.not_a_section(section));
        };
        for (key, value) in content.iter() {
            let keys = known.iter().map(|(it, _)| it.get_ref().as_ref());
            let Some(expected) = known.get(key.get_ref().as_ref()) else {
                return Err(source.unknown_key(section.get_ref(), key, keys));
            };
            let either =
                section.get_ref() == "listen" && expected.get_ref().is_str() && value.get_ref().is_array();
            if !either && !value.get_ref().same_type(expected.get_ref()) {
                return Err(source.wrong_type(section.get_ref(), key, value, expected.get_ref()));
            }
            if let Some(range) = range_of(section.get_ref(), key.get_ref()) {
                check_range(value.get_ref(), range)
                    .map_err(|hint| source.at(section.get_ref(), key, value.span(), &hint))?;
            }
        }
    }
    check_certificate(source, user)
}

fn range_of(section: &str, key: &str) -> Option<&'static RangeInclusive<i64>> {
    RANGES.iter().find(|it| it.0 == section && it.1 == key).map(|it| &it.2)
}

fn check_range(value: &DeValue<'_>, range: &RangeInclusive<i64>) -> Result<(), String> {
    let number =
        value.as_integer().and_then(|it| i64::from_str_radix(&it.as_str().replace('_', ""), it.radix()).ok());
    match number {
        Some(it) if range.contains(&it) => Ok(()),
        _ => Err(format!("must be from {} to {}", range.start(), range.end())),
    }
}

/// A certificate without its key, or a key without its certificate, serves nobody.
fn check_certificate(source: &fault::Source<'_>, user: &DeTable<'_>) -> Result<(), ConfigFault> {
    let Some(tls) = user.get("tls").and_then(|it| it.get_ref().as_table()) else {
        return Ok(());
    };
    let given = |key: &str| tls.get_key_value(key).filter(|(_, it)| it.get_ref().as_str() != Some(""));
    match (given("cert"), given("key")) {
        (Some((key, value)), None) => Err(source.at("tls", key, value.span(), "needs `key` beside it")),
        (None, Some((key, value))) => Err(source.at("tls", key, value.span(), "needs `cert` beside it")),
        _ => Ok(()),
    }
}

/// The default document with the user's values in their places.
fn lay_over<'a>(mut known: DeTable<'a>, user: &DeTable<'a>) -> DeTable<'a> {
    for (section, content) in user.iter() {
        let (Some(content), Some(place)) =
            (content.get_ref().as_table(), known.get_mut(section.get_ref().as_ref()))
        else {
            continue;
        };
        if let DeValue::Table(place) = place.get_mut() {
            for (key, value) in content.iter() {
                place.insert(key.clone(), value.clone());
            }
        }
    }
    known
}

/// The empty string stands for "none" in files.
fn rates<'de, D: Deserializer<'de>>(from: D) -> Result<Rates, D::Error> {
    let text = String::deserialize(from)?;
    Rates::parse(&text)
        .ok_or_else(|| serde::de::Error::custom("rates are written times:seconds, for example 100:1,2000:60"))
}

fn path_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(from)?;
    Ok(if path.as_os_str().is_empty() { None } else { Some(path) })
}

#[cfg(test)]
mod tests;
