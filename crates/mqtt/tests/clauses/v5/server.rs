//! The statements that only a whole server can show, and those that bind others or something that is not offered.

use crate::row::{Row, absent, peer, server};

/// Tests that rows name and that wait for the server to do what they ask. One that has been written leaves this list.
pub(crate) const TO_BE_WRITTEN: &[&str] = &[];

const V5_CLEAN_START: &str = "v5_clean_start_discards_the_session";
const V5_SESSION: &str = "v5_a_session_is_resumed_until_it_expires";
const V5_WILL: &str = "v5_a_will_waits_for_its_delay_or_the_end_of_the_session";
const V5_WILL_PROPERTIES: &str = "v5_a_will_is_published_with_its_properties_in_order";
const V5_WILL_RETAIN: &str = "v5_a_will_is_retained_if_it_asks_for_it";
const V5_ASSIGNED_ID: &str = "v5_an_empty_client_id_is_answered_with_an_assigned_one";
const V5_REFUSED_ID: &str = "v5_a_client_id_that_is_not_valid_is_refused";
const V5_REFUSED: &str = "v5_a_refused_connection_is_told_why_and_not_read_further";
const V5_TAKEOVER: &str = "v5_a_takeover_tells_the_old_connection";
const V5_CONNACK_FIRST: &str = "v5_a_connect_is_acknowledged_first_and_once";
const V5_TOO_LARGE: &str = "v5_nothing_larger_than_the_client_takes_is_sent";
const V5_RESPONSE_INFORMATION: &str = "v5_response_information_is_sent_only_to_who_asks";
const V5_KEEP_ALIVE: &str = "v5_a_keep_alive_that_is_capped_is_told";
const V5_RETAINED: &str = "v5_retained_messages_are_stored_replaced_and_removed";
const V5_RETAIN_HANDLING: &str = "v5_retain_handling_decides_what_a_subscription_is_sent";
const V5_RETAIN_AS_PUBLISHED: &str = "v5_retain_as_published_keeps_the_flag";
const V5_PROPERTIES: &str = "v5_properties_travel_unaltered_and_in_order";
const V5_EXPIRY: &str = "v5_a_message_expires_unless_it_was_sent_and_tells_the_seconds_left";
const V5_OVERLAP: &str = "v5_overlapping_subscriptions_give_one_message_with_all_identifiers";
const V5_NO_LOCAL: &str = "v5_no_local_keeps_a_clients_own_messages_from_it";
const V5_REPLACED: &str = "v5_a_subscription_is_replaced_without_losing_a_message";
const V5_SHARED: &str = "v5_a_shared_message_goes_to_one_member_at_its_qos";
const V5_SHARED_STAYS: &str = "v5_a_shared_message_on_its_way_stays_with_its_member";
const V5_METHOD: &str = "v5_an_authentication_method_is_refused";

const EVERY_QOS: &str = "this server takes every QoS";
// Those of the Watson dialect's clients are not kept, though it is not denied that others are: a documented deviation.
const RETAINS: &str = "this server keeps retained messages, and never says that it does not";
const NO_AUTH: &str = "this server knows no authentication method and never sends AUTH";
const NO_WORDS: &str = "this server sends this packet without a reason string and user properties";

