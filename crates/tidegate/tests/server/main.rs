//! Whole-server tests: a server in this process, clients on real sockets.
//!
//! One binary, so that everything is linked once. Each test starts its own server on free ports with its own data
//! folder; nothing is shared.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod activity;
mod bad_input;
mod bounds;
mod clauses;
mod conformance;
mod conformance_5;
mod customs;
mod farewell;
mod firmware;
mod gateways;
mod house;
mod newcomers;
mod onenet;
mod onenet_http;
mod organisations;
mod plain;
mod ports;
mod rates;
mod registration;
mod rumqtt;
mod steps;
mod thingsboard;
mod transcripts;
mod v5;
mod v5_plain;
