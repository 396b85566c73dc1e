//! Signing with the agent that a person forwarded with `ssh -A`.
//!
//! The agent is not asked what it holds: one key of a kind that we do not know would spoil the
//! whole list, and the person's registered keys are known. It is asked to sign with each of them,
//! and an agent that does not hold a key says so at once.

use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use russh::server::Handle;
use ssh_key::{HashAlg, LineEnding, PublicKey, SshSig};

/// How long the agent may take: somebody reads a dialogue and touches a key.
const TOUCH: Duration = Duration::from_secs(60);

/// Why the agent did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoSignature {
    /// The client did not open a way to an agent.
    #[error("your ssh did not let us reach an agent: is one running there (`ssh-add -l`)?")]
    NoAgent,
    /// It holds none of the person's keys, or does not want to sign.
    #[error(
        "your agent signed with none of your registered keys: add one (`ssh-add`), and confirm or touch it if it asks"
    )]
    Refused,
    /// It did not answer.
    #[error("your agent did not answer within a minute")]
    Silent,
}

/// Has a text signed for a namespace by the first of the `keys` that the agent has: an armoured SSHSIG.
pub(super) async fn sign(
    handle: &Handle,
    keys: &[PublicKey],
    namespace: &str,
    text: &str,
) -> Result<String, NoSignature> {
    tokio::time::timeout(TOUCH, sign_with_any(handle, keys, namespace, text))
        .await
        .map_err(|_| NoSignature::Silent)?
}

async fn sign_with_any(
    handle: &Handle,
    keys: &[PublicKey],
    namespace: &str,
    text: &str,
) -> Result<String, NoSignature> {
    let channel = handle
        .channel_open_agent()
        .await
        .map_err(|_| NoSignature::NoAgent)?;
    let mut agent = AgentClient::connect(channel.into_stream());
    let hash = HashAlg::Sha512;
    let signed =
        SshSig::signed_data(namespace, hash, text.as_bytes()).map_err(|_| NoSignature::Refused)?;
    for key in keys {
        // RSA keys need no hash here: they cannot be registered.
        let Ok(signature) = agent.sign_request_signature(key, None, &signed).await else {
            continue;
        };
        let armoured = SshSig::new(key.key_data().clone(), namespace, hash, signature)
            .and_then(|sig| sig.to_pem(LineEnding::LF));
        return armoured.map_err(|_| NoSignature::Refused);
    }
    Err(NoSignature::Refused)
}