pub(crate) const ROWS: &[Row] = &[
    peer("MQTT-2.2.1-3", "the client chooses its packet identifiers; 0 is refused"),
    // 3.1 CONNECT
    server("MQTT-3.1.2-4", V5_CLEAN_START),
    server("MQTT-3.1.2-5", V5_SESSION),
    server("MQTT-3.1.2-6", V5_SESSION),
    server("MQTT-3.1.2-7", V5_WILL),
    server("MQTT-3.1.2-8", V5_WILL),
    server("MQTT-3.1.2-10", V5_WILL),
    server("MQTT-3.1.2-14", V5_WILL_RETAIN),
    server("MQTT-3.1.2-15", V5_WILL_RETAIN),
    peer("MQTT-3.1.2-20", "the client has to say something in time"),
    peer("MQTT-3.1.2-21", "the client keeps to the server's keep alive"),
    server("MQTT-3.1.2-23", V5_SESSION),
    server("MQTT-3.1.2-24", V5_TOO_LARGE),
    server("MQTT-3.1.2-24", "v5_no_connack_is_larger_than_the_client_takes"),
    server("MQTT-3.1.2-28", V5_RESPONSE_INFORMATION),
    peer("MQTT-3.1.2-30", "the client waits; this server knows no method and refuses at once"),
    server("MQTT-3.1.3-2", V5_SESSION),
    server("MQTT-3.1.3-6", V5_ASSIGNED_ID),
    server("MQTT-3.1.3-7", V5_ASSIGNED_ID),
    server("MQTT-3.1.3-8", V5_REFUSED_ID),
    server("MQTT-3.1.3-9", V5_WILL),
    server("MQTT-3.1.3-10", V5_WILL_PROPERTIES),
    server("MQTT-3.1.4-2", V5_REFUSED),
    server("MQTT-3.1.4-3", V5_TAKEOVER),
    server("MQTT-3.1.4-4", V5_CLEAN_START),
    server("MQTT-3.1.4-5", V5_CONNACK_FIRST),
    server("MQTT-3.1.4-6", V5_REFUSED),
    // 3.2 CONNACK
    server("MQTT-3.2.0-1", V5_CONNACK_FIRST),
    server("MQTT-3.2.0-2", V5_CONNACK_FIRST),
    server("MQTT-3.2.2-2", V5_CLEAN_START),
    server("MQTT-3.2.2-3", V5_SESSION),
    peer("MQTT-3.2.2-4", "the client compares the server's session with its own"),
    peer("MQTT-3.2.2-5", "the client compares the server's session with its own"),
    server("MQTT-3.2.2-7", V5_REFUSED),
    absent("MQTT-3.2.2-9", EVERY_QOS),
    absent("MQTT-3.2.2-10", EVERY_QOS),
    absent("MQTT-3.2.2-11", EVERY_QOS),
    absent("MQTT-3.2.2-12", EVERY_QOS),
    absent("MQTT-3.2.2-13", RETAINS),
    absent("MQTT-3.2.2-14", RETAINS),
    server("MQTT-3.2.2-16", V5_ASSIGNED_ID),
    peer("MQTT-3.2.2-17", "binds the client; what happens if it does not is MQTT-3.3.2-9"),
    peer("MQTT-3.2.2-18", "binds the client; what happens if it does not is MQTT-3.3.2-9"),
    absent("MQTT-3.2.2-19", NO_WORDS),
    absent("MQTT-3.2.2-20", NO_WORDS),
    peer("MQTT-3.2.2-21", "the client keeps to the server's keep alive"),
    server("MQTT-3.2.2-22", V5_KEEP_ALIVE),
    // 3.3 PUBLISH
    server("MQTT-3.3.1-5", V5_RETAINED),
    server("MQTT-3.3.1-6", V5_RETAINED),
    server("MQTT-3.3.1-7", V5_RETAINED),
    server("MQTT-3.3.1-8", V5_RETAINED),
    server("MQTT-3.3.1-9", V5_RETAIN_HANDLING),
    server("MQTT-3.3.1-10", V5_RETAIN_HANDLING),
    server("MQTT-3.3.1-11", V5_RETAIN_HANDLING),
    server("MQTT-3.3.1-12", V5_RETAIN_AS_PUBLISHED),
    server("MQTT-3.3.1-13", V5_RETAIN_AS_PUBLISHED),
    server("MQTT-3.3.2-4", V5_PROPERTIES),
    server("MQTT-3.3.2-5", V5_EXPIRY),
    server("MQTT-3.3.2-6", V5_EXPIRY),
    peer("MQTT-3.3.2-10", "the client accepts what it offered to accept"),
    server("MQTT-3.3.2-15", V5_PROPERTIES),
    server("MQTT-3.3.2-16", V5_PROPERTIES),
    server("MQTT-3.3.2-17", V5_PROPERTIES),
    server("MQTT-3.3.2-18", V5_PROPERTIES),
    server("MQTT-3.3.2-20", V5_PROPERTIES),
    server("MQTT-3.3.4-2", V5_OVERLAP),
    server("MQTT-3.3.4-3", V5_OVERLAP),
    server("MQTT-3.3.4-4", V5_OVERLAP),
    absent("MQTT-3.3.4-5", "this server sends one copy"),
    peer("MQTT-3.3.4-8", "the client decides what it holds back"),
    // 3.6 and 3.7
    absent("MQTT-3.6.2-2", NO_WORDS),
    absent("MQTT-3.6.2-3", NO_WORDS),
    absent("MQTT-3.7.2-2", NO_WORDS),
    absent("MQTT-3.7.2-3", NO_WORDS),
    // 3.8 SUBSCRIBE
    server("MQTT-3.8.3-3", V5_NO_LOCAL),
    server("MQTT-3.8.4-3", V5_REPLACED),
    server("MQTT-3.8.4-4", V5_REPLACED),
    server("MQTT-3.8.4-8", "a_message_arrives_at_the_lower_qos"),
    // 3.14 DISCONNECT and 3.15 AUTH
    server("MQTT-3.14.0-1", V5_REFUSED),
    absent("MQTT-3.14.2-3", NO_WORDS),
    absent("MQTT-3.14.2-4", NO_WORDS),
    absent("MQTT-3.15.2-2", NO_AUTH),
    absent("MQTT-3.15.2-3", NO_AUTH),
    // 4 Operational behaviour
    server("MQTT-4.1.0-1", V5_SESSION),
    server("MQTT-4.1.0-2", V5_SESSION),
    server("MQTT-4.2.0-1", "a_connect_is_acknowledged_first"),
    server("MQTT-4.3.3-7", V5_EXPIRY),
    server("MQTT-4.5.0-1", "messages_wait_for_a_session_that_is_away"),
    peer("MQTT-4.5.0-2", "the client acknowledges what it does not use"),
    server("MQTT-4.6.0-2", "acknowledgements_keep_the_order_of_the_messages"),
    server("MQTT-4.6.0-3", "acknowledgements_keep_the_order_of_the_messages"),
    server("MQTT-4.6.0-5", "messages_of_one_publisher_keep_their_order"),
    server("MQTT-4.6.0-6", "messages_of_one_publisher_keep_their_order"),
    server("MQTT-4.8.2-3", V5_SHARED),
    server("MQTT-4.8.2-4", V5_SHARED_STAYS),
    server("MQTT-4.8.2-5", V5_SHARED_STAYS),
    server("MQTT-4.8.2-6", V5_SHARED_STAYS),
    server("MQTT-4.12.0-1", V5_METHOD),
    absent("MQTT-4.12.0-2", NO_AUTH),
    peer("MQTT-4.12.0-3", "the client answers the server's AUTH, and this one sends none"),
    server("MQTT-4.12.0-4", V5_METHOD),
    absent("MQTT-4.12.0-5", NO_AUTH),
    server("MQTT-4.12.0-6", "v5_a_client_without_a_method_is_told_of_none"),
    peer("MQTT-4.12.1-1", "the client names its method again; none is ever accepted"),
    absent("MQTT-4.12.1-2", NO_AUTH),
    server("MQTT-4.13.2-1", V5_REFUSED),
    // 6 WebSocket
    server("MQTT-6.0.0-1", "text_is_not_taken"),
    server("MQTT-6.0.0-2", "frames_and_packets_need_not_agree"),
    peer("MQTT-6.0.0-3", "the client offers it; one that offers nothing is served all the same"),
    server("MQTT-6.0.0-4", "the_subprotocol_is_mqtt_where_that_is_offered"),
];
