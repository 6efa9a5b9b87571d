//! Commands that ask the API: which request each one is, and how its answer is shown.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::print::print;
use super::show;
use crate::cli::api::{Absent, Api, escaped};
use crate::cli::moment::Moment;
use crate::cli::package::PackageCommand;
use crate::cli::{
    Command, DeviceArg, DeviceCommand, KeyCommand, OrgArg, OrgCommand, RightsArg, TypeCommand, import, tail,
};
use crate::clock::Clock;
use crate::config::Config;

/// Devices asked for at a time.
const PAGE_COUNT: usize = 1_000;

/// An answer, for programs and for people.
pub(super) struct Answer {
    pub(super) json: Value,
    pub(super) text: String,
}

/// Asks the server of the data folder, or the folder itself, and prints the answer.
pub(super) async fn ask(command: Command, config: &Config, as_json: bool) -> Result<()> {
    let begins = matches!(command, Command::Org(OrgCommand::Add { .. }));
    let api = Api::open(config, if begins { Absent::Make } else { Absent::Refuse }).await?;
    if let Command::Tail(wanted) = command {
        let org = org_of(&api, &wanted.org).await?;
        return tail::tail(&api, &org, &wanted, as_json).await;
    }
    if let Command::Import(import::ImportCommand::Thingsboard { org, file }) = command {
        let report = import_thingsboard(&api, &org, &file).await;
        api.close()?;
        let report = report?;
        print(&if as_json { format!("{:#}\n", report.json()) } else { report.text() })?;
        if !report.failed.is_empty() {
            bail!("{} devices were not imported", report.failed.len());
        }
        return Ok(());
    }
    let answer = match command {
        Command::Org(it) => org(&api, it).await,
        Command::Type(it) => device_type(&api, it).await,
        Command::Device(it) => device(&api, it).await,
        Command::Key(it) => key(&api, it).await,
        Command::Package(it) => package(&api, it).await,
        Command::Refusals { org, limit } => refusals(&api, &org, limit).await,
        Command::Stats => get(&api, "/v1/stats").await.map(|it| show::facts(it, "nothing to count")),
        Command::Tail(_)
        | Command::Import(_)
        | Command::Serve(_)
        | Command::Demo { .. }
        | Command::Bench(_)
        | Command::Config => {
            bail!("this command does not ask the API")
        }
    };
    // Also after a refusal: the folder has to be given back before anything is said.
    api.close()?;
    let answer = answer?;
    if as_json { print(&format!("{:#}\n", answer.json)) } else { print(&answer.text) }
}

async fn import_thingsboard(api: &Api, org: &OrgArg, file: &Path) -> Result<import::Report> {
    import::thingsboard(api, &org_of(api, org).await?, file).await
}

async fn get(api: &Api, path: &str) -> Result<Value> {
    api.call(Method::GET, path, None).await
}

/// The organisation that is meant: the one named, or the only one.
async fn org_of(api: &Api, arg: &OrgArg) -> Result<String> {
    if let Some(org) = &arg.org {
        return Ok(org.clone());
    }
    let orgs = get(api, "/v1/orgs").await?;
    let ids: Vec<&str> = show::list(&orgs, "orgs").filter_map(|it| it["id"].as_str()).collect();
    match ids[..] {
        [only] => Ok(only.to_owned()),
        [] => bail!("there is no organisation yet: create one with `tidegate org add`"),
        _ => bail!("there are several organisations ({}): say which with --org", ids.join(", ")),
    }
}

async fn org(api: &Api, command: OrgCommand) -> Result<Answer> {
    match command {
        OrgCommand::Add { id, name } => {
            let made = api.call(Method::POST, "/v1/orgs", Some(&json!({ "id": id, "name": name }))).await?;
            let text = format!("created organisation {}\n", show::text_of(&made["id"]));
            Ok(Answer { json: made, text })
        }
        OrgCommand::List => {
            let columns =
                [("id", "/id"), ("name", "/name"), ("enabled", "/enabled"), ("created", "/created")];
            let orgs = get(api, "/v1/orgs").await?;
            Ok(show::table(
                orgs,
                "orgs",
                &columns,
                "no organisations yet: create one with `tidegate org add`",
            ))
        }
        OrgCommand::Show { id } => {
            let org = org_of(api, &OrgArg { org: id }).await?;
            Ok(show::facts(get(api, &format!("/v1/orgs/{}", escaped(&org))).await?, ""))
        }
        OrgCommand::Set { id, name, enabled, device_count_max, device_per_gateway_count_max } => {
            let change = present([
                ("name", name.map(Value::from)),
                ("enabled", enabled.map(Value::from)),
                ("device_count_max", device_count_max.map(Value::from)),
                ("device_per_gateway_count_max", device_per_gateway_count_max.map(Value::from)),
            ]);
            let path = format!("/v1/orgs/{}", escaped(&id));
            Ok(show::facts(api.call(Method::PATCH, &path, Some(&change)).await?, ""))
        }
    }
}

