//! Clients that speak to a Tidegate from outside: for the demo, the bench and the tests.
//!
//! [`Client`] is a small MQTT client over any byte stream, with the bookkeeping a test needs (what was acknowledged,
//! what has to be sent again after a crash) and with raw access to packets for what a well-behaved client would never
//! send. [`watson`] knows the topics of IBM Watson IoT Platform and runs a small plant.
//!
//! [`bench`] is the load generator behind `tidegate bench`.
//!
//! Nothing here knows how the server works: whatever these clients learn comes through a socket. Nothing here logs,
//! starts a task or reads the wall clock.

pub mod bench;
pub mod client;
mod random;
pub mod transcript;
pub mod watson;
pub mod wire;

pub use client::{Acknowledge, Client, Event, Fault, Message, Options, Session};
pub use wire::Wire;
