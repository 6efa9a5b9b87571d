//! The `tidegate` command as people run it: the built program, its output and its exit code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Listeners that disturb nobody.
const LISTENERS: [&str; 10] = [
    "--mqtt",
    "127.0.0.1:0",
    "--mqtts",
    "127.0.0.1:0",
    "--http",
    "127.0.0.1:0",
    "--https",
    "off",
    "--onenet",
    "off",
];

fn tidegate(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    // A folder of its own, so that no settings file is found by chance.
    command.current_dir(data.parent().unwrap()).arg("--data").arg(data);
    command
}

fn output(data: &Path, line: &str) -> Output {
    tidegate(data).args(line.split(' ')).output().unwrap()
}

/// What a command prints when all goes well.
fn told(data: &Path, line: &str) -> String {
    let output = output(data, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn told_json(data: &Path, line: &str) -> Value {
    serde_json::from_str(&told(data, &format!("--json {line}"))).unwrap()
}

/// What a command says when it does not go well.
fn refused(data: &Path, line: &str) -> String {
    let output = output(data, line);
    assert!(!output.status.success(), "{line} was expected to fail");
    String::from_utf8(output.stderr).unwrap()
}

/// A program that runs until it is told to stop.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(data: &Path, words: &[&str]) -> Running {
        Running::start_logging(data, words, Stdio::null())
    }

    fn start_logging(data: &Path, words: &[&str], log: Stdio) -> Running {
        let mut child = tidegate(data).args(words).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// Reads on to a line that contains `text`; gives all lines read.
    fn read_to(&mut self, text: &str) -> Vec<String> {
        let mut read = Vec::new();
        for line in self.lines.by_ref() {
            read.push(line.unwrap());
            if read.last().unwrap().contains(text) {
                return read;
            }
        }
        panic!("{text:?} was not said:\n{}", read.join("\n"));
    }

    fn stop(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        assert!(self.child.wait().unwrap().success(), "it should end well when told to stop");
    }
}

/// A test that fails leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn the_registry_can_be_filled_before_the_first_start() {
    let folder = TempDir::new().unwrap();
    let data = &folder.path().join("data");
    assert!(refused(data, "org list").contains("there is no data folder"));
    assert!(!data.exists(), "a question makes nothing");

    assert_eq!(told(data, "org add abc123 --name North"), "created organisation abc123\n");
    assert!(refused(data, "org add ABC").contains("six characters of a-z and 0-9"));
    told(data, "type add gw --gateway");
    told(data, "type add pump");
    let added = told(data, "device add gw/g1 --token its-own-token");
    assert!(added.contains("g:abc123:gw:g1") && added.contains("its-own-token"), "{added}");
    let file = data.with_file_name("d2.pem");
    std::fs::write(&file, "MAMCAQU=").unwrap();
    let with_certificate = format!("device add default/d2 --certificate {}", file.display());
    let added = told(data, &with_certificate);
    assert!(added.contains("over TLS with the certificate in "), "{added}");
    std::fs::write(&file, "no certificate").unwrap();
    assert!(refused(data, &with_certificate.replace("d2 ", "d3 ")).contains("PEM"));
    std::fs::remove_file(&file).unwrap();
    assert!(refused(data, &with_certificate).contains("cannot read a certificate"));
    told(data, "device remove default/d2");
    let made = told_json(data, "device add pump/p1");
    assert!(made["token"].as_str().is_some_and(|it| it.len() == 18), "{made}");
    let key = told_json(data, "key add --comment test");

    let list = told(data, "device list");
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(list.starts_with("TYPE  NAME  CLASS    NUMBER  ENABLED  BEHIND  REGISTERED\n"), "{list}");
    assert_eq!(told_json(data, "device list --type pump")["devices"].as_array().unwrap().len(), 1);
    told(data, "device disable pump/p1");
    assert_eq!(told_json(data, "device show pump/p1")["enabled"], false);
    assert!(refused(data, "type remove pump").contains("Remove them first"));
    let limited = told_json(data, "device set pump/p1 --publish plant/%d/#");
    assert_eq!(limited["rights"], serde_json::json!({ "publish": ["plant/%d/#"], "subscribe": [] }));
    let key_name = key["key"].as_str().unwrap();
    told(data, &format!("key set {key_name} --subscribe a/# --subscribe !a/b"));
    let limited = told_json(data, &format!("key set {key_name} --publish c"));
    assert_eq!(limited["rights"], serde_json::json!({ "publish": ["c"], "subscribe": ["a/#", "!a/b"] }));
    assert!(told(data, "key list").contains("a/# !a/b"));
    assert!(refused(data, &format!("key set {key_name} --publish a#b")).contains("no topic filter"));
    let free = told_json(data, &format!("key set {key_name} --unrestricted"));
    assert_eq!(free["rights"], serde_json::json!({ "publish": [], "subscribe": [] }));
    let id = told_json(data, "device show pump/p1")["id"].clone();
    assert_eq!(told(data, "device rename pump/p1 pump/p2"), "renamed pump/p1 to pump/p2\n");
    assert_eq!(told_json(data, "device show pump/p2")["id"], id);
    assert!(refused(data, "device rename pump/p2 pump/g1").contains("already"));
    told(data, "device remove pump/p2");
    told(data, "type remove pump");
    told(data, &format!("key remove {}", key["key"].as_str().unwrap()));
    assert_eq!(told(data, "key list"), "no API keys yet: create one with `tidegate key add`\n");
    assert_eq!(told_json(data, "org set abc123 --device-count-max 7")["device_count_max"], 7);

    told(data, "org add def456");
    assert!(refused(data, "type list").contains("abc123, def456"));
    told(data, "type list --org abc123");
    assert!(refused(data, "tail --org abc123").contains("tidegate serve --data"));
}

