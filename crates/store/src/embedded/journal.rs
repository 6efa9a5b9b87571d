//! Cuts a torn batch off the end of a fjall journal.
//!
//! A power cut in the middle of a sync may leave later parts of the last batch on the disk and earlier ones not. Where
//! the hole lies inside a value, the batch still reads as complete and only its checksum is wrong; fjall then refuses
//! to open. As each batch is synced before the next is written, only the last batch of the newest journal can be torn
//! so, and it was never acknowledged: it is cut off. A wrong checksum anywhere else is damage, and left alone.
//!
//! The layout, all numbers little-endian: a batch is a start (tag 1, count of items u32, sequence number u64), its
//! items (tag 2, kind u8, compression u8, keyspace u64, key length u16, value length u32, stored value length u32,
//! key, stored value; or tag 4, keyspace u64) and an end (tag 3, XXH3-64 of the items' bytes, the trailer `FJL` and a
//! version byte).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Cuts off the last batch of the newest journal if its checksum is wrong, and only then gives `true`.
pub(crate) fn cut_torn_end(folder: &Path) -> io::Result<bool> {
    let Some(newest) = newest(folder)? else { return Ok(false) };
    let mut reader = BufReader::new(File::open(&newest)?);
    let mut offset = 0;
    let mut torn = None;
    while let Some(batch) = read_batch(&mut reader) {
        if torn.is_some() {
            return Ok(false);
        }
        if !batch.intact {
            torn = Some(offset);
        }
        offset += batch.len;
    }
    let Some(offset) = torn else { return Ok(false) };
    let file = OpenOptions::new().write(true).open(&newest)?;
    file.set_len(offset)?;
    file.sync_all()?;
    Ok(true)
}

/// The newest of the journals in a folder: the one with the highest number.
pub(crate) fn newest(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|it| it.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        if let Some(number) = number {
            newest = newest.max(Some((number, path)));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// A batch that reads as complete.
pub(crate) struct Batch {
    /// All its bytes.
    pub(crate) len: u64,
    /// Whether its checksum is right.
    pub(crate) intact: bool,
}

/// Reads a batch; `None` where none begins or it does not read as complete.
pub(crate) fn read_batch(reader: &mut impl Read) -> Option<Batch> {
    let mut reader = Counted { reader, len: 0, hash: xxhash_rust::xxh3::Xxh3::new() };
    let [1] = reader.take()? else { return None };
    let count = u32::from_le_bytes(reader.take()?);
    let _sequence: [u8; 8] = reader.take()?;
    reader.hash.reset();
    for _ in 0..count {
        match reader.take()? {
            [2] => reader.item()?,
            [4] => drop(reader.take::<8>()?),
            _ => return None,
        }
    }
    let checksum = reader.hash.digest();
    let [3] = reader.take()? else { return None };
    let intact = u64::from_le_bytes(reader.take()?) == checksum;
    let [b'F', b'J', b'L', _] = reader.take()? else { return None };
    Some(Batch { len: reader.len, intact })
}

struct Counted<'a, R> {
    reader: &'a mut R,
    len: u64,
    hash: xxhash_rust::xxh3::Xxh3,
}

impl<R: Read> Counted<'_, R> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).ok()?;
        self.hash.update(&bytes);
        self.len += N as u64;
        Some(bytes)
    }

    fn item(&mut self) -> Option<()> {
        let [_kind, _compression] = self.take()?;
        let _keyspace: [u8; 8] = self.take()?;
        let key_len = u16::from_le_bytes(self.take()?);
        let _value_len: [u8; 4] = self.take()?;
        let stored_len = u32::from_le_bytes(self.take()?);
        self.skip(u64::from(key_len) + u64::from(stored_len))
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        let mut left = count;
        let mut bytes = [0; 4096];
        while left > 0 {
            let part = bytes.len().min(usize::try_from(left).ok()?);
            self.reader.read_exact(&mut bytes[..part]).ok()?;
            self.hash.update(&bytes[..part]);
            left -= part as u64;
        }
        self.len += count;
        Some(())
    }
}
