//! What every engine promises: one list of cases, run for each engine by [`suite`].
//!
//! A case gets an [`Opener`], opens a store, uses it through the trait only, and may open the same data again.

#![allow(clippy::unwrap_used, reason = "a failed case is a failed test")]

mod aspect_cases;
mod blob_cases;
mod cases;
mod deletion_cases;
mod point_cases;
mod product_cases;
mod queue_cases;
pub(crate) mod samples;

pub(crate) use aspect_cases::*;
pub(crate) use blob_cases::*;
pub(crate) use cases::*;
pub(crate) use deletion_cases::*;
pub(crate) use point_cases::*;
pub(crate) use product_cases::*;
pub(crate) use queue_cases::*;

use crate::{Change, Changes, Store, Ticket};

/// Opens the same data again and again. The store opened before has been dropped by then.
pub(crate) trait Opener {
    /// Opens what is stored.
    fn open(&mut self) -> Box<dyn Store>;
}

/// Stores changes and waits for it.
pub(crate) fn put(store: &dyn Store, list: Vec<Change>) -> Ticket {
    let ticket = store.commit(Changes { list, waiter: None });
    store.wait(ticket).unwrap();
    ticket
}

/// Makes a test of every case; `$opener` makes a fresh [`Opener`].
macro_rules! suite {
    ($opener:expr) => {
        $crate::contract::suite!(
            $opener,
            tickets_grow_and_waiters_are_told_in_order,
            registry_words_come_back_and_go,
            organisations_do_not_see_each_other,
            devices_come_in_pages,
            a_forgotten_device_has_no_past,
            a_long_history_is_forgotten_too,
            the_last_event_of_each_name_is_kept,
            points_come_by_time_in_either_order,
            all_kinds_of_values_come_back,
            of_two_points_at_one_time_the_later_stored_is_kept,
            no_event_replaces_a_point_of_another,
            a_long_history_reads_as_it_was_written,
            a_history_can_be_read_while_it_is_written,
            further_keys_are_refused_and_counted,
            a_range_is_read_in_pages,
            one_call_visits_a_bounded_number_of_points,
            points_come_to_sums_in_intervals,
            the_latest_of_each_key_is_known,
            points_of_a_range_are_deleted,
            a_key_without_points_is_forgotten,
            a_deletion_and_what_comes_with_it_keep_their_order,
            a_long_history_is_deleted_in_steps,
            sessions_come_back_with_their_subscriptions,
            a_forgotten_session_leaves_nothing,
            changes_for_no_session_are_ignored,
            retained_messages_come_back_by_topic,
            attributes_are_kept_by_scope_and_key,
            logins_doors_and_commands_come_back_and_go,
            numbers_are_kept_and_replaced,
            keys_and_topics_of_products_come_back_and_go,
            packages_come_back_and_go,
            a_forgotten_device_takes_its_aspects_along,
            a_blob_is_seen_once_it_is_whole,
            a_blob_is_read_by_range,
            a_forgotten_blob_is_gone_at_once,
            a_blob_that_was_never_finished_is_forgotten,
            what_does_not_fit_a_key_is_counted,
            changes_are_stored_in_order_and_as_one,
            everything_is_there_after_opening_again,
            a_closed_store_stores_nothing_more,
            queued_messages_get_places_in_order,
            a_released_message_keeps_its_place,
            a_queue_is_read_in_portions,
            a_full_queue_drops_its_oldest,
            of_what_was_never_sent_the_newest_stay,
            places_are_never_given_twice,
            sent_marks_only_grow,
        );
    };
    ($opener:expr, $($case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                $crate::contract::$case(&mut $opener);
            }
        )*
    };
}
pub(crate) use suite;
