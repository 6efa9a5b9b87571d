//! A dialect with OneNET's rules of delivery and nothing else of it: clients come as plain ones do, and all their
//! topics lie below the product `100`.

use std::borrow::Cow;

use dialects::plain::OPEN;
use dialects::{
    Announcement, Answer, Customs, Dialect, Grant, Hello, Recognition, Request, Status, Uplink, View,
};
use domain::{Peer, Points, Presence, Refusal, Rejection};
use mqtt::{QoS, Version};

pub(super) static VENDOR: Vendor = Vendor;

pub(super) struct Vendor;

impl Dialect for Vendor {
    fn name(&self) -> &'static str {
        "vendor"
    }

    fn recognise<'a>(&self, hello: &Hello<'_, 'a>) -> Recognition<'a> {
        OPEN.recognise(hello)
    }

    fn session_key<'p>(&self, peer: &'p Peer) -> Cow<'p, str> {
        OPEN.session_key(peer)
    }

    fn assigns_client_ids(&self) -> bool {
        false
    }

    fn has_shared_subscriptions(&self) -> bool {
        false
    }

    fn view(&self, _: &Peer) -> View {
        View::Below
    }

    fn customs(&self) -> Customs {
        Customs::ONENET
    }

    fn uplink<'a>(&self, peer: &'a Peer, topic: &'a str) -> Result<Uplink<'a>, Refusal> {
        let uplink = OPEN.uplink(peer, topic)?;
        Ok(Uplink { topic: Cow::Owned(format!("100/{topic}")), ..uplink })
    }

    fn points(&self, _: &str, _: &str, _: &[u8], points: &mut Points) {
        points.clear();
    }

    fn grant(&self, peer: &Peer, filter: &str) -> Result<Grant, Refusal> {
        let grant = OPEN.grant(peer, filter)?;
        Ok(Grant { route: Some(format!("100/{filter}")), ..grant })
    }

    fn answer(&self, peer: &Peer, version: Version, request: Request, qos: QoS, refusal: &Refusal) -> Answer {
        OPEN.answer(peer, version, request, qos, refusal)
    }

    fn connack(&self, version: Version, refusal: &Refusal) -> Option<u8> {
        OPEN.connack(version, refusal)
    }

    fn presence(&self, _: &Peer, _: &Presence<'_>) -> Option<Announcement> {
        None
    }

    fn rejection(&self, _: &Peer, _: &Rejection<'_>) -> Option<Announcement> {
        None
    }

    fn status(&self, _: &Status<'_>) -> Vec<Announcement> {
        Vec::new()
    }
}
