//! Attributes: what is so about a device now, as opposed to what it measured when.

use crate::Points;

/// Who writes an attribute, and who may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Written by the device, read by applications.
    Client,
    /// Written by applications, read by the device, which is told of changes.
    Shared,
    /// Written and read by applications; the device never sees it.
    Server,
}

impl Scope {
    /// All of them, in the order of their numbers.
    pub const ALL: [Scope; 3] = [Scope::Client, Scope::Shared, Scope::Server];

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Client => "client",
            Scope::Shared => "shared",
            Scope::Server => "server",
        }
    }
}

/// Which attributes of a scope are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those with these names.
    Named(Vec<String>),
}

impl Keys {
    /// Whether an attribute of this name is asked for.
    pub fn picks(&self, key: &str) -> bool {
        match self {
            Keys::None => false,
            Keys::All => true,
            Keys::Named(names) => names.iter().any(|it| it == key),
        }
    }
}

/// Which attributes a device asks for: those that it may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of its own.
    pub client: Keys,
    /// Of those that applications write for it.
    pub shared: Keys,
}

/// What was found of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Its own.
    pub client: Points,
    /// Those that applications write for it.
    pub shared: Points,
}
