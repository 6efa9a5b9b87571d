//! TLS: certificates that clients show instead of tokens, certificates of ours that change while the server runs, and
//! handshakes that fail with a reason.

use std::path::Path;
use std::sync::Arc;

use domain::OrgId;
use mqtt::Version;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sim::{Client, Fault, Options};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::doors::{Identity, over_tls, over_tls_as, web_socket};
use super::{heard, hints, recorded};
use crate::house::{House, PATIENCE, TOKEN};
use crate::steps::Q1;

const EVENT: &str = "iot-2/type/gw/id/g1/evt/status/fmt/text";

/// An authority of the tests' own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of tests");
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn write(&self, file: &Path) {
        std::fs::write(file, self.0.pem()).unwrap();
    }

    /// A certificate for a client, with this common name, and with this O if any.
    fn client(&self, common_name: &str, organization: Option<&str>) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        if let Some(organization) = organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (chain, key) = self.issue(params);
        (vec![chain.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// Writes a certificate for a server called `localhost`, and its key.
    fn server(&self, cert: &Path, key: &Path) {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into().unwrap()));
        let (certificate, its_key) = self.issue(params);
        std::fs::write(key, its_key.serialize_pem()).unwrap();
        std::fs::write(cert, certificate.pem()).unwrap();
    }

    fn issue(&self, params: CertificateParams) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A server that believes an authority, which is in the folder's `ca.pem`.
async fn open(authority: &Authority) -> (House, TempDir) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    authority.write(&file);
    (House::open_with(&format!("[tls]\nclient_ca = {file:?}\n")).await, folder)
}

/// Connects with a certificate, calling the server by this name.
async fn connect_by_name(
    house: &House,
    name: &str,
    identity: Identity,
    options: Options,
) -> Result<Client<TlsStream<TcpStream>>, Fault> {
    let stream = TcpStream::connect(house.running.addresses.mqtts[0]).await?;
    let stream = over_tls_as(house, stream, name, Some(identity)).await?;
    Client::over(stream, options, Default::default()).await
}

async fn connect(
    house: &House,
    identity: Identity,
    options: Options,
) -> Result<Client<TlsStream<TcpStream>>, Fault> {
    connect_by_name(house, "localhost", identity, options).await
}

async fn is_refused(house: &House, identity: Identity, options: Options, words: &str) {
    match connect(house, identity, options).await {
        Err(Fault::Refused { code: 5 }) => {}
        other => panic!("{words}: {:?}", other.map(|_| "was let in")),
    }
    recorded(house, "connect", words).await;
}

