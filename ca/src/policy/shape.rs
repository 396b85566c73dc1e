//! Which role an ask means, and what of the ask that role gives.

use std::net::IpAddr;
use std::time::Duration;

use config::Config;
use config::limits;
use config::rules::{Channel, Role};
use config::words::{PersonName, RoleName};
use record::clock::UnixTime;
use record::text::Command;

use super::glass;
use crate::desk::{Ask, Refused};

/// The part of an ask that the policy shapes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shaped {
    /// The role.
    pub(crate) role: RoleName,
    /// For how long.
    pub(crate) life: Duration,
    /// The one command.
    pub(crate) command: Option<Command>,
    /// What was narrowed, each a sentence for the person.
    pub(crate) narrowed: Vec<String>,
}

/// Chooses the role that an ask means, and narrows the ask to what that role gives.
pub(crate) fn shape(
    config: &Config,
    person: &PersonName,
    source: IpAddr,
    ask: &Ask,
    now: UnixTime,
) -> Result<Shaped, Refused> {
    let (name, role) = choose(config, person, source, ask)?;
    if ask.break_glass && role.break_glass.is_none() {
        return Err(Refused::NoBreakGlass(name.clone()));
    }
    let keys = config.persons.get(person).map(|person| &*person.keys);
    if ask.break_glass && !glass::could_prove(role, keys.unwrap_or_default()) {
        return Err(Refused::NoToken(name.clone()));
    }
    let mut narrowed = Vec::new();
    let wanted = ask.life.unwrap_or(limits::GRANT_DEFAULT);
    if wanted < limits::GRANT_SHORTEST {
        return Err(Refused::TooShort(wanted));
    }
    let life = wanted.min(role.longest);
    if ask.life.is_some() && life < wanted {
        let longest = config::duration::show(life);
        narrowed.push(format!("role {name} gives at most {longest}"));
    }
    if let Some(closes) = closes(role, ask.break_glass, now, life) {
        narrowed.push(format!(
            "role {name} is given until {closes}, and so is this grant at most"
        ));
    }
    let command = command(name, role, ask.command.as_ref(), &mut narrowed)?;
    Ok(Shaped {
        role: name.clone(),
        life: Duration::from_secs(life.as_secs()),
        command,
        narrowed,
    })
}

/// The end of the role's hours as the clock there shows it, if it comes within this life.
fn closes(role: &Role, break_glass: bool, now: UnixTime, life: Duration) -> Option<String> {
    let hours = role.hours_for(break_glass)?;
    let closes = hours.closes(now.secs())?;
    let cut = now.secs() < closes && closes < now.after(life).secs();
    cut.then(|| hours.show(closes))
}

fn choose<'a>(
    config: &'a Config,
    person: &PersonName,
    source: IpAddr,
    ask: &'a Ask,
) -> Result<(&'a RoleName, &'a Role), Refused> {
    let nothing = || Refused::NoRole(ask.access.clone());
    let held = config.persons.get(person).ok_or_else(nothing)?;
    let covering: Vec<_> = config.roles_for(held, &ask.access).collect();
    if let Some(wanted) = &ask.role {
        let own = config.roles.get(wanted);
        let own = own.filter(|role| !role.groups.is_disjoint(&held.groups));
        if own.is_none() {
            return Err(Refused::UnknownRole(wanted.clone()));
        }
        let found = covering.into_iter().find(|(name, _)| *name == wanted);
        let found = found.ok_or_else(|| Refused::RoleDoesNotCover {
            role: wanted.clone(),
            access: ask.access.clone(),
        })?;
        return from_here(found, source);
    }
    let here = covering
        .iter()
        .filter(|(_, role)| role.reachable_from(source));
    let here: Vec<_> = here.copied().collect();
    let command = ask.command.as_ref().map(Command::as_str);
    let taking = here.iter().filter(|(_, role)| role.takes(command));
    let taking: Vec<_> = taking.copied().collect();
    let naming = taking.iter().filter(|(_, role)| names(role, command));
    let naming: Vec<_> = naming.copied().collect();
    match (naming.as_slice(), taking.as_slice()) {
        ([one], _) | (_, [one]) => Ok(*one),
        (_, []) => match (here.first(), covering.first()) {
            (Some(other), _) => Ok(*other),
            (None, Some(elsewhere)) => from_here(*elsewhere, source),
            (None, None) => Err(nothing()),
        },
        (_, several) => {
            let names = several.iter().map(|(name, _)| (*name).clone());
            Err(Refused::SeveralRoles(names.collect()))
        }
    }
}

/// Whether the role is there for this very command.
fn names(role: &Role, command: Option<&str>) -> bool {
    let Some(command) = command else { return false };
    role.command.as_deref() == Some(command) || role.preapproves(command)
}

fn from_here<'a>(
    (name, role): (&'a RoleName, &'a Role),
    source: IpAddr,
) -> Result<(&'a RoleName, &'a Role), Refused> {
    if role.reachable_from(source) {
        return Ok((name, role));
    }
    Err(Refused::Elsewhere {
        role: name.clone(),
        sources: role.sources.clone(),
        address: source,
    })
}

/// A role's own command stays whatever is asked for; a role without one takes the person's.
fn command(
    name: &RoleName,
    role: &Role,
    asked: Option<&Command>,
    narrowed: &mut Vec<String>,
) -> Result<Option<Command>, Refused> {
    let Some(forced) = &role.command else {
        if !role.takes(asked.map(Command::as_str)) {
            return Err(Refused::NotThatCommand {
                role: name.clone(),
                commands: role.commands.clone(),
            });
        }
        if asked.is_some() && !role.channels.contains(&Channel::Exec) {
            return Err(Refused::NoCommands(name.clone()));
        }
        return Ok(asked.cloned());
    };
    if asked.is_some_and(|asked| asked.as_str() != forced) {
        narrowed.push(format!("role {name} runs its own command: {forced}"));
    }
    let forced = forced.parse();
    forced
        .map(Some)
        .map_err(|_| Refused::Unavailable(format!("the command of role {name} cannot be shown")))
}
