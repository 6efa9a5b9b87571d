//! A running server: everything put together, and taken apart again in the right order.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use dialects::Dialect;
use platform::{Platform, Removed};
use store::{Store, StoreFault};
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use web::compat::thingsboard::ThingsBoard;
use web::compat::{self, onenet, watson};

use crate::cli::SOCKET_NAME;
use crate::clock::Clock;
use crate::config::{BulkRemoveStatus, Config};
use crate::greet::{Encryption, Gate, Port};
use crate::http::{Desk, HttpUse};
use crate::hub::post::Post;
use crate::hub::status::keep_telling;
use crate::hub::{Hub, all_dialects};
use crate::limits;
use crate::listen;
use crate::live::LiveHub;
use crate::tls::{Asked, Tls};
use crate::worker::Workers;

/// How often the store's health and the shutdown's progress are looked at.
const GLANCE_MS: u64 = 50;
/// How often the certificates are compared with the organisations and with the files that they came from.
const CERTIFICATE_GLANCE_MS: u64 = 500;
/// How often the certificate is looked at when nothing has changed.
const CERTIFICATE_REFRESH_MS: u64 = 12 * 3600 * 1000;

/// Where a server listens, by the setting that says so.
#[derive(Clone, Debug, Default)]
pub struct LocalAddresses {
    /// MQTT without encryption.
    pub mqtt: Vec<SocketAddr>,
    /// MQTT over TLS.
    pub mqtts: Vec<SocketAddr>,
    /// HTTP without encryption.
    pub http: Vec<SocketAddr>,
    /// HTTP over TLS.
    pub https: Vec<SocketAddr>,
    /// OneNET's devices only.
    pub onenet: Vec<SocketAddr>,
    /// One dialect only, named.
    pub pinned: Vec<(SocketAddr, &'static str)>,
}

/// A running server.
pub struct Running {
    /// The registry of this server.
    pub platform: Arc<Platform>,
    /// Where it listens.
    pub addresses: LocalAddresses,
    /// The certificate of our own authority, where clients need it.
    pub ca_file: Option<PathBuf>,
    hub: Arc<Hub>,
    store: Arc<dyn Store>,
    workers: Workers,
    listeners: JoinSet<()>,
    stop: watch::Sender<bool>,
    refresh: Arc<Notify>,
    admin_socket: PathBuf,
}

/// Opens the data folder and starts to listen.
pub async fn start(config: Config) -> Result<Running> {
    let store = open_store(&config)?;
    start_on(config, store).await
}

/// Starts to listen, with the data in a store that is open already.
pub async fn start_on(config: Config, store: Arc<dyn Store>) -> Result<Running> {
    let dialects = all_dialects(&config);
    start_speaking(config, store, dialects).await
}

/// The same, with these dialects instead of those that the settings give. For tests of what a dialect may ask for.
pub async fn start_speaking(
    config: Config,
    store: Arc<dyn Store>,
    dialects: Vec<&'static dyn Dialect>,
) -> Result<Running> {
    let clock = Clock::start();
    let platform = Arc::new(open_platform(&config, store.clone(), clock)?);
    let hub = Hub::open(platform.clone(), clock, &config, dialects)?;
    let hub = Arc::new(hub);
    listen_for_removals(&platform, &hub);
    platform.set_courier(Arc::new(Post(Arc::downgrade(&hub))));
    let orgs: Vec<_> = platform.orgs().iter().map(|it| it.id).collect();
    let tls = Arc::new(Tls::open(&config, &orgs, clock.wall_ms())?);
    let worker_count = match config.server.worker_count {
        0 => std::thread::available_parallelism().map_or(1, |it| it.get()),
        count => count,
    };
    let mut running = Running {
        addresses: LocalAddresses::default(),
        ca_file: tls.ca_file(),
        workers: Workers::start(&hub, worker_count)?,
        listeners: JoinSet::new(),
        stop: watch::Sender::new(false),
        refresh: Arc::default(),
        admin_socket: config.data.path.join(SOCKET_NAME),
        store,
        platform,
        hub,
    };
    running.listen(&config, tls.clone())?;
    running.listen_admin()?;
    if config.plain.status_interval_s > 0 {
        let interval = Duration::from_secs(config.plain.status_interval_s);
        running.listeners.spawn(keep_telling(running.hub.clone(), interval));
    }
    running.listeners.spawn(sweep_sessions(running.hub.clone()));
    running.listeners.spawn(sweep_commands(running.hub.clone()));
    running.listeners.spawn(sweep_activity(running.hub.clone()));
    let (platform, asked) = (running.platform.clone(), running.refresh.clone());
    running.listeners.spawn(keep_certificates(platform, tls, clock, asked));
    Ok(running)
}

/// Opens the data folder, which is made when it is missing. Blocks on the disk: for start-up and commands.
pub(crate) fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    let path = &config.data.path;
    // Tokens' hashes, keys and everybody's data: nobody else's to read.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the data folder {}", path.display()))?;
    Ok(Arc::new(store::embedded::open(path)?))
}

