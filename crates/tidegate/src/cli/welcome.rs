//! What a server says when it has started, and how to connect the first gateway to it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::serve::LocalAddresses;

/// What was made because there was nothing yet.
pub(crate) struct First {
    /// The organisation.
    pub(crate) org: String,
    /// An API key for applications.
    pub(crate) key: String,
    /// Its token, which is not kept.
    pub(crate) token: String,
    /// A token for the gateway of the example.
    pub(crate) gateway_token: String,
}

/// What there is to say.
pub(crate) struct Welcome<'a> {
    /// Where the server listens.
    pub(crate) addresses: &'a LocalAddresses,
    /// The data folder.
    pub(crate) data: &'a Path,
    /// The domain under which clients know the server.
    pub(crate) domain: &'a str,
    /// What clients have to trust, when the certificate is our own.
    pub(crate) ca_file: Option<&'a Path>,
    /// The organisations there are.
    pub(crate) orgs: &'a [String],
    /// What was made on this start; `None` on every start but the first.
    pub(crate) first: Option<&'a First>,
}

/// The lines that a server prints when it has started.
pub(crate) fn welcome(it: &Welcome<'_>) -> String {
    let mut text = format!("Tidegate is listening, with its data in {}.\n\n", it.data.display());
    text.push_str(&listening(it.addresses));
    if let Some(ca_file) = it.ca_file {
        line(&mut text, &format!("\nClients that use TLS have to trust {}.", ca_file.display()));
    }
    match it.first {
        Some(first) => text.push_str(&first_steps(it, first)),
        None if it.orgs.is_empty() => {
            text.push_str("\nThere is no organisation: create one with `tidegate org add`.\n");
        }
        None => line(&mut text, &format!("\nOrganisations: {}", it.orgs.join(", "))),
    }
    text
}

/// Where the server listens, a line for each protocol.
pub(crate) fn listening(addresses: &LocalAddresses) -> String {
    let mut text = String::new();
    let rows = [
        ("MQTT", &addresses.mqtt),
        ("MQTT over TLS", &addresses.mqtts),
        ("HTTP", &addresses.http),
        ("HTTP over TLS", &addresses.https),
        ("OneNET", &addresses.onenet),
    ];
    for (name, addresses) in rows.iter().filter(|it| !it.1.is_empty()) {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        line(&mut text, &format!("  {name:<14}  {}", addresses.join(", ")));
    }
    for (address, dialect) in &addresses.pinned {
        line(&mut text, &format!("  {:<14}  {address}", format!("Only {dialect}")));
    }
    text
}

fn first_steps(it: &Welcome<'_>, first: &First) -> String {
    let First { org, key, token, gateway_token } = first;
    let domain = it.domain;
    let tidegate = match it.data == Path::new("data") {
        true => "tidegate".to_owned(),
        false => format!("tidegate --data {}", it.data.display()),
    };
    let door = Door::of(it);
    let address = if domain == "localhost" { "127.0.0.1" } else { "ADDRESS-OF-THIS-MACHINE" };
    let (to_port, port) = (door.mosquitto_options(), door.sdk_options());
    format!(
        r#"
Your organisation is {org}. An API key for its applications, shown only now:

  key    {key}
  token  {token}

To connect a gateway, paste this into another terminal:

  {tidegate} type add mygateway --gateway
  {tidegate} type add mydevice
  {tidegate} device add mygateway/gateway1 --token {gateway_token}
  mosquitto_pub -h {domain} {to_port} -q 1 \
      -i g:{org}:mygateway:gateway1 -u use-token-auth -P {gateway_token} \
      -t iot-2/type/mydevice/id/device1/evt/status/fmt/json -m '{{"t":21.5}}'
  {tidegate} device events mydevice/device1

The same with IBM's own SDK for Python (pip install wiotp-sdk "paho-mqtt<2"):

  import wiotp.sdk.gateway
  gateway = wiotp.sdk.gateway.GatewayClient({{
      "identity": {{"orgId": "{org}", "typeId": "mygateway", "deviceId": "gateway1"}},
      "auth": {{"token": "{gateway_token}"}},
      "options": {{"domain": "{domain}", "mqtt": {port}}}}})
  gateway.connect()
  gateway.publishDeviceEvent("mydevice", "device1", "status", "json", {{"t": 21.5}}, qos=1)

It connects to {org}.messaging.{domain}. Where that name does not lead here, a line in its /etc/hosts does:

  {address}  {org}.messaging.{domain} {org}.{domain}

To see what arrives: {tidegate} tail
"#
    )
}

/// The listener that the examples use: plain where there is one.
struct Door<'a> {
    port: u16,
    ca_file: Option<&'a Path>,
}

impl<'a> Door<'a> {
    fn of(it: &Welcome<'a>) -> Door<'a> {
        let port = |list: &[SocketAddr]| list.first().map(SocketAddr::port);
        match (port(&it.addresses.mqtt), port(&it.addresses.mqtts)) {
            (Some(port), _) => Door { port, ca_file: None },
            (None, tls) => Door { port: tls.unwrap_or(8883), ca_file: it.ca_file },
        }
    }

    fn mosquitto_options(&self) -> String {
        match self.ca_file {
            Some(file) => format!("-p {} --cafile {}", self.port, file.display()),
            None => format!("-p {}", self.port),
        }
    }

    fn sdk_options(&self) -> String {
        match self.ca_file {
            Some(file) => format!(r#"{{"port": {}, "caFile": "{}"}}"#, self.port, file.display()),
            None => format!(r#"{{"port": {}}}"#, self.port),
        }
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    writeln!(text, "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> LocalAddresses {
        LocalAddresses {
            mqtt: vec![SocketAddr::from(([0, 0, 0, 0], 1883))],
            mqtts: vec![SocketAddr::from(([0, 0, 0, 0], 8883))],
            ..LocalAddresses::default()
        }
    }

    fn first() -> First {
        First {
            org: "abc123".into(),
            key: "a-abc123-k".into(),
            token: "secret".into(),
            gateway_token: "gwtoken".into(),
        }
    }

    fn welcome_with(addresses: &LocalAddresses, first: Option<&First>) -> String {
        let (data, ca_file) = (Path::new("data"), Some(Path::new("data/tls/ca.pem")));
        let orgs = ["abc123".to_owned()];
        welcome(&Welcome { addresses, data, domain: "iot.test", ca_file, orgs: &orgs, first })
    }

    #[test]
    fn the_first_start_shows_the_key_once_and_how_to_connect() {
        let text = welcome_with(&addresses(), Some(&first()));
        for expected in [
            "MQTT            0.0.0.0:1883",
            "token  secret",
            "-h iot.test -p 1883 ",
            "g:abc123:mygateway:gateway1",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("HTTP over TLS"), "what does not listen is not named");
        let later = welcome_with(&addresses(), None);
        assert!(later.contains("Organisations: abc123") && !later.contains("secret"), "{later}");
    }

    #[test]
    fn without_a_plain_listener_the_examples_use_tls() {
        let addresses = LocalAddresses { mqtt: Vec::new(), ..addresses() };
        let text = welcome_with(&addresses, Some(&first()));
        assert!(
            text.contains("-p 8883 --cafile data/tls/ca.pem")
                && text.contains(r#""caFile": "data/tls/ca.pem""#)
        );
    }
}
