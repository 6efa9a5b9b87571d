//! Every transcript of every dialect, said to a real server over real sockets.
//!
//! The format is told in `sim::transcript`. Adding a file adds a test: the files are found when the test runs, and each
//! gets a server of its own with the data in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::attribute::Keys;
use domain::{
    Class, CommandBody, DeviceName, Numbered, OrgId, Points, Product, Provisioning, Registrar, Rights, Scope,
};
use parking_lot::Mutex;
use platform::{
    NewCommand, NewDevice, NewKey, NewNumber, NewProduct, NewProvisioning, NewType, OrgChange, Outcome,
};
use sim::transcript::{Act, Deed, DeviceRef, Fact, Given, Heard, Said, parse};
use store::memory::MemoryStore;
use tempfile::TempDir;
use tidegate::{Config, Running};
use tokio::time::timeout;

mod client;

use client::{Client, same, same_payload};

/// How long anything that must happen may take. Generous: it is only waited for when something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_transcript_is_followed() {
    let mut files = Vec::new();
    let dialects = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialects/src");
    for dialect in std::fs::read_dir(dialects).unwrap() {
        let folder = dialect.unwrap().path().join("transcripts");
        if folder.is_dir() {
            files.extend(std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()));
        }
    }
    files.sort();
    assert!(!files.is_empty(), "there are no transcripts");
    let mut failures = Vec::new();
    for file in &files {
        if let Err(failure) = follow(file).await {
            failures.push(format!("{}: {failure}", file.file_name().unwrap().to_string_lossy()));
        }
    }
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), files.len(), failures.join("\n"));
}

async fn follow(file: &PathBuf) -> Result<(), String> {
    let text = std::fs::read_to_string(file).unwrap();
    let steps = parse(&text).map_err(|it| it.to_string())?;
    let anonymous = steps.iter().find_map(|it| match &it.act {
        Act::Given(Given::Anonymous(rights)) => Some(rights),
        _ => None,
    });
    let mut stage = Stage::set(anonymous).await;
    for step in &steps {
        stage.act(&step.act).await.map_err(|it| format!("line {}: {it}", step.line))?;
    }
    stage.clear().await.map_err(|it| format!("at the end: {it}"))
}

/// A server and the clients of one transcript.
struct Stage {
    running: Running,
    store: Arc<MemoryStore>,
    _folder: TempDir,
    org: OrgId,
    types: Vec<String>,
    clients: BTreeMap<String, Client>,
    registration_fails: bool,
    /// The only dialect that is spoken where clients connect.
    port: Option<String>,
    /// What became of commands, by their names in the transcript.
    outcomes: Arc<Mutex<BTreeMap<String, Outcome>>>,
}

impl Stage {
    async fn set(anonymous: Option<&Rights>) -> Stage {
        let folder = TempDir::new().unwrap();
        let plain = anonymous.map_or(String::new(), |it| {
            format!(
                "[plain]\nanonymous = \"loopback\"\nanonymous_publish = {:?}\nanonymous_subscribe = {:?}\n",
                it.publish, it.subscribe
            )
        });
        let text = format!(
            "[data]\npath = {:?}\n[listen]\nmqtt = \"127.0.0.1:0\"\nmqtts = \"off\"\nhttp = \"off\"\nhttps = \"off\"\n\
             onenet = \"127.0.0.1:0\"\n[server]\nworker_count = 1\n{plain}",
            folder.path()
        );
        let store = Arc::new(store::memory::open().unwrap());
        let config = Config::from_toml(&text, "transcript").unwrap();
        let running = tidegate::start_on(config, store.clone()).await.unwrap();
        let org = OrgId::parse("abc123").unwrap();
        let (types, clients) = (Vec::new(), BTreeMap::new());
        let outcomes = Arc::default();
        Stage {
            running,
            store,
            _folder: folder,
            org,
            types,
            clients,
            registration_fails: false,
            port: None,
            outcomes,
        }
    }

