#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use tempfile::TempDir;

use super::{ROWS, open};
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
