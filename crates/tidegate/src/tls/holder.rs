//! Whom a client's certificate names (spec watson 1.2).
//!
//! The common name, or an e-mail entry among the alternative names, is `d:type:id` or `g:type:id`. Which organisation
//! the device belongs to is not in it: the certificate can say so as its O, or by the longer form `d:org:type:id`. The
//! authority has vouched for the certificate before it comes here.

use domain::OrgId;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The device or gateway that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// `d` or `g`.
    class: &'static str,
    /// The organisation, where the certificate says it.
    pub(crate) org: Option<OrgId>,
    /// `type:id`.
    device: String,
}

impl Holder {
    /// The holder of a certificate in DER; `None` where it names no device.
    pub(crate) fn of(certificate: &[u8]) -> Option<Holder> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let subject = certificate.subject();
        let common_names = subject.iter_common_name().filter_map(|it| it.as_str().ok());
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let alternatives = alternatives.map(|it| it.value.general_names.as_slice()).unwrap_or_default();
        let emails = alternatives.iter().filter_map(|it| match it {
            GeneralName::RFC822Name(name) => Some(*name),
            _ => None,
        });
        let mut holder = common_names.chain(emails).find_map(Holder::named)?;
        if holder.org.is_none() {
            let mut organizations = subject.iter_organization().filter_map(|it| it.as_str().ok());
            holder.org = organizations.find_map(OrgId::parse);
        }
        Some(holder)
    }

    fn named(name: &str) -> Option<Holder> {
        let class = match name.split_once(':')?.0 {
            "d" => "d",
            "g" => "g",
            _ => return None,
        };
        let parts: Vec<&str> = name.split(':').skip(1).collect();
        let (org, device_type, id) = match parts[..] {
            [device_type, id] => (None, device_type, id),
            [org, device_type, id] => (Some(OrgId::parse(org)?), device_type, id),
            _ => return None,
        };
        let is_whole = !device_type.is_empty() && !id.is_empty();
        is_whole.then(|| Holder { class, org, device: format!("{device_type}:{id}") })
    }

    /// The holder as a device of this organisation: `g:abc123:gw:g1`.
    pub(crate) fn in_org(&self, org: OrgId) -> String {
        format!("{}:{org}:{}", self.class, self.device)
    }
}

/// The organisation that a client means by the name it calls us: `abc123` of `abc123.messaging.iot.test` or
/// `abc123.iot.test`, where the domain is `iot.test`.
pub(crate) fn org_of_server_name(name: &str, domain: &str) -> Option<OrgId> {
    let below = name.to_ascii_lowercase();
    let below = below.strip_suffix(&domain.to_ascii_lowercase())?.strip_suffix('.')?;
    OrgId::parse(below.strip_suffix(".messaging").unwrap_or(below))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn holder(common_name: &str, organization: Option<&str>, email: Option<&str>) -> Option<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        if let Some(organization) = organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        if let Some(email) = email {
            params.subject_alt_names.push(SanType::Rfc822Name(email.try_into().unwrap()));
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let holder = Holder::of(certificate.der())?;
        Some(match holder.org {
            Some(org) => holder.in_org(org),
            None => format!("{}:?:{}", holder.class, holder.device),
        })
    }

    #[test]
    fn a_certificate_names_a_device_in_several_ways() {
        for (common_name, organization, email, expected) in [
            ("d:dev:d1", None, None, Some("d:?:dev:d1")),
            ("g:gw:g1", Some("abc123"), None, Some("g:abc123:gw:g1")),
            ("g:gw:g1", Some("Acme Inc."), None, Some("g:?:gw:g1")),
            ("g:abc123:gw:g1", Some("def456"), None, Some("g:abc123:gw:g1")),
            ("a gateway", Some("abc123"), Some("g:gw:g1"), Some("g:abc123:gw:g1")),
            ("someone", None, Some("someone@example.com"), None),
            ("a:abc123:app", None, None, None),
            ("d:ABC123:dev:d1", None, None, None),
            ("d::d1", None, None, None),
            ("d:dev:", None, None, None),
            ("d:a:b:c:d", None, None, None),
            ("", None, None, None),
        ] {
            assert_eq!(holder(common_name, organization, email).as_deref(), expected, "{common_name}");
        }
        assert_eq!(Holder::of(b"no certificate"), None);
    }

    #[test]
    fn a_server_name_can_name_the_organisation() {
        let org = OrgId::parse("abc123");
        for (name, domain, expected) in [
            ("abc123.messaging.iot.test", "iot.test", org),
            ("ABC123.IoT.test", "iot.test", org),
            ("abc123.other.test", "iot.test", None),
            ("messaging.iot.test", "iot.test", None),
            ("iot.test", "iot.test", None),
            ("x.abc123.iot.test", "iot.test", None),
            ("localhost", "localhost", None),
            ("abc123.localhost", "localhost", org),
        ] {
            assert_eq!(org_of_server_name(name, domain), expected, "{name}");
        }
    }
}