#[tokio::test]
async fn a_certificate_stands_for_the_token() {
    let authority = Authority::new();
    let (house, _folder) = open(&authority).await;
    let bare = |client_id: &str| Options::new(client_id);
    let gateway = || authority.client("g:gw:g1", None);
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut client = connect(&house, gateway(), bare("g:abc123:gw:g1").version(version)).await.unwrap();
        client.publish_done(EVENT, b"certified", Q1).await.unwrap();
    }
    // Named with its organisation, in either way; called by the organisation's host name; with the token as well.
    for identity in [authority.client("g:abc123:gw:g1", None), authority.client("g:gw:g1", Some("abc123"))] {
        connect(&house, identity, bare("g:abc123:gw:g1")).await.unwrap();
    }
    let name = "abc123.messaging.localhost";
    connect_by_name(&house, name, gateway(), bare("g:abc123:gw:g1")).await.unwrap();
    connect(&house, gateway(), House::device("g:abc123:gw:g1")).await.unwrap();
    // A client of no platform is the device that the certificate names, whatever it calls itself.
    connect(&house, gateway(), bare("just-me")).await.unwrap().ping().await.unwrap();
    let stream = TcpStream::connect(house.running.addresses.mqtts[0]).await.unwrap();
    let stream = over_tls_as(&house, stream, "localhost", Some(gateway())).await.unwrap();
    let (framed, _) = web_socket(stream, "/", Some("mqtt")).await.unwrap();
    Client::over(framed, bare("g:abc123:gw:g1"), Default::default()).await.unwrap().ping().await.unwrap();
    assert_eq!(hints(&house, "connect").await, [""; 0]);

    // Nobody has to have one.
    let stream = TcpStream::connect(house.running.addresses.mqtts[0]).await.unwrap();
    let stream = over_tls(&house, stream).await.unwrap();
    Client::over(stream, House::device("g:abc123:gw:g1"), Default::default()).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_certificate_lets_nobody_else_in() {
    let authority = Authority::new();
    let (house, _folder) = open(&authority).await;
    let gateway = || authority.client("g:gw:g1", None);
    for other in ["g:abc123:gw:g2", "d:abc123:gw:g1", "g:zzz999:gw:g1"] {
        is_refused(&house, gateway(), House::device(other), other).await;
    }
    is_refused(&house, gateway(), House::application("a:abc123:app"), "a:abc123:app").await;
    let wrong = Options::new("g:abc123:gw:g1").login("use-token-auth", "wrong");
    is_refused(&house, gateway(), wrong, "token").await;
    let unknown = authority.client("d:dev:nobody", None);
    is_refused(&house, unknown, Options::new("d:abc123:dev:nobody"), "not registered").await;
    let mistaken = authority.client("d:gw:g1", None);
    is_refused(&house, mistaken, Options::new("d:abc123:gw:g1"), "makes it a gateway").await;
    // A certificate that names no device is none of a device's, and no obstacle.
    let person = || authority.client("someone", None);
    is_refused(&house, person(), Options::new("g:abc123:gw:g1"), "password").await;
    connect(&house, person(), House::device("g:abc123:gw:g1")).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn with_several_organisations_a_certificate_has_to_say_of_which() {
    let authority = Authority::new();
    let (house, _folder) = open(&authority).await;
    house.furnish_org(OrgId::parse("def456").unwrap(), "a-def456-0123456789");
    let (ours, theirs) = (Options::new("g:abc123:gw:g1"), Options::new("g:def456:gw:g1"));
    is_refused(&house, authority.client("g:gw:g1", None), ours.clone(), "which of the organisations").await;
    let of_ours = || authority.client("g:gw:g1", Some("abc123"));
    connect(&house, of_ours(), ours.clone()).await.unwrap();
    is_refused(&house, of_ours(), theirs.clone(), "g:def456:gw:g1").await;
    connect(&house, authority.client("g:gw:g1", Some("def456")), theirs).await.unwrap();
    let elsewhere = connect_by_name(&house, "def456.messaging.localhost", of_ours(), ours).await;
    assert!(matches!(elsewhere, Err(Fault::Refused { code: 5 })));
    recorded(&house, "connect", "the host name to def456").await;
    house.close().await;
}

#[tokio::test]
async fn a_certificate_of_a_strange_authority_is_refused_with_a_reason() {
    let (house, _folder) = open(&Authority::new()).await;
    let stranger = Authority::new().client("g:gw:g1", None);
    assert!(connect(&house, stranger, Options::new("g:abc123:gw:g1")).await.is_err());
    recorded(&house, "connect", "client_ca").await;
    house.close().await;
}

/// The certificate that the server shows.
async fn shown(house: &House, roots: &[&Authority]) -> CertificateDer<'static> {
    let stream = TcpStream::connect(house.running.addresses.mqtts[0]).await.unwrap();
    let stream = trusting(roots, stream).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

async fn trusting(roots: &[&Authority], stream: TcpStream) -> TlsStream<TcpStream> {
    let mut store = rustls::RootCertStore::empty();
    for it in roots {
        store.add(it.0.der().clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(store).with_no_client_auth());
    let name = "localhost".try_into().unwrap();
    tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_stay() {
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    authority.server(&cert, &key);
    let house = House::open_with(&format!("[tls]\ncert = {cert:?}\nkey = {key:?}\n")).await;
    let first = shown(&house, &[&authority]).await;
    let stream = TcpStream::connect(house.running.addresses.mqtts[0]).await.unwrap();
    let stream = trusting(&[&authority], stream).await;
    let mut old = Client::over(stream, House::device("g:abc123:gw:g1"), Default::default()).await.unwrap();

    // Half of a renewal is no certificate yet: the one before stays.
    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(shown(&house, &[&authority]).await, first);
    authority.server(&cert, &key);
    let changed = async {
        while shown(&house, &[&authority]).await == first {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, changed).await.expect("the new certificate is shown");
    old.publish_done(EVENT, b"still here", Q1).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_new_authority_for_clients_replaces_the_old_one() {
    let (before, after) = (Authority::new(), Authority::new());
    let (house, folder) = open(&before).await;
    let options = || Options::new("g:abc123:gw:g1");
    let mut old = connect(&house, before.client("g:gw:g1", None), options()).await.unwrap();
    after.write(&folder.path().join("ca.pem"));
    let changed = async {
        loop {
            match connect(&house, after.client("d:dev:d1", None), Options::new("d:abc123:dev:d1")).await {
                Ok(_) => return,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, changed).await.expect("the new authority is believed");
    old.ping().await.unwrap();
    assert!(connect(&house, before.client("g:gw:g1", None), options()).await.is_err());
    house.close().await;
}

#[tokio::test]
async fn a_handshake_that_fails_is_on_record_with_what_helps() {
    let house = House::open().await;
    let address = house.running.addresses.mqtts[0];
    // TLS 1.2 with nothing but RSA key exchange and AES-CBC, as devices of 2012 offer it: without extensions, and with.
    let bare = [&[0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let extensions = [0, 16, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3];
    let mut extended = [&bare[..], &extensions].concat();
    (extended[4], extended[8]) = (45 + 18, 41 + 18);
    for (hello, words) in [(&bare, "no longer safe"), (&extended, "no cipher suite that is served")] {
        let mut old = TcpStream::connect(address).await.unwrap();
        old.write_all(hello).await.unwrap();
        assert_eq!(heard(&mut old).await[0], 0x15, "an alert");
        recorded(&house, "connect", words).await;
    }
    assert!(hints(&house, "connect").await.iter().all(|it| it.contains("stunnel")));

    let mut distrustful = TcpStream::connect(address).await.unwrap();
    let strangers = Authority::new();
    let mut store = rustls::RootCertStore::empty();
    store.add(strangers.0.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(store).with_no_client_auth());
    let connector = tokio_rustls::TlsConnector::from(config);
    let refused = connector.connect("localhost".try_into().unwrap(), &mut distrustful).await;
    assert!(refused.is_err());
    recorded(&house, "connect", "have to trust").await;

    let mut cut_short = TcpStream::connect(address).await.unwrap();
    cut_short.write_all(&bare[..20]).await.unwrap();
    cut_short.shutdown().await.unwrap();
    let mut rest = Vec::new();
    cut_short.read_to_end(&mut rest).await.ok();
    recorded(&house, "connect", "left during the TLS handshake").await;

    let stream = TcpStream::connect(address).await.unwrap();
    let stream = over_tls(&house, stream).await.unwrap();
    let options = Options::new("g:abc123:gw:g1").login("use-token-auth", TOKEN);
    Client::over(stream, options, Default::default()).await.unwrap().ping().await.unwrap();
    house.close().await;
}
