//! The command line: what can be typed, and what it means.
//!
//! `serve` and `demo` run a server in this process, `bench` puts load on one; every other command talks to the API of
//! the server that owns the data folder, or opens the folder itself when no server runs. Results go to the standard
//! output, as small tables or, with `--json`, as JSON; everything else goes to the standard error.
//!
//! Nothing here decides anything about devices: a command is one or two API calls and a way to show the answer.

mod api;
mod bench;
mod command;
mod import;
pub(crate) mod line;
mod moment;
mod package;
mod table;
mod tail;
pub(crate) mod token;
pub(crate) mod welcome;

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::{Addresses, Config, ConfigFault, FILE_NAME};
use moment::Moment;

pub(crate) use api::SOCKET_NAME;
pub(crate) use command::print::print;
pub(crate) use command::run;
pub(crate) use command::serve::{run_until, stop_signal};

/// A self-hosted IoT platform: devices built for IBM Watson IoT Platform connect to it unchanged.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  tidegate demo                              a server, a simulated plant and what it says, in one terminal
  tidegate serve                             a server with its data in ./data
  tidegate device add pump/p1                register a device, and print its token
  tidegate tail                              watch events as they arrive
  tidegate bench pair                        put load on a server, and measure it";

/// Options of every command.
#[derive(Args, Debug, Default)]
pub(crate) struct Global {
    /// The folder that holds everything [default: data, or the settings file's]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The settings file [default: tidegate.toml in this folder, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    #[command(after_help = "Examples:
  tidegate serve
  tidegate serve --domain iot.example.com --tls-cert chain.pem --tls-key key.pem
  tidegate serve --mqtt 0.0.0.0:1883,0.0.0.0:80 --http off")]
    Serve(Serving),
    /// Run a server with a simulated plant, and show what it says
    #[command(after_help = "Examples:
  tidegate demo
  tidegate demo --duration 30 --data /tmp/tidegate-demo")]
    Demo {
        #[command(flatten)]
        serving: Serving,
        /// Stop after so many seconds [default: at Ctrl-C]
        #[arg(long, value_name = "SECONDS")]
        duration: Option<u64>,
    },
    /// Organisations: the tenants of this server
    #[command(subcommand)]
    Org(OrgCommand),
    /// Device types
    #[command(subcommand)]
    Type(TypeCommand),
    /// Devices and gateways: registry and history
    #[command(subcommand)]
    Device(DeviceCommand),
    /// API keys of applications
    #[command(subcommand)]
    Key(KeyCommand),
    /// Packages of firmware and software, which devices fetch by themselves
    #[command(subcommand)]
    Package(package::PackageCommand),
    /// Take over devices of another platform
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Watch events as they arrive
    #[command(after_help = "Examples:
  tidegate tail
  tidegate tail --type pump --event status
  tidegate --json tail | jq .payload")]
    Tail(Tail),
    /// Show what was refused lately, and why
    #[command(after_help = "Examples:
  tidegate refusals
  tidegate refusals --limit 5")]
    Refusals {
        #[command(flatten)]
        org: OrgArg,
        /// At most so many, the latest first
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: u32,
    },
    /// Show the counters of the running server
    #[command(after_help = "Examples:
  tidegate stats
  tidegate --json stats")]
    Stats,
    /// Put load on any MQTT server, and measure what that costs it
    #[command(after_help = "Examples:
  tidegate bench pair --addr 127.0.0.1:1883 --pid 4711
  tidegate bench open --qos 1 --rate 10000 --vs mosquitto=127.0.0.1:1884,4712
  tidegate bench ingest --onenet 433223 --password MASTERKEY --connections 1000
  tidegate bench ingest --watson abc123 --type gw --token secret --children 10
  tidegate bench fan-in --user load{n} --password secret --topic load/{n} --filter load/+")]
    Bench(Box<bench::Bench>),
    /// Print a settings file with every setting, its explanation and its default
    #[command(after_help = "Examples:
  tidegate config > tidegate.toml")]
    Config,
}

