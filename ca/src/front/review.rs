//! `review`: reads to the reviewer what was done, has their judgement signed, and hands it on.

use config::words::RequestId;
use record::review::{REVIEW_NAMESPACE, Verdict};
use record::text::Remark;

use super::call::{Call, Stop};
use super::command;
use super::render::names;
use super::show;
use super::sign;

/// Reviews a grant that was taken with break-glass; or prints what a reviewer would sign.
pub(super) async fn review(call: &Call, typed: command::Review) -> Result<(), Stop> {
    let id = &typed.id;
    let (verdict, remark) = said(typed.accept, typed.reject)?;
    let text = call.desk.review_text(&call.caller, id, verdict, &remark)?;
    if typed.text {
        return Ok(call.peer.print(&text).await?);
    }
    let shown = call.desk.show(&call.caller, id)?;
    call.peer.say(&show::whole(&shown, call.now())).await?;
    let ways = ways(id, verdict, &remark);
    let keys = sign::keys(call, |_| true);
    let signature = sign::signature(call, &keys, REVIEW_NAMESPACE, &text, &ways).await?;
    let said = (verdict, remark);
    let debt = call.desk.review(&call.caller, id, said, &signature).await?;
    let text = if debt.paid {
        format!("reviewed, {verdict}: nothing more is owed for {id}\n")
    } else {
        let have = u32::try_from(debt.reviews.len()).unwrap_or(u32::MAX);
        let left = debt.count.saturating_sub(have);
        format!(
            "reviewed, {verdict}: {left} more of {} still have to\n",
            names(&debt.from)
        )
    };
    Ok(call.peer.say(&text).await?)
}

/// clap lets exactly one of the two through.
fn said(accept: Option<Remark>, reject: Option<Remark>) -> Result<(Verdict, Remark), Stop> {
    match (accept, reject) {
        (Some(remark), None) => Ok((Verdict::Accept, remark)),
        (None, Some(remark)) => Ok((Verdict::Reject, remark)),
        _ => Err(Stop::Usage(
            "say either --accept TEXT or --reject TEXT\n".to_owned(),
        )),
    }
}

fn ways(id: &RequestId, verdict: Verdict, remark: &Remark) -> String {
    let remark = shell_words::quote(remark.as_str());
    format!(
        "with your agent:    ssh -A ca review {id} --{verdict} {remark}\n\
         with a key file:    ssh ca review {id} --text --{verdict} {remark} > r && ssh-keygen -Y sign -n \
         {REVIEW_NAMESPACE} -f KEY r && ssh ca review {id} --{verdict} {remark} < r.sig\n"
    )
}
