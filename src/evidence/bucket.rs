//! Recordings that lie in a bucket: checked where they lie, by the keys and the log alone.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use bastion::bucket::Reading;
use config::words::{BastionName, SessionId};
use record::log::SessionFacts;
use record::recording::verify::{self, Trusted};
use serde_json::json;
use tokio::runtime::Runtime;

use super::words::told;
use super::{Report, roots};
use crate::brought::{Found, Named, named, nowhere};
use crate::failure::Result;

/// The buckets among these, and the others.
pub(super) fn among(given: &[PathBuf]) -> Result<(Vec<Named>, Vec<&PathBuf>)> {
    let (mut buckets, mut paths) = (Vec::new(), Vec::new());
    for path in given {
        match path.to_str().map_or(Ok(None), named)? {
            Some(named) => buckets.push(named),
            None => paths.push(path),
        }
    }
    Ok((buckets, paths))
}

impl Report<'_> {
    /// Checks every recording that was named in a bucket: one, those of one bastion, which is given then, or those of all.
    pub(super) fn bucket(
        &mut self,
        named: Named,
        trusted: &Trusted,
        logged: Option<&BTreeMap<SessionId, SessionFacts>>,
        seen: &mut Vec<SessionId>,
    ) -> Result<Option<BastionName>> {
        let runtime = Runtime::new()?;
        let meant = named.session().cloned();
        let Found {
            place,
            bucket,
            listed,
            bastion,
        } = runtime.block_on(named.look())?;
        if let (Some(session), true) = (meant, listed.is_empty()) {
            let facts = logged.and_then(|logged| logged.get(&session));
            let expired = facts.filter(|facts| facts.expired.is_some() && !facts.held);
            let Some(facts) = expired else {
                return Err(nowhere(&session, &place));
            };
            self.missing(&BTreeMap::from([(session.clone(), facts.clone())]), seen)?;
            seen.push(session);
            return Ok(bastion);
        }
        let roots = logged.map(roots);
        if listed.is_empty() && logged.is_none() {
            let name = place.to_string();
            let none = "no recordings here";
            self.say(false, Path::new(&name), &name, none, &json!({}))?;
        }
        for stored in listed {
            let session = &stored.name.session;
            let handle = runtime.handle().clone();
            let from = Reading::new(&bucket, &stored.name, stored.bytes, handle);
            let from = BufReader::new(from);
            let verdict = verify::stored(from, session, trusted, roots.as_ref());
            let begun = logged.and_then(|logged| logged.get(session));
            let (good, said, facts) = told(&verdict, begun);
            let file = format!("{place}/{}/{session}.cast.zst", stored.name.bastion);
            let name = format!("{session}.cast.zst");
            self.say(good, Path::new(&file), &name, &said, &facts)?;
            seen.push(session.clone());
        }
        Ok(bastion)
    }
}