async fn device_type(api: &Api, command: TypeCommand) -> Result<Answer> {
    match command {
        TypeCommand::Add { org, name, gateway, description } => {
            let path = format!("/v1/orgs/{}/types", escaped(&org_of(api, &org).await?));
            let class = if gateway { "gateway" } else { "device" };
            let draft = json!({ "name": name, "class": class, "description": description });
            let made = api.call(Method::POST, &path, Some(&draft)).await?;
            let text = format!("created {class} type {}\n", show::text_of(&made["name"]));
            Ok(Answer { json: made, text })
        }
        TypeCommand::List { org } => {
            let path = format!("/v1/orgs/{}/types", escaped(&org_of(api, &org).await?));
            let columns = [
                ("name", "/name"),
                ("class", "/class"),
                ("product", "/product/number"),
                ("description", "/description"),
                ("created", "/created"),
            ];
            let nothing = "no device types yet: create one with `tidegate type add`";
            Ok(show::table(get(api, &path).await?, "types", &columns, nothing))
        }
        TypeCommand::Provision { org, name, devices, key, secret } => {
            let path = format!("/v1/orgs/{}/types/{}", escaped(&org_of(api, &org).await?), escaped(&name));
            let change = json!({ "provisioning": { "devices": devices, "key": key, "secret": secret } });
            Ok(show::facts(api.call(Method::PATCH, &path, Some(&change)).await?, ""))
        }
        TypeCommand::Product { org, name, number, master_key, register_code } => {
            let path = format!("/v1/orgs/{}/types/{}", escaped(&org_of(api, &org).await?), escaped(&name));
            let draft = json!({
                "number": number, "master_key": master_key, "register_code": register_code,
            });
            Ok(show::facts(api.call(Method::PUT, &format!("{path}/product"), Some(&draft)).await?, ""))
        }
        TypeCommand::Remove { org, name } => {
            let path = format!("/v1/orgs/{}/types/{}", escaped(&org_of(api, &org).await?), escaped(&name));
            api.call(Method::DELETE, &path, None).await?;
            Ok(removed("device type", &name))
        }
    }
}