#[test]
fn products_and_numbers_of_devices_are_made_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    told(&data, "org add abc123");
    told(&data, "type add pump");
    let made = told_json(&data, "type product pump --number 77001 --master-key Master==");
    assert_eq!(
        (&made["product"]["number"], &made["product"]["master_key"]),
        (&77001.into(), &"Master==".into())
    );
    assert_eq!(made["product"]["register_code"].as_str().unwrap().len(), 16);
    let again = told(&data, "type product pump");
    assert!(again.contains("product.number") && again.contains("Master=="), "{again}");
    told(&data, "device add pump/p1");
    told(&data, "device add pump/p2");
    let given = told_json(&data, "device number pump/p1 --number 35270468 --auth-info serial-4711");
    assert_eq!((&given["number"], &given["auth_info"]), (&35_270_468.into(), &"serial-4711".into()));
    let random = told_json(&data, "device number pump/p2")["number"].as_u64().unwrap();
    let list = told(&data, "device list");
    assert!(list.contains("35270468") && list.contains(&random.to_string()), "{list}");
    assert!(refused(&data, "device number pump/p2 --number 35270468").contains("Another device"));
}

#[test]
fn the_first_start_says_what_to_do_and_later_ones_keep_the_key_to_themselves() {
    let folder = TempDir::new().unwrap();
    let data = &folder.path().join("data");
    let mut words = vec!["serve"];
    words.extend(LISTENERS);
    // A start that fails must not be the first one: its key would have been shown to nobody.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let said = refused(data, &format!("serve --mqtt {}", taken.local_addr().unwrap()));
    assert!(said.contains("free the port, choose another with `mqtt` in [listen]"), "{said}");

    let mut server = Running::start(data, &words);
    let said = server.read_to("To see what arrives").join("\n");
    for expected in ["MQTT over TLS   127.0.0.1:", "tls/ca.pem", "token  ", "mosquitto_pub -h localhost -p "]
    {
        assert!(said.contains(expected), "{expected:?} in\n{said}");
    }
    let orgs = told_json(data, "org list");
    let org = orgs["orgs"][0]["id"].as_str().unwrap();
    assert!(said.contains(&format!("Your organisation is {org}.")));
    assert_eq!(told_json(data, "key list")["keys"].as_array().unwrap().len(), 1);
    assert_eq!(told_json(data, "stats")["connections"]["now"], 0);
    assert_eq!(told(data, "refusals"), "nothing was refused since the server started\n");
    server.stop();

    let mut server = Running::start(data, &words);
    let said = server.read_to("Organisations: ").join("\n");
    assert!(said.contains(org) && !said.contains("token"), "{said}");
    server.stop();
}

/// Times that a command, a process each, is asked until it has seen what another one did.
const ATTEMPTS_COUNT_MAX: usize = 200;

#[test]
fn the_demo_shows_events_commands_and_a_refusal() {
    let folder = TempDir::new().unwrap();
    let data = &folder.path().join("demo");
    let mut words = vec!["demo"];
    words.extend(LISTENERS);
    let mut demo = Running::start(data, &words);
    let said = demo.read_to("This is what the application sees").join("\n");
    assert!(said.contains("mosquitto_sub -p "), "{said}");
    demo.read_to("pump/p1           status");
    demo.read_to("is told");
    let tail = told_json(data, "tail --type tank --event level --count 1");
    assert_eq!((tail["kind"].as_str(), tail["device_type"].as_str()), (Some("event"), Some("tank")));
    let refusals = told_json(data, "refusals");
    assert_eq!(refusals["refusals"][0]["code"], "type_unknown");
    let commanded = demo.read_to("← set");
    let device = commanded.last().unwrap().split_whitespace().nth(1).unwrap().to_owned();
    demo.read_to(&format!("{device}           set-done"));
    // Applications hear of an event as soon as it is there, which may be before it is on disk.
    let is_stored = |_| told(data, &format!("device events {device}")).contains("set-done");
    assert!((0..ATTEMPTS_COUNT_MAX).any(is_stored));
    demo.stop();

    // The data stay, and can be asked without a server.
    let history = told_json(data, "device history pump/p1 --key status.rpm --limit 2");
    assert_eq!(history["points"].as_array().unwrap().len(), 2);
    // A second demo starts on them.
    Running::start(data, &words).read_to("pump/p1           status");
}

