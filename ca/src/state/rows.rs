//! What has left the state as rows of the store: a key and a JSON value each.

use config::words::{RequestId, SessionId};

/// Rows of the store, each with its key, in the order in which the log let go of them.
pub(crate) type Rows = Vec<(String, Vec<u8>)>;

/// What the keys of sessions begin with; their order is that in which they began.
pub(crate) const SESSIONS: &str = "session/";

/// What a row is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Case(RequestId),
    Session(SessionId),
    Certificate(u64),
}

impl Key {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Case(id) => format!("request/{id}"),
            Self::Session(id) => format!("{SESSIONS}{id}"),
            Self::Certificate(serial) => format!("certificate/{serial:020}"),
        }
    }
}

/// A request stands in the store as its canonical text.
pub(super) mod as_text {
    use std::sync::Arc;

    use record::request::Request;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        request: &Request,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&request.text())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<Request>, D::Error> {
        let text = String::deserialize(from)?;
        let request = Request::parse(&text);
        request.map(Arc::new).map_err(serde::de::Error::custom)
    }
}