/// What `serve` and `demo` may be told; wins over the settings file.
#[derive(Args, Debug, Default)]
pub(crate) struct Serving {
    /// Listen for MQTT here: ip:port, several with commas between, or `off`
    #[arg(long, value_name = "ADDR")]
    pub(crate) mqtt: Option<Addresses>,
    /// Listen for MQTT over TLS here
    #[arg(long, value_name = "ADDR")]
    pub(crate) mqtts: Option<Addresses>,
    /// Listen for HTTP here
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<Addresses>,
    /// Listen for HTTP over TLS here
    #[arg(long, value_name = "ADDR")]
    pub(crate) https: Option<Addresses>,
    /// Listen for OneNET's devices, and nobody else, here
    #[arg(long, value_name = "ADDR")]
    pub(crate) onenet: Option<Addresses>,
    /// The domain under which clients know this server
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Option<String>,
    /// Certificate chain, PEM [default: one of our own]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Which organisation is meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OrgArg {
    /// The organisation [default: the only one]
    #[arg(long, value_name = "ORG")]
    pub(crate) org: Option<String>,
}

/// `tidegate org …`
#[derive(Debug, Subcommand)]
pub(crate) enum OrgCommand {
    /// Create an organisation
    #[command(after_help = "Examples:
  tidegate org add
  tidegate org add abc123 --name 'North plant'")]
    Add {
        /// Six characters of a-z and 0-9, the id that the devices have [default: random]
        id: Option<String>,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
    },
    /// List all organisations
    #[command(after_help = "Example:
  tidegate org list")]
    List,
    /// Show one organisation
    #[command(after_help = "Example:
  tidegate org show abc123")]
    Show {
        /// Its id [default: the only one]
        id: Option<String>,
    },
    /// Change an organisation
    #[command(after_help = "Examples:
  tidegate org set abc123 --device-count-max 500
  tidegate org set abc123 --enabled false")]
    Set {
        /// Its id
        id: String,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Whether it admits anybody
        #[arg(long, value_name = "true|false", action = ArgAction::Set)]
        enabled: Option<bool>,
        /// Devices it may hold; 0 = no limit
        #[arg(long, value_name = "COUNT")]
        device_count_max: Option<u64>,
        /// Devices that one gateway may register; 0 = no limit
        #[arg(long, value_name = "COUNT")]
        device_per_gateway_count_max: Option<u64>,
    },
}

/// `tidegate type …`
#[derive(Debug, Subcommand)]
pub(crate) enum TypeCommand {
    /// Create a device type
    #[command(after_help = "Examples:
  tidegate type add pump
  tidegate type add edge-gateway --gateway")]
    Add {
        #[command(flatten)]
        org: OrgArg,
        /// Its name
        name: String,
        /// Its devices are gateways: they may speak for others
        #[arg(long)]
        gateway: bool,
        /// What it is
        #[arg(long)]
        description: Option<String>,
    },
    /// List device types
    #[command(after_help = "Example:
  tidegate type list")]
    List {
        #[command(flatten)]
        org: OrgArg,
    },
    /// Let devices of a type get their logins by themselves, as ThingsBoard's do
    #[command(after_help = "Examples:
  tidegate type provision pump --devices new
  tidegate type provision pump --devices known --key pumps --secret s3cret
  tidegate type provision pump --devices none")]
    Provision {
        #[command(flatten)]
        org: OrgArg,
        /// Its name
        name: String,
        /// Which devices: those that nobody has registered, those that somebody has, or none
        #[arg(long, value_parser = ["new", "known", "none"])]
        devices: String,
        /// What names the type [default: the one it has, or a random one]
        #[arg(long)]
        key: Option<String>,
        /// What devices show with it [default: the one it has, or a random one]
        #[arg(long)]
        secret: Option<String>,
    },
    /// Make a type a product, as which OneNET's devices know it; show its number and keys
    #[command(after_help = "Examples:
  tidegate type product pump
  tidegate type product pump --number 77001 --master-key 'key=of=the=product'")]
    Product {
        #[command(flatten)]
        org: OrgArg,
        /// Its name
        name: String,
        /// The number that its devices have [default: the one it has, or a random one]
        #[arg(long)]
        number: Option<u32>,
        /// The key that opens everything in it [default: the one it has, or a random one]
        #[arg(long, value_name = "KEY")]
        master_key: Option<String>,
        /// With it devices register themselves [default: the one it has, or a random one]
        #[arg(long, value_name = "CODE")]
        register_code: Option<String>,
    },
    /// Remove a device type that has no devices
    #[command(after_help = "Example:
  tidegate type remove pump")]
    Remove {
        #[command(flatten)]
        org: OrgArg,
        /// Its name
        name: String,
    },
}

