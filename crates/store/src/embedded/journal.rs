//! Cuts a torn batch off the end of fjall's journal, before fjall reads it.
//!
//! A power cut in the middle of a sync may leave later sectors of the last batch on the disk and earlier ones not.
//! fjall forgives a batch whose end is missing, but refuses to open, or panics, where a hole lies before the end. As
//! each batch is synced before the next is written, only the last batch of the newest journal can be torn, and it was
//! never acknowledged: it is cut off, and kept in the file `torn` for whoever wants to know. Where intact batches
//! follow a damaged one, it is not a power cut that did it, and opening fails.
//!
//! The layout, all numbers little-endian: a batch is a start (tag 1, count of items u32, sequence number u64), its
//! items (tag 2, kind u8, compression u8, keyspace u64, key length u16, value length u32, stored value length u32,
//! key, stored value; or tag 4, keyspace u64) and an end (tag 3, XXH3-64 of the items' bytes, the trailer `FJL` and a
//! version byte). After the last batch come zeros, because the file is allocated in advance. The crash tests fail
//! when a release of fjall changes any of that.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Cuts off what lies after the last intact batch of the newest journal, and writes it to `torn`.
pub(crate) fn cut_torn_end(folder: &Path, torn: &Path) -> io::Result<()> {
    let Some(newest) = newest(folder)? else { return Ok(()) };
    let mut reader = BufReader::new(File::open(&newest)?);
    let mut end = 0;
    while let Some(batch) = read_batch(&mut reader).filter(|it| it.intact) {
        end += batch.len;
    }
    reader.seek(SeekFrom::Start(end))?;
    let rest = read_without_trailing_zeros(&mut reader)?;
    if rest.is_empty() {
        return Ok(());
    }
    if (1..rest.len()).any(|at| read_batch(&mut &rest[at..]).is_some_and(|it| it.intact)) {
        let fault = format!("{} is damaged at byte {end}; restore a backup", newest.display());
        return Err(io::Error::other(fault));
    }
    fs::write(torn, &rest)?;
    let file = OpenOptions::new().write(true).open(&newest)?;
    file.set_len(end)?;
    file.sync_all()
}

/// Reads to the end, keeping nothing of the zeros there, which are most of it.
fn read_without_trailing_zeros(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut zeros = 0;
    let (mut part, only_zeros) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let count = reader.read(&mut part)?;
        if count == 0 {
            return Ok(kept);
        }
        // Comparing whole blocks is quick even where the search is not optimised.
        if part[..count] == only_zeros[..count] {
            zeros += count;
            continue;
        }
        let end = part[..count].iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
        kept.resize(kept.len() + zeros, 0);
        kept.extend_from_slice(&part[..end]);
        zeros = count - end;
    }
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
