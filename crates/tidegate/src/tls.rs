//! Which certificate we show and where it comes from, and whose certificates we believe.
//!
//! Either the user brings certificate and key, or the server has an authority of its own, made on first start, that
//! issues one certificate for every name under which a client may look for us. Clients then need `ca.pem` and nothing
//! else. The certificate is shown to whoever connects, with or without a server name in the hello: some MQTT clients
//! send none (spec watson 1.3).
//!
//! Reads and writes files, so it is called at start and from a blocking task, never from a worker. Reads no clock.

mod any;
mod authority;
mod fault;
mod holder;
mod names;
mod shown;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use domain::{Millis, OrgId};
use parking_lot::{Mutex, RwLock};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;
use any::AnyCertificate;
use authority::Authority;
pub(crate) use fault::words as fault_words;
pub(crate) use names::Names;
pub(crate) use shown::{Certificate, Dates, Standing};

/// The certificate of a running server, and how to make or read the next one.
#[derive(Debug)]
pub(crate) struct Tls {
    origin: Origin,
    domain: String,
    extra_names: Vec<String>,
    /// The authority of clients' certificates.
    client_ca: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    shown: Arc<Shown>,
    ways: RwLock<Ways>,
    /// The file of authorities as it was when `ways` was made.
    client_ca_seen: Mutex<Option<Stamp>>,
    /// The user's files as they were when they were last looked at.
    seen: Mutex<Vec<Option<Stamp>>>,
}

/// Which certificates a client is asked for. Nobody has to show one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Any: there are devices that are known by theirs.
    Any,
    /// Those of the authority in `client_ca`, and none where there is no such authority: browsers would have people
    /// choose among theirs.
    Vouched,
}

/// How to shake hands.
#[derive(Debug)]
struct Ways {
    any: Arc<ServerConfig>,
    vouched: Arc<ServerConfig>,
    /// What verifies certificates of clients.
    authority: Option<Arc<dyn ClientCertVerifier>>,
}

#[derive(Debug)]
enum Origin {
    /// The user's files.
    Files { cert: PathBuf, key: PathBuf },
    /// Our own authority, in this folder.
    Own(PathBuf),
}

/// What tells one state of a file from another: device, inode, length, time of change.
type Stamp = (u64, u64, u64, i64, i64);

/// The certificate that is shown now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

impl Tls {
    /// Reads the user's certificate, or makes sure that ours exists and covers the domain, the extra names and the
    /// organisations.
    pub(crate) fn open(config: &Config, orgs: &[OrgId], now_ms: Millis) -> Result<Tls> {
        let origin = match config.own_certificate() {
            Some((cert, key)) => Origin::Files { cert: cert.to_owned(), key: key.to_owned() },
            None => Origin::Own(config.data.path.join("tls")),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let names = Names::wanted(&config.server.domain, &config.tls.names, orgs)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(certificate(&origin, &names, now_ms, &provider)?))));
        let client_ca = config.tls.client_ca.clone();
        let client_ca_seen = Mutex::new(client_ca.as_deref().and_then(stamp));
        let ways = Ways::new(&provider, &shown, client_ca.as_deref())?;
        let tls = Tls {
            origin,
            domain: config.server.domain.clone(),
            extra_names: config.tls.names.clone(),
            client_ca_seen,
            client_ca,
            provider,
            shown,
            ways: RwLock::new(ways),
            seen: Mutex::default(),
        };
        tls.files_have_changed();
        Ok(tls)
    }

    /// Whether the user's files have changed since the last call. Looks at their dates only.
    pub(crate) fn files_have_changed(&self) -> bool {
        let own = match &self.origin {
            Origin::Files { cert, key } => [Some(cert), Some(key)],
            Origin::Own(_) => [None, None],
        };
        let files = own.into_iter().flatten().chain(&self.client_ca);
        let stamps: Vec<_> = files.map(|it| stamp(it)).collect();
        let mut seen = self.seen.lock();
        let changed = *seen != stamps;
        *seen = stamps;
        changed
    }

    /// Reads or issues again what should be shown now, for connections to come: the user's files may have been
    /// renewed, ours may be about to expire or lack the names of a new organisation. On an error the certificate
    /// shown so far stays.
    pub(crate) fn refresh(&self, orgs: &[OrgId], now_ms: Millis) -> Result<()> {
        let names = Names::wanted(&self.domain, &self.extra_names, orgs)?;
        let fresh = certificate(&self.origin, &names, now_ms, &self.provider)?;
        *self.shown.0.write() = Arc::new(fresh);
        let mut client_ca_seen = self.client_ca_seen.lock();
        let client_ca_now = self.client_ca.as_deref().and_then(stamp);
        if client_ca_now != *client_ca_seen {
            // With new keys for its tickets: a session that an authority of before vouched for is not taken up again.
            let fresh = Ways::new(&self.provider, &self.shown, self.client_ca.as_deref())?;
            *self.ways.write() = fresh;
            *client_ca_seen = client_ca_now;
        }
        Ok(())
    }

    /// What a client has shown of itself; `None` where it showed nothing.
    pub(crate) fn certificate(&self, session: &ServerConnection, now_ms: Millis) -> Option<Certificate> {
        let authority = self.ways.read().authority.clone();
        Certificate::of(session, authority.as_deref(), &self.domain, now_ms)
    }

    /// How to shake hands with the next client.
    pub(crate) fn server_config(&self, asked: Asked) -> Arc<ServerConfig> {
        let ways = self.ways.read();
        match asked {
            Asked::Any => ways.any.clone(),
            Asked::Vouched => ways.vouched.clone(),
        }
    }

    /// The file that clients need in order to trust us; none when the user brought the certificate.
    pub(crate) fn ca_file(&self) -> Option<PathBuf> {
        match &self.origin {
            Origin::Files { .. } => None,
            Origin::Own(folder) => Some(folder.join(authority::CA_CERT_FILE)),
        }
    }
}

