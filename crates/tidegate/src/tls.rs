//! Which certificate we show, and where it comes from.
//!
//! Either the user brings certificate and key, or the server has an authority of its own, made on first start, that
//! issues one certificate for every name under which a client may look for us. Clients then need `ca.pem` and nothing
//! else. The certificate is shown to whoever connects, with or without a server name in the hello: some MQTT clients
//! send none (spec watson 1.3).
//!
//! Reads and writes files, so it is called at start and from a blocking task, never from a worker. Reads no clock.

mod authority;
mod fault;
mod names;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use domain::{Millis, OrgId};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;
use authority::Authority;
pub(crate) use fault::words as fault_words;
pub(crate) use names::Names;

/// The certificate of a running server, and how to make or read the next one.
#[derive(Debug)]
pub(crate) struct Tls {
    origin: Origin,
    domain: String,
    extra_names: Vec<String>,
    provider: Arc<CryptoProvider>,
    shown: Arc<Shown>,
    server_config: RwLock<Arc<ServerConfig>>,
}

#[derive(Debug)]
enum Origin {
    /// The user's files.
    Files { cert: PathBuf, key: PathBuf },
    /// Our own authority, in this folder.
    Own(PathBuf),
}

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
        let server_config = RwLock::new(server_config(&provider, shown.clone())?);
        Ok(Tls {
            origin,
            domain: config.server.domain.clone(),
            extra_names: config.tls.names.clone(),
            provider,
            shown,
            server_config,
        })
    }

    /// Reads or issues again what should be shown now, for connections to come: the user's files may have been
    /// renewed, ours may be about to expire or lack the names of a new organisation. On an error the certificate
    /// shown so far stays.
    pub(crate) fn refresh(&self, orgs: &[OrgId], now_ms: Millis) -> Result<()> {
        let names = Names::wanted(&self.domain, &self.extra_names, orgs)?;
        let fresh = certificate(&self.origin, &names, now_ms, &self.provider)?;
        *self.shown.0.write() = Arc::new(fresh);
        Ok(())
    }

    /// How to shake hands with the next client.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.server_config.read().clone()
    }

    /// The file that clients need in order to trust us; none when the user brought the certificate.
    pub(crate) fn ca_file(&self) -> Option<PathBuf> {
        match &self.origin {
            Origin::Files { .. } => None,
            Origin::Own(folder) => Some(folder.join(authority::CA_CERT_FILE)),
        }
    }
}

/// TLS 1.2 and 1.3, no client certificates.
fn server_config(provider: &Arc<CryptoProvider>, shown: Arc<Shown>) -> Result<Arc<ServerConfig>> {
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    // Tickets cost the server no memory, and let a fleet that returns all at once resume cheaply.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
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
