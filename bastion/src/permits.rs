//! What an access certificate gives beside sessions: the extensions that the CA put into it because the role names
//! the channel (draft-ietf-sshm-cert §2.4). The CA says once more, for each session, what the role gives now.

use ssh_key::Certificate;

/// What may be asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Permits {
    /// Forwarded connections.
    pub(crate) port: bool,
    /// The person's agent.
    pub(crate) agent: bool,
    /// The person's display.
    pub(crate) x11: bool,
}

impl Permits {
    /// What somebody may offer who has yet to choose: taken, until what they choose says whether it gives that.
    pub(crate) const OFFERED: Self = Self {
        port: false,
        agent: true,
        x11: true,
    };

    /// What stands in a certificate.
    pub(crate) fn of(certificate: &Certificate) -> Self {
        let has = |name: &str| certificate.extensions().contains_key(name);
        Self {
            port: has("permit-port-forwarding"),
            agent: has("permit-agent-forwarding"),
            x11: has("permit-X11-forwarding"),
        }
    }
}
