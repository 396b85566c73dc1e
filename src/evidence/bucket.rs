//! Recordings that lie in a bucket: checked where they lie, by the keys and the log alone.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use bastion::bucket::{self, Bucket, Reading};
use config::bucket::Place;
use config::words::SessionId;
use record::log::SessionFacts;
use record::recording::verify::{self, Trusted};
use serde_json::json;
use tokio::runtime::Runtime;

use super::words::told;
use super::{Report, roots};
use crate::failure::{Failure, Result};

/// What a bucket begins with among paths.
const SCHEME: &str = "s3://";

/// The buckets among these, and the others.
pub(super) fn among(given: &[PathBuf]) -> Result<(Vec<Place>, Vec<&PathBuf>)> {
    let (mut buckets, mut paths) = (Vec::new(), Vec::new());
    for path in given {
        match path.to_str().filter(|text| text.starts_with(SCHEME)) {
            Some(text) => buckets
                .push(Place::parse(text).map_err(|why| Failure::new(format!("{text}: {why}")))?),
            None => paths.push(path),
        }
    }
    Ok((buckets, paths))
}

impl Report<'_> {
    /// Checks every recording in a bucket, of whichever bastion.
    pub(super) fn bucket(
        &mut self,
        place: &Place,
        trusted: &Trusted,
        logged: Option<&BTreeMap<SessionId, SessionFacts>>,
        seen: &mut Vec<SessionId>,
    ) -> Result<()> {
        let runtime = Runtime::new()?;
        let bucket = Bucket::open(&bucket::from_environment(place.clone())?)?;
        let listed = runtime.block_on(bucket.list(None))?;
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
        Ok(())
    }
}
