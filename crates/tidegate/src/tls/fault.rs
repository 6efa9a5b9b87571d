//! Why a TLS handshake failed, in words that name the remedy.

use std::io;
use std::path::Path;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

/// What to tell about a failed handshake. `ca_file` is what clients have to trust, when the certificate is our own.
pub(crate) fn words(error: &io::Error, ca_file: Option<&Path>) -> String {
    let cause = error.get_ref().and_then(|it| it.downcast_ref::<Error>());
    let hint = match cause {
        Some(Error::PeerIncompatible(why)) => incompatible(why).to_owned(),
        Some(Error::AlertReceived(alert)) => return refused_by_client(*alert, ca_file),
        Some(Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)) => OLD_CLIENT.to_owned(),
        Some(Error::InvalidMessage(_)) => "what came is not TLS".to_owned(),
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => {
            "the client does not have the key of its certificate, the certificate cannot be read (X.509 version 3 is \
             wanted) or, at a port for HTTP, is not one of the authority in `client_ca` of [tls], or not valid now"
                .to_owned()
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            return format!("the client left during the TLS handshake: {}", distrust(ca_file));
        }
        _ => String::new(),
    };
    match hint.is_empty() {
        true => format!("the TLS handshake failed: {error}"),
        false => format!("the TLS handshake failed: {error}: {hint}"),
    }
}

/// For devices whose TLS library is older than what is safe today.
const OLD_CLIENT: &str = "the client offers only TLS that is no longer safe; update it, or put a TLS proxy that still \
                          speaks it, such as stunnel, between it and a port without TLS";

fn incompatible(why: &PeerIncompatible) -> &'static str {
    match why {
        PeerIncompatible::NoCipherSuitesInCommon => {
            "the client offers no cipher suite that is served here (TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or \
             ChaCha20); update it, or put a TLS proxy that still speaks the older ones, such as stunnel, between it \
             and a port without TLS"
        }
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
            "the client offers none of the key exchange groups served here: X25519, P-256, P-384"
        }
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "the client cannot verify the kind of signature of our certificate; an RSA certificate suits most old \
             clients, see `cert` in [tls]"
        }
        PeerIncompatible::NullCompressionRequired => {
            "the client insists on compression, which is not safe in TLS"
        }
        PeerIncompatible::EcPointsExtensionRequired | PeerIncompatible::UncompressedEcPointsRequired => {
            "the client cannot use the usual form of elliptic curve points"
        }
        _ => OLD_CLIENT,
    }
}

fn refused_by_client(alert: AlertDescription, ca_file: Option<&Path>) -> String {
    use AlertDescription as It;
    let what = format!("the client refused the TLS handshake ({alert:?})");
    match alert {
        It::UnknownCA | It::BadCertificate | It::CertificateUnknown | It::AccessDenied => {
            format!("{what}: {}", distrust(ca_file))
        }
        It::CertificateExpired => {
            format!("{what}: our certificate has run out, or the client's clock is wrong")
        }
        It::ProtocolVersion | It::HandshakeFailure => format!("{what}: {OLD_CLIENT}"),
        _ => what,
    }
}

fn distrust(ca_file: Option<&Path>) -> String {
    match ca_file {
        Some(file) => format!(
            "clients do so when they do not trust our certificate, or know us by a name that is not in it; they have \
             to trust {}, and `names` in [tls] adds names",
            file.display()
        ),
        None => {
            "clients do so when they do not trust our certificate, or know us by a name that is not in it"
                .to_owned()
        }
    }
}
