//! `request` and `collect`: from a question to a certificate on standard output.

use std::fmt::Write as _;
use std::time::Duration;

use config::duration;
use config::words::RequestId;
use record::clock::UnixTime;
use record::entry::Verdict;

use super::call::{Call, Stop};
use super::command;
use super::prove;
use super::render;
use crate::desk::{Ask, Asked, Issued, Need, Refused, Standing, Status};

/// How often whoever waits looks whether the request's time is over.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long somebody may wait before being told for what.
const SILENCE: Duration = Duration::from_secs(1);

/// Asks for access, waits for the approvals, and prints the certificate.
pub(super) async fn request(call: &Call, typed: command::Request) -> Result<(), Stop> {
    let no_wait = typed.no_wait;
    let (asked, issued) = ask(call, typed).await?;
    if no_wait {
        return leave(call, &asked).await;
    }
    match asked.standing {
        Standing::Waiting { .. } => wait(call, &asked).await?,
        Standing::Unproven { .. } => prove_it(call, &asked).await?,
        _ => call.peer.say(&headline(&asked)).await?,
    }
    let life = call.desk.show(&call.caller, &asked.id)?.seconds;
    let issued = match issued {
        Some(issued) => issued,
        None => witnessed(call, call.desk.collect(&call.caller, &asked.id)).await??,
    };
    hand_over(call, &asked.id, &issued, Duration::from_secs(life)).await
}

/// Prints the certificate of a granted request.
pub(super) async fn collect(call: &Call, id: &RequestId) -> Result<(), Stop> {
    let issued = witnessed(call, call.desk.collect(&call.caller, id)).await??;
    let life = issued.until.since(call.now());
    hand_over(call, id, &issued, life).await
}

/// Asks; whoever waits gets the certificate at once if nobody has to approve.
async fn ask(call: &Call, typed: command::Request) -> Result<(Asked, Option<Issued>), Stop> {
    let no_wait = typed.no_wait;
    let access = typed.access.clone();
    let ask = Ask {
        access: typed.access,
        role: typed.role,
        life: typed.life,
        reason: typed.reason,
        command: typed.command,
        break_glass: typed.break_glass,
    };
    let (reason, glass) = (ask.reason.clone(), ask.break_glass);
    let asked = if no_wait {
        let asked = call.desk.request(&call.caller, ask).await;
        asked.map(|asked| (asked, None))
    } else {
        witnessed(call, call.desk.obtain(&call.caller, ask)).await?
    };
    let refused = match asked {
        Ok(asked) if glass && matches!(asked.0.standing, Standing::Granted { .. }) => {
            call.peer.say(LOUD).await?;
            return Ok(asked);
        }
        Ok(asked) => return Ok(asked),
        Err(refused) => refused,
    };
    let Refused::SeveralRoles(roles) = &refused else {
        return Err(refused.into());
    };
    let mut text = format!("{refused}\n");
    for role in roles {
        let glass = if glass { " --break-glass" } else { "" };
        let line = format!(
            "    ssh ca request {access} --role {role}{glass} --reason {}\n",
            shell_words::quote(reason.as_str())
        );
        text.push_str(&line);
    }
    Err(Stop::Usage(text))
}

/// Waits for what the desk does, and says so if it is the witnesses that are waited for.
async fn witnessed<T>(call: &Call, work: impl Future<Output = T>) -> Result<T, Stop> {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return Ok(done),
        () = tokio::time::sleep(SILENCE) => {}
    }
    if call.desk.waits_for_witnesses() {
        call.peer
            .say("waiting for witnesses to cosign the log …\n")
            .await?;
    }
    Ok(work.await)
}

const LOUD: &str = "BREAK-GLASS: you have it now, without anybody's approval. It is logged, the session is\n\
                    recorded, and somebody else will look at what you did and why.\n";

fn headline(asked: &Asked) -> String {
    let what = match &asked.standing {
        Standing::Waiting { needs, checks, .. } => Need::with_checks(needs, checks),
        Standing::Granted { .. } => "granted".to_owned(),
        Standing::Unproven { .. } => "wants the PIN of your token".to_owned(),
        other => Refused::Closed(other.clone()).to_string(),
    };
    let mut text = format!("request {}: role {}, {what}\n", asked.id, asked.role);
    for narrowed in &asked.narrowed {
        let _ = writeln!(text, "note: {narrowed}");
    }
    text
}

async fn leave(call: &Call, asked: &Asked) -> Result<(), Stop> {
    let mut text = headline(asked);
    match asked.standing {
        Standing::Waiting { .. } => text.push_str(&approvers_type(&asked.id)),
        Standing::Unproven { .. } => text.push_str(&prove::ways(call, &asked.id)),
        _ => {}
    }
    let file = call.certificate_file();
    let _ = writeln!(
        text,
        "once it is granted:  ssh ca collect {} > {file}",
        asked.id
    );
    call.peer.say(&text).await?;
    Ok(call.peer.print(&format!("{}\n", asked.id)).await?)
}

