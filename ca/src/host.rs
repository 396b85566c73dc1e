//! Host certificates of targets and join tokens, made by hand beside the stopped CA.

use std::sync::Arc;

use config::Config;
use config::words::TargetName;
use record::clock::Clock;
use record::token::JoinToken;

use crate::desk::{DeskError, certify_host, invite_target};

/// Makes a host certificate for a target from its public host key, both in OpenSSH's one-line form: logged first, like
/// every other certificate. Takes the log's lock, and so refuses while the CA runs.
pub fn certify(
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    target: &TargetName,
    public_key: &str,
) -> Result<String, DeskError> {
    certify_host(config, clock, target, public_key)
}

/// Makes a join token for a target: its digest is logged. Takes the log's lock, and so refuses while the CA runs.
pub fn invite(
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    target: &TargetName,
) -> Result<JoinToken, DeskError> {
    invite_target(config, clock, target)
}
