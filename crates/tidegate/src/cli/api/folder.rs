//! The data folder, opened in this process because no server runs on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use axum::Router;
use domain::OrgId;
use serde_json::{Value, json};
use store::Store;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::config::Config;
use crate::serve::{open_platform, open_store};

/// Whether a folder that does not exist is an answer or a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The command begins something: make it.
    Make,
    /// The command asks about something: the folder was probably mistyped.
    Refuse,
}

/// An open data folder. Nobody else can open it until it is closed.
pub(crate) struct Folder {
    path: PathBuf,
    store: Arc<dyn Store>,
    router: Router,
}

impl Folder {
    /// Opens the folder that the settings name.
    pub(crate) fn open(config: &Config, absent: Absent) -> Result<Folder> {
        let path = &config.data.path;
        ensure!(
            absent == Absent::Make || path.is_dir(),
            "there is no data folder {}: name the right one with --data, or begin with `tidegate serve` or \
             `tidegate org add`",
            path.display()
        );
        let clock = Clock::start();
        let store = open_store(config)?;
        let platform = Arc::new(open_platform(config, store.clone(), clock)?);
        let live = Arc::new(NothingLive);
        let shared = web::Shared { platform, live, clock: Arc::new(move || clock.wall_ms()) };
        Ok(Folder { path: path.clone(), store, router: web::api::router(shared) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same API that a server gives.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Lets go of the folder: a server can be started on it at once.
    pub(crate) fn close(self) -> Result<()> {
        Ok(self.store.close()?)
    }
}

/// What only a running server knows: without one, nothing.
struct NothingLive;

impl web::Live for NothingLive {
    fn stats(&self) -> Value {
        json!({})
    }

    fn tail(&self, _org: OrgId) -> mpsc::Receiver<String> {
        mpsc::channel(1).1
    }

    fn refusals(&self, _org: Option<OrgId>) -> Vec<Value> {
        Vec::new()
    }
}