async fn device(api: &Api, command: DeviceCommand) -> Result<Answer> {
    match command {
        DeviceCommand::Add { device, token, access_token, certificate, gateway } => {
            let login = match (access_token, certificate) {
                (Some(token), _) => Some(ThingsBoardLogin::AccessToken(token)),
                (None, Some(file)) => Some(ThingsBoardLogin::Certificate(file)),
                (None, None) => None,
            };
            add_device(api, &device, token, login, gateway).await
        }
        DeviceCommand::List { org, device_type } => list_devices(api, &org, device_type.as_deref()).await,
        DeviceCommand::Show(it) => Ok(show::facts(get(api, &device_path(api, &it).await?).await?, "")),
        DeviceCommand::Remove(it) => {
            api.call(Method::DELETE, &device_path(api, &it).await?, None).await?;
            Ok(removed("device", &it.device.to_string()))
        }
        DeviceCommand::Rename { device, to } => {
            let change = json!({ "type": to.device_type, "name": to.name });
            let path = device_path(api, &device).await?;
            let renamed = api.call(Method::PATCH, &path, Some(&change)).await?;
            Ok(Answer { json: renamed, text: format!("renamed {} to {to}\n", device.device) })
        }
        DeviceCommand::Enable(it) => set_enabled(api, &it, true).await,
        DeviceCommand::Disable(it) => set_enabled(api, &it, false).await,
        DeviceCommand::Set { device, rights, unrestricted } => {
            let change = present([("rights", rights_change(&rights, unrestricted))]);
            let path = device_path(api, &device).await?;
            Ok(show::facts(api.call(Method::PATCH, &path, Some(&change)).await?, ""))
        }
        DeviceCommand::Number { device, number, auth_info } => {
            let path = format!("{}/number", device_path(api, &device).await?);
            let draft = json!({ "number": number, "auth_info": auth_info });
            Ok(show::facts(api.call(Method::PUT, &path, Some(&draft)).await?, ""))
        }
        DeviceCommand::History { device, key, from, to, limit } => {
            let now_ms = Clock::start().wall_ms();
            let path = device_path(api, &device).await?;
            let (from_ms, to_ms) = (from.resolve_ms(now_ms), to.map(|it| it.resolve_ms(now_ms)));
            let to = to_ms.map(|it| format!("&to={it}")).unwrap_or_default();
            let path = format!("{path}/points?key={}&from={from_ms}{to}&limit={limit}", escaped(&key));
            let columns = [("at", "/at_ms"), ("value", "/value")];
            Ok(show::table(get(api, &path).await?, "points", &columns, "nothing measured in that time"))
        }
        DeviceCommand::Erase { device, key, from, to } => {
            let now_ms = Clock::start().wall_ms();
            let path = device_path(api, &device).await?;
            let moment = |name: &str, it: Option<Moment>| {
                it.map(|it| format!("&{name}={}", it.resolve_ms(now_ms))).unwrap_or_default()
            };
            let (from, to) = (moment("from", from), moment("to", to));
            let path = format!("{path}/points?key={}{from}{to}", escaped(&key));
            api.call(Method::DELETE, &path, None).await?;
            Ok(removed("points of", &key))
        }
        DeviceCommand::Attributes { device, share, unshare } => {
            attributes(api, &device, &share, &unshare).await
        }
        DeviceCommand::Command { device, method, params, payload, no_reply, timeout } => {
            api.needs_server("device command")?;
            let params = params.as_deref().map(serde_json::from_str::<Value>);
            let params = params.transpose().context("the parameters are not JSON")?;
            let timeout_ms = timeout.saturating_mul(1_000);
            let draft = present([
                ("method", method.map(Value::from)),
                ("params", params),
                ("payload", payload.map(Value::from)),
                ("reply", Some((!no_reply).into())),
                ("timeout_ms", Some(timeout_ms.into())),
            ]);
            let path = format!("{}/commands", device_path(api, &device).await?);
            Ok(show::facts(api.call(Method::POST, &path, Some(&draft)).await?, ""))
        }
        DeviceCommand::Events(it) => {
            let path = format!("{}/events", device_path(api, &it).await?);
            let columns = [("event", "/name"), ("format", "/format"), ("at", "/at"), ("payload", "/payload")];
            Ok(show::table(get(api, &path).await?, "events", &columns, "no events yet"))
        }
    }
}

async fn device_path(api: &Api, arg: &DeviceArg) -> Result<String> {
    let org = org_of(api, &arg.org).await?;
    let (device_type, name) = (escaped(&arg.device.device_type), escaped(&arg.device.name));
    Ok(format!("/v1/orgs/{}/devices/{device_type}/{name}", escaped(&org)))
}

/// Writes and removes shared attributes, if any are named, and shows all.
async fn attributes(api: &Api, arg: &DeviceArg, share: &[String], unshare: &[String]) -> Result<Answer> {
    let path = format!("{}/attributes", device_path(api, arg).await?);
    let mut written = Map::new();
    for it in share {
        let (key, value) = it.split_once('=').with_context(|| format!("`{it}` is not key=value"))?;
        let value = serde_json::from_str(value).with_context(|| format!("`{value}` is not JSON"))?;
        written.insert(key.to_owned(), value);
    }
    if !written.is_empty() {
        api.call(Method::PATCH, &format!("{path}/shared"), Some(&Value::Object(written))).await?;
    }
    if !unshare.is_empty() {
        let keys = escaped(&unshare.join(","));
        api.call(Method::DELETE, &format!("{path}/shared?keys={keys}"), None).await?;
    }
    Ok(show::facts(get(api, &path).await?, "no attributes yet"))
}

/// With what a device comes as ThingsBoard's.
enum ThingsBoardLogin {
    AccessToken(String),
    /// The file of its certificate.
    Certificate(PathBuf),
}

