//! Addresses to listen on, as people write them: one, several, or `off`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::str::FromStr;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Addresses to listen on; none when the listener is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses(pub(crate) Vec<SocketAddr>);

impl Deref for Addresses {
    type Target = [SocketAddr];

    fn deref(&self) -> &[SocketAddr] {
        &self.0
    }
}

/// Reads `ip:port`, several of them with commas between, or `off`.
impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Addresses, String> {
        match text.trim() {
            "" | "off" => Ok(Addresses(Vec::new())),
            list => list.split(',').map(|it| parse_one(it.trim())).collect::<Result<_, _>>().map(Addresses),
        }
    }
}

fn parse_one(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is not an address: write ip:port, such as 0.0.0.0:1883 or [::1]:1883, or `off`")
    })
}

/// Addresses at which one dialect only is spoken, with its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub(crate) struct Pinned(pub(crate) Vec<(SocketAddr, String)>);

impl TryFrom<BTreeMap<String, String>> for Pinned {
    type Error = String;

    fn try_from(table: BTreeMap<String, String>) -> Result<Pinned, String> {
        let pinned = table.into_iter().map(|(address, dialect)| Ok((parse_one(&address)?, dialect)));
        pinned.collect::<Result<_, _>>().map(Pinned)
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Addresses, D::Error> {
        from.deserialize_any(AddressesVisitor)
    }
}

struct AddressesVisitor;

impl<'de> Visitor<'de> for AddressesVisitor {
    type Value = Addresses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"ip:port\", a list of them, or \"off\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Addresses, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Addresses, A::Error> {
        let mut addresses = Vec::new();
        // Each element by the same rules, inside its own deserializer, so that a fault is found on its own line.
        while let Some(Addresses(some)) = list.next_element()? {
            addresses.extend(some);
        }
        Ok(Addresses(addresses))
    }
}
