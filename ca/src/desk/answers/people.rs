//! What persons ask for, approve and give back.

use config::words::RequestId;
use record::text::Reason;
use tokio::sync::watch;

use super::super::{
    Ask, Asked, Caller, Desk, Issued, PendingRow, Refused, RoleRow, Shown, Standing,
};

impl Desk {
    /// A person asks for access.
    pub async fn request(&self, caller: &Caller, ask: Ask) -> Result<Asked, Refused> {
        let caller = caller.clone();
        self.run(move |writer| writer.request(&caller, &ask)).await
    }

    /// A person asks for access; if it is granted at once, here is the certificate too: the log is synced once for both.
    pub async fn obtain(
        &self,
        caller: &Caller,
        ask: Ask,
    ) -> Result<(Asked, Option<Issued>), Refused> {
        let (caller, glass) = (caller.clone(), ask.break_glass);
        let (asked, issued) = self.run(move |writer| writer.obtain(&caller, &ask)).await?;
        if issued.is_some() && !glass {
            self.covered(&asked.id).await?;
        }
        Ok((asked, issued))
    }

    /// Returns when as many witnesses as are needed have cosigned everything that stands in the log now. Break-glass
    /// does not come here: it has to work with everything else down, and its entry is cosigned with the next batch.
    pub(super) async fn covered(&self, id: &RequestId) -> Result<(), Refused> {
        let size = *self.hall.durable().borrow();
        let covered = self.published.covers(size).await;
        covered.map_err(|_| Refused::Unwitnessed(id.clone()))
    }

    /// Whether a certificate that is asked for now would have to wait for the log's witnesses.
    pub fn waits_for_witnesses(&self) -> bool {
        let size = *self.hall.durable().borrow();
        !self.published.is_covered(size)
    }

    /// A person approves, with an armoured SSHSIG over the request's canonical text.
    pub async fn approve(
        &self,
        caller: &Caller,
        id: &RequestId,
        sshsig_pem: &str,
    ) -> Result<Standing, Refused> {
        let (caller, id, signature) = (caller.clone(), id.clone(), sshsig_pem.to_owned());
        self.run(move |writer| writer.approve(&caller, &id, &signature))
            .await
    }

    /// An approver says no. One no outweighs every yes.
    pub async fn deny(
        &self,
        caller: &Caller,
        id: &RequestId,
        reason: Reason,
    ) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.deny(&caller, &id, reason))
            .await
    }

    /// The person takes the request back while it waits.
    pub async fn withdraw(&self, caller: &Caller, id: &RequestId) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.withdraw(&caller, &id)).await
    }

    /// The person gives the grant back early.
    pub async fn give_back(&self, caller: &Caller, id: &RequestId) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.give_back(&caller, &id)).await
    }

    /// Somebody who may approve a role, or, where nobody has to, holds it too, ends another person's grant of it.
    pub async fn revoke(
        &self,
        caller: &Caller,
        id: &RequestId,
        reason: Reason,
    ) -> Result<(), Refused> {
        let (caller, id) = (caller.clone(), id.clone());
        self.run(move |writer| writer.revoke(&caller, &id, reason))
            .await
    }

    /// The access certificate of a granted request; the same one each time.
    pub async fn collect(&self, caller: &Caller, id: &RequestId) -> Result<Issued, Refused> {
        let (caller, wanted) = (caller.clone(), id.clone());
        let issued = self
            .run(move |writer| writer.collect(&caller, &wanted))
            .await?;
        if !self.hall.is_glass(id) {
            self.covered(id).await?;
        }
        Ok(issued)
    }

    /// The request's canonical text: what an approver signs.
    pub fn text(&self, caller: &Caller, id: &RequestId) -> Result<String, Refused> {
        self.hall.text(caller, id)
    }

    /// Where the request stands, and each change of it. Time alone changes nothing here: whoever waits past
    /// `expires` or `until` asks [`Desk::standing`].
    pub fn watch(&self, id: &RequestId) -> Option<watch::Receiver<Standing>> {
        self.hall.watch(id)
    }

    /// Where the request stands now.
    pub fn standing(&self, id: &RequestId) -> Option<Standing> {
        self.hall.standing(id)
    }

    /// One request with everything that happened to it.
    pub fn show(&self, caller: &Caller, id: &RequestId) -> Result<Shown, Refused> {
        self.hall.show(caller, id)
    }

    /// The roles that the person may ask for.
    pub fn roles(&self, caller: &Caller) -> Vec<RoleRow> {
        self.hall.roles(caller)
    }

    /// The requests that wait for the person, and the person's own that wait for others; the oldest first.
    pub fn pending(&self, caller: &Caller) -> Vec<PendingRow> {
        self.hall.pending(caller)
    }

    /// The person proves, with an armoured SSHSIG by a token that asked for its PIN, that it is they who break the glass.
    pub async fn prove(
        &self,
        caller: &Caller,
        id: &RequestId,
        sshsig_pem: &str,
    ) -> Result<Standing, Refused> {
        let (caller, id, signature) = (caller.clone(), id.clone(), sshsig_pem.to_owned());
        self.run(move |writer| writer.prove(&caller, &id, &signature))
            .await
    }
}
