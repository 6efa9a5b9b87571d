//! Cases of blobs.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use domain::{Blob, BlobId, OrgId, Package, PackageKind};

use super::samples::*;
use super::{Opener, put};
use crate::limits::{BLOB_PIECE_BYTES, BLOB_PIECES_PURGED_PER_GROUP_MAX};
use crate::{Change, Store};

const B1: BlobId = BlobId(1);
const B2: BlobId = BlobId(2);

/// Bytes of which no two pieces are alike.
fn content(size_bytes: usize) -> Vec<u8> {
    (0..size_bytes).map(|it| (it % 251) as u8).collect()
}

fn pieces(org: OrgId, blob: BlobId, content: &[u8]) -> Vec<Change> {
    let piece = |(index, bytes): (usize, &[u8])| Change::PutPiece {
        org,
        blob,
        index: index as u32,
        bytes: bytes.into(),
    };
    content.chunks(BLOB_PIECE_BYTES).enumerate().map(piece).collect()
}

fn whole(org: OrgId, id: BlobId, size_bytes: usize) -> Change {
    Change::PutBlob { org, blob: Blob { id, size_bytes: size_bytes as u64 } }
}

fn range(store: &dyn Store, org: OrgId, blob: BlobId, range: Range<u64>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut each = |bytes: &[u8]| {
        assert!(bytes.len() <= BLOB_PIECE_BYTES);
        all.extend_from_slice(bytes);
        ControlFlow::Continue(())
    };
    store.read_blob(org, blob, range, &mut each).unwrap();
    all
}

pub(crate) fn a_blob_is_seen_once_it_is_whole(opener: &mut dyn Opener) {
    let store = opener.open();
    let (a, b) = (org_id("abc123"), org_id("abc124"));
    let long = content(3 * BLOB_PIECE_BYTES + 5);
    for change in pieces(a, B1, &long) {
        put(&*store, vec![change]);
        assert_eq!((store.blobs(a).unwrap(), blob_bytes(&*store, a, B1)), (vec![], vec![]));
    }
    put(&*store, vec![whole(a, B1, long.len())]);
    // Another one, in one batch, and one without a byte.
    let mut batch = pieces(b, B1, b"other");
    batch.push(whole(b, B1, 5));
    batch.push(whole(b, B2, 0));
    put(&*store, batch);
    drop(store);
    let store = opener.open();
    assert_eq!(store.blobs(a).unwrap(), [Blob { id: B1, size_bytes: long.len() as u64 }]);
    let others = [Blob { id: B1, size_bytes: 5 }, Blob { id: B2, size_bytes: 0 }];
    assert_eq!(store.blobs(b).unwrap(), others);
    assert!(blob_bytes(&*store, a, B1) == long);
    assert_eq!(blob_bytes(&*store, b, B1), b"other");
    assert_eq!(blob_bytes(&*store, b, B2), b"");
}

pub(crate) fn a_blob_is_read_by_range(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let piece = BLOB_PIECE_BYTES as u64;
    let long = content(2 * BLOB_PIECE_BYTES + 5);
    let mut batch = pieces(a, B1, &long);
    batch.push(whole(a, B1, long.len()));
    batch.extend(pieces(a, B2, b"the next one"));
    batch.push(whole(a, B2, 12));
    put(&*store, batch);
    let end = long.len() as u64;
    for start in [0, 1, piece - 1, piece, piece + 1, 2 * piece, end - 1, end, end + 1, u64::MAX] {
        for stop in [0, 1, piece - 1, piece, piece + 1, 2 * piece, end - 1, end, end + 1, u64::MAX] {
            let (from, to) = (start.min(end) as usize, stop.min(end) as usize);
            let expected = if from < to { &long[from..to] } else { &[] };
            assert!(range(&*store, a, B1, start..stop) == expected, "{start}..{stop}");
        }
    }
    let mut seen = 0;
    let mut once = |_: &[u8]| {
        seen += 1;
        ControlFlow::Break(())
    };
    store.read_blob(a, B1, 0..end, &mut once).unwrap();
    assert_eq!(seen, 1);
}

pub(crate) fn a_forgotten_blob_is_gone_at_once(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    let long = content(BLOB_PIECE_BYTES * (2 * BLOB_PIECES_PURGED_PER_GROUP_MAX + 3));
    let (mut first, mut second) = (pieces(a, B1, &long), pieces(a, B2, b"stays"));
    first.push(whole(a, B1, long.len()));
    second.push(whole(a, B2, 5));
    put(&*store, first);
    put(&*store, second);
    put(&*store, vec![Change::DropBlob { org: a, blob: B1 }, Change::DropBlob { org: a, blob: BlobId(9) }]);
    // However far the deletion has come, nothing is seen of it, and nothing more is kept.
    for _ in 0..5 {
        assert_eq!(store.blobs(a).unwrap(), [Blob { id: B2, size_bytes: 5 }]);
        assert_eq!(blob_bytes(&*store, a, B1), b"");
        put(&*store, vec![]);
    }
    // Made and forgotten in one batch.
    let mut batch = pieces(a, BlobId(3), b"never seen");
    batch.extend([whole(a, BlobId(3), 10), Change::DropBlob { org: a, blob: BlobId(3) }]);
    put(&*store, batch);
    drop(store);
    let store = opener.open();
    assert_eq!(store.blobs(a).unwrap(), [Blob { id: B2, size_bytes: 5 }]);
    assert_eq!(blob_bytes(&*store, a, B2), b"stays");
}

pub(crate) fn a_blob_that_was_never_finished_is_forgotten(opener: &mut dyn Opener) {
    let store = opener.open();
    let a = org_id("abc123");
    put(&*store, pieces(a, B1, b"half"));
    let large = Change::PutPiece { org: a, blob: B2, index: 0, bytes: content(BLOB_PIECE_BYTES + 1).into() };
    put(&*store, vec![large]);
    assert_eq!(store.stats().oversized, 1);
    drop(store);
    let store = opener.open();
    // Whoever wrote it is gone: nobody can go on.
    put(&*store, vec![Change::PutSetting { name: "s", value: vec![1] }]);
    put(&*store, vec![]);
    assert_eq!((store.blobs(a).unwrap(), blob_bytes(&*store, a, B1)), (vec![], vec![]));
}

pub(crate) fn packages_come_back_and_go(opener: &mut dyn Opener) {
    let store = opener.open();
    let (a, b) = (org_id("abc123"), org_id("abc124"));
    let put_package = |org, id| Change::PutPackage(Arc::new(package(org, id)));
    put(&*store, vec![put_package(a, 300), put_package(a, 2), put_package(a, 3), put_package(b, 4)]);
    let other = Package { types: Vec::new(), kind: PackageKind::Software, ..package(a, 3) };
    put(
        &*store,
        vec![
            Change::PutPackage(Arc::new(other.clone())),
            Change::DropPackage { org: a, package: B2 },
            Change::DropPackage { org: a, package: BlobId(4) },
        ],
    );
    drop(store);
    let store = opener.open();
    assert_eq!(store.packages(a).unwrap(), [other, package(a, 300)]);
    assert_eq!(store.packages(b).unwrap(), [package(b, 4)]);
}
