//! Tidegate: a self-hosted IoT platform in one binary.
//!
//! This crate is the only one with sockets, threads, files and a clock. `serve` puts the parts together; a client's
//! life is in `connection`, where clients meet is `hub`, what people type is `cli`.

mod api_socket;
mod cli;
mod clock;
mod config;
mod connection;
mod demo;
mod greet;
mod http;
mod hub;
mod limits;
mod listen;
mod live;
mod logging;
mod proxy;
mod serve;
mod stored;
mod tls;
mod transport;
mod websocket;
mod words;
mod worker;

use std::process::ExitCode;

use clap::Parser;

pub use config::Config;
pub use serve::{LocalAddresses, Running, start, start_on, start_speaking};

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    // Memory is taken in small pages: huge ones would cost a small server ten megabytes that nobody uses. A system that
    // knows no huge pages says so, and is right.
    rustix::thread::disable_transparent_huge_pages(true).ok();
    cli::run(cli::Cli::parse())
}
