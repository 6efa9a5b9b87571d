//! Topics that somebody made for a product (spec onenet 6.2, 6.3). They are a list for people to read: a topic that was
//! not made can be used as well.

use domain::{Code, Millis, ProductNumber, Refusal};
use store::{Change, ProductPart, Ticket};

use super::no_product;
use crate::limits::{PRODUCT_TOPIC_CHARS_MAX, PRODUCT_TOPICS_COUNT_MAX};
use crate::registry::Platform;

impl Platform {
    /// Makes a topic of a product: letters, digits, `_`, `-` and `/`.
    ///
    /// Refuses with [`Code::TypeUnknown`] (product), [`Code::TopicInvalid`], [`Code::Exists`] or [`Code::TooMany`].
    pub fn create_topic(
        &self,
        product: ProductNumber,
        topic: &str,
        now_ms: Millis,
    ) -> Result<Ticket, Refusal> {
        let is_right = |it: char| it.is_ascii_alphanumeric() || "_-/".contains(it);
        if topic.is_empty() || topic.len() > PRODUCT_TOPIC_CHARS_MAX || !topic.chars().all(is_right) {
            let hint = format!(
                "A topic has 1 to {PRODUCT_TOPIC_CHARS_MAX} letters, digits, underscores, hyphens, slashes."
            );
            return Err(Refusal::new(Code::TopicInvalid, hint));
        }
        let mut products = self.products.write();
        let entry = products.types.get_mut(&product).ok_or_else(|| no_product(product))?;
        if entry.topics.contains_key(topic) {
            return Err(Refusal::new(Code::Exists, format!("The product has the topic {topic}.")));
        }
        if entry.topics.len() >= PRODUCT_TOPICS_COUNT_MAX {
            let hint = format!("A product may have {PRODUCT_TOPICS_COUNT_MAX} topics.");
            return Err(Refusal::new(Code::TooMany, hint));
        }
        let part = ProductPart::Topic { product, topic: topic.to_owned(), created_ms: now_ms };
        let ticket = self.store.commit(Change::Product { org: entry.at.org, part }.into());
        entry.topics.insert(topic.to_owned(), now_ms);
        Ok(ticket)
    }

    /// Forgets a topic of a product; nobody's subscription ends by that.
    ///
    /// Refuses with [`Code::TypeUnknown`] (product) or [`Code::NotFound`].
    pub fn drop_topic(&self, product: ProductNumber, topic: &str) -> Result<Ticket, Refusal> {
        let mut products = self.products.write();
        let entry = products.types.get_mut(&product).ok_or_else(|| no_product(product))?;
        if !entry.topics.contains_key(topic) {
            return Err(Refusal::new(Code::NotFound, format!("The product has no topic {topic}.")));
        }
        let part = ProductPart::TopicGone { product, topic: topic.to_owned() };
        let ticket = self.store.commit(Change::Product { org: entry.at.org, part }.into());
        entry.topics.remove(topic);
        Ok(ticket)
    }

    /// The topics that were made for a product, by name.
    pub fn topics(&self, product: ProductNumber) -> Vec<String> {
        let products = self.products.read();
        products.types.get(&product).map_or_else(Vec::new, |it| it.topics.keys().cloned().collect())
    }
}