/// Which device is meant.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeviceArg {
    #[command(flatten)]
    pub(crate) org: OrgArg,
    /// Its type and its name
    #[arg(value_name = "TYPE/NAME")]
    pub(crate) device: DevicePath,
}

/// A device as people write it: its type, a slash, its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DevicePath {
    pub(crate) device_type: String,
    pub(crate) name: String,
}

impl std::fmt::Display for DevicePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.device_type, self.name)
    }
}

impl std::str::FromStr for DevicePath {
    type Err = String;

    fn from_str(text: &str) -> Result<DevicePath, String> {
        match text.split_once('/') {
            Some((device_type, name))
                if !device_type.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(DevicePath { device_type: device_type.to_owned(), name: name.to_owned() })
            }
            _ => Err("write the type and the name with a slash between, such as pump/p1".to_owned()),
        }
    }
}

/// What a credential may do. A rule is a topic filter; `!` before it forbids.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RightsArg {
    /// Topics that may be published to; `!` forbids, %c is the client id, %d the device [default: all]
    #[arg(long, value_name = "FILTER")]
    pub(crate) publish: Vec<String>,
    /// Topics that may be subscribed to [default: all]
    #[arg(long, value_name = "FILTER")]
    pub(crate) subscribe: Vec<String>,
}

/// `tidegate device …`
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Register a device or gateway, and print its token
    #[command(after_help = "Examples:
  tidegate device add pump/p1
  tidegate device add edge-gateway/gw1 --token 'the-token-it-already-has'
  tidegate device add default/gw1 --gateway --access-token 'the-access-token-of-thingsboard'
  tidegate device add default/d2 --certificate d2.pem")]
    Add {
        #[command(flatten)]
        device: DeviceArg,
        /// The token it proves itself with [default: random]
        #[arg(long)]
        token: Option<String>,
        /// The access token with which it comes as a ThingsBoard device; makes its type if that is missing
        #[arg(long, value_name = "TOKEN")]
        access_token: Option<String>,
        /// The file of the certificate (PEM) with which it comes as a ThingsBoard device over TLS, whoever issued it
        #[arg(long, value_name = "FILE", conflicts_with = "access_token")]
        certificate: Option<PathBuf>,
        /// It may speak for others, whatever its type says
        #[arg(long)]
        gateway: bool,
    },
    /// List devices
    #[command(after_help = "Examples:
  tidegate device list
  tidegate device list --type pump")]
    List {
        #[command(flatten)]
        org: OrgArg,
        /// Only of this type
        #[arg(long = "type", value_name = "TYPE")]
        device_type: Option<String>,
    },
    /// Show one device
    #[command(after_help = "Example:
  tidegate device show pump/p1")]
    Show(DeviceArg),
    /// Give a device another name or type; its id, history, attributes and logins stay
    #[command(after_help = "Examples:
  tidegate device rename pump/p1 pump/p2
  tidegate device rename default/a thermostat/a

