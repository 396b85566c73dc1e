//! Somebody who has named no login and no target: what they may pass on to, and how what they choose is decided.

use std::net::IpAddr;

use config::limits;
use config::words::{BastionName, Principal, TargetName};
use record::clock::UnixTime;
use ssh_key::Certificate;
use ssh_key::public::KeyData;

use super::{Entry, Held, Refusal, Shown, Trust, Visitor, enter};

/// Somebody who may pass on to the targets of the certificate, or choose where to go, and do nothing else here. Made by
/// [`enter`] alone.
#[derive(Debug)]
pub struct Passage {
    pub(crate) targets: Vec<TargetName>,
    pub(crate) source: IpAddr,
    /// The certificate that was shown.
    pub(crate) certificate: String,
    /// What it is for: the first of its principals, and the only one of any that our CA gives.
    pub(crate) access: Principal,
    /// The end of its window.
    pub(crate) until: UnixTime,
    /// The key that was proven.
    pub(crate) key: KeyData,
}

impl Passage {
    /// Decides what a certificate opens for somebody who has chosen `access`: what it would open if they had come with it as
    /// `LOGIN%TARGET`, and nothing if it is for another key than the one that they have proven.
    pub fn choose(
        &self,
        line: &str,
        access: &Principal,
        own: &BastionName,
        now: UnixTime,
        trust: &Trust,
    ) -> Result<Visitor, Refusal> {
        // In base64, and the words before it.
        if line.len() > 2 * limits::KEY_BLOB_BYTES {
            return Err(Refusal::TooLarge);
        }
        let certificate = Certificate::from_openssh(line).map_err(|_| Refusal::Signature)?;
        if *certificate.public_key() != self.key {
            return Err(Refusal::OtherKey);
        }
        let user = format!("{}%{}", access.login, access.target);
        let shown = Shown {
            certificate: &certificate,
            user: &user,
            inside: None,
            source: self.source,
            own,
        };
        match enter(shown, now, trust)? {
            Entry::Visitor(visitor) => Ok(visitor),
            Entry::Reviewer(_) | Entry::Passage(_) => Err(Refusal::NotFor {
                asked: access.to_string(),
                held: Held(Vec::new()),
            }),
        }
    }
}
