//! What becomes of recordings, as somebody types it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::Recipients;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recordings {
    pub(crate) recipients: Option<Spanned<Recipients>>,
    pub(crate) retention: Option<Spanned<Retention>>,
    pub(crate) bucket: Option<Bucket>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Bucket {
    pub(crate) url: Spanned<String>,
    pub(crate) region: Option<Spanned<String>>,
    pub(crate) endpoint: Option<Spanned<String>>,
    pub(crate) path_style: Option<bool>,
    pub(crate) ca_file: Option<Spanned<String>>,
    pub(crate) credentials: Option<Spanned<String>>,
    pub(crate) keep_local: Option<Spanned<String>>,
    pub(crate) lock: Option<Spanned<String>>,
}

/// How long, or by which of two measures.
pub(crate) enum Retention {
    Age(String),
    Measures(Measures),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Measures {
    pub(crate) age: Option<Spanned<String>>,
    pub(crate) size: Option<Spanned<String>>,
}

/// By hand, as for [`Observer`](super::Observer).
impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = Retention;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"90d\" or { age = \"90d\", size = \"50G\" }")
            }

            fn visit_str<E>(self, age: &str) -> Result<Retention, E> {
                Ok(Retention::Age(age.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Retention, A::Error> {
                Measures::deserialize(MapAccessDeserializer::new(map)).map(Retention::Measures)
            }
        }

        deserializer.deserialize_any(Shape)
    }
}
