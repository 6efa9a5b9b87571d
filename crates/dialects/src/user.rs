//! Names of this server's own making: API keys, and devices by organisation, type and name, as users and in
//! certificates.
//!
//! Several dialects meet them in CONNECT. Nothing here knows whether what is named exists.

use domain::{Class, DeviceName, OrgId};

/// The length of an organisation's id, in bytes.
const ORG_BYTES: usize = 6;

/// The organisation that an API key names: `abc123` in `a-abc123-0123456789`.
pub fn org_of_key(key: &str) -> Option<&str> {
    let (org, random) = key.strip_prefix("a-")?.split_once('-')?;
    (OrgId::parse(org).is_some() && !random.is_empty()).then_some(org)
}

/// The device that a user name of the form `org/type/name` or `org:type:name` stands for, with its organisation. The
/// name may hold further separators.
pub fn device(user: &str) -> Option<(&str, DeviceName<'_>)> {
    let (org, rest) = user.split_at_checked(ORG_BYTES)?;
    OrgId::parse(org)?;
    let separator = rest.chars().next().filter(|it| matches!(it, '/' | ':'))?;
    let (device_type, name) = rest.get(1..)?.split_once(separator)?;
    let is_whole = !device_type.is_empty() && !name.is_empty();
    is_whole.then_some((org, DeviceName { device_type, name }))
}

/// Whom a client certificate names, of the form `d:org:type:name` or `g:org:type:name`, with the organisation.
pub fn certified(certificate: &str) -> Option<(&str, Class, DeviceName<'_>)> {
    let (class, rest) = match certificate.split_at_checked(2)? {
        ("d:", rest) => (Class::Device, rest),
        ("g:", rest) => (Class::Gateway, rest),
        _ => return None,
    };
    let (org, name) = device(rest).filter(|_| rest.get(ORG_BYTES..).is_some_and(|it| it.starts_with(':')))?;
    Some((org, class, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_a_device_with_its_class() {
        let name = DeviceName { device_type: "pump", name: "p1" };
        assert_eq!(certified("d:abc123:pump:p1"), Some(("abc123", Class::Device, name)));
        assert_eq!(certified("g:abc123:pump:p1"), Some(("abc123", Class::Gateway, name)));
        for other in ["", "d", "d:", "a:abc123:pump:p1", "d:pump:p1", "d:abc123/pump/p1", "d:abc123:pump"] {
            assert_eq!(certified(other), None, "{other}");
        }
    }

    #[test]
    fn a_device_is_named_with_its_organisation() {
        let pump = |name| Some(("abc123", DeviceName { device_type: "pump", name }));
        assert_eq!(device("abc123/pump/p1"), pump("p1"));
        assert_eq!(device("abc123:pump:p1"), pump("p1"));
        assert_eq!(device("abc123/pump/hall/p1"), pump("hall/p1"));
        for other in
            ["", "abc123", "abc123/", "abc123/pump", "abc123/pump/", "abc123//p1", "ABC123/pump/p1", "abc12ä"]
        {
            assert_eq!(device(other), None, "{other}");
        }
    }
}
