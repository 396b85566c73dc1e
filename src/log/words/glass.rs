//! The entries of break-glass.

use config::words::GroupName;
use record::entry::Entry;
use record::review::Review;

pub(super) fn told(entry: &Entry) -> String {
    match entry {
        Entry::Proof { request, .. } => {
            format!("proof: the person of {request} gave the PIN of their token")
        }
        Entry::Debt {
            request,
            count,
            from,
            until,
            ..
        } => {
            let from: Vec<&str> = from.iter().map(GroupName::as_str).collect();
            let from = from.join(" or ");
            format!("debt: {request} is to be reviewed by {count} of {from} until {until}")
        }
        Entry::Review { text, .. } => match Review::parse(text) {
            Ok(review) => format!(
                "review: {} reviewed {}, {}: {}",
                review.reviewer, review.request, review.verdict, review.remark
            ),
            Err(why) => format!("review that cannot be read: {why}"),
        },
        Entry::Overdue { request } => format!("overdue: the review of {request}"),
        _ => String::new(),
    }
}