impl Ways {
    fn new(provider: &Arc<CryptoProvider>, shown: &Arc<Shown>, client_ca: Option<&Path>) -> Result<Ways> {
        let authority = client_ca.map(|it| authority_of_clients(it, provider)).transpose()?;
        let any = Arc::new(AnyCertificate::new(provider));
        Ok(Ways {
            any: server_config(provider, shown, Some(any))?,
            vouched: server_config(provider, shown, authority.clone())?,
            authority,
        })
    }
}

/// TLS 1.2 and 1.3, with keys of its own for tickets: a session is resumed only where it began.
fn server_config(
    provider: &Arc<CryptoProvider>,
    shown: &Arc<Shown>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_cert_resolver(shown.clone());
    // Tickets cost the server no memory, and let a fleet that returns all at once resume cheaply.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// What verifies certificates by the authorities in a file.
fn authority_of_clients(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>> {
    let roots = Arc::new(client_roots(file).context("clients' certificates cannot be verified")?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    Ok(verifier.allow_unauthenticated().build()?)
}

/// The authorities in a file.
fn client_roots(file: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let remedy = || format!("cannot read authorities from {}: it should be a PEM file", file.display());
    for certificate in CertificateDer::pem_file_iter(file).with_context(remedy)? {
        roots.add(certificate.with_context(remedy)?).with_context(remedy)?;
    }
    ensure!(!roots.is_empty(), "{} holds no certificate: it should be a PEM file", file.display());
    Ok(roots)
}

fn stamp(file: &Path) -> Option<Stamp> {
    let it = std::fs::metadata(file).ok()?;
    Some((it.dev(), it.ino(), it.len(), it.mtime(), it.mtime_nsec()))
}

fn certificate(
    origin: &Origin,
    names: &Names,
    now_ms: Millis,
    provider: &Arc<CryptoProvider>,
) -> Result<CertifiedKey> {
    match origin {
        Origin::Files { cert, key } => {
            read(cert, key, provider).context("the TLS certificate cannot be used")
        }
        Origin::Own(folder) => Authority::open(folder, now_ms)?.certificate(names, now_ms, provider),
    }
}

/// Reads a chain and its key, and makes sure that they belong together.
fn read(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).with_context(|| {
            format!("cannot read certificates from {}: it should be a PEM file", cert.display())
        })?;
    ensure!(
        !chain.is_empty(),
        "{} holds no certificate: it should be a PEM chain, ours first",
        cert.display()
    );
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| {
        format!("cannot read a private key from {}: it should be a PEM file", key.display())
    })?;
    CertifiedKey::from_der(chain, private, provider).with_context(|| {
        format!(
            "{} and {} do not belong together, or are of a kind we cannot use",
            cert.display(),
            key.display()
        )
    })
}

#[cfg(test)]
mod tests;
