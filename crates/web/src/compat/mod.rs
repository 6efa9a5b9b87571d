//! The HTTP interfaces of the platforms that devices and applications were built for.
//!
//! What their bodies look like is written in the dialects; here are the routes, the credentials and the waiting.

pub mod watson;
