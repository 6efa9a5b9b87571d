//! The certificate that a client has shown, and what may be believed of it.

use std::time::Duration;

use domain::{Millis, OrgId};
use rustls::ServerConnection;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::holder::{self, Holder};

/// The certificate that a client has shown. The client has its key.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) standing: Standing,
    pub(crate) dates: Dates,
    /// The organisation in the name by which the client calls us.
    pub(crate) server_org: Option<OrgId>,
}

/// Who vouches for a certificate.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// The authority in `client_ca`: whom it names, if that is a device, is to be believed.
    Vouched(Option<Holder>),
    /// Nobody: it is not one of the authority in `client_ca`, or not valid now.
    Strange,
    /// Nobody: there is no such authority here.
    Unvouched,
}

/// Whether a certificate holds by its own dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dates {
    Now,
    NotNow,
}

impl Certificate {
    /// What a client has shown of itself; `None` where it showed nothing. A session that is resumed shows what it did
    /// at first, which is verified anew each time.
    pub(super) fn of(
        session: &ServerConnection,
        authority: Option<&dyn ClientCertVerifier>,
        domain: &str,
        now_ms: Millis,
    ) -> Option<Certificate> {
        let (der, intermediates) = session.peer_certificates()?.split_first()?;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now_ms));
        let standing = match authority.map(|it| it.verify_client_cert(der, intermediates, now)) {
            Some(Ok(_)) => Standing::Vouched(Holder::of(der)),
            Some(Err(_)) => Standing::Strange,
            None => Standing::Unvouched,
        };
        let server_org = session.server_name().and_then(|it| holder::org_of_server_name(it, domain));
        Some(Certificate { dates: dates(der, now), der: der.clone().into_owned(), standing, server_org })
    }
}

fn dates(der: &[u8], now: UnixTime) -> Dates {
    let holds = X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
        let validity = certificate.validity();
        i64::try_from(now.as_secs()).is_ok_and(|now| {
            (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now)
        })
    });
    if holds { Dates::Now } else { Dates::NotNow }
}
