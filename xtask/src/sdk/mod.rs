//! The vendors' own SDKs and widely used MQTT clients, unmodified, against our server.
//!
//! The SDKs insist on names such as `abc123.messaging.iot.test` and on the ports 1883, 8883 and 443. So the server and
//! the clients run in a network and a mount namespace of their own, with an `/etc/hosts` of their own: the ports are
//! always free and the machine's files stay as they are. `run` prepares and starts this program again inside the
//! namespace; `inside` starts the server, gives it what the scripts need, and runs the scripts of [`SUITES`].

mod installation;
mod packages;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::server::Build;
use crate::steps::{CannotRun, Steps, answers, call, call_allowing, within_seconds};
use installation::Installation;
use packages::{Language, Packages, need_programs};

/// What is run, in this order: a name, the language, and the folder below `tests`.
const SUITES: &[(&str, Language, &str)] = &[
    ("Python SDKs", Language::Python, "sdk/python"),
    ("Node SDKs", Language::Node, "sdk/node"),
    ("ThingsBoard SDK", Language::Python, "sdk/thingsboard"),
    ("ThingsBoard gateway", Language::Python, "sdk/thingsboard_gateway"),
    ("Python clients", Language::Python, "clients/python"),
    ("Node clients", Language::Node, "clients/node"),
];

/// The names that the SDKs build from organisation and domain. The second pair is what firmware has compiled in.
const HOST_NAMES: &[&str] = &[
    "abc123.messaging.iot.test",
    "abc123.iot.test",
    "abc123.messaging.internetofthings.ibmcloud.com",
    "abc123.internetofthings.ibmcloud.com",
];

/// The server is not behind a proxy, whatever the machine is.
const PROXY_VARIABLES: &[&str] =
    &["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Longer than the scripts need by a factor of about ten; ends a run that hangs.
const SCRIPTS_SECONDS_MAX: &str = "120";

/// With this status Python 3.12 and later say that there was nothing to run. A filter may well be for other suites.
const NO_TESTS_STATUS: i32 = 5;

/// Where server and clients run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Network {
    /// In namespaces of their own.
    Private,
    /// In this network, whose names and ports somebody has prepared.
    Here,
}

impl Network {
    pub(crate) fn from_flag(here: bool) -> Network {
        if here { Network::Here } else { Network::Private }
    }
}

/// Folders and programs of a run.
struct Place {
    /// `tests` in the workspace.
    scripts: PathBuf,
    /// `target/sdk`: packages, the server's data and its log.
    work: PathBuf,
    build: Build,
}

impl Place {
    fn new(root: &Path) -> Result<Place> {
        let build = Build::find()?;
        Ok(Place { scripts: root.join("tests"), work: build.target.join("sdk"), build })
    }
}

/// Installs the packages, builds the server and runs the scripts.
///
/// # Errors
///
/// [`CannotRun`] if this machine cannot run them; otherwise whatever failed.
pub(crate) fn run(root: &Path, network: Network, filter: Option<&str>) -> Result<()> {
    let place = Place::new(root)?;
    need_programs()?;
    for &(_, language, folder) in SUITES {
        Packages::new(&place, language, folder).install()?;
    }
    place.build.make(root)?;

    let mut command = match network {
        Network::Private => private_network()?,
        Network::Here => Command::new(std::env::current_exe()?),
    };
    command.arg("sdk-inside");
    if network == Network::Here {
        command.arg("--here");
    }
    call(command.args(filter).current_dir(root))
}

/// This program in new namespaces. Root may simply make them; others need a user namespace around them.
fn private_network() -> Result<Command> {
    let own = std::env::current_exe()?;
    for flags in [&["--mount", "--net"][..], &["--user", "--map-root-user", "--mount", "--net"][..]] {
        let mut probe = flags.to_vec();
        probe.push("true");
        if answers("unshare", &probe) {
            let mut command = Command::new("unshare");
            command.args(flags).arg(own);
            return Ok(command);
        }
    }
    let names = HOST_NAMES.join(" ");
    Err(CannotRun(format!(
        "this machine allows no network namespaces (`unshare --mount --net`).\n\
         In a container: start it with --cap-add SYS_ADMIN and --security-opt seccomp=unconfined, or make\n\
         {names}\n\
         resolve to 127.0.0.1, keep ports 1883, 8883, 8080 and 443 free, and give --here."
    ))
    .into())
}

/// The second half of [`run`], in the network where the server will listen.
///
/// # Errors
///
/// The server does not start or stop as it should. Failing scripts are `Ok(false)`.
pub(crate) fn inside(root: &Path, network: Network, filter: Option<&str>) -> Result<bool> {
    let place = Place::new(root)?;
    if network == Network::Private {
        furnish(&place)?;
    }
    let server = Installation::start(&place)?;
    let mut steps = Steps::default();
    for &(name, language, folder) in SUITES {
        let mut command = Packages::new(&place, language, folder).tests(filter)?;
        command.envs(server.environment());
        PROXY_VARIABLES.iter().for_each(|it| _ = command.env_remove(it));
        let allowed: &[i32] = if filter.is_some() { &[NO_TESTS_STATUS] } else { &[] };
        steps.run(name, || call_allowing(&mut within_seconds(SCRIPTS_SECONDS_MAX, &command), allowed));
    }
    steps.run("clean shutdown", || server.stop());
    let passed = steps.finish();
    if !passed {
        println!("The server's log: {}", place.work.join("server.log").display());
    }
    Ok(passed)
}

/// Brings the loopback up and lays our own host names over `/etc/hosts`, for this namespace only.
fn furnish(place: &Place) -> Result<()> {
    std::fs::create_dir_all(&place.work)?;
    let hosts = place.work.join("hosts");
    std::fs::write(&hosts, format!("127.0.0.1 localhost {}\n", HOST_NAMES.join(" ")))?;
    call(Command::new("mount").arg("--bind").arg(&hosts).arg("/etc/hosts"))?;
    call(Command::new("ip").args(["link", "set", "lo", "up"]))
}
