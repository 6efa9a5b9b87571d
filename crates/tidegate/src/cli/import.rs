//! `tidegate import thingsboard`: devices of a ThingsBoard server, with the credentials they have.
//!
//! The file has a JSON object for each device, one on a line, in the shapes of ThingsBoard's REST API:
//! `{"device":{…},"credentials":{…},"attributes":{"SHARED_SCOPE":{…},"SERVER_SCOPE":{…}}}`. Only `device` with its name
//! has to be there. The file is read twice, gateways first, so that each device knows the gateway it was behind. What
//! is there already is left as it is: an import that broke off is begun again. Nothing is ever removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::OrgArg;
use super::api::{Api, escaped};

/// `tidegate import …`
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Devices of a ThingsBoard server with their credentials: one JSON object on each line
    #[command(after_help = "Examples:
  python3 docs/migrate/thingsboard-export.py https://old.example.com tenant@example.com > devices.jsonl
  tidegate import thingsboard devices.jsonl")]
    Thingsboard {
        #[command(flatten)]
        org: OrgArg,
        /// What thingsboard-export.py has written
        file: PathBuf,
    },
}

/// Lines between two words about the progress.
const PROGRESS_LINES: usize = 1_000;

/// The profile of a device that names none.
const DEFAULT_TYPE: &str = "default";

/// What became of the lines of a file.
#[derive(Debug, Default)]
pub(super) struct Report {
    created_count: usize,
    present_count: usize,
    /// Lines that were not imported, with the reason.
    pub(super) failed: Vec<(usize, String)>,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let Report { created_count, present_count, failed } = self;
        let mut text: String = failed.iter().map(|(line, why)| format!("line {line}: {why}\n")).collect();
        text += &format!("{created_count} created, {present_count} there already, {} failed\n", failed.len());
        text
    }

    pub(super) fn json(&self) -> Value {
        let failed: Vec<Value> =
            self.failed.iter().map(|(line, why)| json!({ "line": line, "why": why })).collect();
        json!({ "created": self.created_count, "present": self.present_count, "failed": failed })
    }
}

#[derive(Deserialize)]
struct Line {
    device: Exported,
    credentials: Option<Credentials>,
    #[serde(default)]
    attributes: BTreeMap<String, Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exported {
    id: Option<Id>,
    name: String,
    #[serde(rename = "type")]
    device_type: Option<String>,
    label: Option<String>,
    additional_info: Option<Value>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    credentials_type: String,
    credentials_id: Option<String>,
    credentials_value: Option<String>,
}

/// The value of MQTT_BASIC credentials, itself a JSON text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Basic {
    client_id: Option<String>,
    user_name: Option<String>,
    password: Option<String>,
}

impl Line {
    fn device_type(&self) -> &str {
        self.device.device_type.as_deref().unwrap_or(DEFAULT_TYPE)
    }

    fn is_gateway(&self) -> bool {
        self.additional("gateway") == Some(&Value::Bool(true))
    }

    fn additional(&self, name: &str) -> Option<&Value> {
        self.device.additional_info.as_ref()?.get(name)
    }

    /// The draft of the device for the API; `gateways` are those that are here, by their ids there.
    fn draft(&self, gateways: &BTreeMap<String, (String, String)>) -> Result<Value> {
        let mut draft = json!({
            "type": self.device_type(),
            "name": self.device.name,
            "class": if self.is_gateway() { "gateway" } else { "device" },
            "info": { "description": self.device.label },
        });
        if let Some(metadata @ Value::Object(_)) = &self.device.additional_info {
            draft["metadata"] = metadata.clone();
        }
        let gateway = self.additional("lastConnectedGateway").and_then(Value::as_str);
        if let Some((device_type, name)) = gateway.and_then(|it| gateways.get(it)) {
            draft["gateway"] = json!({ "type": device_type, "name": name });
        }
        if let Some(credentials) = &self.credentials {
            let (name, login) = credentials.login()?;
            draft[name] = login;
        }
        Ok(draft)
    }
}

