//! Reading telemetry: the points of a series in order, what they come to, and the newest of each key.
//!
//! A series' points are in three places: in blocks, beside them (late ones), and open in memory. The open ones are
//! copied before the disk is read, so that a point which becomes part of a block meanwhile is seen in either or both.
//! Of several at one time a late one counts most, then one in a block: the later stored.
//!
//! Called by the engine for queries, never by the committer.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use domain::history::interval_of;
use domain::{DeviceId, Millis, Order, OrgId, Series, Summary, Value};
use parking_lot::Mutex;

use super::open::{List, Open, SeriesId};
use super::series::take_series;
use super::{Block, take_late};
use crate::disk::Disk;
use crate::engine::{ID_LEN, corrupt};
use crate::limits::{DROP_ROWS_PER_STEP_MAX, INTERVALS_PER_CALL_COUNT_MAX, POINTS_PER_CALL_COUNT_MAX};
use crate::schema::{self, Keys, Table, time_of};
use crate::{DropStep, StoreFault};

/// Rows that are read at a time; the first time fewer, because often they are enough.
const ROWS_COUNT: usize = 32;
const FIRST_ROWS_COUNT: usize = 2;
/// Bytes of rows that are enough at a time.
const ROWS_BYTES: usize = 256 * 1024;

/// Where a query finds telemetry.
pub(crate) struct History<'a, D> {
    pub(crate) disk: &'a D,
    pub(crate) open: &'a Mutex<Open>,
}