/// Has it proven with the forwarded agent; without one the request stays open, for `prove`.
async fn prove_it(call: &Call, asked: &Asked) -> Result<(), Stop> {
    call.peer.say(&headline(asked)).await?;
    if call.agent.is_none() {
        let text = format!(
            "no agent was forwarded; prove that it is you:\n{}",
            prove::ways(call, &asked.id)
        );
        call.peer.say(&text).await?;
        return Err(Stop::Said(Status::Policy));
    }
    match prove::proven(call, &asked.id).await {
        Ok(_) => Ok(call.peer.say(LOUD).await?),
        Err(stop) => {
            call.peer.say(&prove::ways(call, &asked.id)).await?;
            Err(stop)
        }
    }
}

fn approvers_type(id: &RequestId) -> String {
    format!("they type:  ssh -A ca approve {id}\n")
}

/// Waits until the request is granted. Whoever stops waiting takes the request back: nobody
/// shall approve at night what nobody wants any more.
async fn wait(call: &Call, asked: &Asked) -> Result<(), Stop> {
    let id = &asked.id;
    let began = call.clock.monotonic();
    let told = format!(
        "{}{}waiting for approval … ",
        headline(asked),
        approvers_type(id)
    );
    if call.peer.say(&told).await.is_err() {
        return give_up(call, id).await;
    }
    let Some(mut watch) = call.desk.watch(id) else {
        return Err(Refused::UnknownRequest(id.clone()).into());
    };
    let mut had = None;
    loop {
        watch.borrow_and_update();
        let Some(Standing::Waiting {
            needs,
            checks,
            expires,
        }) = call.desk.standing(id)
        else {
            break;
        };
        let missing = Need::with_checks(&needs, &checks);
        if had
            .replace(missing.clone())
            .is_some_and(|before| before != missing)
        {
            let progress = format!("{}still {missing} … ", approved(&needs));
            if call.peer.say(&progress).await.is_err() {
                return give_up(call, id).await;
            }
        }
        tokio::select! {
            changed = watch.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(until_past(call.now(), expires)) => {}
            () = call.peer.stopped() => return give_up(call, id).await,
            () = call.ca_stops() => return stay_open(call, id).await,
        }
    }
    match call.desk.standing(id) {
        Some(Standing::Granted { .. }) => {
            granted(call, id, call.clock.monotonic().saturating_sub(began)).await
        }
        Some(other) => {
            call.peer.say("\n").await?;
            Err(Refused::Closed(other).into())
        }
        None => Err(Refused::UnknownRequest(id.clone()).into()),
    }
}

/// Time alone wakes nobody at the desk: one second past the end is when to look again, or sooner, for
/// clocks that are stepped meanwhile.
fn until_past(now: UnixTime, expires: UnixTime) -> Duration {
    let left = expires.since(now).saturating_add(Duration::from_secs(1));
    left.min(LOOK_AGAIN)
}

fn approved(needs: &[Need]) -> String {
    let have: Vec<_> = needs.iter().flat_map(|need| &need.have).collect();
    if have.is_empty() {
        return String::new();
    }
    format!("approved by {}; ", render::names(have))
}

async fn granted(call: &Call, id: &RequestId, took: Duration) -> Result<(), Stop> {
    let shown = call.desk.show(&call.caller, id)?;
    let persons = shown.approvals.iter();
    let persons = persons.map(|approval| approval.person.to_string());
    let checks = shown.checks.iter();
    let checks = checks.filter(|row| row.verdict == Some(Verdict::Approve));
    let checks = checks.map(|row| format!("check {}", row.check));
    let by = render::names(persons.chain(checks));
    let line = format!("approved by {by}, {} s\n", took.as_secs());
    Ok(call.peer.say(&line).await?)
}

async fn give_up(call: &Call, id: &RequestId) -> Result<(), Stop> {
    match call.desk.withdraw(&call.caller, id).await {
        Ok(()) => call.peer.say("withdrawn\n").await?,
        // It was decided in the same moment: what was granted is theirs to collect or to return.
        Err(Refused::Closed(standing)) => {
            call.peer
                .say(&format!("\n{}\n", Refused::Closed(standing)))
                .await?;
        }
        Err(refused) => return Err(refused.into()),
    }
    Err(Stop::Said(Status::Policy))
}

async fn stay_open(call: &Call, id: &RequestId) -> Result<(), Stop> {
    let text = format!(
        "\nthe CA is restarting; your request stays open. Once it is granted:  ssh ca collect {id} > {}\n",
        call.certificate_file()
    );
    call.peer.say(&text).await?;
    Err(Stop::Said(Status::Unavailable))
}

async fn hand_over(
    call: &Call,
    id: &RequestId,
    issued: &Issued,
    life: Duration,
) -> Result<(), Stop> {
    call.peer.say(&about(call, issued, id, life)).await?;
    let text = format!("{}\n", issued.certificate);
    Ok(call.peer.print(&text).await?)
}

fn about(call: &Call, issued: &Issued, id: &RequestId, life: Duration) -> String {
    let mut text = format!(
        "certificate serial {}, {}, valid {}, until {}\n",
        issued.serial,
        issued.access,
        duration::show(life),
        issued.until.time_of_day(),
    );
    if call.peer.width().is_some() {
        let file = call.certificate_file();
        let _ = writeln!(text, "save it:  ssh ca collect {id} > {file}");
    }
    let _ = writeln!(text, "next:  {}", call.way_in(&issued.access));
    text
}
