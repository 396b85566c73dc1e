//! The state as rows of the store: a key and a JSON value each.

use std::collections::BTreeMap;

use config::words::{RequestId, SessionId, TargetName};
use record::digest::Digest;
use record::entry::Whom;
use serde::Serialize;

use super::State;

/// The whole state as the store holds it.
pub(crate) type Rows = BTreeMap<String, Vec<u8>>;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Case(RequestId),
    Session(SessionId),
    Certificate(u64),
    Ended(u64),
    Invited(Digest),
    Enrolled(TargetName),
    Excluded(Whom),
}

impl Key {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Case(id) => format!("request/{id}"),
            Self::Session(id) => format!("session/{id}"),
            Self::Certificate(serial) => format!("certificate/{serial:020}"),
            Self::Ended(place) => format!("ended/{place:020}"),
            Self::Invited(token) => format!("invited/{token}"),
            Self::Enrolled(target) => format!("enrolled/{target}"),
            Self::Excluded(whom) => format!("excluded/{whom}"),
        }
    }
}

impl State {
    /// The row of everything that is here.
    pub(crate) fn rows(&self) -> Result<Rows, serde_json::Error> {
        let cases = self.cases.keys().cloned().map(Key::Case);
        let sessions = self.sessions.keys().cloned().map(Key::Session);
        let certificates = self.certificates.keys().copied().map(Key::Certificate);
        let ended = self.ended.places().map(Key::Ended);
        let invited = self.machines.invited.keys().copied().map(Key::Invited);
        let enrolled = self.machines.enrolled.keys().cloned().map(Key::Enrolled);
        let excluded = self.excluded.0.keys().cloned().map(Key::Excluded);
        let keys = cases.chain(sessions).chain(certificates).chain(ended);
        let keys = keys.chain(invited).chain(enrolled).chain(excluded);
        self.rows_of(&keys.collect::<Vec<_>>())
    }

    /// These rows, as they are now.
    pub(crate) fn rows_of(&self, keys: &[Key]) -> Result<Rows, serde_json::Error> {
        keys.iter()
            .map(|key| Ok((key.name(), self.value(key)?)))
            .collect()
    }

    fn value(&self, key: &Key) -> Result<Vec<u8>, serde_json::Error> {
        match key {
            Key::Case(id) => json(self.cases.get(id)),
            Key::Session(id) => json(self.sessions.get(id)),
            Key::Certificate(serial) => json(self.certificates.get(serial)),
            Key::Invited(token) => json(self.machines.invited.get(token)),
            Key::Enrolled(target) => json(self.machines.enrolled.get(target)),
            Key::Excluded(whom) => json(self.excluded.0.get(whom)),
            Key::Ended(place) => json(self.ended.at(*place)),
        }
    }
}

fn json<T: Serialize>(value: Option<&T>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&value)
}

/// A request stands in the store as its canonical text.
pub(super) mod as_text {
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
    ) -> Result<Request, D::Error> {
        let text = String::deserialize(from)?;
        Request::parse(&text).map_err(serde::de::Error::custom)
    }
}