impl Credentials {
    /// The login as a member of the draft.
    fn login(&self) -> Result<(&'static str, Value)> {
        match self.credentials_type.as_str() {
            "ACCESS_TOKEN" => {
                let token = self.credentials_id.as_deref().context("its access token is missing")?;
                Ok(("access_token", token.into()))
            }
            "MQTT_BASIC" => {
                let text = self.credentials_value.as_deref().context("its credentialsValue is missing")?;
                let Basic { client_id, user_name, password } =
                    serde_json::from_str(text).context("its credentialsValue is not what it should be")?;
                // An empty text is none, there.
                let given = |it: Option<String>| it.filter(|it| !it.is_empty());
                let (client_id, user, password) = (given(client_id), given(user_name), given(password));
                Ok(("basic", json!({ "client_id": client_id, "user": user, "password": password })))
            }
            "X509_CERTIFICATE" => {
                let text = self.credentials_value.as_deref().context("its certificate is missing")?;
                Ok(("certificate", text.into()))
            }
            other => anyhow::bail!("credentials of the type {other} are not imported"),
        }
    }
}

/// Imports the devices of `file` into an organisation.
pub(super) async fn thingsboard(api: &Api, org: &str, file: &Path) -> Result<Report> {
    let types = api.call(Method::GET, &format!("/v1/orgs/{}/types", escaped(org)), None).await?;
    let types = types["types"].as_array().into_iter().flatten();
    let types = types.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect();
    let mut import = Import { api, org, types, gateways: BTreeMap::new(), report: Report::default() };
    for gateways in [true, false] {
        import.pass(file, gateways).await?;
    }
    import.report.failed.sort();
    Ok(import.report)
}

/// An import under way.
struct Import<'a> {
    api: &'a Api,
    org: &'a str,
    /// Device types that are there.
    types: BTreeSet<String>,
    /// Type and name of each gateway, by its id there.
    gateways: BTreeMap<String, (String, String)>,
    report: Report,
}

impl Import<'_> {
    /// Imports the gateways of the file, or all others and what cannot be read.
    async fn pass(&mut self, file: &Path, gateways: bool) -> Result<()> {
        let lines = BufReader::new(File::open(file).with_context(|| format!("reading {}", file.display()))?);
        for (index, text) in lines.lines().enumerate() {
            let text = text.with_context(|| format!("reading {}", file.display()))?;
            let number = index + 1;
            if number % PROGRESS_LINES == 0 {
                eprintln!("{} lines, {}", number, if gateways { "gateways" } else { "devices" });
            }
            if text.trim().is_empty() {
                continue;
            }
            let outcome = match serde_json::from_str::<Line>(&text) {
                Ok(line) if line.is_gateway() != gateways => continue,
                Ok(line) => self.one(&line).await,
                Err(_) if gateways => continue,
                Err(fault) => Err(fault.into()),
            };
            if let Err(why) = outcome {
                self.report.failed.push((number, format!("{why:#}")));
            }
        }
        Ok(())
    }

    async fn one(&mut self, line: &Line) -> Result<()> {
        let org = escaped(self.org);
        let name = &line.device.name;
        let devices = format!("/v1/orgs/{org}/devices");
        let found = self.api.call(Method::GET, &format!("{devices}?name={}", escaped(name)), None).await?;
        let mut place = found.pointer("/devices/0/type").and_then(Value::as_str).map(str::to_owned);
        if place.is_some() {
            self.report.present_count += 1;
        } else {
            let device_type = line.device_type().to_owned();
            if !self.types.contains(&device_type) {
                let draft = json!({ "name": device_type });
                self.api.call(Method::POST, &format!("/v1/orgs/{org}/types"), Some(&draft)).await?;
                self.types.insert(device_type.clone());
            }
            let draft = line.draft(&self.gateways).with_context(|| name.clone())?;
            self.api.call(Method::POST, &devices, Some(&draft)).await.with_context(|| name.clone())?;
            self.write_attributes(line, &format!("{devices}/{}/{}", escaped(&device_type), escaped(name)))
                .await?;
            self.report.created_count += 1;
            place = Some(device_type);
        }
        if let (true, Some(id), Some(device_type)) = (line.is_gateway(), &line.device.id, place) {
            self.gateways.insert(id.id.clone(), (device_type, name.clone()));
        }
        Ok(())
    }

    async fn write_attributes(&self, line: &Line, device: &str) -> Result<()> {
        for (scope, there) in [("shared", "SHARED_SCOPE"), ("server", "SERVER_SCOPE")] {
            let Some(values) = line.attributes.get(there).filter(|it| !it.is_empty()) else { continue };
            let (path, values) = (format!("{device}/attributes/{scope}"), Value::Object(values.clone()));
            let written = self.api.call(Method::PATCH, &path, Some(&values)).await;
            written.with_context(|| {
                format!("{}: it is there, its {scope} attributes are not", line.device.name)
            })?;
        }
        Ok(())
    }
}
