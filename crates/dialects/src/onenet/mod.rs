//! OneNET: the customs of devices of its "multi-protocol" platform, document V2.6, over MQTT.
//!
//! One file for each question: what does an upload of data points say (`upload`), how are times read (`time`), what is
//! a topic or filter worth (`topic`), how is a data point told to those who subscribe to its stream (`push`). The
//! README beside this file describes the wire. Not a dialect yet: nobody calls this.

pub mod push;
pub mod time;
pub mod topic;
pub mod upload;
