//! `tidegate package …`: what can be typed of packages.

use std::path::PathBuf;

use clap::Subcommand;

use super::OrgArg;

/// `tidegate package …`
#[derive(Debug, Subcommand)]
pub(crate) enum PackageCommand {
    /// Add a package, and print its id
    #[command(after_help = "Examples:
  tidegate package add pump-1.2.bin --title pump --version 1.2
  tidegate package add app.tar --title app --version 7 --software")]
    Add {
        #[command(flatten)]
        org: OrgArg,
        /// The file with its bytes
        file: PathBuf,
        /// What it is called
        #[arg(long)]
        title: String,
        /// Which of those that are called so
        #[arg(long)]
        version: String,
        /// It is software, and not firmware
        #[arg(long)]
        software: bool,
        /// What people call it [default: title and version]
        #[arg(long, default_value = "")]
        tag: String,
    },
    /// List packages
    #[command(after_help = "Example:
  tidegate package list")]
    List {
        #[command(flatten)]
        org: OrgArg,
    },
    /// Tell a device, or all devices of a type, to have a package
    #[command(after_help = "Examples:
  tidegate package assign 120034123776000000 pump/p1
  tidegate package assign 120034123776000000 pump")]
    Assign {
        #[command(flatten)]
        org: OrgArg,
        /// The package
        id: String,
        /// A device as type/name, or a type: then those that are registered later, too
        #[arg(value_name = "TYPE[/NAME]")]
        target: String,
    },
    /// Remove a package; devices that are to have it are refused when they ask
    #[command(after_help = "Example:
  tidegate package remove 120034123776000000")]
    Remove {
        #[command(flatten)]
        org: OrgArg,
        /// The package
        id: String,
    },
}