/// Opens what is decided from memory. Blocks on the disk: for start-up and commands.
pub(crate) fn open_platform(config: &Config, store: Arc<dyn Store>, clock: Clock) -> Result<Platform> {
    let entropy: platform::Entropy = Box::new(|bytes| {
        if let Err(error) = getrandom::fill(bytes) {
            // Without randomness every token could be guessed: better no server than that one.
            tracing::error!(%error, "The operating system gives no randomness");
            std::process::abort();
        }
    });
    Ok(Platform::open(store, entropy, clock.wall_ms())?
        .with_registration_back_off_ms(config.limits.registration_back_off_s * 1_000)
        .with_registrations_pending_count_max(config.limits.registration_pending_count_max)
        .with_claim_rules(config.thingsboard.claim_rules())
        .with_command_rules(config.thingsboard.command_rules())
        .with_rate_rules(config.thingsboard.rate_rules())
        .with_inactivity_timeout_ms(config.thingsboard.inactivity_timeout_s * 1_000)
        .with_anonymous(config.plain.anonymous_peers()))
}

/// Whoever is removed, disabled or admitted on other terms is disconnected.
fn listen_for_removals(platform: &Platform, hub: &Arc<Hub>) {
    let hub = Arc::downgrade(hub);
    platform.set_removal_listener(Box::new(move |removed| {
        let Some(hub) = hub.upgrade() else { return };
        match removed {
            Removed::Device(org, device) => hub.device_changed(*org, *device),
            Removed::Name(org, device) => hub.device_renamed(*org, *device),
            Removed::Key(org, key) => hub.key_changed(*org, key),
            Removed::Org(org) => hub.close_org(*org),
        }
    }));
}

/// Keeps the certificates in step with the organisations and with the user's files, and fresh: the date of our own is
/// looked at every few hours. `asked` has them read again at once.
async fn keep_certificates(platform: Arc<Platform>, tls: Arc<Tls>, clock: Clock, asked: Arc<Notify>) {
    let ids = || platform.orgs().iter().map(|it| it.id).collect::<Vec<_>>();
    let (mut known, mut refreshed_ms) = (ids(), clock.monotonic_ms());
    loop {
        let glance = Duration::from_millis(CERTIFICATE_GLANCE_MS);
        let is_asked = tokio::time::timeout(glance, asked.notified()).await.is_ok();
        let now = ids();
        let is_due =
            is_asked || now != known || clock.monotonic_ms() - refreshed_ms >= CERTIFICATE_REFRESH_MS;
        known.clone_from(&now);
        let tls = tls.clone();
        let outcome = tokio::task::spawn_blocking(move || {
            let changed = tls.files_have_changed();
            (is_due || changed).then(|| tls.refresh(&now, clock.wall_ms()))
        });
        match outcome.await {
            Ok(None) => continue,
            Ok(Some(Ok(()))) => tracing::info!("The certificates were read again"),
            Ok(Some(Err(error))) => tracing::error!("The certificates could not be read again: {error:#}"),
            Err(error) => tracing::error!(%error, "The certificates could not be read again"),
        }
        refreshed_ms = clock.monotonic_ms();
    }
}

