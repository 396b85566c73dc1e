//! One command line, from its bytes to its exit status.

use config::words::{RequestId, shown};
use record::text::Reason;

use super::call::{Call, Stop};
use super::command::{self, NotACommand, Verb};
use super::{
    approve, line, lists, pages, prove, render, report, request, review, show, shut, ssh_config,
    watch,
};
use crate::desk::{SessionFilter, Standing, Status};

/// Runs one command line, or shows the first page if there is none, and says the exit status.
/// It always runs to its end, even when the client has gone: what was begun at the desk is brought to
/// a state that the person finds again.
pub(super) async fn run(call: &Call, typed: Option<&[u8]>) -> u8 {
    let outcome = match typed {
        None => home(call).await,
        Some(typed) => one(call, typed).await,
    };
    let (status, words) = match &outcome {
        Ok(()) => (0, String::new()),
        Err(stop) => (stop.status().code(), stop.words()),
    };
    // A client that has gone reads no words and no status.
    let _ = call.peer.say(&words).await;
    remind(call, typed).await;
    let typed = String::from_utf8_lossy(typed.unwrap_or_default());
    tracing::info!(
        person = %call.caller.person,
        source = %call.caller.source,
        command = %shown(&typed),
        status,
        "answered"
    );
    status
}

async fn home(call: &Call) -> Result<(), Stop> {
    Ok(call.peer.print(&pages::home(call)).await?)
}

async fn one(call: &Call, typed: &[u8]) -> Result<(), Stop> {
    let words = line::words(typed).map_err(|e| Stop::Usage(format!("{e}: `ssh ca help`\n")))?;
    if words.is_empty() {
        return home(call).await;
    }
    if words.iter().map(String::as_str).eq(["--help"]) {
        return help(call, None).await;
    }
    match command::parse(&words, call.peer.width()) {
        Ok(verb) => obey(call, verb).await,
        Err(NotACommand::Help(text)) => Ok(call.peer.print(&text).await?),
        Err(NotACommand::Usage(text)) => Err(Stop::Usage(text)),
    }
}

async fn obey(call: &Call, verb: Verb) -> Result<(), Stop> {
    match verb {
        Verb::Whoami(list) => whoami(call, list.json).await,
        Verb::Roles(list) => roles(call, list.json).await,
        Verb::Pending(typed) => pending(call, &typed).await,
        Verb::Request(typed) => request::request(call, typed).await,
        Verb::Collect(one) => request::collect(call, &one.id).await,
        Verb::Show(typed) => show(call, &typed).await,
        Verb::Approve(one) => approve::approve(call, &one.id).await,
        Verb::Prove(one) => prove::prove(call, &one.id).await,
        Verb::Review(typed) => review::review(call, typed).await,
        Verb::Report(typed) => report::report(call, typed).await,
        Verb::Deny(typed) => deny(call, &typed.id, typed.reason).await,
        Verb::Return(one) => give_back(call, &one.id).await,
        Verb::Revoke(typed) => shut::revoke(call, typed).await,
        Verb::Restore(typed) => shut::restore(call, typed).await,
        Verb::Token(typed) => shut::token(call, &typed.target).await,
        Verb::Sessions(typed) => sessions(call, typed).await,
        Verb::Krl(typed) => krl(call, &typed).await,
        Verb::SshConfig(typed) => ssh_config(call, &typed).await,
        Verb::Help { command } => help(call, command).await,
    }
}

async fn help(call: &Call, verb: Option<String>) -> Result<(), Stop> {
    let text = match verb {
        None => pages::help(call.certificate_file(), &call.bastion()),
        Some(verb) => match command::help_for(&verb, call.peer.width()) {
            Ok(text) => text,
            Err(NotACommand::Help(text) | NotACommand::Usage(text)) => {
                return Err(Stop::Usage(text));
            }
        },
    };
    Ok(call.peer.print(&text).await?)
}

async fn whoami(call: &Call, json: bool) -> Result<(), Stop> {
    let who = lists::Who::of(call);
    let text = if json { render::json(&who) } else { who.text() };
    Ok(call.peer.print(&text).await?)
}

async fn roles(call: &Call, json: bool) -> Result<(), Stop> {
    let rows = call.desk.roles(&call.caller);
    list(
        call,
        json,
        &rows,
        "there is nothing you may ask for",
        || lists::roles(&rows),
    )
    .await
}

async fn pending(call: &Call, typed: &command::Pending) -> Result<(), Stop> {
    if typed.watch {
        return watch::watch(call).await;
    }
    let owed = call.desk.owed(&call.caller);
    let reviews = || lists::owed(&owed, call.now());
    if typed.reviews {
        return list(
            call,
            typed.json,
            &owed,
            "nothing waits for a review",
            reviews,
        )
        .await;
    }
    let rows = call.desk.pending(&call.caller);
    if typed.json {
        return Ok(call.peer.print(&render::json(&rows)).await?);
    }
    if rows.is_empty() && owed.is_empty() {
        return Ok(call.peer.say("nothing waits\n").await?);
    }
    let gap = if rows.is_empty() || owed.is_empty() {
        ""
    } else {
        "\n"
    };
    let text = format!("{}{gap}{}", lists::pending(&rows, call.now()), reviews());
    call.peer.print(&text).await?;
    if let Some(row) = rows.iter().find(|row| row.for_you) {
        let hint = format!("approve with:  ssh -A ca approve {}\n", row.id);
        call.peer.say(&hint).await?;
    }
    if let Some(row) = owed.iter().find(|row| row.for_you && row.ready) {
        let hint = format!(
            "review with:  ssh -A ca review {} --accept \"WHY\"\n",
            row.id
        );
        call.peer.say(&hint).await?;
    }
    Ok(())
}

