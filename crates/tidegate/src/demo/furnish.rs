//! What the demo puts into an empty registry, and what it says about it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::{Class, Code, DeviceName, Millis, OrgId, Refusal, Registrar};
use platform::{DeviceChange, NewDevice, NewKey, NewType, Platform};
use sim::watson::{Gateway, Plant};

use crate::cli::token;
use crate::cli::welcome::listening;
use crate::serve::LocalAddresses;

const ORG: &str = "plant1";
const GATEWAY_TYPE: &str = "edge";
const GATEWAY: DeviceName<'static> = DeviceName { device_type: GATEWAY_TYPE, name: "gw1" };
const KEY: &str = "a-plant1-demodemo00";

/// The demo's credentials, made anew on every start.
pub(super) struct Furnished {
    gateway_token: String,
    key_token: String,
}

impl Furnished {
    /// Makes organisation, types, gateway and API key, or takes those of an earlier demo and gives them new tokens.
    pub(super) fn make(platform: &Platform, now_ms: Millis) -> Result<Furnished> {
        let org = OrgId::parse(ORG).context("the demo's organisation has an id that is none")?;
        unless_exists(platform.create_org(Some(org), "Demo plant", now_ms))?;
        for device_type in Plant::DEVICE_TYPES {
            unless_exists(platform.create_type(org, new_type(device_type, Class::Device), now_ms))?;
        }
        unless_exists(platform.create_type(org, new_type(GATEWAY_TYPE, Class::Gateway), now_ms))?;
        let gateway_token = token::random()?;
        if unless_exists(platform.register(org, new_gateway(&gateway_token), now_ms))?.is_none() {
            let change = DeviceChange { token: Some(gateway_token.clone()), ..DeviceChange::default() };
            platform.update_device(org, GATEWAY, change)?;
        }
        if platform.keys(org).iter().any(|it| it.key == KEY) {
            platform.drop_key(org, KEY)?;
        }
        // Without letters that a shell would read as something else: the introduction shows it in commands.
        let token = Some(token::random()?);
        let key =
            NewKey { key: Some(KEY.to_owned()), token, comment: "demo".to_owned(), ..NewKey::default() };
        let (_, key_token, ticket) = platform.create_key(org, key, now_ms)?;
        platform.store().wait(ticket)?;
        Ok(Furnished { gateway_token, key_token })
    }

    /// The plant that uses them.
    pub(super) fn plant(&self, addr: SocketAddr, pace: Duration) -> Plant {
        Plant {
            addr,
            org: ORG.to_owned(),
            gateway: Gateway {
                device_type: GATEWAY.device_type.to_owned(),
                name: GATEWAY.name.to_owned(),
                token: self.gateway_token.clone(),
            },
            key: KEY.to_owned(),
            token: self.key_token.clone(),
            pace,
            seed: 1,
        }
    }
}

fn new_type(name: &str, class: Class) -> NewType {
    NewType::named(name, class)
}

fn new_gateway(token: &str) -> NewDevice {
    let named = NewDevice::named(GATEWAY.device_type, GATEWAY.name, Registrar::Operator);
    NewDevice { token: Some(token.to_owned()), ..named }
}

/// `None` when an earlier demo has made it.
fn unless_exists<T>(made: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(refusal) if refusal.code == Code::Exists => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// What the demo says first: what is there, and what can be tried.
pub(super) fn introduction(it: &Furnished, addresses: &LocalAddresses, data: &Path) -> String {
    let token = &it.key_token;
    let mqtt_port = addresses.mqtt.first().map_or(1883, SocketAddr::port);
    let http = addresses
        .http
        .first()
        .map(|http| format!("\n  curl -u {KEY}:{token} http://{http}/api/v0002/bulk/devices"));
    format!(
        r#"Tidegate demo: a server, and a small plant that speaks IBM Watson IoT Platform's protocol to it.

{listening}
The gateway edge/gw1 speaks for pumps and tanks that nobody has registered: they register by being spoken for.
An application watches their events, and now and then asks a pump for another speed (←).

In another terminal, be another application:

  mosquitto_sub -p {mqtt_port} -i a:{ORG}:me -u {KEY} -P {token} -v \
      -t 'iot-2/type/+/id/+/evt/+/fmt/+'
  mosquitto_pub -p {mqtt_port} -i a:{ORG}:you -u {KEY} -P {token} \
      -t iot-2/type/pump/id/p1/cmd/set/fmt/json -m '{{"rpm":600}}'{http}

or the operator:

  tidegate --data {data} device list
  tidegate --data {data} device history pump/p1 --key status.rpm
  tidegate --data {data} refusals

Ctrl-C ends it. This is what the application sees:

"#,
        listening = listening(addresses),
        http = http.unwrap_or_default(),
        data = data.display(),
    )
}
