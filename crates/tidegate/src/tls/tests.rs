#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use rustls_pki_types::ServerName;

use super::*;

/// 2026-05-01, 12:00 UTC. Handshakes read the real clock, so the tests that shake hands use it too.
const NOW_MS: Millis = 1_777_636_800_000;
const DAY_MS: Millis = 86_400_000;

fn real_now_ms() -> Millis {
    crate::clock::Clock::start().wall_ms()
}

fn config(folder: &Path, domain: &str) -> Config {
    let mut config = Config::default();
    config.data.path = folder.to_owned();
    config.server.domain = domain.to_owned();
    config
}

fn org(id: &str) -> OrgId {
    OrgId::parse(id).unwrap()
}

/// Whether a client that trusts only `ca` completes a handshake under `name`.
fn shakes_hands(
    tls: &Tls,
    ca: &Path,
    name: &str,
    version: &'static rustls::SupportedProtocolVersion,
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(tls.server_config(Asked::Any)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        if server.process_new_packets().is_err() {
            return false;
        }
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        if client.process_new_packets().is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_client_that_trusts_our_authority_is_served_under_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::open(&config(folder.path(), "iot.test"), &[org("abc123")], real_now_ms()).unwrap();
    let ca = tls.ca_file().unwrap();
    let names = ["localhost", "127.0.0.1", "::1", "iot.test", "abc123.iot.test", "abc123.messaging.iot.test"];
    for name in names.into_iter().chain(["xyz789.messaging.iot.test"]) {
        assert!(shakes_hands(&tls, &ca, name, &rustls::version::TLS13), "{name}");
    }
    assert!(shakes_hands(&tls, &ca, "localhost", &rustls::version::TLS12));
    assert!(!shakes_hands(&tls, &ca, "elsewhere.test", &rustls::version::TLS13));
}

#[test]
fn another_authority_is_not_ours() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tls = Tls::open(&config(one.path(), "localhost"), &[], real_now_ms()).unwrap();
    let ca = Tls::open(&config(other.path(), "localhost"), &[], real_now_ms()).unwrap().ca_file().unwrap();
    assert!(!shakes_hands(&tls, &ca, "localhost", &rustls::version::TLS13));
}

#[test]
fn organisations_below_localhost_are_named_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::open(&config(folder.path(), "localhost"), &[org("abc123")], real_now_ms()).unwrap();
    let ca = tls.ca_file().unwrap();
    assert!(shakes_hands(&tls, &ca, "abc123.messaging.localhost", &rustls::version::TLS13));
    assert!(shakes_hands(&tls, &ca, "abc123.localhost", &rustls::version::TLS13));
    tls.refresh(&[org("abc123"), org("def456")], real_now_ms()).unwrap();
    assert!(shakes_hands(&tls, &ca, "def456.localhost", &rustls::version::TLS13));
}

#[test]
fn the_certificate_is_issued_again_only_when_it_no_longer_serves() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "localhost");
    let file = |name: &str| fs::read(folder.path().join("tls").join(name)).unwrap();
    let tls = Tls::open(&config, &[], NOW_MS).unwrap();
    let (ca, first) = (file("ca.pem"), file("server.pem"));

    Tls::open(&config, &[], NOW_MS + 700 * DAY_MS).unwrap();
    assert_eq!(file("server.pem"), first, "nothing changed");
    tls.refresh(&[org("abc123")], NOW_MS + DAY_MS).unwrap();
    let second = file("server.pem");
    assert_ne!(second, first, "a new name");
    tls.refresh(&[], NOW_MS + 800 * DAY_MS).unwrap();
    assert_ne!(file("server.pem"), second, "about to expire");
    assert_eq!(file("ca.pem"), ca, "the authority stays");
}

#[test]
fn keys_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    Tls::open(&config(folder.path(), "localhost"), &[], NOW_MS).unwrap();
    for name in ["ca.key", "server.key"] {
        let mode = fs::metadata(folder.path().join("tls").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_certificate_of_the_users_own_is_read_again_on_refresh() {
    let (made, brought) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ca = Tls::open(&config(made.path(), "a.test"), &[], real_now_ms()).unwrap().ca_file().unwrap();
    let mut config = config(brought.path(), "a.test");
    config.tls.cert = Some(made.path().join("tls/server.pem"));
    config.tls.key = Some(made.path().join("tls/server.key"));
    let tls = Tls::open(&config, &[], real_now_ms()).unwrap();
    assert_eq!(tls.ca_file(), None);
    assert!(!brought.path().join("tls").exists());
    assert!(shakes_hands(&tls, &ca, "a.test", &rustls::version::TLS13));

    fs::write(made.path().join("tls/server.key"), "").unwrap();
    let fault = format!("{:#}", tls.refresh(&[], real_now_ms()).unwrap_err());
    assert!(fault.contains("server.key"), "{fault}");
    assert!(shakes_hands(&tls, &ca, "a.test", &rustls::version::TLS13), "what was shown stays");
}

#[test]
fn faults_name_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut own = config(folder.path(), "localhost");
    Tls::open(&own, &[], NOW_MS).unwrap();
    fs::remove_file(folder.path().join("tls/ca.key")).unwrap();
    let fault = format!("{:#}", Tls::open(&own, &[], NOW_MS).unwrap_err());
    assert!(fault.contains("tls/ca.key is missing: put it back, or remove"), "{fault}");

    own.tls.cert = Some(folder.path().join("chain.pem"));
    own.tls.key = Some(folder.path().join("tls/server.key"));
    let fault = format!("{:#}", Tls::open(&own, &[], NOW_MS).unwrap_err());
    assert!(fault.contains("chain.pem"), "{fault}");

    let other = tempfile::tempdir().unwrap();
    Tls::open(&config(other.path(), "localhost"), &[], NOW_MS).unwrap();
    own.tls.cert = Some(other.path().join("tls/server.pem"));
    let fault = format!("{:#}", Tls::open(&own, &[], NOW_MS).unwrap_err());
    assert!(fault.contains("do not belong together"), "{fault}");
}

#[test]
fn a_name_that_is_none_is_refused() {
    for wrong in ["", "a b", "*", "a..b", "-a.test", "bücher.test", "a.*.test"] {
        assert!(Names::wanted("localhost", &[wrong.to_owned()], &[]).is_err(), "{wrong:?}");
    }
    let names = Names::wanted("10.0.0.1", &["*.x.test".to_owned()], &[org("abc123")]).unwrap();
    assert_eq!(names.hosts, ["localhost", "*.x.test"]);
    assert_eq!(names.addresses.len(), 3);
}
