//! Break-glass in the fold: what was proven, what is owed, and who paid.

use config::words::RequestId;
use record::clock::UnixTime;
use record::entry::Entry;
use record::review::Review;

use super::fold::{Impossible, Possible, must};
use super::{Grant, State};
use crate::glass::{Debt, Reviewed};

impl State {
    /// Whether an entry of break-glass can follow.
    pub(super) fn check_glass(&self, entry: &Entry) -> Possible {
        match entry {
            Entry::Proof { request, .. } => {
                let case = self.open(request)?;
                must(case.request.break_glass, "nothing is to be proven")?;
                must(case.proof.is_none(), "it was proven before")
            }
            Entry::Debt { request, count, .. } => {
                let case = self.case(request)?;
                must(case.request.break_glass, "the grant was approved before")?;
                must(case.running().is_some(), "there is no running grant")?;
                must(case.debt.is_none(), "the grant has its debt")?;
                must(*count > 0, "the debt is nobody's to pay")
            }
            Entry::Review { text, .. } => self.check_review(text),
            Entry::Overdue { request } => {
                let debt = self.case(request)?.debt.as_ref();
                let unpaid = debt.filter(|debt| !debt.is_paid());
                let debt = unpaid.ok_or(Impossible("there is no debt"))?;
                must(!debt.announced, "it was announced before")
            }
            _ => Ok(()),
        }
    }

    /// Takes an entry of break-glass that can follow.
    pub(super) fn apply_glass(&mut self, at: UnixTime, entry: Entry) -> Possible {
        match entry {
            Entry::Proof { request, signature } => {
                self.change(&request, |case| case.proof = Some(signature))
            }
            Entry::Debt {
                request,
                count,
                from,
                until,
                blocks,
                blocks_break_glass,
            } => {
                let debt = Debt {
                    at,
                    count,
                    from,
                    until,
                    blocks,
                    blocks_break_glass,
                    announced: false,
                    reviews: Vec::new(),
                };
                self.glass.owes(request.clone());
                self.change(&request, |case| case.debt = Some(debt))
            }
            Entry::Review { text, signature } => self.reviewed(at, text, signature),
            Entry::Overdue { request } => self.change(&request, |case| {
                if let Some(debt) = &mut case.debt {
                    debt.announced = true;
                }
            }),
            _ => Ok(()),
        }
    }

    /// A request became a grant: one that was taken first counts towards its week.
    pub(super) fn granted(&mut self, id: &RequestId, grant: Grant) -> Possible {
        let asked = self.cases.get(id).map(|case| &case.request);
        if let Some(asked) = asked.filter(|asked| asked.break_glass) {
            self.glass.took(&asked.person, &asked.role, grant.at);
        }
        self.waits_no_more(id);
        self.not_due(id);
        let done = self.change(id, |case| case.grant = Some(grant));
        self.runs(id);
        self.due(id);
        done
    }

    fn check_review(&self, text: &str) -> Possible {
        let review = Review::parse(text);
        let review = review.map_err(|_| Impossible("the review does not parse"))?;
        let case = self.case(&review.request)?;
        must(
            review.digest == case.request.digest(),
            "the review is of another text",
        )?;
        must(
            review.reviewer != case.request.person,
            "a person reviews themselves",
        )?;
        let debt = case.debt.as_ref();
        let debt = debt.ok_or(Impossible("there is no debt"))?;
        must(!debt.is_paid(), "the debt is paid")?;
        must(!debt.has(&review.reviewer), "a person reviews twice")
    }

    fn reviewed(&mut self, at: UnixTime, text: String, signature: String) -> Possible {
        let review = Review::parse(&text);
        let review = review.map_err(|_| Impossible("the review does not parse"))?;
        let mut paid = false;
        self.change(&review.request, |case| {
            if let Some(debt) = &mut case.debt {
                debt.reviews.push(Reviewed {
                    person: review.reviewer,
                    at,
                    verdict: review.verdict,
                    remark: review.remark,
                    text,
                    signature,
                });
                paid = debt.is_paid();
            }
        })?;
        if paid {
            self.glass.paid(&review.request);
            self.due(&review.request);
        }
        Ok(())
    }
}