A connection under the old name ends; ThingsBoard's stay, and the gateway that the device is behind is told.")]
    Rename {
        #[command(flatten)]
        device: DeviceArg,
        /// What it is called from now on: TYPE/NAME, where there is such a type
        #[arg(value_name = "NEW")]
        to: DevicePath,
    },
    /// Forget a device with its history
    #[command(after_help = "Example:
  tidegate device remove pump/p1")]
    Remove(DeviceArg),
    /// Let a disabled device in again
    #[command(after_help = "Example:
  tidegate device enable pump/p1")]
    Enable(DeviceArg),
    /// Shut a device out without forgetting it
    #[command(after_help = "Example:
  tidegate device disable pump/p1")]
    Disable(DeviceArg),
    /// Change what a device may do; it is disconnected if that makes a difference
    #[command(after_help = "Examples:
  tidegate device set pump/p1 --publish 'plant/%d/#' --subscribe 'plant/%d/cmd/#'
  tidegate device set pump/p1 --unrestricted")]
    Set {
        #[command(flatten)]
        device: DeviceArg,
        #[command(flatten)]
        rights: RightsArg,
        /// It may publish and subscribe to everything
        #[arg(long, conflicts_with_all = ["publish", "subscribe"])]
        unrestricted: bool,
    },
    /// Give a device of a product a number, by which it comes as OneNET's devices do
    #[command(after_help = "Examples:
  tidegate device number pump/p1
  tidegate device number pump/p1 --number 35270468 --auth-info serial-4711")]
    Number {
        #[command(flatten)]
        device: DeviceArg,
        /// The number it has already [default: the one it has here, or a random one]
        #[arg(long)]
        number: Option<u32>,
        /// Its own password [default: the one it has, or none: it needs a key of the product]
        #[arg(long, value_name = "TEXT")]
        auth_info: Option<String>,
    },
    /// Show what a device has measured
    #[command(after_help = "Examples:
  tidegate device history pump/p1 --key status.pressure
  tidegate device history pump/p1 --key status.pressure --from 2h --limit 1000
  tidegate device history pump/p1 --key status.pressure --from 2026-05-01T00:00:00Z --to 1d")]
    History {
        #[command(flatten)]
        device: DeviceArg,
        /// What was measured: event.member
        #[arg(long)]
        key: String,
        /// From then on: 30s, 15m, 2h or 7d ago, or 2026-05-01T00:00:00Z
        #[arg(long, value_name = "WHEN", default_value = "1d")]
        from: Moment,
        /// Up to then [default: now]
        #[arg(long, value_name = "WHEN")]
        to: Option<Moment>,
        /// At most so many, the oldest first
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: u32,
    },
    /// Delete what a device has measured: all of a key, or a span of time
    #[command(after_help = "Examples:
  tidegate device erase pump/p1 --key status.pressure
  tidegate device erase pump/p1 --key status.pressure --to 365d
  tidegate device erase pump/p1 --key status.pressure --from 2026-05-01T00:00:00Z --to 2026-05-02T00:00:00Z")]
    Erase {
        #[command(flatten)]
        device: DeviceArg,
        /// What was measured: event.member
        #[arg(long)]
        key: String,
        /// From then on [default: from the beginning]
        #[arg(long, value_name = "WHEN")]
        from: Option<Moment>,
        /// Up to then [default: to the end]
        #[arg(long, value_name = "WHEN")]
        to: Option<Moment>,
    },
    /// Show the attributes of a device, or write some
    #[command(after_help = "Examples:
  tidegate device attributes default/gw1
  tidegate device attributes default/gw1 --share interval=5 --share 'mode=\"eco\"'
  tidegate device attributes default/gw1 --unshare interval")]
    Attributes {
        #[command(flatten)]
        device: DeviceArg,
        /// Write a shared attribute, and tell the device: key=value, the value in JSON
        #[arg(long, value_name = "KEY=VALUE")]
        share: Vec<String>,
        /// Remove a shared attribute, and tell the device
        #[arg(long, value_name = "KEY")]
        unshare: Vec<String>,
    },
    /// Give a device a command, and show its answer
    #[command(after_help = "Examples:
  tidegate device command default/gw1 gateway_ping
  tidegate device command pump/p1 setSpeed '{\"rpm\":900}' --no-reply
  tidegate device command pump/p1 reboot --timeout 60
  tidegate device command meter/m1 --payload 'LED=ON'")]
    Command {
        #[command(flatten)]
        device: DeviceArg,
        /// What to do
        #[arg(required_unless_present = "payload", conflicts_with = "payload")]
        method: Option<String>,
        /// With what, in JSON [default: null]
        #[arg(conflicts_with = "payload")]
        params: Option<String>,
        /// A text that the device gets as it is, as OneNET's devices do, instead of a method
        #[arg(long, value_name = "TEXT")]
        payload: Option<String>,
        /// Wait for the device to take it, not for an answer
        #[arg(long)]
        no_reply: bool,
        /// Seconds to wait
        #[arg(long, value_name = "SECONDS", default_value_t = 10)]
        timeout: u64,
    },
    /// Show the last event of each name of a device
    #[command(after_help = "Example:
  tidegate device events pump/p1")]
    Events(DeviceArg),
}

