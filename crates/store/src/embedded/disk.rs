//! Tables as fjall keyspaces.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use domain::Order;
use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use parking_lot::RwLock;

use crate::StoreFault;
use crate::disk::{Disk, Each};
use crate::limits::{
    CACHE_BYTES_MAX, JOURNAL_BYTES_MAX, MEMTABLE_BYTES_MAX, WRITE_BUFFER_BYTES_MAX, WRITE_BUFFER_WAIT_MS_MAX,
};
use crate::rows::Rows;
use crate::schema::{Keys, Table};

/// Threads that write sorted files and merge them. With more than one, fjall's first passes merging on to the others:
/// while they are all busy it does so in a loop without a pause, which costs a core.
const WORKER_COUNT: usize = 1;
/// Pause between looks at how much is in memory.
const ROOM_GLANCE_MS: u64 = 2;

/// Rows in fjall.
pub(crate) struct FjallDisk {
    /// `None` once it is closed.
    open: RwLock<Option<Open>>,
}

struct Open {
    database: Database,
    /// By [`Table::index`].
    keyspaces: Vec<Keyspace>,
    /// Let go of last.
    _lock: Option<File>,
}

impl FjallDisk {
    /// Opens fjall's folder, or makes it. Holds the lock until it is closed.
    pub(crate) fn open(path: &Path, lock: Option<File>) -> fjall::Result<FjallDisk> {
        let database = Database::builder(path)
            .manual_journal_persist(true)
            .worker_threads(WORKER_COUNT)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .cache_size(CACHE_BYTES_MAX)
            .open()?;
        let keyspaces = Table::ALL
            .iter()
            .map(|table| database.keyspace(table.name(), || options(*table)))
            .collect::<fjall::Result<_>>()?;
        Ok(FjallDisk { open: RwLock::new(Some(Open { database, keyspaces, _lock: lock })) })
    }

    /// Writes what is in memory to sorted files, now instead of some day.
    #[cfg(test)]
    #[expect(clippy::unwrap_used, reason = "tests")]
    pub(crate) fn write_sorted_files(&self) {
        for keyspace in &self.open.read().as_ref().unwrap().keyspaces {
            keyspace.rotate_memtable_and_wait().unwrap();
        }
    }

    fn read<T>(
        &self,
        table: Table,
        read: impl FnOnce(&Keyspace) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        let open = self.open.read();
        let keyspace = open.as_ref().and_then(|it| it.keyspaces.get(table.index()));
        read(keyspace.ok_or_else(|| StoreFault::Read("it is closed".to_owned()))?)
    }
}

/// How a table is kept. Filters for single keys would be wasted where rows are only ever read by range.
fn options(table: Table) -> KeyspaceCreateOptions {
    let options =
        KeyspaceCreateOptions::default().manual_journal_persist(true).max_memtable_size(MEMTABLE_BYTES_MAX);
    match table {
        Table::Queue | Table::Late => options.filter_policy(FilterPolicy::disabled()),
        Table::Blocks => options
            .filter_policy(FilterPolicy::disabled())
            .data_block_size_policy(BlockSizePolicy::all(16 * 1024)),
        // Most of what is kept as a blob is compressed already.
        Table::Blobs => options
            .filter_policy(FilterPolicy::disabled())
            .data_block_size_policy(BlockSizePolicy::all(64 * 1024))
            .data_block_compression_policy(CompressionPolicy::disabled()),
        Table::Tail => options
            .filter_policy(FilterPolicy::disabled())
            .data_block_size_policy(BlockSizePolicy::all(64 * 1024))
            .data_block_compression_policy(CompressionPolicy::disabled()),
        _ => options,
    }
}

fn read_fault(fault: fjall::Error) -> StoreFault {
    StoreFault::Read(fault.to_string())
}

/// Waits while more is in memory than fjall's worker has been able to write to sorted files.
#[expect(
    clippy::disallowed_methods,
    reason = "fjall has no condition to wait for, and this is no worker's thread"
)]
fn wait_for_room(database: &Database) {
    let mut waited_ms = 0;
    while database.write_buffer_size() > WRITE_BUFFER_BYTES_MAX && waited_ms < WRITE_BUFFER_WAIT_MS_MAX {
        std::thread::sleep(Duration::from_millis(ROOM_GLANCE_MS));
        waited_ms += ROOM_GLANCE_MS;
    }
}

impl Disk for FjallDisk {
    fn apply(&self, rows: &Rows) -> Result<(), String> {
        let open = self.open.read();
        let Open { database, keyspaces, .. } = open.as_ref().ok_or("it is closed")?;
        wait_for_room(database);
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        for row in rows.iter() {
            let keyspace = &keyspaces[row.table.index()];
            match row.value {
                Some(value) => batch.insert(keyspace, row.key, value),
                // Each row of the tail is written once: row and deletion vanish where they meet.
                None if row.table == Table::Tail => batch.remove_weak(keyspace, row.key),
                None => batch.remove(keyspace, row.key),
            }
        }
        batch.commit().map_err(|it| it.to_string())
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        self.read(table, |it| Ok(it.get(key).map_err(read_fault)?.map(|it| it.to_vec())))
    }

    fn scan(&self, table: Table, keys: &Keys, each: Each<'_>) -> Result<(), StoreFault> {
        self.read(table, |it| {
            let mut rows = it.range::<&[u8], _>(keys.bounds());
            let mut next = || match keys.order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            while let Some(row) = next() {
                let (key, value) = row.into_inner().map_err(read_fault)?;
                if each(&key, &value)? == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn close(&self) -> Result<(), String> {
        let Some(open) = self.open.write().take() else { return Ok(()) };
        open.database.persist(PersistMode::SyncAll).map_err(|it| it.to_string())
    }
}