async fn add_device(
    api: &Api,
    arg: &DeviceArg,
    token: Option<String>,
    login: Option<ThingsBoardLogin>,
    gateway: bool,
) -> Result<Answer> {
    let org = org_of(api, &arg.org).await?;
    let mut draft = json!({ "type": arg.device.device_type, "name": arg.device.name });
    if let Some(token) = token {
        draft["token"] = token.into();
    }
    if gateway {
        draft["class"] = "gateway".into();
    }
    let login = match login {
        None => String::new(),
        Some(ThingsBoardLogin::AccessToken(it)) => {
            draft["access_token"] = it.as_str().into();
            format!("  as a ThingsBoard device: user name {it}, no password\n")
        }
        Some(ThingsBoardLogin::Certificate(file)) => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read a certificate from {}", file.display()))?;
            draft["certificate"] = text.into();
            format!("  as a ThingsBoard device: over TLS with the certificate in {}\n", file.display())
        }
    };
    let made = api.call(Method::POST, &format!("/v1/orgs/{}/devices", escaped(&org)), Some(&draft)).await?;
    let (what, letter) = if made["class"] == "gateway" { ("gateway", 'g') } else { ("device", 'd') };
    let text = format!(
        "registered {what} {device}\n  client id  {letter}:{org}:{device_type}:{name}\n  user name  use-token-auth\n  \
         password   {token}    (shown only now)\n{login}",
        device = arg.device,
        device_type = arg.device.device_type,
        name = arg.device.name,
        token = made["token"].as_str().unwrap_or_default(),
    );
    Ok(Answer { json: made, text })
}

async fn set_enabled(api: &Api, arg: &DeviceArg, enabled: bool) -> Result<Answer> {
    let change = json!({ "enabled": enabled });
    let changed = api.call(Method::PATCH, &device_path(api, arg).await?, Some(&change)).await?;
    let text = format!("{} {}\n", if enabled { "enabled" } else { "disabled" }, arg.device);
    Ok(Answer { json: changed, text })
}

