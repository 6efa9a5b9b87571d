//! Runs every transcript of the Watson dialect against a model of a server (see `model`): a file that is added to
//! `src/watson/transcripts` is a test. The same files, and those of the other dialects, are run against the real server
//! by its own tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compare;
mod model;

use std::fs;
use std::path::{Path, PathBuf};

use model::World;
use sim::transcript::{self, Act, Heard, Step};

/// Every file `src/watson/transcripts/*.txt`.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/watson/transcripts");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "txt"))
        .collect();
    files.sort();
    files
}

fn run(text: &str) -> Result<(), String> {
    if !text.starts_with("# Spec ") {
        return Err("line 1: a transcript begins with a comment that names its section: # Spec …".to_owned());
    }
    let mut world = World::new();
    for Step { line, act } in transcript::parse(text).map_err(|it| it.to_string())? {
        step(&mut world, &act).map_err(|it| format!("line {line}: {it}"))?;
    }
    world.check_all_heard().map_err(|it| format!("at the end: {it}"))
}

fn step(world: &mut World, act: &Act) -> Result<(), String> {
    match act {
        Act::Given(given) => world.given(given),
        Act::Says { client, said } => world.says(client, said),
        // What one of several hears: whoever has it.
        Act::Hears { client, heard } => match client.split_once('|') {
            None => hears(world, client, heard),
            Some((one, other)) => hears(world, one, heard).or_else(|_| hears(world, other, heard)),
        },
        Act::Does(_) => Err("the model has no administrator".to_owned()),
        Act::Knows(fact) => world.knows(fact),
    }
}

fn hears(world: &mut World, client: &str, heard: &Heard) -> Result<(), String> {
    let outbox = world.outbox(client)?;
    match heard {
        Heard::Quiet => outbox.check_empty(client),
        Heard::Publish(written) => {
            let sent = outbox.messages.front().ok_or_else(|| format!("no message comes to {client}"))?;
            compare::message(written, sent)?;
            let sent = outbox.messages.pop_front().ok_or("gone")?;
            if let (Some(id), Some(name)) = (sent.packet_id, &written.packet_id) {
                outbox.names.insert(name.clone(), id);
            }
            Ok(())
        }
        other => {
            let sent =
                outbox.answers.pop_front().ok_or_else(|| format!("nothing is answered to {client}"))?;
            if sent != *other {
                return Err(format!("{client} hears {sent:?}, not {other:?}"));
            }
            if sent == Heard::Closed { outbox.check_empty(client) } else { Ok(()) }
        }
    }
}

#[test]
fn every_transcript_holds() {
    let files = files();
    assert!(!files.is_empty(), "there are transcripts");
    let failed: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let problem = run(&fs::read_to_string(file).unwrap()).err()?;
            Some(format!("{}: {problem}", file.file_name().unwrap().to_string_lossy()))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} fail:\n{}", failed.len(), files.len(), failed.join("\n"));
}

#[test]
fn a_transcript_that_says_too_little_or_too_much_fails() {
    const SCENE: &str = "# Spec 2\ngiven org abc123 · gateway gw/g1 token s3cret\n\
        g1> CONNECT v4 id=g:abc123:gw:g1 user=use-token-auth pass=s3cret clean=1\n";
    assert_eq!(run(&format!("{SCENE}g1< CONNACK 0\n")), Ok(()));
    for wrong in [
        "",
        "g1< CONNACK 5\n",
        "g1< CONNACK 0\ng1< CLOSED\n",
        "g1< CONNACK 0\n=> registered gw/g9 via gw/g1\n",
    ] {
        assert!(run(&format!("{SCENE}{wrong}")).is_err(), "{wrong}");
    }
}

/// No line about what is heard can be left out: so every one of them is compared.
#[test]
fn every_heard_line_counts() {
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let heard = |line: &str| {
            line.split(' ').next().is_some_and(|it| it.ends_with('<')) && !line.ends_with("QUIET")
        };
        for left_out in (0..lines.len()).filter(|it| heard(lines[*it])) {
            let rest: Vec<&str> =
                lines.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, it)| *it).collect();
            assert!(run(&rest.join("\n")).is_err(), "{} without line {}", file.display(), left_out + 1);
        }
    }
}
