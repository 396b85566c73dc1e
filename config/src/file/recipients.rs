//! `recipients`: a list, or `{ threshold = 2, of = [...] }`.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// Who may open recordings.
pub(crate) enum Recipients {
    /// Each of these alone.
    Any(Vec<Spanned<String>>),
    /// So many of them together.
    Together(Together),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Together {
    pub(crate) threshold: Spanned<u32>,
    pub(crate) of: Vec<Spanned<String>>,
}

impl Recipients {
    /// All of them.
    pub(crate) fn of(&self) -> &[Spanned<String>] {
        match self {
            Self::Any(of) => of,
            Self::Together(together) => &together.of,
        }
    }
}

/// By hand, so that a mistake inside is named.
impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = Recipients;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[\"ssh-ed25519 …\", \"age1…\"] or { threshold = 2, of = [ … ] }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Recipients, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Recipients::Any)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Recipients, A::Error> {
                Together::deserialize(MapAccessDeserializer::new(map)).map(Recipients::Together)
            }
        }

        deserializer.deserialize_any(Shape)
    }
}
