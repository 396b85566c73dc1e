//! The way to the target of a session: connect, and have it run what it should.

use std::collections::VecDeque;

use config::limits;
use record::api;
use russh::ChannelMsg;
use ssh_key::PublicKey;
use tokio::time::timeout;

use super::fault::Fault;
use super::permission::Permission;
use crate::host::Proof;
use crate::prelude::Prelude;
use crate::route::Route;
use crate::site::Site;
use crate::target::{self, Connection, Guests, TargetError};

/// A target that runs what it should.
pub(super) struct Reached {
    pub(super) target: Connection,
    pub(super) channel: russh::Channel<russh::client::Msg>,
    /// What the channel has said besides the answers.
    pub(super) said: VecDeque<ChannelMsg>,
    /// What it refused beside that, in words for the person.
    pub(super) unwilling: Vec<String>,
    /// What it may open.
    pub(super) guests: Guests,
}

/// What the target is asked to run (RFC 4254 §6.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Shell,
    Command(String),
    Sftp,
}

/// Connects to the target, and has it run what it should once `watched` is ready.
pub(super) async fn reach(
    site: &Site,
    route: &Route,
    permission: Permission,
    prelude: Prelude,
    command: &Asked,
    watched: impl Future<Output = ()>,
) -> Result<Reached, Fault> {
    let access = route.access();
    let mut guests = Guests {
        forwarded: false,
        agent: prelude.agent,
        x11: prelude.display.is_some(),
    };
    let target = connect(site, route, permission, guests, prelude.terminal.is_some()).await?;
    // Who looked on may have left while the target was slow to answer.
    watched.await;
    let mut unwilling = Vec::new();
    let opening = open(
        &target,
        &prelude,
        command,
        access.target.as_str(),
        &mut unwilling,
    );
    let hanging = TargetError::Hanging {
        name: access.target.clone(),
        step: "opening the session",
    };
    let (channel, said) = timeout(limits::TARGET_CONNECT, opening)
        .await
        .map_err(|_| hanging)??;
    guests.agent &= !unwilling.contains(&Unwilling::Agent);
    guests.x11 &= !unwilling.contains(&Unwilling::Display);
    let name = access.target.as_str();
    let unwilling = unwilling.iter().map(|what| what.words(name)).collect();
    Ok(Reached {
        target,
        channel,
        said,
        unwilling,
        guests,
    })
}

/// What a target may refuse while the session goes on, as it does without a bastion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwilling {
    Agent,
    Display,
}

impl Unwilling {
    fn words(self, name: &str) -> String {
        match self {
            Self::Agent => format!("{name} refuses agent forwarding"),
            Self::Display => format!("{name} refuses X11"),
        }
    }
}

/// Connects to the target. `terminal`: what it says is shown at one.
pub(super) async fn connect(
    site: &Site,
    route: &Route,
    permission: Permission,
    guests: Guests,
    terminal: bool,
) -> Result<Connection, Fault> {
    let access = route.access();
    let ask = target::Ask {
        name: access.target.clone(),
        login: access.login.clone(),
        host: permission.given.host.clone(),
        port: permission.given.port,
        proof: proof(site, &permission.given.host_trust)?,
        key: permission.key,
        certificate: permission.certificate,
        now: site.clock.wall(),
        guests,
        terminal,
    };
    Ok(target::connect(ask).await?)
}

fn proof(site: &Site, trust: &api::HostTrust) -> Result<Proof, Fault> {
    match trust {
        api::HostTrust::Ca(joined) => {
            let trust = site.trust.get().ok_or(Fault::Given("no host CA"))?;
            let joined = joined.as_ref().map(|line| PublicKey::from_openssh(line));
            let joined = joined.transpose().map_err(|_| Fault::Given("a host key"))?;
            Ok(Proof::Ca { trust, joined })
        }
        api::HostTrust::Pinned(lines) => {
            let keys: Result<Vec<_>, _> = lines
                .iter()
                .map(|line| PublicKey::from_openssh(line))
                .collect();
            Ok(Proof::Pinned(keys.map_err(|_| Fault::Given("a host key"))?))
        }
    }
}

/// Opens the target's session channel, asks for the terminal and the command, and waits for the answer.
async fn open(
    connection: &Connection,
    prelude: &Prelude,
    command: &Asked,
    name: &str,
    unwilling: &mut Vec<Unwilling>,
) -> Result<(russh::Channel<russh::client::Msg>, VecDeque<ChannelMsg>), Fault> {
    let mut channel = connection.session().await?;
    let lost = |_| Fault::Request(name.to_owned());
    if let Some(t) = &prelude.terminal {
        let asked = channel
            .request_pty(true, &t.name, t.cols, t.rows, t.width, t.height, &t.modes)
            .await;
        asked.map_err(lost)?;
        if !answer(&mut channel, &mut VecDeque::new()).await {
            return Err(Fault::Request(format!("{name} gives no terminal, and")));
        }
    }
    if prelude.agent {
        channel.agent_forward(true).await.map_err(lost)?;
        if !answer(&mut channel, &mut VecDeque::new()).await {
            unwilling.push(Unwilling::Agent);
        }
    }
    if let Some(d) = &prelude.display {
        let (protocol, cookie) = (d.protocol.as_str(), d.cookie.as_str());
        let asked = channel.request_x11(true, d.single, protocol, cookie, d.screen);
        asked.await.map_err(lost)?;
        if !answer(&mut channel, &mut VecDeque::new()).await {
            unwilling.push(Unwilling::Display);
        }
    }
    for (variable, value) in &prelude.environment {
        channel
            .set_env(false, variable, value)
            .await
            .map_err(lost)?;
    }
    match command {
        Asked::Command(command) => channel.exec(true, command.as_str()).await,
        Asked::Shell => channel.request_shell(true).await,
        Asked::Sftp => channel.request_subsystem(true, "sftp").await,
    }
    .map_err(lost)?;
    let mut said = VecDeque::new();
    if answer(&mut channel, &mut said).await {
        Ok((channel, said))
    } else {
        Err(Fault::Request(name.to_owned()))
    }
}

/// The target's answer to a request. What it says besides is kept.
async fn answer(
    channel: &mut russh::Channel<russh::client::Msg>,
    said: &mut VecDeque<ChannelMsg>,
) -> bool {
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return true,
            Some(ChannelMsg::Failure) | None => return false,
            Some(message) if said.len() < crate::site::QUEUE => said.push_back(message),
            Some(_) => return false,
        }
    }
}