/// Is shown points one after another, until it breaks.
trait Visitor {
    fn point(&mut self, at_ms: Millis, value: Value<'_>) -> ControlFlow<()>;

    /// Is offered all points of a block at once; `None` asks for them one by one.
    fn block(&mut self, _block: &Block<'_>) -> Option<ControlFlow<()>> {
        None
    }
}

impl<D: Disk> History<'_, D> {
    /// Visits points of a series, as many as one call may. Gives what is left of the range.
    pub(crate) fn points(
        &self,
        series: Series<'_>,
        range: Range<Millis>,
        order: Order,
        each: &mut dyn FnMut(Millis, Value<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Range<Millis>>, StoreFault> {
        let Some(id) = self.find(series)? else { return Ok(None) };
        let mut page = Page { range, order, room: POINTS_PER_CALL_COUNT_MAX, each, rest: None };
        self.visit(id, page.range.clone(), order, &mut page)?;
        Ok(page.rest.filter(|it| !it.is_empty()))
    }

    /// Visits what the points of each interval come to. Gives what is left of the range.
    pub(crate) fn aggregates(
        &self,
        series: Series<'_>,
        range: Range<Millis>,
        interval_ms: u64,
        each: &mut dyn FnMut(Range<Millis>, &Summary) -> ControlFlow<()>,
    ) -> Result<Option<Range<Millis>>, StoreFault> {
        let Some(id) = self.find(series)? else { return Ok(None) };
        let room = INTERVALS_PER_CALL_COUNT_MAX;
        let mut intervals = Intervals { range, interval_ms, room, each, open: None, rest: None };
        self.visit(id, intervals.range.clone(), Order::Ascending, &mut intervals)?;
        if intervals.rest.is_none() {
            _ = intervals.end();
        }
        Ok(intervals.rest.filter(|it| !it.is_empty()))
    }

    /// Visits the newest point of each of these keys of a device, or of all.
    pub(crate) fn latest(
        &self,
        org: OrgId,
        device: DeviceId,
        wanted: Option<&[&str]>,
        each: &mut dyn FnMut(&str, Millis, Value<'_>),
    ) -> Result<(), StoreFault> {
        let Some(wanted) = wanted else {
            for (key, id) in self.all(org, device)? {
                self.newest(&key, id, each)?;
            }
            return Ok(());
        };
        for key in wanted {
            if let Some(id) = self.find(Series { org, device, key })? {
                self.newest(key, id, each)?;
            }
        }
        Ok(())
    }

    fn newest(
        &self,
        key: &str,
        id: SeriesId,
        each: &mut dyn FnMut(&str, Millis, Value<'_>),
    ) -> Result<(), StoreFault> {
        let mut first = |at_ms, value: Value<'_>| {
            each(key, at_ms, value);
            ControlFlow::Break(())
        };
        let range = 0..Millis::MAX;
        let mut page = Page { range, order: Order::Descending, room: 1, each: &mut first, rest: None };
        self.visit(id, 0..Millis::MAX, Order::Descending, &mut page)
    }

    /// All keys of a device's points.
    pub(crate) fn keys(&self, org: OrgId, device: DeviceId) -> Result<Vec<String>, StoreFault> {
        Ok(self.all(org, device)?.into_iter().map(|(key, _)| key).collect())
    }

    fn all(&self, org: OrgId, device: DeviceId) -> Result<Vec<(String, SeriesId)>, StoreFault> {
        let mut all = Vec::new();
        let keys = Keys::prefixed(|to| schema::device_key(to, org, device, ""));
        self.disk.scan(Table::Series, &keys, &mut |row_key, value| {
            let damaged = || corrupt(Table::Series, row_key);
            let key =
                row_key.get(ID_LEN..).and_then(|it| std::str::from_utf8(it).ok()).ok_or_else(damaged)?;
            let (number, _) = take_series(value).ok_or_else(damaged)?;
            all.push((key.to_owned(), (org, device, number)));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// The first part of a range that has about [`DROP_ROWS_PER_STEP_MAX`] rows, in either table.
    pub(crate) fn drop_step(&self, series: Series<'_>, range: Range<Millis>) -> Result<DropStep, StoreFault> {
        let (mut end_ms, mut rows_count) = (range.end, 0);
        let found = if range.is_empty() { None } else { self.find(series)? };
        for (id, table) in found.into_iter().flat_map(|it| [(it, Table::Blocks), (it, Table::Late)]) {
            let mut count = 0;
            self.disk.scan(table, &schema::series_keys(id, &(range.start..end_ms)), &mut |key, _| {
                if count == DROP_ROWS_PER_STEP_MAX {
                    end_ms = time_of(key).ok_or_else(|| corrupt(table, key))?;
                    return Ok(ControlFlow::Break(()));
                }
                count += 1;
                Ok(ControlFlow::Continue(()))
            })?;
            rows_count += count;
        }
        let rest = (end_ms < range.end).then_some(end_ms..range.end);
        Ok(DropStep { range: range.start..end_ms, rest, rows_count })
    }

    fn find(&self, series: Series<'_>) -> Result<Option<SeriesId>, StoreFault> {
        let mut key = Vec::with_capacity(64);
        schema::device_key(&mut key, series.org, series.device, series.key);
        let Some(value) = self.disk.get(Table::Series, &key)? else { return Ok(None) };
        let (number, _) = take_series(&value).ok_or_else(|| corrupt(Table::Series, &key))?;
        Ok(Some((series.org, series.device, number)))
    }

    fn visit(
        &self,
        id: SeriesId,
        range: Range<Millis>,
        order: Order,
        visitor: &mut impl Visitor,
    ) -> Result<(), StoreFault> {
        let open = self.open.lock().points(id, &range);
        let mut side = Side {
            open: &open,
            left: 0..open.points.len(),
            late: self.rows(Table::Late, id, range.start, range.end, order),
            order,
        };
        let first_ms = self.first_block_ms(id, range.start)?;
        let mut blocks = self.rows(Table::Blocks, id, first_ms, range.end, order);
        while let Some((key, value)) = blocks.next()? {
            let damaged = || corrupt(Table::Blocks, &key);
            let first_ms = time_of(&key).ok_or_else(damaged)?;
            let block = Block::open(first_ms, &value).ok_or_else(damaged)?;
            if block.last_ms < range.start {
                continue;
            }
            if show_block(block, &range, &mut side, visitor)?.ok_or_else(damaged)?.is_break() {
                return Ok(());
            }
        }
        while side.peek()?.is_some() {
            if side.show(visitor)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The time of the block that may hold `at_ms`, or `at_ms`.
    fn first_block_ms(&self, id: SeriesId, at_ms: Millis) -> Result<Millis, StoreFault> {
        if at_ms == 0 {
            return Ok(0);
        }
        let mut before = self.rows(Table::Blocks, id, 0, at_ms, Order::Descending);
        before.room = 1;
        let Some((key, _)) = before.next()? else { return Ok(at_ms) };
        time_of(&key).ok_or_else(|| corrupt(Table::Blocks, &key))
    }

    fn rows(&self, table: Table, id: SeriesId, from: Millis, to: Millis, order: Order) -> TimedRows<'_, D> {
        let keys = schema::series_keys(id, &(from..to)).read(order);
        let read = VecDeque::new();
        TimedRows { disk: self.disk, table, id, keys, read, room: FIRST_ROWS_COUNT, is_done: false }
    }
}

/// Shows a block's points, and those beside it as their time comes. The inner `None` is a damaged block.
fn show_block<D: Disk>(
    block: Block<'_>,
    range: &Range<Millis>,
    side: &mut Side<'_, D>,
    visitor: &mut impl Visitor,
) -> Result<Option<ControlFlow<()>>, StoreFault> {
    let (near_ms, far_ms) = match side.order {
        Order::Ascending => (block.first_ms, block.last_ms),
        Order::Descending => (block.last_ms, block.first_ms),
    };
    while side.peek()?.is_some_and(|it| is_before(it, near_ms, side.order)) {
        if side.show(visitor)?.is_break() {
            return Ok(Some(ControlFlow::Break(())));
        }
    }
    let is_alone = side.peek()?.is_none_or(|it| is_before(far_ms, it, side.order));
    let is_whole = range.contains(&block.first_ms) && range.contains(&block.last_ms);
    if is_alone
        && is_whole
        && let Some(flow) = visitor.block(&block)
    {
        return Ok(Some(flow));
    }
    let mut points = Vec::new();
    if block.read(&mut points).is_none() {
        return Ok(None);
    }
    if side.order == Order::Descending {
        points.reverse();
    }
    for (at_ms, value) in points.into_iter().filter(|(it, _)| range.contains(it)) {
        while side.peek()?.is_some_and(|it| is_before(it, at_ms, side.order)) {
            if side.show(visitor)?.is_break() {
                return Ok(Some(ControlFlow::Break(())));
            }
        }
        let flow = match side.late_at(at_ms)? {
            true => side.show(visitor)?,
            false => {
                side.skip_open(at_ms);
                visitor.point(at_ms, value)
            }
        };
        if flow.is_break() {
            return Ok(Some(flow));
        }
    }
    Ok(Some(ControlFlow::Continue(())))
}

fn is_before(a: Millis, b: Millis, order: Order) -> bool {
    match order {
        Order::Ascending => a < b,
        Order::Descending => a > b,
    }
}

/// The key and the value of a row.
type OwnedRow = (Vec<u8>, Vec<u8>);

/// Rows of a series in the order of their times, read in portions.
struct TimedRows<'a, D> {
    disk: &'a D,
    table: Table,
    id: SeriesId,
    /// What was not read yet.
    keys: Keys,
    read: VecDeque<OwnedRow>,
    /// Rows of the next portion.
    room: usize,
    is_done: bool,
}

impl<D: Disk> TimedRows<'_, D> {
    fn fill(&mut self) -> Result<(), StoreFault> {
        if !self.read.is_empty() || self.is_done || self.keys.is_empty() {
            return Ok(());
        }
        let (mut bytes, room, read) = (0, self.room, &mut self.read);
        self.disk.scan(self.table, &self.keys, &mut |key, value| {
            bytes += key.len() + value.len();
            read.push_back((key.to_vec(), value.to_vec()));
            let is_enough = read.len() == room || bytes >= ROWS_BYTES;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.is_done = self.read.len() < room && bytes < ROWS_BYTES;
        self.room = ROWS_COUNT;
        let Some((key, _)) = self.read.back() else { return Ok(()) };
        match (self.keys.order, time_of(key).ok_or_else(|| corrupt(self.table, key))?.checked_add(1)) {
            (Order::Descending, _) => self.keys.to = Some(key.clone()),
            (Order::Ascending, None) => self.is_done = true,
            (Order::Ascending, Some(next_ms)) => {
                self.keys.from.clear();
                schema::point_key(&mut self.keys.from, self.id, next_ms);
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<OwnedRow>, StoreFault> {
        self.fill()?;
        Ok(self.read.pop_front())
    }

    /// The time of the next row.
    fn peek(&mut self) -> Result<Option<Millis>, StoreFault> {
        self.fill()?;
        let Some((key, _)) = self.read.front() else { return Ok(None) };
        time_of(key).map(Some).ok_or_else(|| corrupt(self.table, key))
    }
}

/// The points that are in no block, in the order of their times.
struct Side<'a, D> {
    open: &'a List,
    /// Which of the open points were not shown yet.
    left: Range<usize>,
    late: TimedRows<'a, D>,
    order: Order,
}

impl<D: Disk> Side<'_, D> {
    fn next_open(&self) -> Option<usize> {
        match self.order {
            _ if self.left.is_empty() => None,
            Order::Ascending => Some(self.left.start),
            Order::Descending => Some(self.left.end - 1),
        }
    }

    fn open_ms(&self) -> Option<Millis> {
        Some(self.open.points.get(self.next_open()?)?.at_ms)
    }

    fn drop_open(&mut self) {
        match self.order {
            Order::Ascending => self.left.start += 1,
            Order::Descending => self.left.end -= 1,
        }
    }

    /// The time of the next point.
    fn peek(&mut self) -> Result<Option<Millis>, StoreFault> {
        Ok(match (self.late.peek()?, self.open_ms()) {
            (Some(late), Some(open)) if is_before(open, late, self.order) => Some(open),
            (late, open) => late.or(open),
        })
    }

    /// Whether the next point is a late one at this time.
    fn late_at(&mut self, at_ms: Millis) -> Result<bool, StoreFault> {
        Ok(self.late.peek()? == Some(at_ms))
    }

    /// Leaves out an open point at this time.
    fn skip_open(&mut self, at_ms: Millis) {
        if self.open_ms() == Some(at_ms) {
            self.drop_open();
        }
    }

    /// Shows the next point.
    fn show(&mut self, visitor: &mut impl Visitor) -> Result<ControlFlow<()>, StoreFault> {
        let Some(at_ms) = self.peek()? else { return Ok(ControlFlow::Continue(())) };
        if !self.late_at(at_ms)? {
            let Some(point) = self.next_open().and_then(|it| self.open.points.get(it)) else {
                return Ok(ControlFlow::Continue(()));
            };
            let flow = visitor.point(at_ms, self.open.value(point));
            self.drop_open();
            return Ok(flow);
        }
        self.skip_open(at_ms);
        let Some((key, value)) = self.late.next()? else { return Ok(ControlFlow::Continue(())) };
        Ok(visitor.point(at_ms, take_late(&value).ok_or_else(|| corrupt(Table::Late, &key))?))
    }
}

/// A visitor that passes points on.
struct Page<'a> {
    range: Range<Millis>,
    order: Order,
    room: usize,
    each: &'a mut dyn FnMut(Millis, Value<'_>) -> ControlFlow<()>,
    /// What is left after the last point, once no more are wanted.
    rest: Option<Range<Millis>>,
}

impl Visitor for Page<'_> {
    fn point(&mut self, at_ms: Millis, value: Value<'_>) -> ControlFlow<()> {
        self.room -= 1;
        if (self.each)(at_ms, value).is_continue() && self.room > 0 {
            return ControlFlow::Continue(());
        }
        self.rest = Some(match self.order {
            Order::Ascending => at_ms.saturating_add(1)..self.range.end,
            Order::Descending => self.range.start..at_ms,
        });
        ControlFlow::Break(())
    }
}

/// A visitor that adds points up.
struct Intervals<'a> {
    range: Range<Millis>,
    interval_ms: u64,
    room: usize,
    each: &'a mut dyn FnMut(Range<Millis>, &Summary) -> ControlFlow<()>,
    /// The interval that points are being added to.
    open: Option<(Range<Millis>, Summary)>,
    /// What is left after the last interval, once no more are wanted.
    rest: Option<Range<Millis>>,
}

impl Intervals<'_> {
    /// The sums of the interval that holds this time; `None` when no more are wanted.
    fn at(&mut self, at_ms: Millis) -> Option<&mut Summary> {
        if self.open.as_ref().is_some_and(|(it, _)| !it.contains(&at_ms)) && self.end().is_break() {
            return None;
        }
        let fresh = || (interval_of(&self.range, self.interval_ms, at_ms), Summary::default());
        Some(&mut self.open.get_or_insert_with(fresh).1)
    }

    /// Passes the interval on.
    fn end(&mut self) -> ControlFlow<()> {
        let Some((interval, summary)) = self.open.take() else { return ControlFlow::Continue(()) };
        self.room -= 1;
        let end_ms = interval.end;
        if (self.each)(interval, &summary).is_continue() && self.room > 0 {
            return ControlFlow::Continue(());
        }
        self.rest = Some(end_ms..self.range.end);
        ControlFlow::Break(())
    }
}

impl Visitor for Intervals<'_> {
    fn point(&mut self, at_ms: Millis, value: Value<'_>) -> ControlFlow<()> {
        match self.at(at_ms) {
            None => ControlFlow::Break(()),
            Some(summary) => {
                summary.add(value);
                ControlFlow::Continue(())
            }
        }
    }

    fn block(&mut self, block: &Block<'_>) -> Option<ControlFlow<()>> {
        let interval = interval_of(&self.range, self.interval_ms, block.first_ms);
        if !interval.contains(&block.last_ms) {
            return None;
        }
        Some(match self.at(block.first_ms) {
            None => ControlFlow::Break(()),
            Some(summary) => {
                summary.merge(&block.summary);
                ControlFlow::Continue(())
            }
        })
    }
}