/// `tidegate key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create an API key, and print its token
    #[command(after_help = "Examples:
  tidegate key add --comment 'dashboard'
  tidegate key add --publish 'in/%c/#' --subscribe 'out/#' --subscribe '!out/secret'")]
    Add {
        #[command(flatten)]
        org: OrgArg,
        /// What it is for
        #[arg(long, default_value = "")]
        comment: String,
        #[command(flatten)]
        rights: RightsArg,
    },
    /// Change an API key; clients that use it are disconnected if their rights change
    #[command(after_help = "Examples:
  tidegate key set a-abc123-0123456789 --subscribe 'plant/#'
  tidegate key set a-abc123-0123456789 --unrestricted")]
    Set {
        #[command(flatten)]
        org: OrgArg,
        /// The key
        key: String,
        /// What it is for
        #[arg(long)]
        comment: Option<String>,
        #[command(flatten)]
        rights: RightsArg,
        /// Clients may publish and subscribe to everything
        #[arg(long, conflicts_with_all = ["publish", "subscribe"])]
        unrestricted: bool,
    },
    /// List API keys
    #[command(after_help = "Example:
  tidegate key list")]
    List {
        #[command(flatten)]
        org: OrgArg,
    },
    /// Remove an API key: applications that use it are shut out
    #[command(after_help = "Example:
  tidegate key remove a-abc123-0123456789")]
    Remove {
        #[command(flatten)]
        org: OrgArg,
        /// The key
        key: String,
    },
}

/// What `tail` shows.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) org: OrgArg,
    /// Only devices of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) device_type: Option<String>,
    /// Only devices of this name
    #[arg(long = "device", value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Only events of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,
    /// Stop after so many lines
    #[arg(long, value_name = "COUNT")]
    pub(crate) count: Option<u64>,
}

impl Global {
    /// The settings: the named file, else `tidegate.toml` in `folder` where there is one, else the defaults; then
    /// `--data` over them.
    pub(crate) fn settings(&self, folder: &Path) -> Result<Config, ConfigFault> {
        let found = folder.join(FILE_NAME);
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None if found.is_file() => Config::load(&found)?,
            None => Config::default(),
        };
        if let Some(data) = &self.data {
            config.data.path.clone_from(data);
        }
        Ok(config)
    }
}

impl Serving {
    /// Lays these options over the settings.
    pub(crate) fn lay_over(self, config: &mut Config) {
        let listen = &mut config.listen;
        let pairs = [
            (&mut listen.mqtt, self.mqtt),
            (&mut listen.mqtts, self.mqtts),
            (&mut listen.http, self.http),
            (&mut listen.https, self.https),
            (&mut listen.onenet, self.onenet),
        ];
        for (place, given) in pairs {
            if let Some(given) = given {
                *place = given;
            }
        }
        if let Some(domain) = self.domain {
            config.server.domain = domain;
        }
        if let Some(pair) = self.tls_cert.zip(self.tls_key) {
            (config.tls.cert, config.tls.key) = (Some(pair.0), Some(pair.1));
        }
    }
}

#[cfg(test)]
mod tests;
