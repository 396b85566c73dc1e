//! The two pages for somebody who does not know what to type: after `ssh ca`, and after
//! `ssh ca help`. Each fits one screen of 80 columns and 24 lines.

use super::call::Call;
use super::lists;
use std::fmt::Write as _;

/// What to type, for somebody in a hurry.
pub(super) fn help(certificate_file: &str, bastion: &str) -> String {
    format!(
        "\
Three commands, in the order in which you need them:

  ssh ca request LOGIN@TARGET --reason \"WHY\" > {certificate_file}
      ask; it waits for the approval, then saves your certificate
  ssh -J {bastion} LOGIN@TARGET
      go in; ssh finds the certificate by itself (ssh -t bastion: choose)
  ssh -A ca approve ID
      approve what somebody else asks for

Nobody awake? Add --break-glass to the request: in now, reviewed afterwards.

  whoami, roles, pending     who you are, what you may ask for, what waits
  collect ID, show ID        the certificate again; all about one request
  deny ID --reason WHY       say no
  return ID                  give access back, or take a request back
  revoke ID --reason WHY     end somebody's access now (or: --person P, --key K)
  restore --person P, token  let in again; let a machine join as a target
  review ID, report          look at break-glass afterwards; who used what
  sessions                   who was where (--person P --target T --since 24h)
  krl > FILE                 what targets are to refuse (sshd's RevokedKeys)
  ssh-config                 lines for ~/.ssh/config and ~/.ssh/known_hosts

Exit status: 0 done, 1 refused, 2 usage, 3 denied, 4 expired, 5 unavailable.
Lists take --json. More about one command:  ssh ca help request
"
    )
}

/// Who you are, what waits for you, what you may ask for.
pub(super) fn home(call: &Call) -> String {
    let mut text = lists::Who::of(call).text();
    let pending = call.desk.pending(&call.caller);
    let owed = call.desk.owed(&call.caller);
    if pending.is_empty() && owed.is_empty() {
        text.push_str("\nNothing waits.\n");
    }
    if !pending.is_empty() {
        let _ = write!(text, "\n{}", lists::pending(&pending, call.now()));
    }
    if !owed.is_empty() {
        let _ = write!(text, "\n{}", lists::owed(&owed, call.now()));
    }
    let roles = call.desk.roles(&call.caller);
    if roles.is_empty() {
        text.push_str("\nYou have no role: there is nothing you may ask for.\n");
    } else {
        let _ = write!(text, "\nYou may ask for:\n{}", lists::roles(&roles));
    }
    text.push_str("\nWhat to type:  ssh ca help\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_one_screen() {
        let text = help("~/.ssh/id_ed25519_sk-cert.pub", "bastion");
        assert!(text.lines().count() <= 24);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