/// Reminds whoever has something to review, whatever they came for.
async fn remind(call: &Call, typed: Option<&[u8]>) {
    let typed = String::from_utf8_lossy(typed.unwrap_or_default());
    let verb = typed.split_whitespace().next().unwrap_or_default();
    // Those who see the list anyway, or print what a program reads together with what is said.
    if ["", "pending", "review"].contains(&verb) {
        return;
    }
    let owed = call.desk.owed(&call.caller);
    let (count, overdue) = owed
        .iter()
        .filter(|row| row.for_you)
        .fold((0, 0), |(all, late), row| {
            (all + 1, late + u32::from(row.overdue))
        });
    if count == 0 {
        return;
    }
    let late = if overdue > 0 {
        format!(", {overdue} overdue")
    } else {
        String::new()
    };
    let text =
        format!("{count} taken with break-glass waits for your review{late}:  ssh ca pending\n");
    // A client that has gone reads nothing.
    let _ = call.peer.say(&text).await;
}

async fn sessions(call: &Call, typed: command::Sessions) -> Result<(), Stop> {
    let filter = SessionFilter {
        person: typed.person,
        target: typed.target,
        since: typed.since,
    };
    let rows = call.desk.sessions(&call.caller, &filter);
    list(
        call,
        typed.json,
        &rows,
        "no sessions that you may see",
        || lists::sessions(&rows),
    )
    .await
}

/// Prints a list; an empty one is empty on standard output, and said to the person.
async fn list<T: serde::Serialize>(
    call: &Call,
    json: bool,
    rows: &[T],
    empty: &str,
    table: impl FnOnce() -> String,
) -> Result<(), Stop> {
    if json {
        call.peer.print(&render::json(&rows)).await?;
    } else if rows.is_empty() {
        call.peer.say(&format!("{empty}\n")).await?;
    } else {
        call.peer.print(&table()).await?;
    }
    Ok(())
}

async fn show(call: &Call, typed: &command::Show) -> Result<(), Stop> {
    let text = if typed.text {
        call.desk.text(&call.caller, &typed.id)?
    } else {
        let shown = call.desk.show(&call.caller, &typed.id)?;
        if typed.json {
            render::json(&shown)
        } else {
            show::whole(&shown, call.now())
        }
    };
    Ok(call.peer.print(&text).await?)
}

async fn deny(call: &Call, id: &RequestId, reason: Reason) -> Result<(), Stop> {
    call.desk.deny(&call.caller, id, reason).await?;
    Ok(call.peer.say(&format!("denied {id}\n")).await?)
}

async fn give_back(call: &Call, id: &RequestId) -> Result<(), Stop> {
    let text = if let Some(Standing::Waiting { .. }) = call.desk.standing(id) {
        call.desk.withdraw(&call.caller, id).await?;
        format!("withdrew {id}: nobody can approve it any more\n")
    } else {
        call.desk.give_back(&call.caller, id).await?;
        format!("gave {id} back: its certificate opens nothing any more\n")
    };
    Ok(call.peer.say(&text).await?)
}

async fn krl(call: &Call, typed: &command::Krl) -> Result<(), Stop> {
    if typed.signature {
        return Ok(call.peer.print(&call.desk.krl_signature()?).await?);
    }
    if typed.signed {
        let signed = call.desk.orders(None)?;
        return Ok(call.peer.print(&render::json(&signed)).await?);
    }
    if call.peer.width().is_some() {
        let text = "the list is not text: ssh -T ca krl > revoked\n";
        return Err(Stop::Usage(text.to_owned()));
    }
    let list = if typed.hosts {
        call.desk.host_krl()?
    } else {
        call.desk.krl()?
    };
    Ok(call.peer.print_bytes(list).await?)
}

async fn ssh_config(call: &Call, typed: &command::SshConfig) -> Result<(), Stop> {
    let config = call.config();
    let mut text = String::new();
    if !typed.known_hosts {
        text.push_str(&ssh_config::config(&config));
    }
    if !typed.config {
        let (identity, doors) = (call.desk.identity().public_key(), call.desk.door_cas());
        text.push_str(&ssh_config::known_hosts(&config, identity, &doors));
    }
    call.peer.print(&text).await?;
    if !typed.config && !typed.known_hosts {
        call.peer.say(APPEND).await?;
    }
    Ok(())
}

const APPEND: &str = "\
append them with:  ssh ca ssh-config --config >> ~/.ssh/config
                   ssh ca ssh-config --known-hosts >> ~/.ssh/known_hosts
";

/// The exit status of somebody whose key was taken out of the configuration after the login.
pub(super) const STRANGER: (u8, &str) = (
    Status::Policy.code(),
    "refused: your key is not registered any more: ask whoever keeps hallpass.toml\n",
);
