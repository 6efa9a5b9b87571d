//! The rows of one group on their way to the disk, in one buffer that is used again for the next group.

use crate::coding::Put;
use crate::schema::{Keys, Table};

/// A row: what is put under a key, or that a key is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    /// Where it belongs.
    pub(crate) table: Table,
    /// Its key.
    pub(crate) key: &'a [u8],
    /// Its value; `None` deletes.
    pub(crate) value: Option<&'a [u8]>,
}

#[derive(Clone, Copy)]
struct Place {
    table: Table,
    dead: bool,
    delete: bool,
    start: usize,
    key_len: u32,
    value_len: u32,
}

/// Puts and deletes in order: of two with the same key, the later one counts.
#[derive(Default)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Rows {
    /// Forgets all rows but keeps the buffer, unless an unusually large group made it larger than `bytes_max`.
    pub(crate) fn clear(&mut self, bytes_max: usize) {
        self.bytes.clear();
        self.places.clear();
        self.bytes.shrink_to(bytes_max);
    }

    /// Whether there is nothing to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many bytes all keys and values take.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Puts a row: `key` and `value` append the two. Gives the bytes of the value.
    pub(crate) fn put(
        &mut self,
        table: Table,
        key: impl FnOnce(&mut Vec<u8>),
        value: impl FnOnce(&mut Vec<u8>),
    ) -> u32 {
        let start = self.bytes.len();
        key(&mut self.bytes);
        let key_len = (self.bytes.len() - start) as u32;
        value(&mut self.bytes);
        let value_len = (self.bytes.len() - start) as u32 - key_len;
        self.places.push(Place { table, dead: false, delete: false, start, key_len, value_len });
        value_len
    }

    /// Deletes a row: `key` appends its key.
    pub(crate) fn delete(&mut self, table: Table, key: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        key(&mut self.bytes);
        let key_len = (self.bytes.len() - start) as u32;
        self.places.push(Place { table, dead: false, delete: true, start, key_len, value_len: 0 });
    }

    /// Deletes a row by its key.
    pub(crate) fn delete_key(&mut self, table: Table, key: &[u8]) {
        self.delete(table, |to| to.put(key));
    }

    /// Takes back every put of this group whose key is in the range.
    pub(crate) fn take_back(&mut self, table: Table, keys: &Keys) {
        for place in &mut self.places {
            if place.table == table && !place.delete {
                let key = &self.bytes[place.start..][..place.key_len as usize];
                place.dead |= keys.contains(key);
            }
        }
    }

    /// The keys of this group's puts in the range.
    pub(crate) fn puts<'a>(&'a self, table: Table, keys: &'a Keys) -> impl Iterator<Item = &'a [u8]> {
        let puts = self.places.iter().filter(move |it| it.table == table && !it.delete && !it.dead);
        puts.map(|it| &self.bytes[it.start..][..it.key_len as usize]).filter(|it| keys.contains(it))
    }

    /// The rows in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.places.iter().filter(|it| !it.dead).map(|it| {
            let (key, rest) = self.bytes[it.start..].split_at(it.key_len as usize);
            let value = (!it.delete).then(|| &rest[..it.value_len as usize]);
            Row { table: it.table, key, value }
        })
    }
}
