//! What an engine has to be able to do: apply a group of rows as one, and read them back.
//!
//! Everything above this trait (tickets, grouping, queues, what a change means) is the same for all engines that keep
//! rows. A disk knows no domain word.

use std::ops::ControlFlow;

use crate::StoreFault;
use crate::rows::Rows;
use crate::schema::{Keys, Table};

/// Gets every row of a scan, in the order of the range, until it breaks.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreFault>;

/// Where rows are kept.
pub(crate) trait Disk: Send + Sync + 'static {
    /// Applies the rows as one and returns when they are durable. They become visible to reads as one, too, and not
    /// before they are durable. After an error nothing more is applied. Called by one thread at a time.
    fn apply(&self, rows: &Rows) -> Result<(), String>;

    /// The value under a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault>;

    /// Reads the rows of a range, as they were when the scan began.
    fn scan(&self, table: Table, keys: &Keys, each: Each<'_>) -> Result<(), StoreFault>;

    /// Lets go of the files. Nothing is called after it but reads, which may fail.
    fn close(&self) -> Result<(), String>;
}