#[test]
fn a_mistake_in_the_settings_is_told_before_anything_starts() {
    let folder = TempDir::new().unwrap();
    let data = &folder.path().join("data");
    std::fs::write(folder.path().join("tidegate.toml"), "[listen]\nmqt = \"off\"\n").unwrap();
    let said = refused(data, "serve");
    assert!(
        said.contains("unknown key `mqt` in [listen] at ./tidegate.toml:2; did you mean `mqtt`?"),
        "{said}"
    );
    assert!(!data.exists());
    assert!(told(data, "config").contains("[listen]"), "the way out still works");
}

#[test]
fn a_hangup_has_the_certificates_read_again_and_ends_nothing() {
    let folder = TempDir::new().unwrap();
    let data = &folder.path().join("data");
    let words = [&["serve"][..], &LISTENERS].concat();
    let mut server = Running::start_logging(data, &words, Stdio::piped());
    server.read_to("is listening");
    let told = Command::new("kill").args(["-HUP", &server.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let log = BufReader::new(server.child.stderr.take().unwrap()).lines();
    assert!(log.map_while(Result::ok).any(|it| it.contains("certificates were read again")));
    server.stop();
}

#[test]
fn devices_of_thingsboard_are_imported_and_nothing_changes_the_second_time() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    told(&data, "org add abc123");
    let gateway = r#"{"device":{"id":{"entityType":"DEVICE","id":"g-1"},"name":"Gateway 1","type":"default","label":"hall","additionalInfo":{"gateway":true,"description":"x"}},"credentials":{"credentialsType":"ACCESS_TOKEN","credentialsId":"GW"}}"#;
    let child = r#"{"device":{"name":"Pump-1","type":"pump","additionalInfo":{"lastConnectedGateway":"g-1"}},"credentials":{"credentialsType":"MQTT_BASIC","credentialsId":"x","credentialsValue":"{\"clientId\":\"\",\"userName\":\"u\",\"password\":\"p\"}"},"attributes":{"SHARED_SCOPE":{"rate":5},"SERVER_SCOPE":{"room":"hall"}}}"#;
    let wrong = r#"{"device":{"name":"C"},"credentials":{"credentialsType":"LWM2M_CREDENTIALS"}}"#;
    let twice =
        r#"{"device":{"name":"D"},"credentials":{"credentialsType":"ACCESS_TOKEN","credentialsId":"GW"}}"#;
    let certified = r#"{"device":{"name":"E","type":"pump"},"credentials":{"credentialsType":"X509_CERTIFICATE","credentialsId":"x","credentialsValue":"MAMCAQU="}}"#;
    // The child stands before its gateway.
    let good = format!("{child}\n{certified}\n{gateway}\n");
    let file = folder.path().join("devices.jsonl");
    std::fs::write(&file, &good).unwrap();
    let line = format!("import thingsboard {}", file.display());
    assert_eq!(told(&data, &line), "3 created, 0 there already, 0 failed\n");
    assert_eq!(told(&data, &line), "0 created, 3 there already, 0 failed\n");

    let shown = told_json(&data, "device show pump/Pump-1");
    assert_eq!(shown["gateway"]["name"], "Gateway 1");
    let attributes = told_json(&data, "device attributes pump/Pump-1");
    assert_eq!(
        (&attributes["shared"]["rate"]["value"], &attributes["server"]["room"]["value"]),
        (&5.into(), &"hall".into())
    );
    let devices = told_json(&data, "device list");
    assert_eq!(devices["devices"].as_array().unwrap().len(), 3);

    std::fs::write(&file, format!("{good}{wrong}\nnot JSON\n{twice}\n")).unwrap();
    let output = output(&data, &line);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("line 4: C: credentials of the type LWM2M_CREDENTIALS"), "{text}");
    assert!(lines[1].starts_with("line 5: "), "{text}");
    assert!(lines[2].starts_with("line 6: D: "), "{text}");
    assert_eq!(lines[3], "0 created, 3 there already, 3 failed");
    let devices = told_json(&data, "device list");
    assert_eq!(
        devices["devices"].as_array().unwrap().len(),
        3,
        "a device whose login is taken is not left behind"
    );
}

#[test]
fn packages_are_added_assigned_and_removed() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    told(&data, "org add abc123");
    told(&data, "type add pump");
    told(&data, "device add pump/p1");
    std::fs::write(folder.path().join("p.bin"), vec![7; 300_000]).unwrap();
    assert!(refused(&data, "package add nothing.bin --title p --version 1").contains("nothing.bin"));
    let made = told_json(&data, "package add p.bin --title p --version 1");
    assert_eq!((&made["kind"], &made["size_bytes"]), (&"firmware".into(), &300_000.into()));
    let id = made["id"].as_str().unwrap();
    for target in ["pump/p1", "pump"] {
        assert!(told(&data, &format!("package assign {id} {target}")).contains(target));
    }
    assert!(told(&data, "package list").contains(id));
    assert_eq!(told_json(&data, "package list")["packages"][0]["types"][0], "pump");
    told(&data, &format!("package remove {id}"));
    assert_eq!(told_json(&data, "package list")["packages"], Value::Array(Vec::new()));
}
