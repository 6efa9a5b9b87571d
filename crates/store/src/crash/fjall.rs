//! The embedded engine in a folder as a power cut leaves it.
//!
//! The store runs on a real folder. What it has acknowledged is synced, so all of that is kept. Of the batch in the
//! journal that was being synced when the power went, the seed keeps a part: its first bytes, or some of its sectors,
//! with zeros (the journal is allocated in advance) where the others were.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::random::Random;
use super::{BOUNDS, History, Model, each_seed};
use crate::Store;
use crate::embedded::{ROWS, journal, start};

const SECTOR_BYTES: usize = 512;

#[test]
fn nothing_acknowledged_is_lost_on_disk() {
    each_seed(|seed| {
        let mut random = Random::new(seed);
        let mut folder = temporary();
        let mut state = Model::default();
        for _ in 0..1 + seed % 3 {
            (folder, state) = until_the_power_goes(folder, state, &mut random, seed);
        }
    });
}

/// A folder in memory where there is such a thing: what survives is up to the seed, not to the real disk.
fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Stores random changes until the power goes; gives the folder and the state that survived.
fn until_the_power_goes(folder: TempDir, state: Model, random: &mut Random, seed: u64) -> (TempDir, Model) {
    let store = start(folder.path(), BOUNDS).unwrap();
    let mut history = History::new(state);
    for _ in 0..random.below(12) {
        let burst = 1 + random.below(3);
        let last = (0..burst).map(|_| history.hand_in(&store, random)).last().unwrap();
        store.wait(last).unwrap();
        history.acknowledge();
        if random.below(40) == 0 {
            store.disk().write_sorted_files();
        }
    }
    let newest = journal::newest(&folder.path().join(ROWS)).unwrap().unwrap();
    let synced = batches(&newest).last().copied().unwrap_or(0);
    let burst = 1 + random.below(3);
    let last = (0..burst).map(|_| history.hand_in(&store, random)).last().unwrap();
    store.wait(last).unwrap();

    let after = temporary();
    copy(folder.path(), after.path(), &newest);
    cut(&newest, &after.path().join(ROWS).join(newest.file_name().unwrap()), synced, random);
    drop(store);

    let store = start(after.path(), BOUNDS).unwrap_or_else(|it| panic!("seed {seed}: {it}"));
    let state = history.survivor(&store, seed);
    // Closed in good order and opened again, it is the same; and it goes on from there.
    drop(store);
    let store = start(after.path(), BOUNDS).unwrap();
    let mut history = History::new(state);
    history.hand_in(&store, random);
    store.wait(history.hand_in(&store, random)).unwrap();
    history.acknowledge();
    let state = history.survivor(&store, seed);
    drop(store);
    (after, state)
}

/// Where the batches of a journal end.
fn batches(journal: &Path) -> Vec<u64> {
    let mut reader = BufReader::new(fs::File::open(journal).unwrap());
    let mut end = 0;
    std::iter::from_fn(|| {
        end += journal::read_batch(&mut reader)?.len;
        Some(end)
    })
    .collect()
}

/// Writes the journal as the power cut left it: whole up to the batch that was being synced, and of that a part.
fn cut(journal: &Path, copy: &Path, synced: u64, random: &mut Random) {
    let ends = batches(journal);
    let first = ends.partition_point(|it| *it <= synced);
    let torn = first + random.below((ends.len() - first) as u64 + 1) as usize;
    let whole = if torn == 0 { 0 } else { ends[torn - 1] } as usize;
    let mut bytes = vec![0; ends.last().copied().unwrap_or(0) as usize];
    std::io::Read::read_exact(&mut fs::File::open(journal).unwrap(), &mut bytes).unwrap();
    bytes.truncate(ends.get(torn).map_or(whole, |it| *it as usize));
    if random.below(2) == 0 {
        let kept = random.below((bytes.len() - whole) as u64 + 1) as usize;
        bytes.truncate(whole + kept);
    } else {
        let mut start = whole;
        while start < bytes.len() {
            let end = bytes.len().min((start / SECTOR_BYTES + 1) * SECTOR_BYTES);
            if random.below(2) == 0 {
                bytes[start..end].fill(0);
            }
            start = end;
        }
    }
    fs::write(copy, &bytes).unwrap();
    let len = fs::metadata(journal).unwrap().len();
    fs::OpenOptions::new().write(true).open(copy).unwrap().set_len(len.max(bytes.len() as u64)).unwrap();
}

/// Copies a folder, all but one file.
fn copy(from: &Path, to: &Path, without: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target, without);
        } else if path != *without {
            fs::copy(&path, &target).unwrap();
        }
    }
}
