//! `hallpass.toml` as somebody types it: shapes only, with the place of each value kept.

mod recipients;
mod recordings;
mod terms;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

pub(crate) use self::terms::{Masked, Observer, OwnMask, SessionAlert, Terms};
use crate::keys::KeyName;
use crate::words::{
    BastionName, CheckName, GroupName, Login, PersonName, RoleName, RosterName, TargetName,
};

pub(crate) use recipients::Recipients;
pub(crate) use recordings::{Recordings, Retention};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    pub(crate) ca: Ca,
    #[serde(default)]
    pub(crate) bastion: BTreeMap<Spanned<BastionName>, Bastion>,
    #[serde(default)]
    pub(crate) person: BTreeMap<Spanned<PersonName>, Person>,
    #[serde(default)]
    pub(crate) target: BTreeMap<Spanned<TargetName>, Target>,
    #[serde(default)]
    pub(crate) role: BTreeMap<Spanned<RoleName>, Role>,
    pub(crate) groups: Option<Groups>,
    #[serde(default)]
    pub(crate) on_call: BTreeMap<Spanned<RosterName>, Roster>,
    #[serde(default)]
    pub(crate) check: BTreeMap<Spanned<CheckName>, Check>,
    pub(crate) alert: Option<Spanned<Alert>>,
    pub(crate) report: Option<Report>,
    pub(crate) recordings: Option<Recordings>,
    #[serde(default)]
    pub(crate) witness: BTreeMap<Spanned<String>, Witness>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Alert {
    pub(crate) command: Option<Spanned<Vec<String>>>,
    pub(crate) url: Option<Spanned<String>>,
    pub(crate) ca_file: Option<Spanned<String>>,
    pub(crate) secret_file: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Witness {
    pub(crate) key: Spanned<String>,
    pub(crate) url: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Report {
    pub(crate) auditors: Spanned<Vec<Spanned<GroupName>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Witnesses {
    pub(crate) need: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Groups {
    pub(crate) command: Spanned<Vec<String>>,
    pub(crate) names: Spanned<Vec<Spanned<GroupName>>>,
    pub(crate) every: Option<Spanned<String>>,
    pub(crate) timeout: Option<Spanned<String>>,
    pub(crate) stale: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Roster {
    pub(crate) calendar: Option<Spanned<String>>,
    pub(crate) zone: Option<Spanned<String>>,
    pub(crate) persons: Option<Spanned<BTreeMap<String, Spanned<PersonName>>>>,
    pub(crate) command: Option<Spanned<Vec<String>>>,
    pub(crate) every: Option<Spanned<String>>,
    pub(crate) timeout: Option<Spanned<String>>,
    pub(crate) stale: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Check {
    pub(crate) command: Option<Spanned<Vec<String>>>,
    pub(crate) url: Option<Spanned<String>>,
    pub(crate) ca_file: Option<Spanned<String>>,
    pub(crate) secret_file: Spanned<String>,
    pub(crate) deadline: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Ca {
    pub(crate) listen: Spanned<String>,
    pub(crate) address: Spanned<String>,
    pub(crate) data: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) key: BTreeMap<Spanned<KeyName>, Spanned<Key>>,
    #[serde(default)]
    pub(crate) revokers: Vec<Spanned<GroupName>>,
    #[serde(default)]
    pub(crate) enrollers: Vec<Spanned<GroupName>>,
    pub(crate) publish: Option<Spanned<String>>,
    pub(crate) witnesses: Option<Witnesses>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Key {
    pub(crate) file: Option<Spanned<String>>,
    pub(crate) passphrase: Option<Spanned<String>>,
    pub(crate) agent: Option<Spanned<String>>,
    pub(crate) public: Option<Spanned<String>>,
    pub(crate) pkcs11: Option<Spanned<String>>,
    pub(crate) token: Option<Spanned<String>>,
    pub(crate) label: Option<Spanned<String>>,
    pub(crate) pin: Option<Spanned<String>>,
    pub(crate) next: Option<Box<Spanned<Key>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Bastion {
    pub(crate) listen: Spanned<String>,
    pub(crate) address: Spanned<String>,
    pub(crate) data: Option<Spanned<String>>,
    pub(crate) identity: Spanned<String>,
    #[serde(default)]
    pub(crate) source: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Person {
    #[serde(default)]
    pub(crate) groups: Vec<Spanned<GroupName>>,
    pub(crate) keys: Spanned<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Target {
    pub(crate) address: Spanned<String>,
    pub(crate) host: Spanned<String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Role {
    pub(crate) groups: Spanned<Vec<Spanned<GroupName>>>,
    pub(crate) logins: Spanned<Vec<Spanned<Login>>>,
    pub(crate) targets: Option<Spanned<Vec<Spanned<TargetName>>>>,
    pub(crate) labels: Option<Spanned<BTreeMap<String, String>>>,
    pub(crate) sources: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) longest: Option<Spanned<String>>,
    pub(crate) live: Option<Spanned<u32>>,
    pub(crate) hours: Option<Spanned<Several<Hours>>>,
    pub(crate) commands: Option<Spanned<Vec<Spanned<Vec<String>>>>>,
    pub(crate) approvals: Spanned<AllOf>,
    pub(crate) command: Option<Spanned<String>>,
    pub(crate) channels: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) files: Option<Spanned<Files>>,
    pub(crate) forward_to: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) listen_on: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) mask: Option<Spanned<Vec<Spanned<Masked>>>>,
    pub(crate) mask_original: Option<Spanned<Recipients>>,
    pub(crate) idle: Option<Spanned<String>>,
    pub(crate) largest_session: Option<Spanned<String>>,
    pub(crate) sessions: Option<Spanned<u32>>,
    pub(crate) alerts: Option<Spanned<Vec<Spanned<SessionAlert>>>>,
    pub(crate) new_source: Option<Spanned<String>>,
    pub(crate) record_input: Option<Spanned<bool>>,
    pub(crate) recipients: Option<Spanned<Recipients>>,
    pub(crate) retention: Option<Spanned<Retention>>,
    pub(crate) break_glass: Option<Spanned<BreakGlass>>,
    pub(crate) review: Option<Spanned<bool>>,
    pub(crate) erase: Option<Spanned<bool>>,
    pub(crate) hold: Option<Spanned<bool>>,
    pub(crate) observer: Option<Spanned<Observer>>,
}

/// Yes, no, or on which terms.
pub(crate) enum BreakGlass {
    Flag(bool),
    Terms(GlassTerms),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct GlassTerms {
    #[serde(default)]
    pub(crate) verify: bool,
    pub(crate) per_week: Option<Spanned<u32>>,
    #[serde(default)]
    pub(crate) review: GlassReview,
    #[serde(default)]
    pub(crate) blocks: bool,
    pub(crate) blocks_break_glass: Option<Spanned<bool>>,
    pub(crate) any_time: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct GlassReview {
    pub(crate) count: Option<Spanned<u32>>,
    pub(crate) from: Option<Spanned<GroupName>>,
    pub(crate) within: Option<Spanned<String>>,
}

/// By hand, as for [`AllOf`].
impl<'de> Deserialize<'de> for BreakGlass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = BreakGlass;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or { verify = …, per-week = …, review = { … } }")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<BreakGlass, E> {
                Ok(BreakGlass::Flag(flag))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BreakGlass, A::Error> {
                GlassTerms::deserialize(MapAccessDeserializer::new(map)).map(BreakGlass::Terms)
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Files {
    pub(crate) read: Option<bool>,
    pub(crate) write: Option<bool>,
    pub(crate) paths: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) largest: Option<Spanned<String>>,
}

/// Quorums that all have to agree.
pub(crate) type AllOf = Several<Approvals>;

/// One table, or a list of them.
pub(crate) enum Several<T> {
    One(T),
    List(Vec<Spanned<T>>),
}

/// How a table is written, for whoever wrote something else.
pub(crate) trait Table {
    const SHAPE: &str;
}

/// By hand, so that a mistake inside is named: an untagged enum would only say that nothing fits.
impl<'de, T: Table + Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape<T>(PhantomData<T>);

        impl<'de, T: Table + Deserialize<'de>> Visitor<'de> for Shape<T> {
            type Value = Several<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} or a list of these", T::SHAPE)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Several<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Several::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Several<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Several::List)
            }
        }

        deserializer.deserialize_any(Shape(PhantomData))
    }
}

impl Table for Approvals {
    const SHAPE: &str = "{ count = 1, from = \"GROUP\" }";
}

impl Table for Hours {
    const SHAPE: &str =
        "{ zone = \"Europe/Zurich\", days = [\"mon-fri\"], from = \"08:00\", to = \"18:00\" }";
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Hours {
    pub(crate) zone: Spanned<String>,
    pub(crate) days: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) from: Spanned<String>,
    pub(crate) to: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Approvals {
    pub(crate) count: Option<u32>,
    pub(crate) from: Option<Spanned<GroupName>>,
    pub(crate) on_call: Option<Spanned<RosterName>>,
    pub(crate) check: Option<Spanned<CheckName>>,
}
