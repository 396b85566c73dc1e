//! What people do at the CA, in one call: ask, approve, save the certificate.

use std::time::Duration;

use crate::process::LIMIT;
use crate::world::Setup;
use crate::{Failure, Live, Output, Person, Result, World};

/// Bob and Carol may read what is done on `web1.prod`, and nothing else.
const REVIEWER: &str = r#"
[role.web-review]
review = true
groups = ["sre"]
logins = ["LOGIN"]
targets = ["web1.prod"]
approvals = { count = 0 }
"#;

/// A request that waits, and the `ssh` that waits with it.
pub struct Asked {
    /// The request's id.
    pub id: String,
    /// The `ssh ca request` that still runs.
    pub live: Live,
}

impl World {
    /// A world in which Alice may go to `web1.prod`, and how she names it to `ssh`.
    pub fn on_web1() -> Result<(Self, String)> {
        let world = Self::new()?;
        let at = world.at_web1();
        world.take(&world.alice, &at, &[])?;
        Ok((world, at))
    }

    /// The same, of a world that is laid out like this.
    pub fn on_web1_as(setup: &Setup) -> Result<(Self, String)> {
        let mut world = Self::lay_out(setup)?;
        world.start_ca()?;
        world.start_bastion()?;
        world.introduce(&world.alice)?;
        let at = world.at_web1();
        world.take(&world.alice, &at, &[])?;
        Ok((world, at))
    }

    /// Runs `ssh -J bastion` with these arguments, as Alice.
    pub fn jump(&self, args: &[&str]) -> Result<Output> {
        self.alice.ssh(&[&["-J", "bastion"], args].concat())
    }

    /// Starts `ssh ca request` and waits until the CA has said the request's id.
    pub fn ask(&self, person: &Person, access: &str, more: &[&str]) -> Result<Asked> {
        let mut args = vec![
            "ca",
            "request",
            access,
            "--reason",
            "INC-42 replication stuck",
        ];
        args.extend(more);
        let mut live = person.ssh_live(&args)?;
        // The id is whole once the role stands behind it.
        live.wait_err(": role ", LIMIT)?;
        Ok(Asked {
            id: request_id(&live.err())?,
            live,
        })
    }

    /// A world in which Bob may read what is done on `web1.prod`, where Alice may go.
    pub fn reviewed(extra: &str) -> Result<Self> {
        let world = Self::with(&Setup {
            extra: format!("{REVIEWER}{extra}"),
            ..Setup::default()
        })?;
        world.take(&world.alice, &world.at_web1(), &[])?;
        world.take(&world.bob, "review@bastion", &[])?;
        Ok(world)
    }

    /// A session of Alice on `web1.prod` that has said `started`, and its identifier.
    pub fn running(&self, args: &[&str], command: &str) -> Result<(Live, String)> {
        let at = self.at_web1();
        let args = [args, &["-J", "bastion", &at, command]].concat();
        let mut live = self.alice.ssh_live(&args)?;
        live.wait_out("started", LIMIT)?;
        let list = ["review@bastion", "ls", "--live"];
        let listed = self.bob.ssh(&list)?.ok()?.out();
        let newest = listed.lines().nth(1).and_then(|line| line.get(..26));
        let id = newest.ok_or_else(|| Failure::new(format!("no session in:\n{listed}")))?;
        Ok((live, id.to_owned()))
    }

    /// Asks, lets Bob (or, if Bob asks, Carol) approve, and saves the certificate. Gives the
    /// request's id.
    pub fn grant(&self, person: &Person, access: &str, more: &[&str]) -> Result<String> {
        let asked = self.ask(person, access, more)?;
        let approver = if person.name == self.bob.name {
            &self.carol
        } else {
            &self.bob
        };
        approver.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
        let output = asked.live.finish(LIMIT)?.ok()?;
        person.save_certificate(&output.stdout)?;
        Ok(asked.id)
    }

    /// Asks under a role that needs no approval, and saves the certificate. Gives the request's id.
    pub fn take(&self, person: &Person, access: &str, more: &[&str]) -> Result<String> {
        let asked = self.ask(person, access, more)?;
        let output = asked.live.finish(Duration::from_secs(30))?.ok()?;
        person.save_certificate(&output.stdout)?;
        Ok(asked.id)
    }
}

/// The id in `request 7F3K-9QMD: …`.
pub fn request_id(text: &str) -> Result<String> {
    text.lines()
        .find_map(|line| line.strip_prefix("request "))
        .and_then(|rest| rest.split([':', ' ']).next())
        .filter(|id| id.len() == 9)
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("no request id in:\n{text}")))
}