    async fn act(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Given(given) => self.given(given),
            Act::Says { client, said } => return self.says(client, said).await,
            Act::Hears { client, heard } => return self.hears(client, heard).await,
            Act::Does(deed) => return self.does(deed),
            Act::Knows(fact) => return self.knows(fact).await,
        }
        Ok(())
    }

    fn given(&mut self, given: &Given) {
        let platform = self.running.platform.clone();
        match given {
            Given::Org(id) => {
                self.org = OrgId::parse(id).unwrap();
                platform.create_org(Some(self.org), id, 1).unwrap();
            }
            Given::Type { name, class } => self.add_type(name, *class),
            Given::Device { class, device, token, enabled } => {
                self.add_type(&device.device_type, *class);
                platform.register(self.org, draft(*class, device, token), 1).unwrap();
                if !enabled {
                    let change = platform::DeviceChange { enabled: Some(false), ..Default::default() };
                    platform.update_device(self.org, name_of(device), change).unwrap();
                }
            }
            Given::Key { key, token } => {
                let (key, token) = (Some(key.clone()), Some(token.clone()));
                let draft = NewKey { key, token, ..NewKey::default() };
                platform.create_key(self.org, draft, 1).unwrap();
            }
            Given::DevicesMax(count) => {
                let change = OrgChange { device_count_max: Some(*count), ..Default::default() };
                platform.update_org(self.org, change).unwrap();
            }
            Given::DevicesPerGatewayMax(count) => {
                let change = OrgChange { device_per_gateway_count_max: Some(*count), ..Default::default() };
                platform.update_org(self.org, change).unwrap();
            }
            Given::RegistrationFails => self.registration_fails = true,
            Given::Rights { holder, rights } => {
                let rights = Some(rights.clone());
                match holder.split_once('/') {
                    Some((device_type, name)) => {
                        let change = platform::DeviceChange { rights, ..Default::default() };
                        let name = DeviceName { device_type, name };
                        platform.update_device(self.org, name, change).map(drop).unwrap();
                    }
                    None => {
                        let change = platform::KeyChange { rights, comment: None };
                        platform.update_key(self.org, holder, change).map(drop).unwrap();
                    }
                }
            }
            Given::Login { device, login } => {
                platform.set_login(self.org, name_of(device), login.clone()).map(drop).unwrap();
            }
            Given::Provisioning { device_type, provisioning } => {
                self.add_type(device_type, Class::Device);
                let Provisioning { rule, key, secret } = provisioning.clone();
                let draft = NewProvisioning { rule, key: Some(key), secret: Some(secret) };
                platform.set_provisioning(self.org, device_type, Some(draft), 1).map(drop).unwrap();
            }
            Given::Product { device_type, product } => self.add_product(device_type, product.clone()),
            Given::Number { device, numbered } => {
                let Numbered { number, auth_info } = numbered.clone();
                let draft = NewNumber { number: Some(number), auth_info };
                platform.set_number(self.org, name_of(device), draft).map(drop).unwrap();
            }
            Given::Port(dialect) => self.port = Some(dialect.clone()),
            // A setting of the server.
            Given::Anonymous(_) => {}
        }
    }

    fn add_type(&mut self, name: &str, class: Class) {
        if !self.types.iter().any(|it| it == name) {
            self.types.push(name.to_owned());
            self.running.platform.create_type(self.org, NewType::named(name, class), 1).unwrap();
        }
    }

    fn add_product(&mut self, device_type: &str, product: Product) {
        self.add_type(device_type, Class::Device);
        let Product { number, master_key, register_code } = product;
        let draft = NewProduct {
            number: Some(number),
            master_key: Some(master_key),
            register_code: Some(register_code),
        };
        self.running.platform.set_product(self.org, device_type, draft, 1).map(drop).unwrap();
    }

    fn does(&self, deed: &Deed) -> Result<(), String> {
        let (platform, org) = (self.running.platform.clone(), self.org);
        let id = |device: &DeviceRef| {
            platform.device(org, name_of(device)).map(|it| it.id).ok_or_else(|| format!("no {device:?}"))
        };
        let done = match deed {
            Deed::Write { device, scope, attributes } => {
                let list = [(id(device)?, points(attributes))];
                platform.put_attributes(org, *scope, &list, 1, None).map(drop)
            }
            Deed::Unshare { device, keys } => {
                platform.drop_attributes(org, id(device)?, Scope::Shared, keys.clone()).map(drop)
            }
            Deed::Command { device, name, reply, method, params } => {
                let (outcomes, name) = (self.outcomes.clone(), name.clone());
                let now_ms = wall_ms();
                let draft = NewCommand {
                    done: Some(Box::new(move |it| _ = outcomes.lock().insert(name, it))),
                    ..NewCommand::passing(CommandBody::call(method, params), *reply, now_ms + 2_000)
                };
                platform.command(org, id(device)?, draft, now_ms).map(drop)
            }
            Deed::Claim { device, outcome, secret } => {
                let keys = platform.keys(org);
                let claimant = &keys.first().ok_or("there is no key to claim with")?.key;
                let claimed = platform.claim(org, id(device)?, claimant, secret, wall_ms());
                let claimed = claimed.map_err(|it| it.to_string())?.0;
                let expected = match outcome.as_str() {
                    "granted" => platform::ClaimOutcome::Granted,
                    "failed" => platform::ClaimOutcome::Failed,
                    "taken" => platform::ClaimOutcome::Taken,
                    _ => platform::ClaimOutcome::NoWindow,
                };
                return same(&expected, &claimed);
            }
            Deed::Unclaim(device) => platform.unclaim(org, id(device)?, wall_ms()).map(drop),
            Deed::Remove(device) => platform.drop_device(org, name_of(device)).map(drop),
            Deed::Rename { from, to } => {
                let (name, device_type) = (Some(to.name.clone()), Some(to.device_type.clone()));
                let change = platform::DeviceChange { name, device_type, ..Default::default() };
                platform.update_device(org, name_of(from), change).map(drop)
            }
            Deed::Disable(device) => {
                let change = platform::DeviceChange { enabled: Some(false), ..Default::default() };
                platform.update_device(org, name_of(device), change).map(drop)
            }
        };
        done.map_err(|it| it.to_string())
    }

    async fn says(&mut self, name: &str, said: &Said) -> Result<(), String> {
        if let Said::Connect(connect) = said {
            if self.registration_fails {
                self.break_the_store().await;
            }
            let client = Client::connect(self.door(), connect).await?;
            if self.clients.insert(name.to_owned(), client).is_some_and(|it| !it.closed) {
                return Err(format!("{name} is connected already"));
            }
            return Ok(());
        }
        if matches!(said, Said::Bytes(_)) && self.clients.get(name).is_none_or(|it| it.closed) {
            let client = Client::open(self.door()).await?;
            self.clients.insert(name.to_owned(), client);
        }
        let client = self.clients.get_mut(name).ok_or_else(|| format!("{name} is not connected"))?;
        client.says(said).await
    }

    /// Where clients connect.
    fn door(&self) -> std::net::SocketAddr {
        let addresses = &self.running.addresses;
        match self.port.as_deref() {
            None => addresses.mqtt[0],
            Some("onenet") => addresses.onenet[0],
            Some(other) => panic!("no port is {other}'s"),
        }
    }

    /// From here on nothing can be stored, so that creating a device fails.
    async fn break_the_store(&mut self) {
        self.registration_fails = false;
        self.store.fail_next_sync();
        let store = self.running.platform.store().clone();
        let change = store::Change::PutSetting { name: "broken", value: Vec::new() };
        let ticket = store.commit(change.into());
        tokio::task::spawn_blocking(move || store.wait(ticket)).await.unwrap().unwrap_err();
    }

    /// `one|other` means that either of them hears it.
    async fn hears(&mut self, names: &str, heard: &Heard) -> Result<(), String> {
        if let Some((one, other)) = names.split_once('|') {
            let mut candidates: Vec<_> = [one, other].iter().map(|it| (*it).to_owned()).collect();
            for name in candidates.clone() {
                self.client(&name)?.catch_up().await?;
            }
            candidates.retain(|it| self.clients.get(it).is_some_and(|it| !it.messages.is_empty()));
            let name = candidates.first().ok_or("neither heard anything")?.clone();
            return self.client(&name)?.hears(heard).await;
        }
        self.client(names)?.hears(heard).await.map_err(|it| format!("{names} {it}"))
    }

    fn client(&mut self, name: &str) -> Result<&mut Client, String> {
        self.clients.get_mut(name).ok_or_else(|| format!("{name} is not connected"))
    }

    async fn knows(&self, fact: &Fact) -> Result<(), String> {
        let look = async {
            while let Err(difference) = self.look(fact).await {
                if let Fact::Unknown(_) = fact {
                    return Err(difference);
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        match timeout(PATIENCE, look).await {
            Ok(outcome) => outcome,
            Err(_) => self.look(fact).await,
        }
    }

    async fn look(&self, fact: &Fact) -> Result<(), String> {
        let (platform, org) = (&self.running.platform, self.org);
        let id_of = |device: &DeviceRef| {
            platform.device(org, name_of(device)).map(|it| it.id).ok_or_else(|| format!("no {device:?}"))
        };
        match fact {
            Fact::Registered { device, gateway } => {
                let found = platform.device(org, name_of(device)).ok_or_else(|| format!("no {device:?}"))?;
                same(&Some(id_of(gateway)?), &found.gateway)
            }
            Fact::Unknown(device) => match platform.device(org, name_of(device)) {
                Some(_) => Err(format!("{device:?} is registered")),
                None => Ok(()),
            },
            Fact::Point { device, key, value } => {
                let mut newest = String::from("nothing");
                let mut note = |_: &str, _, it: domain::Value<'_>| newest = format!("{it:?}");
                platform
                    .store()
                    .latest(org, id_of(device)?, Some(&[key]), &mut note)
                    .map_err(|it| it.to_string())?;
                let expected = value.as_ref().map(|it| format!("{:?}", it.as_value()));
                same(&expected.unwrap_or("nothing".to_owned()), &newest)
            }
            Fact::Attribute { device, scope, key, value } => {
                let keys = Keys::Named(vec![key.clone()]);
                let found = platform.attributes(org, id_of(device)?, *scope, &keys);
                let found = found.first().map(|it| format!("{:?}", it.value()));
                same(&value.as_ref().map(|it| format!("{:?}", it.as_value())), &found)
            }
            Fact::Outcome { name, outcome } => {
                let found = self.outcomes.lock().get(name).cloned();
                let found = found.ok_or("nothing has become of it yet")?;
                same(
                    outcome,
                    &match found {
                        Outcome::Taken => "taken".to_owned(),
                        Outcome::Late { .. } => "late".to_owned(),
                        Outcome::Removed => "removed".to_owned(),
                        Outcome::Answered(it) => format!("answered {it}"),
                    },
                )
            }
            Fact::Last { device, event, format, payload } => {
                let last = platform.store().last_event(org, id_of(device)?, event);
                let last = last.map_err(|it| it.to_string())?.ok_or("there is no last event")?;
                same(format, &last.format)?;
                same_payload(payload, &last.payload)
            }
        }
    }

    async fn clear(mut self) -> Result<(), String> {
        for (name, client) in &mut self.clients {
            if !client.closed {
                client.quiet().await.map_err(|it| format!("{name} {it}"))?;
            }
        }
        self.clients.clear();
        // A store that was broken on purpose cannot be closed in good order.
        self.running.shutdown().await.ok();
        Ok(())
    }
}

fn wall_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Attributes that are written as a JSON object.
fn points(object: &str) -> Points {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(object).unwrap();
    let mut points = Points::new();
    for (key, value) in &object {
        let text = value.to_string();
        points.push(
            key,
            match value {
                serde_json::Value::Bool(it) => domain::Value::Bool(*it),
                serde_json::Value::Number(it) if it.is_i64() => domain::Value::I64(it.as_i64().unwrap()),
                serde_json::Value::Number(it) => domain::Value::F64(it.as_f64().unwrap()),
                serde_json::Value::String(it) => domain::Value::Text(it),
                _ => domain::Value::Json(&text),
            },
        );
    }
    points
}

fn name_of(device: &DeviceRef) -> DeviceName<'_> {
    DeviceName { device_type: &device.device_type, name: &device.name }
}

fn draft(class: Class, device: &DeviceRef, token: &str) -> NewDevice {
    let named = NewDevice::named(&device.device_type, &device.name, Registrar::Operator);
    NewDevice { class: Some(class), token: Some(token.to_owned()), ..named }
}
