//! Topics of a product, who is subscribed to them, and messages from applications (spec onenet 6.2–6.4).

use axum::extract::State;
use dialects::onenet::http::{Errno, HttpRefusal, devices_of_topic, name_of_topic};
use domain::{Code, Method};

use super::OneNet;
use super::access::{Caller, Master};
use super::reply::{At, Body, Params, Refused, Reply};
use crate::limits::{ONENET_PUSH_BYTES_MAX, ONENET_TOPICS_COUNT_MAX};
use crate::stored::stored;

pub(super) async fn create(
    State(of): State<OneNet>,
    Master(holder): Master,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let platform = &of.shared.platform;
    let name = name_of_topic(&body)?;
    let made = platform.create_topic(holder.product, &name, of.shared.now_ms());
    let ticket = made.map_err(|refusal| match refusal.code {
        Code::TopicInvalid => Refused(HttpRefusal::invalid("name")),
        _ => refusal.into(),
    })?;
    stored(platform, ticket).await?;
    Ok(Reply::done())
}

/// The topics that were made, and those that devices are subscribed to.
pub(super) async fn list(State(of): State<OneNet>, master: Master) -> Result<Reply, Refused> {
    let device_type = master.device_type(&of)?;
    let mut topics = of.shared.platform.topics(master.0.product);
    topics.extend(of.ways.topics_in_use(device_type.org, &device_type.name, ONENET_TOPICS_COUNT_MAX));
    topics.sort();
    topics.dedup();
    Ok(Reply::with(&topics))
}

pub(super) async fn remove(
    State(of): State<OneNet>,
    Master(holder): Master,
    params: Params,
) -> Result<Reply, Refused> {
    let platform = &of.shared.platform;
    let ticket = platform.drop_topic(holder.product, params.wanted("name")?)?;
    stored(platform, ticket).await?;
    Ok(Reply::done())
}

pub(super) async fn of_device(
    State(of): State<OneNet>,
    Master(holder): Master,
    At(id): At<String>,
) -> Result<Reply, Refused> {
    let found = Caller(holder).device(&of, Method::Get, &id)?;
    Ok(Reply::with(&of.ways.topics_of(&found.device)))
}

pub(super) async fn devices(
    State(of): State<OneNet>,
    master: Master,
    params: Params,
) -> Result<Reply, Refused> {
    let topic = params.wanted("topic")?;
    for name in ["page", "per_page"] {
        params.wanted(name)?;
    }
    let wanted = params.page(30, 1_000)?;
    let device_type = master.device_type(&of)?;
    let found = of.ways.subscribed(device_type.org, &device_type.name, topic);
    let platform = &of.shared.platform;
    let mut numbers: Vec<_> = found.iter().filter_map(|it| Some(platform.numbered(*it)?.number)).collect();
    numbers.sort_unstable();
    let page: Vec<_> = numbers.iter().copied().skip(wanted.skip_count()).take(wanted.per_page).collect();
    Ok(Reply::with(&devices_of_topic(&page, numbers.len(), wanted.page, wanted.per_page)))
}

/// A message from an application, to whoever is subscribed and connected.
pub(super) async fn push(
    State(of): State<OneNet>,
    master: Master,
    params: Params,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let topic = params.wanted("topic")?;
    if mqtt_reserves(topic) {
        return Err(HttpRefusal::invalid("topic").into());
    }
    match body.len() {
        0 => return Err(Errno::DataRequired.into()),
        it if it >= ONENET_PUSH_BYTES_MAX => return Err(Errno::TooLarge.into()),
        _ => {}
    }
    let device_type = master.device_type(&of)?;
    of.ways.push(device_type.org, &device_type.name, topic, &body);
    Ok(Reply::done())
}

/// Topics of the platform, and what is no topic but a filter.
fn mqtt_reserves(topic: &str) -> bool {
    topic.starts_with('$') || topic.contains(['+', '#', '\0']) || topic.len() > usize::from(u16::MAX)
}