/// Ends the sessions whose time has come and publishes the wills that waited long enough.
async fn sweep_sessions(hub: Arc<Hub>) {
    loop {
        tokio::time::sleep(Duration::from_millis(limits::SESSIONS_SWEEP_MS)).await;
        hub.sweep_sessions();
    }
}

/// Ends the commands whose deadline is over.
async fn sweep_commands(hub: Arc<Hub>) {
    loop {
        tokio::time::sleep(Duration::from_millis(limits::COMMANDS_SWEEP_MS)).await;
        hub.platform.sweep_commands(hub.clock.wall_ms());
    }
}

/// Keeps on record when devices were there.
async fn sweep_activity(hub: Arc<Hub>) {
    loop {
        tokio::time::sleep(Duration::from_millis(limits::ACTIVITY_SWEEP_MS)).await;
        let hub = hub.clone();
        // With many devices it takes longer than others should wait for the runtime.
        let swept = tokio::task::spawn_blocking(move || hub.platform.sweep_activity(hub.clock.wall_ms()));
        if let Err(error) = swept.await {
            tracing::error!(%error, "Devices' activity could not be looked at");
        }
    }
}

impl Running {
    /// Listens wherever the settings say. All listeners are of one kind and share what they need.
    fn listen(&mut self, config: &Config, tls: Arc<Tls>) -> Result<()> {
        let thingsboard = ThingsBoard::new(self.shared(), Arc::new(LiveHub(self.hub.clone())));
        let access_node = Arc::<OnceLock<SocketAddr>>::default();
        let router = self.router(config, thingsboard.clone(), access_node.clone());
        let desk = Desk { router, thingsboard, runtime: Handle::current() };
        let gate = Arc::new(Gate { tls, desk, proxies: config.listen.proxy_from.clone() });
        let listen = &config.listen;
        let http_on_mqtt = if listen.http_on_mqtt { HttpUse::Api } else { HttpUse::ApiIfPrivate };
        type Bound = fn(&mut LocalAddresses) -> &mut Vec<SocketAddr>;
        let rows: [(_, _, _, _, _, Bound); 4] = [
            (&listen.mqtt, "mqtt", Encryption::Optional, http_on_mqtt, Asked::Any, |it| &mut it.mqtt),
            (&listen.mqtts, "mqtts", Encryption::Required, HttpUse::Api, Asked::Any, |it| &mut it.mqtts),
            (&listen.http, "http", Encryption::Optional, HttpUse::Api, Asked::Vouched, |it| &mut it.http),
            (&listen.https, "https", Encryption::Required, HttpUse::Api, Asked::Vouched, |it| &mut it.https),
        ];
        for (addresses, setting, encryption, http, asked, bound) in rows {
            for address in addresses.iter() {
                let local = self.listen_at(*address, setting, |number| Port {
                    number,
                    encryption,
                    http,
                    asked,
                    dialect: None,
                    gate: gate.clone(),
                })?;
                bound(&mut self.addresses).push(local);
            }
        }
        for address in listen.onenet.iter() {
            let local = self.listen_pinned(*address, "onenet", dialects::onenet::NAME, &gate)?;
            self.addresses.onenet.push(local);
        }
        for (address, dialect) in &listen.pinned.0 {
            let dialect = self.hub.dialect_name(dialect)?;
            let local = self.listen_pinned(*address, "pinned", dialect, &gate)?;
            self.addresses.pinned.push((local, dialect));
        }
        if let Some(address) = self.addresses.onenet.first().or(self.addresses.mqtt.first()) {
            access_node.set(*address).ok();
        }
        Ok(())
    }

    /// Listens where one dialect only is spoken.
    fn listen_pinned(
        &mut self,
        address: SocketAddr,
        setting: &str,
        dialect: &'static str,
        gate: &Arc<Gate>,
    ) -> Result<SocketAddr> {
        self.listen_at(address, setting, |number| Port {
            number,
            encryption: Encryption::Optional,
            http: HttpUse::None,
            asked: Asked::Any,
            dialect: Some(dialect),
            gate: gate.clone(),
        })
    }

