//! What is meant by a place in a bucket: the recordings of all bastions, of one, or one recording.

use std::fmt;

use bastion::bucket::{self, Bucket, BucketError, Name, Stored};
use config::bucket::Place;
use config::words::{BastionName, SessionId};

use crate::failure::{Failure, Result};

/// What a bucket begins with among places.
pub(crate) const SCHEME: &str = "s3://";

/// How a recording's file is named behind its session.
const CAST: &str = ".cast.zst";

/// Where a bucket's recordings are, and which one is meant if one is.
pub(crate) struct Named {
    place: Place,
    session: Option<SessionId>,
}

/// What lies at a place.
pub(crate) struct Found {
    /// Where the directories of the bastions are.
    pub(crate) place: Place,
    pub(crate) bucket: Bucket,
    pub(crate) listed: Vec<Stored>,
    /// The bastion whose recordings were meant alone.
    pub(crate) bastion: Option<BastionName>,
}

/// The place in a bucket that a text names; none if it names none.
pub(crate) fn named(text: &str) -> Result<Option<Named>> {
    if !text.starts_with(SCHEME) {
        return Ok(None);
    }
    let last = text.trim_end_matches('/').rsplit_once('/');
    let one = last.and_then(|(before, last)| {
        let id = last.strip_suffix(CAST).unwrap_or(last);
        Some((before, id.to_ascii_uppercase().parse().ok()?))
    });
    let (place, session) = one.map_or((text, None), |(before, id)| (before, Some(id)));
    let place = Place::parse(place).map_err(|why| Failure::new(format!("{text}: {why}")))?;
    Ok(Some(Named { place, session }))
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        self.session
            .as_ref()
            .map_or(Ok(()), |session| write!(f, "/{session}"))
    }
}

impl Named {
    /// The session, if its recording alone is meant.
    pub(crate) const fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// Looks for it, in the bucket that the environment opens. One recording that is meant and not there is an error.
    pub(crate) async fn find(self) -> Result<Found> {
        let session = self.session.clone();
        let found = self.look().await?;
        match session {
            Some(session) if found.listed.is_empty() => Err(nowhere(&session, &found.place)),
            _ => Ok(found),
        }
    }

    /// Looks for it, in the bucket that the environment opens.
    pub(crate) async fn look(self) -> Result<Found> {
        match self.session {
            Some(session) => one(self.place, &session).await,
            None => all(self.place).await,
        }
    }
}

/// That the one recording that is meant is not there.
pub(crate) fn nowhere(session: &SessionId, place: &Place) -> Failure {
    Failure::new(format!(
        "there is no recording of {session} in {place}: one of a session that still runs comes there at its end"
    ))
}

fn open(place: &Place) -> Result<Bucket> {
    Ok(Bucket::open(&bucket::from_environment(place.clone())?)?)
}

/// The recordings of all bastions, or of the one that the place names.
async fn all(place: Place) -> Result<Found> {
    let bucket = open(&place)?;
    let listed = bucket.list(None).await?;
    if let (true, Some((above, bastion))) = (listed.is_empty(), of_one(&place)) {
        let bucket = open(&above)?;
        let listed = bucket.list(Some(&bastion)).await?;
        if !listed.is_empty() {
            return Ok(Found {
                place: above,
                bucket,
                listed,
                bastion: Some(bastion),
            });
        }
    }
    Ok(Found {
        place,
        bucket,
        listed,
        bastion: None,
    })
}

/// One recording: of the bastion that the place names, or of whichever has it there. Each is asked for, and none listed: there may be a
/// million.
async fn one(place: Place, session: &SessionId) -> Result<Found> {
    if let Some((above, bastion)) = of_one(&place) {
        let bucket = open(&above)?;
        let listed = of_bastion(&bucket, session, &bastion).await?;
        if let Some(stored) = listed {
            return Ok(Found {
                place: above,
                bucket,
                listed: vec![stored],
                bastion: Some(bastion),
            });
        }
    }
    let bucket = open(&place)?;
    let mut listed = Vec::new();
    for bastion in bucket.bastions().await? {
        listed.extend(of_bastion(&bucket, session, &bastion).await?);
    }
    Ok(Found {
        place,
        bucket,
        listed,
        bastion: None,
    })
}

async fn of_bastion(
    bucket: &Bucket,
    session: &SessionId,
    bastion: &BastionName,
) -> Result<Option<Stored>> {
    let name = Name::recording(session.clone(), bastion.clone());
    match bucket.size(&name).await {
        Ok(bytes) => Ok(Some(Stored { name, bytes })),
        Err(BucketError::Missing) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The place of one bastion's recordings is that of them all, and the bastion's name.
fn of_one(place: &Place) -> Option<(Place, BastionName)> {
    let (above, last) = place.prefix.rsplit_once('/').unwrap_or(("", &place.prefix));
    let above = Place {
        bucket: place.bucket.clone(),
        prefix: above.to_owned(),
    };
    Some((above, last.parse().ok()?))
}
