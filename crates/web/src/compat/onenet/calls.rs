//! The API's calls: routes, and what the OpenAPI document says of them.

use super::{OneNet, commands, devices, files, keys, points, register, streams, topics};
use crate::openapi::{Call, delete, get, post, put};

/// All of them.
pub(super) fn calls() -> Vec<Call<OneNet>> {
    [devices(), streams(), points(), keys(), topics(), commands(), files()].into_iter().flatten().collect()
}

fn devices() -> Vec<Call<OneNet>> {
    const DEVICE: &str = "/devices/{device}";
    const FILTERS: &[(&str, &str)] = &[
        ("key_words", "text"),
        ("auth_info", "text"),
        ("tag", "text"),
        ("online", "truth"),
        ("private", "truth"),
        ("device_id", "text"),
        ("begin", "text"),
        ("end", "text"),
        ("page", "whole"),
        ("per_page", "whole"),
    ];
    vec![
        post("/devices", devices::create, "Make a device").takes("NewDevice").answers("DeviceMade"),
        get("/devices", devices::list, "List the product's devices").query(FILTERS).answers("Devices"),
        get("/devices/status", devices::statuses, "Which devices are connected")
            .query(&[("devIds*", "text")])
            .answers("Statuses"),
        get(DEVICE, devices::show, "Show a device with its streams").answers("DeviceShown"),
        put(DEVICE, devices::change, "Change a device").takes("DeviceChange").answers("Done"),
        delete(DEVICE, devices::remove, "Remove a device with its history").answers("Done"),
        post(
            "/register_de",
            register::register,
            "A device registers itself, or hears again what it was told",
        )
        .query(&[("register_code*", "text")])
        .takes("Registering")
        .answers("Registered")
        .open(),
        get("/s", register::access_node, "Where devices connect, as plain text")
            .query(&[("t*", "whole")])
            .answers("any")
            .open(),
    ]
}

fn streams() -> Vec<Call<OneNet>> {
    const STREAMS: &str = "/devices/{device}/datastreams";
    const STREAM: &str = "/devices/{device}/datastreams/{stream}";
    vec![
        post(STREAMS, streams::create, "Make a data stream").takes("NewStream").answers("StreamMade"),
        get(STREAMS, streams::list, "Show a device's data streams with their newest points")
            .query(&[("datastream_ids", "text")])
            .answers("Streams"),
        get(STREAM, streams::show, "Show a data stream with its newest point").answers("StreamShown"),
        put(STREAM, streams::change, "Describe a data stream").takes("StreamChange").answers("Done"),
        delete(STREAM, streams::remove, "Remove a data stream with its points").answers("Done"),
    ]
}

fn points() -> Vec<Call<OneNet>> {
    const POINTS: &str = "/devices/{device}/datapoints";
    const QUERY: &[(&str, &str)] = &[
        ("datastream_id", "text"),
        ("start", "text"),
        ("end", "text"),
        ("duration", "whole"),
        ("limit", "whole"),
        ("sort", "text"),
        ("cursor", "text"),
    ];
    vec![
        get("/devices/datapoints", points::newest_of_devices, "The newest points of several devices")
            .query(&[("devIds*", "text")])
            .answers("NewestPoints"),
        get(POINTS, points::query, "Points of a device").query(QUERY).answers("Points"),
        post(POINTS, points::upload, "Upload points for a device")
            .query(&[("type", "whole")])
            .takes("any")
            .answers("Done"),
        delete(POINTS, points::remove, "Delete points of a device")
            .query(&[("start*", "text"), ("end", "text"), ("duration", "whole"), ("datastream_id", "text")])
            .answers("Done"),
    ]
}

fn keys() -> Vec<Call<OneNet>> {
    const QUERY: &[(&str, &str)] =
        &[("key", "text"), ("device_id", "text"), ("page", "whole"), ("per_page", "whole")];
    vec![
        post("/keys", keys::create, "Make a key").takes("KeyBody").answers("KeyMade"),
        get("/keys", keys::list, "List keys").query(QUERY).answers("Keys"),
        put("/keys/{key}", keys::change, "Change all that a key is").takes("KeyBody").answers("Done"),
        delete("/keys/{key}", keys::remove, "Remove a key").answers("Done"),
    ]
}

fn topics() -> Vec<Call<OneNet>> {
    const PAGE: &[(&str, &str)] = &[("topic*", "text"), ("page*", "whole"), ("per_page*", "whole")];
    vec![
        post("/mqtt", topics::push, "Send a message to the devices that are subscribed and connected")
            .query(&[("topic*", "text")])
            .takes("any")
            .answers("Done"),
        post("/mqtt/topic", topics::create, "Make a topic").takes("TopicBody").answers("Done"),
        get("/mqtt/topic", topics::list, "List the product's topics").answers("Topics"),
        delete("/mqtt/topic", topics::remove, "Forget a topic").query(&[("name*", "text")]).answers("Done"),
        get("/mqtt/device_topic/{device}", topics::of_device, "The topics that a device is subscribed to")
            .answers("Topics"),
        get("/mqtt/topic_device", topics::devices, "The devices that are subscribed to a topic")
            .query(PAGE)
            .answers("DevicesOfTopic"),
    ]
}

fn commands() -> Vec<Call<OneNet>> {
    const SENDING: &[(&str, &str)] =
        &[("device_id*", "text"), ("qos", "whole"), ("timeout", "whole"), ("type", "whole")];
    const HISTORY: &[(&str, &str)] = &[
        ("start*", "text"),
        ("end", "text"),
        ("duration", "whole"),
        ("status", "whole"),
        ("page", "whole"),
        ("per_page", "whole"),
    ];
    vec![
        post("/cmds", commands::give, "Give a device a command: the body, as it is")
            .query(SENDING)
            .takes("any")
            .answers("CommandGiven"),
        get("/cmds/{command}", commands::show, "What became of a command").answers("CommandShown"),
        get("/cmds/{command}/resp", commands::answer, "What the device answered, as it came").answers("any"),
        get("/cmds/history/{device}", commands::list, "List a device's commands")
            .query(HISTORY)
            .answers("Commands"),
    ]
}

fn files() -> Vec<Call<OneNet>> {
    const FILE: &[(&str, &str)] = &[("device_id*", "text"), ("datastream_id*", "text"), ("desc", "text")];
    vec![
        post("/bindata", files::keep, "Keep a file beside a data stream")
            .query(FILE)
            .takes("any")
            .answers("FileKept"),
        get("/bindata/{index}", files::show, "A file, as it came").answers("any"),
    ]
}
