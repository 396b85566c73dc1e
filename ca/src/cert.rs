//! From what the policy gives to the bytes that a CA would sign.
//!
//! The format is that of [draft-ietf-sshm-cert], in the names that every OpenSSH since 5.6 reads
//! (`ssh-ed25519-cert-v01@openssh.com` and its like).
//!
//! [draft-ietf-sshm-cert]: https://datatracker.ietf.org/doc/draft-ietf-sshm-cert/

use std::collections::BTreeSet;

use config::cidr::Cidr;
use config::rules::Channel;
use record::clock::UnixTime;
use record::entry::Authority;
use ssh_key::PublicKey;

use crate::wire::{Take, put, string};

/// Length of the nonce, in bytes: it keeps the signed bytes unforeseeable for whoever chose the rest.
pub(crate) const NONCE: usize = 32;

/// A certificate's type (draft §2.1): who it authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// A user to a host.
    User = 1,
    /// A host to a user.
    Host = 2,
}

impl Kind {
    /// What this authority's certificates are.
    pub(crate) const fn of(authority: Authority) -> Self {
        match authority {
            Authority::User | Authority::Session => Self::User,
            Authority::Host | Authority::Door => Self::Host,
        }
    }
}

/// Everything that one certificate shall say: what the policy gave, and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Who signs.
    pub(crate) authority: Authority,
    /// The key that is certified: a plain one.
    pub(crate) subject: PublicKey,
    /// The serial.
    pub(crate) serial: u64,
    /// What sshd writes into its log for each use.
    pub(crate) key_id: String,
    /// The principals, all of them.
    pub(crate) principals: Vec<String>,
    /// Good from this second on …
    pub(crate) after: UnixTime,
    /// … and before this one.
    pub(crate) before: UnixTime,
    /// The one command.
    pub(crate) force_command: Option<String>,
    /// The only addresses that it may be used from; empty for any.
    pub(crate) source_address: Vec<Cidr>,
    /// What may be asked for beside the command.
    pub(crate) permits: BTreeSet<Permit>,
}

/// An extension of a user's certificate (draft §2.4, `ssh-keygen(1)`), in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Permit {
    /// Displays.
    X11,
    /// Agents.
    Agent,
    /// Forwarded connections, to the target and from it.
    Port,
    /// Terminals.
    Pty,
}

impl Permit {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::X11, Self::Agent, Self::Port, Self::Pty];

    /// Its name in a certificate.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::X11 => "permit-X11-forwarding",
            Self::Agent => "permit-agent-forwarding",
            Self::Port => "permit-port-forwarding",
            Self::Pty => "permit-pty",
        }
    }

    /// What these channels need of sshd, and nothing else.
    pub(crate) fn of(channels: &BTreeSet<Channel>) -> BTreeSet<Self> {
        let permit = |channel: &Channel| match channel {
            Channel::Shell | Channel::Exec => Some(Self::Pty),
            Channel::Sftp => None,
            Channel::Forward | Channel::RemoteForward => Some(Self::Port),
            Channel::Agent => Some(Self::Agent),
            Channel::X11 => Some(Self::X11),
        };
        channels.iter().filter_map(permit).collect()
    }
}

/// The bytes that would be signed, not believed yet.
#[derive(Debug)]
pub(crate) struct Unsigned {
    pub(crate) plan: Plan,
    pub(crate) bytes: Vec<u8>,
}

impl Plan {
    /// The critical options, in their order, each with its data.
    pub(crate) fn critical(&self) -> Vec<(&'static str, Vec<u8>)> {
        let command = self.force_command.as_ref();
        let command = command.map(|c| ("force-command", string(c.as_bytes())));
        let blocks: Vec<String> = self.source_address.iter().map(Cidr::to_string).collect();
        let source =
            (!blocks.is_empty()).then(|| ("source-address", string(blocks.join(",").as_bytes())));
        command.into_iter().chain(source).collect()
    }

    /// The extensions, in their order.
    pub(crate) fn extensions(&self) -> Vec<(&'static str, Vec<u8>)> {
        let permits = self.permits.iter();
        permits.map(|permit| (permit.name(), Vec::new())).collect()
    }

    /// Lays the certificate out for the authority whose key is `ca`.
    pub(crate) fn build(
        self,
        ca: &PublicKey,
        nonce: &[u8; NONCE],
    ) -> Result<Unsigned, ssh_key::Error> {
        let subject = self.subject.to_bytes()?;
        let mut fields = Take(&subject);
        let algorithm = fields.text().unwrap_or_default();
        let mut out = Vec::new();
        put(&mut out, certified(algorithm).as_bytes());
        put(&mut out, nonce);
        out.extend_from_slice(fields.0);
        out.extend_from_slice(&self.serial.to_be_bytes());
        out.extend_from_slice(&(Kind::of(self.authority) as u32).to_be_bytes());
        put(&mut out, self.key_id.as_bytes());
        let principals = self.principals.iter().map(|name| string(name.as_bytes()));
        put(&mut out, &principals.collect::<Vec<_>>().concat());
        out.extend_from_slice(&self.after.secs().to_be_bytes());
        out.extend_from_slice(&self.before.secs().to_be_bytes());
        put(&mut out, &options(&self.critical()));
        put(&mut out, &options(&self.extensions()));
        put(&mut out, b"");
        put(&mut out, &ca.to_bytes()?);
        Ok(Unsigned {
            plan: self,
            bytes: out,
        })
    }
}

/// The name of the certificate format for a plain key's algorithm.
pub(crate) fn certified(algorithm: &str) -> String {
    let bare = algorithm.strip_suffix("@openssh.com").unwrap_or(algorithm);
    format!("{bare}-cert-v01@openssh.com")
}

fn options(options: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, data) in options {
        put(&mut out, name.as_bytes());
        put(&mut out, data);
    }
    out
}
