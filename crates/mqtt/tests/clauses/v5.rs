//! The rows of MQTT 5.0, by what is needed to show them: one packet, a session, or a server.

#[path = "v5/packets.rs"]
mod packets;
#[path = "v5/rules.rs"]
mod rules;
#[path = "v5/server.rs"]
mod server;
#[path = "v5/session.rs"]
mod session;

use crate::row::Row;

/// The rows of statements that the standard numbers.
pub(crate) const ROWS: &[&[Row]] = &[packets::ROWS, session::ROWS, server::ROWS];

/// The rows of rules that it does not number.
pub(crate) const RULES: &[Row] = rules::ROWS;

pub(crate) use server::TO_BE_WRITTEN;
