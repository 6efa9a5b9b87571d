//! Where points go while an upload is read: into one list for each time, in the order of the upload, within bounds.

use std::ops::ControlFlow;

use domain::{Code, Millis, Points, Value};

use super::cursor::Wrong;
use super::{Binary, Uploaded};
use crate::limits::{ONENET_POINTS_COUNT_MAX, ONENET_STREAM_BYTES_MAX};
use crate::onenet::time::{self, Zone};
use crate::{Leniencies, Leniency};

/// Room that an upload's first list begins with, at most; most have one.
const FIRST_ROOM_BYTES: usize = 1024;
/// Room that each further one begins with; most of those have one point.
const FURTHER_ROOM_BYTES: usize = 64;

/// Gets what is read, and gives it on.
pub(super) struct Sink<'a, 'e> {
    /// The zone of times that name none.
    pub(super) zone: Zone,
    each: &'e mut dyn FnMut(Uploaded<'a>) -> ControlFlow<()>,
    /// Whether nothing more is wanted.
    is_over: bool,
    /// Points of one time that were not given yet.
    points: Points,
    /// Bytes of room that the next list begins with.
    room: usize,
    at_ms: Option<Millis>,
    count: usize,
    leniencies: Leniencies,
}

impl<'a, 'e> Sink<'a, 'e> {
    pub(super) fn new(
        zone: Zone,
        payload_len: usize,
        each: &'e mut dyn FnMut(Uploaded<'a>) -> ControlFlow<()>,
    ) -> Sink<'a, 'e> {
        Sink {
            zone,
            // A short member of JSON becomes a point of up to twice its length.
            room: (2 * payload_len).min(FIRST_ROOM_BYTES),
            each,
            is_over: false,
            points: Points::new(),
            at_ms: None,
            count: 0,
            leniencies: Leniencies::default(),
        }
    }

    pub(super) fn forgive(&mut self, leniency: Leniency) {
        self.leniencies.insert(leniency);
    }

    /// The time that a text names; `None` where it names none, of which only the empty one says so.
    pub(super) fn time_named(&mut self, text: &str) -> Option<Millis> {
        let at_ms = time::text(text, self.zone);
        if at_ms.is_none() && !text.is_empty() {
            self.forgive(Leniency::TimeUnreadable);
        }
        at_ms
    }

    /// Appends a point. `at` is where it stands in the payload.
    pub(super) fn push(
        &mut self,
        at: usize,
        at_ms: Option<Millis>,
        stream: &str,
        value: Value<'_>,
    ) -> Result<(), Wrong> {
        self.points_for(at, at_ms, stream)?.push(stream, value);
        Ok(())
    }

    /// The list to which one point of this stream and time is to be appended.
    pub(super) fn points_for(
        &mut self,
        at: usize,
        at_ms: Option<Millis>,
        stream: &str,
    ) -> Result<&mut Points, Wrong> {
        check_stream(at, stream)?;
        if self.count == ONENET_POINTS_COUNT_MAX {
            let what = format!("there are more than {ONENET_POINTS_COUNT_MAX} points in it");
            return Err(Wrong { code: Code::TooMany, at, what: what.into() });
        }
        self.count += 1;
        if at_ms != self.at_ms {
            self.give();
            self.at_ms = at_ms;
        }
        if self.points.is_empty() {
            self.points = Points::with_capacity(std::mem::replace(&mut self.room, FURTHER_ROOM_BYTES));
        }
        Ok(&mut self.points)
    }

    pub(super) fn give_binary(&mut self, binary: Binary<'a>) {
        self.is_over |= (self.each)(Uploaded::Binary(binary)).is_break();
    }

    /// Gives the last points.
    pub(super) fn finish(mut self) -> Leniencies {
        self.give();
        self.leniencies
    }

    fn give(&mut self) {
        let points = std::mem::take(&mut self.points);
        if !points.is_empty() && !self.is_over {
            self.is_over = (self.each)(Uploaded::Points { at_ms: self.at_ms, points }).is_break();
        }
    }
}

/// Whether a stream can be called so.
pub(super) fn check_stream(at: usize, stream: &str) -> Result<(), Wrong> {
    match stream.len() {
        0 => Err(Wrong::malformed(at, "a stream has no name")),
        1..=ONENET_STREAM_BYTES_MAX => Ok(()),
        _ => Err(Wrong::malformed(
            at,
            format!("the name of a stream has more than {ONENET_STREAM_BYTES_MAX} bytes"),
        )),
    }
}
