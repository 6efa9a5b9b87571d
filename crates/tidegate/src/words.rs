//! Words of the wire and words of the domain that mean the same.

/// A quality as the wire writes it.
pub(crate) fn wire_qos(qos: domain::QoS) -> mqtt::QoS {
    match qos {
        domain::QoS::AtMostOnce => mqtt::QoS::AtMostOnce,
        domain::QoS::AtLeastOnce => mqtt::QoS::AtLeastOnce,
        domain::QoS::ExactlyOnce => mqtt::QoS::ExactlyOnce,
    }
}

/// A quality as the domain names it.
pub(crate) fn domain_qos(qos: mqtt::QoS) -> domain::QoS {
    match qos {
        mqtt::QoS::AtMostOnce => domain::QoS::AtMostOnce,
        mqtt::QoS::AtLeastOnce => domain::QoS::AtLeastOnce,
        mqtt::QoS::ExactlyOnce => domain::QoS::ExactlyOnce,
    }
}
