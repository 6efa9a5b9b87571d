//! Binary data of devices: bytes too many for a point, kept as a blob beside it (spec onenet 4.4, 8.9).
//!
//! Whoever keeps one gets a time in milliseconds that no other binary of the installation has, and by which, with the
//! device, it is found again: so its name needs no row. A binary's blob begins with the id of its device, so that
//! nobody reaches another's by its time.

use std::ops::ControlFlow;

use domain::{Blob, BlobId, DeviceId, Millis, OrgId};
use store::limits::BLOB_PIECE_BYTES;
use store::{Change, Changes, StoreFault};

use crate::ids::Ids;
use crate::registry::Platform;

/// Bytes in front of those of a binary: its device's id.
const OWNER_BYTES: usize = 8;

impl Platform {
    /// Adds what keeps a binary of a device to `changes`, all of it; gives the time by which it is found.
    pub fn keep_binary(
        &self,
        org: OrgId,
        device: DeviceId,
        bytes: &[u8],
        now_ms: Millis,
        changes: &mut Changes,
    ) -> Millis {
        let (id, ms) = self.ids.next_of_ms(now_ms);
        let blob = BlobId(id);
        let (first, rest) = bytes.split_at(bytes.len().min(BLOB_PIECE_BYTES - OWNER_BYTES));
        let first = [&device.0.to_be_bytes()[..], first].concat();
        let pieces =
            std::iter::once(first.into_boxed_slice()).chain(rest.chunks(BLOB_PIECE_BYTES).map(Box::from));
        for (index, bytes) in (0..).zip(pieces) {
            changes.push(Change::PutPiece { org, blob, index, bytes });
        }
        let size_bytes = (OWNER_BYTES + bytes.len()) as u64;
        changes.push(Change::PutBlob { org, blob: Blob { id: blob, size_bytes } });
        ms
    }

    /// Calls `each` with the bytes of a device's binary, a piece at a time, until it breaks; false where the device has
    /// none of that time. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn read_binary(
        &self,
        org: OrgId,
        device: DeviceId,
        ms: Millis,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<bool, StoreFault> {
        let Some(blob) = Ids::of_ms(ms).map(BlobId) else { return Ok(false) };
        let mut is_own = false;
        let mut check = |owner: &[u8]| {
            is_own = *owner == device.0.to_be_bytes();
            ControlFlow::Break(())
        };
        self.store.read_blob(org, blob, 0..OWNER_BYTES as u64, &mut check)?;
        if is_own {
            self.store.read_blob(org, blob, OWNER_BYTES as u64..u64::MAX, each)?;
        }
        Ok(is_own)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use std::ops::ControlFlow;

    use domain::DeviceId;
    use store::limits::BLOB_PIECE_BYTES;

    use store::{Changes, Store};

    use crate::testing::House;

    #[test]
    fn a_binary_is_found_by_its_device_and_time_only() {
        let house = House::new();
        let (one, other) = (DeviceId(7), DeviceId(8));
        let sizes = [0, 1, BLOB_PIECE_BYTES - 8, BLOB_PIECE_BYTES - 7, 3 * BLOB_PIECE_BYTES];
        for (at, size) in sizes.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..size).map(|it| (it * 7 + at) as u8).collect();
            let mut changes = Changes::new();
            let ms = house.platform.keep_binary(house.org, one, &bytes, 1_000, &mut changes);
            house.store.commit(changes);
            house.flush();
            let read = |device, ms| {
                let mut found = Vec::new();
                let mut each = |it: &[u8]| {
                    found.extend_from_slice(it);
                    ControlFlow::Continue(())
                };
                house.platform.read_binary(house.org, device, ms, &mut each).unwrap().then_some(found)
            };
            assert_eq!(read(one, ms), Some(bytes), "{size}");
            assert_eq!(read(other, ms), None);
            assert_eq!(read(one, ms + 1), None);
            assert_eq!(read(one, u64::MAX), None);
        }
    }

    #[test]
    fn no_two_binaries_have_one_time() {
        let house = House::new();
        let keep =
            |now_ms| house.platform.keep_binary(house.org, DeviceId(7), b"x", now_ms, &mut Changes::new());
        let mut times = [5, 5, 4, 2_000, 2_000].map(keep);
        assert!(times.is_sorted(), "{times:?}");
        times.sort_unstable();
        assert!(times.windows(2).all(|it| it[0] != it[1]), "{times:?}");
    }
}
