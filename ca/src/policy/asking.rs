//! What a decision rests on: everything of one moment, gathered before the policy is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::Config;
use config::words::{CheckName, GroupName, PersonName, RequestId, RoleName, RosterName};
use record::clock::UnixTime;
use record::request::Request;

/// Everything that a decision rests on. The policy looks nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// The one configuration that answers for who asks, who approves and what is given.
    pub(crate) config: &'a Config,
    /// What is asked.
    pub(crate) request: &'a Request,
    /// Where the request came from.
    pub(crate) source: IpAddr,
    /// The persons whose signatures were verified.
    pub(crate) approvals: &'a [PersonName],
    /// Who said no, if anybody did.
    pub(crate) denied: Option<&'a PersonName>,
    /// What the log says about the person who asks.
    pub(crate) history: &'a History,
    /// What programs outside of the CA say.
    pub(crate) outside: &'a Outside,
    /// The time.
    pub(crate) now: UnixTime,
}

/// What the log says about the person who asks, apart from the request that is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// How many of the person's other grants run now, under the role that is asked for.
    pub(crate) running: BTreeMap<RoleName, u32>,
    /// When the person's other break-glass grants of this role were given, within the last week, in order.
    pub(crate) broken: Vec<UnixTime>,
    /// The person's grants whose review is owed.
    pub(crate) owed: BTreeMap<RequestId, Owed>,
    /// Whether the person has proven with the PIN of a token that it is they who break the glass.
    pub(crate) proven: bool,
}

/// A review that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed {
    /// Until when.
    pub(crate) until: UnixTime,
    /// By somebody of which groups.
    pub(crate) from: Vec<GroupName>,
    /// Whether it keeps the person from new requests once it is overdue.
    pub(crate) blocks: bool,
    /// Whether it keeps them from break-glass too.
    pub(crate) blocks_break_glass: bool,
}

/// What programs outside of the CA say, as far as this request is concerned. The default is that nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outside {
    /// Who is on call now, by each roster; nobody where it is not known.
    pub(crate) on_call: BTreeMap<RosterName, BTreeSet<PersonName>>,
    /// The rosters that each person who approved was on call by at that moment.
    pub(crate) were_on_call: BTreeMap<PersonName, BTreeSet<RosterName>>,
    /// The automated checks that have approved.
    pub(crate) checked: BTreeSet<CheckName>,
}
