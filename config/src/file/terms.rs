//! The terms of a role's sessions, as somebody types them.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::Recipients;
use crate::words::AlertName;

/// The terms of a role's sessions.
pub(crate) struct Terms {
    pub(crate) mask: Option<Spanned<Vec<Spanned<Masked>>>>,
    pub(crate) mask_original: Option<Spanned<Recipients>>,
    pub(crate) idle: Option<Spanned<String>>,
    pub(crate) largest_session: Option<Spanned<String>>,
    pub(crate) alerts: Option<Spanned<Vec<Spanned<SessionAlert>>>>,
    pub(crate) observer: Option<Spanned<Observer>>,
}

/// Yes, no, or on which terms.
pub(crate) enum Observer {
    Flag(bool),
    Terms(ObserverTerms),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ObserverTerms {
    pub(crate) grace: Spanned<String>,
}

/// By hand, so that a mistake inside is named.
impl<'de> Deserialize<'de> for Observer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = Observer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or { grace = \"30s\" }")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Observer, E> {
                Ok(Observer::Flag(flag))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Observer, A::Error> {
                ObserverTerms::deserialize(MapAccessDeserializer::new(map)).map(Observer::Terms)
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

/// What is masked: something by its name, or a pattern.
pub(crate) enum Masked {
    Known(String),
    Own(OwnMask),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OwnMask {
    pub(crate) pattern: Spanned<String>,
}

/// By hand, as for [`AllOf`](super::AllOf).
impl<'de> Deserialize<'de> for Masked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = Masked;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"cards\", \"keys\", \"tokens\" or { pattern = '…' }")
            }

            fn visit_str<E>(self, name: &str) -> Result<Masked, E> {
                Ok(Masked::Known(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Masked, A::Error> {
                OwnMask::deserialize(MapAccessDeserializer::new(map)).map(Masked::Own)
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SessionAlert {
    pub(crate) name: Spanned<AlertName>,
    pub(crate) command: Option<Spanned<String>>,
    pub(crate) screen: Option<Spanned<String>>,
    pub(crate) rate: Option<Spanned<String>>,
    pub(crate) volume: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) kill: bool,
}
