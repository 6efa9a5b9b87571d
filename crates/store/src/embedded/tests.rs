#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use tempfile::TempDir;

use super::{ROWS, journal, open};
use crate::contract::{Opener, put, suite};
use crate::schema::FORMAT;
use crate::{Change, Store, StoreFault};

struct Folder(TempDir);

impl Opener for Folder {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(open(self.0.path()).unwrap())
    }
}

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

suite!(folder());

fn setting(value: u8) -> Vec<Change> {
    vec![Change::PutSetting { name: "s", value: vec![value] }]
}

#[test]
fn another_format_is_refused() {
    let mut folder = folder();
    put(&*folder.open(), setting(1));
    let file = folder.0.path().join("format");
    fs::write(&file, "77\n").unwrap();
    let fault = open(folder.0.path()).err().unwrap();
    assert!(matches!(fault, StoreFault::Format { found: 77, expected: FORMAT, .. }), "{fault}");
    fs::write(&file, "").unwrap();
    assert!(matches!(open(folder.0.path()).err().unwrap(), StoreFault::Open { .. }));
    fs::remove_file(&file).unwrap();
    let fault = open(folder.0.path()).err().unwrap();
    assert!(fault.to_string().contains("restore it"), "{fault}");
}

#[test]
fn a_folder_that_is_open_is_refused() {
    let mut folder = folder();
    let store = folder.open();
    let fault = open(folder.0.path()).err().unwrap();
    assert!(fault.to_string().contains("another process has it open"), "{fault}");
    store.close().unwrap();
    assert!(open(folder.0.path()).is_ok(), "closing lets go of the folder");
    assert!(matches!(store.setting("s"), Err(StoreFault::Read(_))));
}

#[test]
fn an_unfinished_first_start_is_begun_again() {
    let mut folder = folder();
    fs::create_dir_all(folder.0.path().join("rows.new/keyspaces")).unwrap();
    fs::write(folder.0.path().join("rows.new/0.jnl"), b"half").unwrap();
    put(&*folder.open(), setting(1));
    assert_eq!(folder.open().setting("s").unwrap(), Some(vec![1]));
    assert!(folder.0.path().join(ROWS).exists() && !folder.0.path().join("rows.new").exists());
}

/// The journal's bytes changed by `change`, which is given where each of its batches ends.
fn damage(folder: &Folder, change: impl FnOnce(&mut Vec<u8>, &[usize])) {
    let journal = journal::newest(&folder.0.path().join(ROWS)).unwrap().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let (mut ends, mut rest) = (vec![0], bytes.as_slice());
    while let Some(batch) = journal::read_batch(&mut rest) {
        ends.push(ends[ends.len() - 1] + batch.len as usize);
    }
    change(&mut bytes, &ends);
    fs::write(&journal, &bytes).unwrap();
}

#[test]
fn a_hole_in_the_last_batch_is_cut_off_and_kept() {
    let mut folder = folder();
    let store = folder.open();
    put(&*store, setting(1));
    put(&*store, vec![Change::PutSetting { name: "s", value: vec![7; 4_000] }]);
    drop(store);
    damage(&folder, |bytes, ends| bytes[ends[ends.len() - 1] - 2_000..][..512].fill(0));
    assert_eq!(folder.open().setting("s").unwrap(), Some(vec![1]));
    assert!(fs::metadata(folder.0.path().join("torn")).unwrap().len() > 3_000);
}

#[test]
fn damage_before_intact_batches_is_refused() {
    let mut folder = folder();
    let store = folder.open();
    for value in 1..4 {
        put(&*store, setting(value));
    }
    drop(store);
    damage(&folder, |bytes, ends| bytes[ends[ends.len() - 2] - 20] ^= 1);
    let fault = open(folder.0.path()).err().unwrap();
    assert!(fault.to_string().contains("damaged at byte"), "{fault}");
}