    /// Listens at one address; returns the one it became. `port` is given its number.
    fn listen_at(
        &mut self,
        address: SocketAddr,
        setting: &str,
        port: impl FnOnce(u16) -> Port,
    ) -> Result<SocketAddr> {
        let listener = listen::bind(address, setting)?;
        let local = listener.local_addr()?;
        let (port, workers) = (Arc::new(port(local.port())), self.workers.handover());
        self.listeners.spawn(listen::accept_all(listener, port, workers, self.stop.subscribe()));
        Ok(local)
    }

    fn router(
        &self,
        config: &Config,
        thingsboard: ThingsBoard,
        access_node: Arc<OnceLock<SocketAddr>>,
    ) -> axum::Router {
        let watson = watson::Watson {
            shared: self.shared(),
            bulk_remove_status: match config.watson.bulk_remove_status {
                BulkRemoveStatus::Accepted => watson::BulkRemoveStatus::Accepted,
                BulkRemoveStatus::Created => watson::BulkRemoveStatus::Created,
                BulkRemoveStatus::ByUserAgent => watson::BulkRemoveStatus::ByUserAgent,
            },
        };
        let onenet = onenet::OneNet {
            shared: self.shared(),
            ways: Arc::new(LiveHub(self.hub.clone())),
            zone: config.onenet.zone,
            access_node,
        };
        compat::router(watson, thingsboard, onenet)
    }

    /// The socket for the command line: whoever may open the data folder may do anything.
    fn listen_admin(&mut self) -> Result<()> {
        let path = &self.admin_socket;
        // The store's lock on the folder is ours, so a socket file in it is left over.
        if path.exists() {
            std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        let listener =
            UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
        let router = web::api::router(self.shared());
        let mut stop = self.stop.subscribe();
        self.listeners.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async move {
                drop(stop.wait_for(|it| *it).await);
            });
            if let Err(error) = served.await {
                tracing::error!(%error, "The command line's socket failed");
            }
        });
        Ok(())
    }

    /// What the HTTP faces need of this server.
    fn shared(&self) -> web::Shared {
        let clock = self.hub.clock;
        web::Shared {
            platform: self.platform.clone(),
            live: Arc::new(LiveHub(self.hub.clone())),
            clock: Arc::new(move || clock.wall_ms()),
        }
    }

    /// What has the certificates read again when it is notified.
    pub(crate) fn refresh_certificates(&self) -> Arc<Notify> {
        self.refresh.clone()
    }

    /// Returns when the store has failed: the process has to end then.
    pub async fn failed(&self) -> StoreFault {
        loop {
            if let Err(fault) = self.store.health() {
                return fault;
            }
            tokio::time::sleep(Duration::from_millis(GLANCE_MS)).await;
        }
    }

    /// Stops listening, says goodbye to every client, stores what is under way and closes the store.
    pub async fn shutdown(mut self) -> Result<()> {
        self.stop.send_replace(true);
        self.hub.close();
        let mut waited_ms = 0;
        while self.hub.connection_count() > 0 && waited_ms < limits::SHUTDOWN_MS_MAX {
            tokio::time::sleep(Duration::from_millis(GLANCE_MS)).await;
            waited_ms += GLANCE_MS;
        }
        let left = self.hub.connection_count();
        if left > 0 {
            tracing::warn!(left, "Connections did not end in time");
        }
        self.listeners.abort_all();
        while self.listeners.join_next().await.is_some() {}
        if left == 0 {
            tokio::task::spawn_blocking(move || self.workers.join()).await?;
        }
        self.hub.publish_waiting_wills();
        let (hub, store) = (self.hub, self.store);
        tokio::task::spawn_blocking(move || {
            let finished = hub.platform.finish_activity(hub.clock.wall_ms());
            store.close().and(finished)
        })
        .await??;
        std::fs::remove_file(&self.admin_socket).ok();
        Ok(())
    }
}
