//! Our own certificate authority, for development and for closed networks: four files in one folder.
//!
//! `ca.pem` is what clients are given; `ca.key` signs; `server.pem` and `server.key` are what connections are shown.
//! The authority stays for ten years, so that clients are set up once; the server's certificate is issued again
//! whenever a client would no longer accept it for one of the wanted names. That is found out by asking exactly that,
//! with a client's own verifier.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::Millis;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::Names;

pub(super) const CA_CERT_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca.key";
const SERVER_CERT_FILE: &str = "server.pem";
const SERVER_KEY_FILE: &str = "server.key";

const CA_DAYS: i64 = 3_652;
/// The longest that all clients accept.
const SERVER_DAYS: i64 = 825;
/// How long before its end a certificate is issued again.
const RENEW_BEFORE_DAYS: u64 = 30;
/// Certificates count as valid from so long before they are made: clocks of devices differ.
const CLOCK_DAYS: i64 = 1;

/// An authority in a folder.
pub(super) struct Authority {
    folder: PathBuf,
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    /// Opens the authority in `folder`, or makes one where there is none.
    pub(super) fn open(folder: &Path, now_ms: Millis) -> Result<Authority> {
        let (cert_file, key_file) = (folder.join(CA_CERT_FILE), folder.join(CA_KEY_FILE));
        let key = match (cert_file.exists(), key_file.exists()) {
            (true, true) => read_key(&key_file)?,
            (false, false) => return Authority::make(folder, now_ms),
            (true, false) => bail!(missing(folder, &key_file)),
            (false, true) => bail!(missing(folder, &cert_file)),
        };
        let params = ca_params(&key, now_ms)?;
        Ok(Authority { folder: folder.to_owned(), params, key })
    }

    fn make(folder: &Path, now_ms: Millis) -> Result<Authority> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let key = KeyPair::generate()?;
        let params = ca_params(&key, now_ms)?;
        let cert = params.self_signed(&key)?;
        // The key first: a certificate whose key was lost by a crash would have to be cleared away by hand.
        write(&folder.join(CA_KEY_FILE), &key.serialize_pem(), Readers::Owner)?;
        write(&folder.join(CA_CERT_FILE), &cert.pem(), Readers::All)?;
        Ok(Authority { folder: folder.to_owned(), params, key })
    }

    /// The server's certificate: the one in the folder while it serves, otherwise a new one.
    pub(super) fn certificate(
        &self,
        names: &Names,
        now_ms: Millis,
        provider: &Arc<CryptoProvider>,
    ) -> Result<CertifiedKey> {
        let (cert_file, key_file) = (self.folder.join(SERVER_CERT_FILE), self.folder.join(SERVER_KEY_FILE));
        if let Ok(kept) = super::read(&cert_file, &key_file, provider)
            && self.serves(&kept, names, now_ms, provider)?
        {
            return Ok(kept);
        }
        let key = KeyPair::generate()?;
        let issuer = Issuer::from_params(&self.params, &self.key);
        let cert = server_params(names, now_ms)?.signed_by(&key, &issuer)?;
        write(&key_file, &key.serialize_pem(), Readers::Owner)?;
        write(&cert_file, &cert.pem(), Readers::All)?;
        super::read(&cert_file, &key_file, provider)
    }

    /// Whether a client that trusts `ca.pem` would accept the certificate under all names for a while yet.
    fn serves(
        &self,
        kept: &CertifiedKey,
        names: &Names,
        now_ms: Millis,
        provider: &Arc<CryptoProvider>,
    ) -> Result<bool> {
        let ca_file = self.folder.join(CA_CERT_FILE);
        let ca = CertificateDer::from_pem_file(&ca_file)
            .with_context(|| format!("cannot read a certificate from {}", ca_file.display()))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca).with_context(|| format!("{} holds no authority's certificate", ca_file.display()))?;
        let client =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
        let (now, later) = (Duration::from_millis(now_ms), Duration::from_secs(RENEW_BEFORE_DAYS * 86_400));
        let accepts = |name: String, at: Duration| {
            let at = UnixTime::since_unix_epoch(at);
            ServerName::try_from(name).is_ok_and(|name| {
                kept.end_entity_cert()
                    .is_ok_and(|it| client.verify_server_cert(it, &kept.cert[1..], &name, &[], at).is_ok())
            })
        };
        Ok(names.samples().all(|it| accepts(it.clone(), now) && accepts(it, now + later)))
    }
}

fn missing(folder: &Path, file: &Path) -> String {
    format!(
        "{} is missing: put it back, or remove {} for a new authority (clients then need the new {CA_CERT_FILE})",
        file.display(),
        folder.display()
    )
}

fn read_key(path: &Path) -> Result<KeyPair> {
    let remedy =
        || format!("cannot read a private key from {}: it should be the PEM file made here", path.display());
    let text = fs::read_to_string(path).with_context(remedy)?;
    KeyPair::from_pem(&text).with_context(remedy)
}

/// The authority's certificate. Its name carries the start of its key's identifier, so that authorities of two
/// installations can be told apart in one trust store, and so that it follows from the key alone.
fn ca_params(key: &KeyPair, now_ms: Millis) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    let id: String = params.key_identifier(key).iter().take(4).map(|it| format!("{it:02x}")).collect();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, format!("Tidegate CA {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now_ms, CA_DAYS)?;
    Ok(params)
}

fn server_params(names: &Names, now_ms: Millis) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "Tidegate");
    for host in &names.hosts {
        params.subject_alt_names.push(SanType::DnsName(host.as_str().try_into()?));
    }
    params.subject_alt_names.extend(names.addresses.iter().map(|it| SanType::IpAddress(*it)));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now_ms, SERVER_DAYS)?;
    Ok(params)
}

fn set_validity(params: &mut CertificateParams, now_ms: Millis, days: i64) -> Result<()> {
    let now = Timestamp::from_millisecond(i64::try_from(now_ms)?)?.to_zoned(TimeZone::UTC).date();
    let (from, to) = (now.checked_sub(CLOCK_DAYS.days())?, now.checked_add((days - CLOCK_DAYS).days())?);
    let at_midnight = |it: jiff::civil::Date| {
        date_time_ymd(it.year().into(), it.month().unsigned_abs(), it.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (at_midnight(from), at_midnight(to));
    Ok(())
}

/// Who may read a file.
enum Readers {
    All,
    Owner,
}

/// Writes a file whole: a crash leaves the old one or the new one.
fn write(path: &Path, text: &str, readers: Readers) -> Result<()> {
    let part = path.with_extension("part");
    let mode = match readers {
        Readers::All => 0o644,
        Readers::Owner => 0o600,
    };
    let attempt = || -> std::io::Result<()> {
        if part.exists() {
            fs::remove_file(&part)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}
