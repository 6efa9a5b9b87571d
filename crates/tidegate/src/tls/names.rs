//! The names under which clients look for us, as a certificate has to list them.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use domain::OrgId;

/// Host names (some beginning with `*.`) and addresses, without doubles, in a stable order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(super) hosts: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
}

impl Names {
    /// This machine, the domain with everything below it, the names of each organisation, and what the user adds.
    ///
    /// Organisations are named one by one although `*.{domain}` is there too, because OpenSSL and Node accept no
    /// wildcard directly below a domain of one label such as `localhost`.
    pub(crate) fn wanted(domain: &str, extra: &[String], orgs: &[OrgId]) -> Result<Names> {
        let mut names = Names { hosts: Vec::new(), addresses: Vec::new() };
        for name in ["localhost", "127.0.0.1", "::1", domain] {
            names.add(name)?;
        }
        if domain.parse::<IpAddr>().is_err() {
            names.add(&format!("*.{domain}"))?;
            names.add(&format!("*.messaging.{domain}"))?;
            for org in orgs {
                names.add(&format!("{org}.{domain}"))?;
                names.add(&format!("{org}.messaging.{domain}"))?;
            }
        }
        for name in extra {
            names.add(name)?;
        }
        Ok(names)
    }

    fn add(&mut self, name: &str) -> Result<()> {
        if let Ok(address) = name.parse::<IpAddr>() {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
            return Ok(());
        }
        let name = name.to_ascii_lowercase();
        ensure!(
            is_host_name(name.strip_prefix("*.").unwrap_or(&name)),
            "`{name}` is no host name: check `domain` in [server] and `names` in [tls]; \
             names with other letters than a-z are written in their xn-- form"
        );
        if !self.hosts.contains(&name) {
            self.hosts.push(name);
        }
        Ok(())
    }

    /// One name for each entry that a client could look for; a wildcard is tried with a sample label.
    pub(super) fn samples(&self) -> impl Iterator<Item = String> {
        // A wildcard below a single label is listed for the clients that accept it, and cannot be relied on.
        let usable = |it: &&String| !it.starts_with("*.") || it.matches('.').count() > 1;
        let hosts = self.hosts.iter().filter(usable).map(|it| it.replace('*', "sample"));
        hosts.chain(self.addresses.iter().map(ToString::to_string))
    }
}

fn is_host_name(text: &str) -> bool {
    let label = |it: &str| {
        !it.is_empty()
            && it.len() <= 63
            && !it.starts_with('-')
            && !it.ends_with('-')
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}
