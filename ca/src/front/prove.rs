//! `prove`: the person shows, with the PIN of a token, that it is they who break the glass.

use config::words::RequestId;
use record::request::PROOF_NAMESPACE;
use record::sshsig::on_token;

use super::call::{Call, Stop};
use super::{request, sign};
use crate::desk::Standing;

/// Proves a request that waits for it, and prints its certificate.
pub(super) async fn prove(call: &Call, id: &RequestId) -> Result<(), Stop> {
    proven(call, id).await?;
    request::collect(call, id).await
}

/// Has the request's text signed by one of the person's tokens.
pub(super) async fn proven(call: &Call, id: &RequestId) -> Result<Standing, Stop> {
    let text = call.desk.text(&call.caller, id)?;
    let keys = sign::keys(call, on_token);
    let told = "prove that it is you: your token asks for its PIN, then touch it …\n";
    if call.agent.is_some() {
        call.peer.say(told).await?;
    }
    let signature = sign::signature(call, &keys, PROOF_NAMESPACE, &text, &ways(call, id)).await?;
    Ok(call.desk.prove(&call.caller, id, &signature).await?)
}

/// Both ways, ready to paste.
pub(super) fn ways(call: &Call, id: &RequestId) -> String {
    let file = call.certificate_file();
    format!(
        "with your agent:    ssh -A ca prove {id} > {file}\n\
         with a key file:    ssh ca show {id} --text > r && ssh-keygen -Y sign -n {PROOF_NAMESPACE} -f KEY r && ssh ca prove {id} < r.sig > {file}\n"
    )
}