/// All devices, page by page.
async fn list_devices(api: &Api, org: &OrgArg, device_type: Option<&str>) -> Result<Answer> {
    let org = org_of(api, org).await?;
    let only = device_type.map(|it| format!("&type={}", escaped(it))).unwrap_or_default();
    let (mut devices, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/orgs/{}/devices?limit={PAGE_COUNT}{only}{after}", escaped(&org));
        let mut page = get(api, &path).await?;
        let next = page["next"].as_str().map(|it| format!("&after={}", escaped(it)));
        devices.append(page["devices"].as_array_mut().context("the answer holds no devices")?);
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    let columns = [
        ("type", "/type"),
        ("name", "/name"),
        ("class", "/class"),
        ("number", "/number"),
        ("enabled", "/enabled"),
        ("behind", "/gateway"),
        ("registered", "/registered"),
    ];
    let nothing = "no devices yet: register one with `tidegate device add TYPE/NAME`";
    Ok(show::table(json!({ "devices": devices }), "devices", &columns, nothing))
}

async fn key(api: &Api, command: KeyCommand) -> Result<Answer> {
    match command {
        KeyCommand::Add { org, comment, rights } => {
            let path = format!("/v1/orgs/{}/keys", escaped(&org_of(api, &org).await?));
            let rights = rights_change(&rights, false).unwrap_or_else(|| json!({}));
            let draft = json!({ "comment": comment, "rights": rights });
            let made = api.call(Method::POST, &path, Some(&draft)).await?;
            let (key, token) = (show::text_of(&made["key"]), made["token"].as_str().unwrap_or_default());
            let text = format!("created API key\n  key    {key}\n  token  {token}    (shown only now)\n");
            Ok(Answer { json: made, text })
        }
        KeyCommand::Set { org, key, comment, rights, unrestricted } => {
            let path = format!("/v1/orgs/{}/keys/{}", escaped(&org_of(api, &org).await?), escaped(&key));
            let change = present([
                ("comment", comment.map(Value::from)),
                ("rights", rights_change(&rights, unrestricted)),
            ]);
            Ok(show::facts(api.call(Method::PATCH, &path, Some(&change)).await?, ""))
        }
        KeyCommand::List { org } => {
            let path = format!("/v1/orgs/{}/keys", escaped(&org_of(api, &org).await?));
            let columns = [
                ("key", "/key"),
                ("comment", "/comment"),
                ("publishes", "/rights/publish"),
                ("subscribes", "/rights/subscribe"),
                ("created", "/created"),
            ];
            let nothing = "no API keys yet: create one with `tidegate key add`";
            Ok(show::table(get(api, &path).await?, "keys", &columns, nothing))
        }
        KeyCommand::Remove { org, key } => {
            let path = format!("/v1/orgs/{}/keys/{}", escaped(&org_of(api, &org).await?), escaped(&key));
            api.call(Method::DELETE, &path, None).await?;
            Ok(removed("API key", &key))
        }
    }
}

async fn package(api: &Api, command: PackageCommand) -> Result<Answer> {
    match command {
        PackageCommand::Add { org, file, title, version, software, tag } => {
            let kind = if software { "software" } else { "firmware" };
            let path = format!(
                "/v1/orgs/{}/packages?title={}&version={}&kind={kind}&tag={}",
                escaped(&org_of(api, &org).await?),
                escaped(&title),
                escaped(&version),
                escaped(&tag)
            );
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let made = api.upload(&path, bytes).await?;
            let text = format!("added {kind} package {}\n", show::text_of(&made["id"]));
            Ok(Answer { json: made, text })
        }
        PackageCommand::List { org } => {
            let path = format!("/v1/orgs/{}/packages", escaped(&org_of(api, &org).await?));
            let columns = [
                ("id", "/id"),
                ("kind", "/kind"),
                ("title", "/title"),
                ("version", "/version"),
                ("bytes", "/size_bytes"),
                ("for types", "/types"),
                ("created", "/created"),
            ];
            let nothing = "no packages yet: add one with `tidegate package add`";
            Ok(show::table(get(api, &path).await?, "packages", &columns, nothing))
        }
        PackageCommand::Assign { org, id, target } => {
            let org = escaped(&org_of(api, &org).await?);
            let path = format!("/v1/orgs/{org}/packages/{}/assignments", escaped(&id));
            let (device_type, name) = match target.split_once('/') {
                Some((device_type, name)) => (device_type, Some(name)),
                None => (&*target, None),
            };
            let body = present([("type", Some(device_type.into())), ("name", name.map(Value::from))]);
            api.call(Method::POST, &path, Some(&body)).await?;
            let text = format!("{} is to have package {id}\n", show::text_of(&target.clone().into()));
            Ok(Answer { json: body, text })
        }
        PackageCommand::Remove { org, id } => {
            let path = format!("/v1/orgs/{}/packages/{}", escaped(&org_of(api, &org).await?), escaped(&id));
            api.call(Method::DELETE, &path, None).await?;
            Ok(removed("package", &id))
        }
    }
}

/// The lists that are named; none of them when nothing is.
fn rights_change(rights: &RightsArg, unrestricted: bool) -> Option<Value> {
    if unrestricted {
        return Some(json!({ "publish": [], "subscribe": [] }));
    }
    let named = |list: &[String]| (!list.is_empty()).then(|| json!(list));
    let change = present([("publish", named(&rights.publish)), ("subscribe", named(&rights.subscribe))]);
    change.as_object().is_some_and(|it| !it.is_empty()).then_some(change)
}

/// Refusals live in the memory of the running server; all of them unless an organisation is named.
async fn refusals(api: &Api, org: &OrgArg, limit: u32) -> Result<Answer> {
    api.needs_server("refusals")?;
    let path = match &org.org {
        Some(org) => format!("/v1/orgs/{}/refusals", escaped(org)),
        None => "/v1/refusals".to_owned(),
    };
    let mut answer = get(api, &path).await?;
    answer["refusals"].as_array_mut().context("the answer holds no refusals")?.truncate(limit as usize);
    let columns = [
        ("at", "/at_ms"),
        ("peer", "/peer"),
        ("asked", "/request"),
        ("topic", "/topic"),
        ("code", "/code"),
        ("why, and what to do", "/hint"),
    ];
    Ok(show::table(answer, "refusals", &columns, "nothing was refused since the server started"))
}

fn removed(what: &str, name: &str) -> Answer {
    Answer {
        json: json!({ "removed": name }),
        text: format!("removed {what} {}\n", show::text_of(&name.into())),
    }
}

/// An object of the members that have a value.
fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let present = members.into_iter().filter_map(|(name, value)| value.map(|it| (name.to_owned(), it)));
    Value::Object(present.collect::<Map<_, _>>())
}
