//! ThingsBoard's devices that are known by their certificates (spec thingsboard 2.2): whoever has the key of one is its
//! device, and nobody else; other clients gain nothing by such a certificate.

use std::sync::Arc;

use dialects::thingsboard::certificate;
use domain::Registrar;
use mqtt::Version;
use platform::NewDevice;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SignatureScheme, SupportedProtocolVersion, WantsVerifier,
};
use sim::{Client, Fault, Options};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::recorded;
use crate::house::{House, org};
use crate::steps::Q1;

type Encrypted = Client<TlsStream<TcpStream>>;

/// A certificate that its own key has signed.
struct SelfSigned {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl SelfSigned {
    fn new(common_name: &str) -> SelfSigned {
        SelfSigned::until(common_name, 2999)
    }

    fn until(common_name: &str, year: i32) -> SelfSigned {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        SelfSigned { pem: certificate.pem(), der: certificate.der().clone(), key }
    }

    fn shown(&self) -> Arc<CertifiedKey> {
        self.shown_with(&self.key)
    }

    /// The certificate as somebody shows it who has this key.
    fn shown_with(&self, key: &KeyPair) -> Arc<CertifiedKey> {
        let key = any_supported_type(&PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap();
        Arc::new(CertifiedKey::new(vec![self.der.clone()], key))
    }

    /// Makes it the login of a new device.
    fn register(&self, house: &House, name: &str) {
        let platform = &house.running.platform;
        let draft = NewDevice::named("dev", name, Registrar::Operator);
        let (device, ..) = platform.register(org(), draft, 1).unwrap();
        let login = certificate::login(&self.pem);
        platform.set_login(org(), device.wire_name(), login).unwrap();
    }
}

/// Shows a certificate to whoever asks for one.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn config(
    house: &House,
    version: &'static SupportedProtocolVersion,
    shown: Option<Arc<CertifiedKey>>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(house.running.ca_file.as_ref().unwrap()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder: rustls::ConfigBuilder<_, WantsVerifier> =
        builder.with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match shown {
        Some(shown) => builder.with_client_cert_resolver(Arc::new(Shows(shown))),
        None => builder.with_no_client_auth(),
    })
}

async fn connect(house: &House, config: &Arc<ClientConfig>, options: Options) -> Result<Encrypted, Fault> {
    let stream = TcpStream::connect(house.running.addresses.mqtts[0]).await?;
    let stream = TlsConnector::from(config.clone()).connect("localhost".try_into().unwrap(), stream).await?;
    Client::over(stream, options, Default::default()).await
}

async fn is_refused(house: &House, config: &Arc<ClientConfig>, options: Options, code: u8, words: &str) {
    match connect(house, config, options).await {
        Err(Fault::Refused { code: told }) => assert_eq!(told, code, "{words}"),
        other => panic!("{words}: {:?}", other.map(|_| "was let in")),
    }
    recorded(house, "connect", words).await;
}

/// Has a client say which it is, and looks at which device that arrived.
async fn is_device(house: &House, mut client: Encrypted, name: &str, mark: &str) {
    let payload = format!(r#"{{"mark":"{mark}"}}"#);
    client.publish_done("v1/devices/me/attributes", payload.as_bytes(), Q1).await.unwrap();
    let attributes = house.ask(&format!("/v1/orgs/abc123/devices/dev/{name}/attributes")).await;
    assert_eq!(attributes["client"]["mark"]["value"], mark, "{attributes}");
}

#[tokio::test]
async fn a_device_is_known_by_its_certificate() {
    let house = House::open().await;
    let (one, other) = (SelfSigned::new("whatever"), SelfSigned::new("whatever"));
    one.register(&house, "one");
    other.register(&house, "other");
    for tls in [&TLS12, &TLS13] {
        for version in [Version::V31, Version::V311, Version::V5] {
            for (certificate, name) in [(&one, "one"), (&other, "other")] {
                let config = config(&house, tls, Some(certificate.shown()));
                let client = connect(&house, &config, Options::new("c").version(version)).await.unwrap();
                is_device(&house, client, name, &format!("{tls:?} {version:?} {name}").replace('"', ""))
                    .await;
            }
        }
    }
    house.close().await;
}

#[tokio::test]
async fn the_certificate_decides_and_not_the_token() {
    let house = House::open().await;
    let (known, unknown) = (SelfSigned::new("known"), SelfSigned::new("unknown"));
    known.register(&house, "known");
    let token = domain::Login::AccessToken("T1".to_owned());
    let d1 = domain::DeviceName { device_type: "dev", name: "d1" };
    house.running.platform.set_login(org(), d1, token).unwrap();
    for tls in [&TLS12, &TLS13] {
        let shows = config(&house, tls, Some(known.shown()));
        for user in ["T1", "nobody's"] {
            let client = connect(&house, &shows, Options::new("").login(user, "")).await.unwrap();
            is_device(&house, client, "known", &format!("{:?} {user}", tls.version)).await;
        }
        // An unknown certificate is nobody, whatever else comes with it.
        let shows = config(&house, tls, Some(unknown.shown()));
        for options in [Options::new(""), Options::new("").login("T1", "")] {
            is_refused(&house, &shows, options.clone(), 5, "No device has the client certificate").await;
            is_refused(&house, &shows, options.version(Version::V5), 0x87, "SHA3-256").await;
        }
        // Without a certificate the token is looked at, as ever.
        let bare = config(&house, tls, None);
        let client = connect(&house, &bare, Options::new("").login("T1", "")).await.unwrap();
        is_device(&house, client, "d1", &format!("{:?}", tls.version)).await;
        let fingerprint = certificate::shown(&platform::certificates::fingerprint(&known.der));
        let claims = Options::new("").login(&fingerprint, "");
        is_refused(&house, &bare, claims.version(Version::V5), 0x86, "access token").await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_certificate_without_its_key_or_out_of_time_is_refused() {
    let house = House::open().await;
    let (known, old) = (SelfSigned::new("known"), SelfSigned::until("old", 2002));
    known.register(&house, "known");
    old.register(&house, "old");
    for tls in [&TLS12, &TLS13] {
        let stolen = known.shown_with(&SelfSigned::new("thief").key);
        let outcome = connect(&house, &config(&house, tls, Some(stolen)), Options::new("")).await;
        assert!(!matches!(outcome, Ok(_) | Err(Fault::Refused { .. })), "{tls:?}");
        recorded(&house, "connect", "does not have the key").await;
        let shows = config(&house, tls, Some(old.shown()));
        is_refused(&house, &shows, Options::new(""), 5, "has run out").await;
        is_refused(&house, &shows, Options::new("").version(Version::V5), 0x87, "has run out").await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_session_that_is_resumed_is_the_same_device() {
    let house = House::open().await;
    let known = SelfSigned::new("known");
    known.register(&house, "known");
    for tls in [&TLS12, &TLS13] {
        let config = config(&house, tls, Some(known.shown()));
        for mark in ["first", "second"] {
            let stream = TcpStream::connect(house.running.addresses.mqtts[0]).await.unwrap();
            let connector = TlsConnector::from(config.clone());
            let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
            let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            assert_eq!(resumed, mark == "second", "{tls:?}");
            let client = Client::over(stream, Options::new(""), Default::default()).await.unwrap();
            is_device(&house, client, "known", &format!("{:?} {mark}", tls.version)).await;
        }
    }
    house.close().await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_names_no_device_of_another_platform() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, SelfSigned::new("An authority").pem).unwrap();
    let settings = format!("[tls]\nclient_ca = {file:?}\n");
    // It names itself what Watson's and plain clients' certificates do.
    let forged = SelfSigned::new("g:abc123:gw:g1");
    for (house, has_authority) in [(House::open().await, false), (House::open_with(&settings).await, true)] {
        for tls in [&TLS12, &TLS13] {
            let shows = config(&house, tls, Some(forged.shown()));
            for client_id in ["g:abc123:gw:g1", "just-me"] {
                let outcome = connect(&house, &shows, Options::new(client_id)).await;
                assert!(matches!(outcome, Err(Fault::Refused { code: 5 })), "{client_id}");
            }
            // With the right token the certificate is no obstacle, where nobody has said whose are good.
            let with_token = House::device("g:abc123:gw:g1");
            match has_authority {
                false => connect(&house, &shows, with_token).await.unwrap().ping().await.unwrap(),
                true => is_refused(&house, &shows, with_token, 5, "client_ca").await,
            }
            let bare = config(&house, tls, None);
            connect(&house, &bare, House::device("g:abc123:gw:g1")).await.unwrap();
        }
        // A device that is known by its certificate is no less so because there is an authority.
        let known = SelfSigned::new("known");
        known.register(&house, "known");
        let client = connect(&house, &config(&house, &TLS13, Some(known.shown())), Options::new("")).await;
        is_device(&house, client.unwrap(), "known", "known").await;
        house.close().await;
    }
}

#[tokio::test]
async fn ports_for_http_ask_for_no_certificate_unless_there_is_an_authority() {
    let house = House::open().await;
    let unknown = config(&house, &TLS13, Some(SelfSigned::new("unknown").shown()));
    // Somebody who is asked there is refused at the port for MQTT, because the certificate decides.
    let token = domain::Login::AccessToken("T1".to_owned());
    let d1 = domain::DeviceName { device_type: "dev", name: "d1" };
    house.running.platform.set_login(org(), d1, token).unwrap();
    let options = || Options::new("").login("T1", "");
    is_refused(&house, &unknown, options(), 5, "No device has the client certificate").await;
    let stream = TcpStream::connect(house.running.addresses.http[0]).await.unwrap();
    let stream = TlsConnector::from(unknown).connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let client = Client::over(stream, options(), Default::default()).await.unwrap();
    is_device(&house, client, "d1", "not asked").await;
    house.close().await;
}
