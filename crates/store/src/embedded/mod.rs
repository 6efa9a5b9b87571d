//! The store on fjall, a log-structured merge tree in one folder: what a Tidegate without a database server uses.
//!
//! Each table is a keyspace. A group of rows is one batch: it is appended to fjall's journal, the journal is synced,
//! and only then the rows can be read. The folder holds:
//!
//! * `format`: the number of the layout ([`FORMAT`]), in decimal, written once when the folder is made;
//! * `rows/`: fjall's own files. They are made in `rows.new/` and moved in place when they are complete, so that a
//!   power cut during the very first start leaves nothing half made;
//! * `lock`: locked by the process that has the folder open;
//! * `torn`: what a power cut left of a batch that was being written, see `journal.rs`.

mod disk;
pub(crate) mod journal;
#[cfg(test)]
mod tests;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use crate::engine::{self, Engine};
use crate::limits::Bounds;
use crate::schema::FORMAT;
use crate::{Store, StoreFault};

use disk::FjallDisk;

/// Opens the data in a folder, which is made when it is missing.
pub fn open(path: &Path) -> Result<impl Store + use<>, StoreFault> {
    start(path, Bounds::default())
}

pub(crate) fn start(path: &Path, bounds: Bounds) -> Result<Engine<FjallDisk>, StoreFault> {
    let fault = |it: io::Error| cannot_open(path, &it);
    fs::create_dir_all(path).map_err(fault)?;
    let lock = lock(path).map_err(fault)?;
    prepare(path).map_err(fault)?;
    let found = read_format(path)?;
    if found != FORMAT {
        return Err(StoreFault::Format { path: path.display().to_string(), found, expected: FORMAT });
    }
    let rows = path.join(ROWS);
    if !rows.exists() {
        make_rows(path, &rows)?;
    }
    journal::cut_torn_end(&rows, &path.join("torn")).map_err(fault)?;
    let disk = FjallDisk::open(&rows, Some(lock)).map_err(|it| cannot_open(path, &it))?;
    engine::start(disk, bounds)
}

const FORMAT_FILE: &str = "format";
pub(crate) const ROWS: &str = "rows";
const ROWS_NEW: &str = "rows.new";

fn cannot_open(path: &Path, cause: &dyn std::fmt::Display) -> StoreFault {
    StoreFault::Open { path: path.display().to_string(), cause: cause.to_string() }
}

/// Writes the format file of a new folder.
fn prepare(path: &Path) -> io::Result<()> {
    let format = path.join(FORMAT_FILE);
    if format.exists() {
        return Ok(());
    }
    if path.join(ROWS).exists() {
        return Err(io::Error::other(format!(
            "the file `{FORMAT_FILE}` is missing; restore it from a backup"
        )));
    }
    let unfinished = path.join("format.new");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{FORMAT}")?;
    file.sync_all()?;
    fs::rename(&unfinished, &format)?;
    sync_folder(path)?;
    path.canonicalize()?.parent().map_or(Ok(()), sync_folder)
}

fn read_format(path: &Path) -> Result<u32, StoreFault> {
    let text = fs::read_to_string(path.join(FORMAT_FILE)).map_err(|it| cannot_open(path, &it))?;
    text.trim().parse().map_err(|_| cannot_open(path, &format!("`{FORMAT_FILE}` holds no number")))
}

/// Makes fjall's files aside and moves them in place.
fn make_rows(path: &Path, rows: &Path) -> Result<(), StoreFault> {
    let unfinished = path.join(ROWS_NEW);
    let fault = |it: io::Error| cannot_open(path, &it);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(fault)?;
    }
    drop(FjallDisk::open(&unfinished, None).map_err(|it| cannot_open(path, &it))?);
    fs::rename(&unfinished, rows).map_err(fault)?;
    sync_folder(path).map_err(fault)
}

/// Locks the folder for this process, as long as the file is open.
fn lock(path: &Path) -> io::Result<File> {
    let file = File::create(path.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process has it open")),
        Err(TryLockError::Error(it)) => Err(it),
    }
}

/// Makes the names in a folder durable; elsewhere than on Unix that is not for programs to ask.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
