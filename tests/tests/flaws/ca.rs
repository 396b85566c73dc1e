//! The rows of certificate authorities.

use super::Flaw;
use super::Part::Ca;

pub(super) const ROWS: &[Flaw] = &[
    Flaw {
        what: "a CA key that is itself a certificate is accepted",
        found: "Teleport, CVE-2025-49825",
        part: Ca,
        tests: &[
            "ca/src/keys/tests.rs::promise_26_what_is_no_plain_private_key_is_refused",
            "ca/src/desk/tests/bastions/keys.rs::promise_26_no_certificate_and_no_ca_key_is_taken_for_a_key",
            "bastion/src/visitor/tests/kinds.rs::promise_26_a_certified_key_is_no_authority",
            "tests/tests/certificates.rs::promise_26_no_other_kind_of_key_opens_anything",
        ],
    },
    Flaw {
        what: "a certificate that is issued again drops the source-address pin",
        found: "Teleport",
        part: Ca,
        tests: &[
            "tests/tests/flaws.rs::a_certificate_that_is_collected_again_keeps_every_restriction",
        ],
    },
    Flaw {
        what: "requests ignore rules that deny",
        found: "Teleport",
        part: Ca,
        tests: &[
            "ca/src/policy/tests.rs::a_denial_wins",
            "ca/src/desk/tests/people/approving.rs::one_no_outweighs_every_yes",
        ],
    },
    Flaw {
        what: "a grant cannot be given back early",
        found: "Teleport",
        part: Ca,
        tests: &["ca/tests/front/people.rs::grants_are_returned_and_revoked"],
    },
    Flaw {
        what: "one reviewer in two groups counts twice",
        found: "hoop",
        part: Ca,
        tests: &[
            "config/src/quorum.rs::promise_30_persons_are_counted_once_and_as_well_as_can_be",
            "tests/tests/approvals.rs::promise_30_a_person_in_two_groups_fills_one_of_two_quorums",
        ],
    },
    Flaw {
        what: "administrators approve themselves",
        found: "hoop",
        part: Ca,
        tests: &[
            "ca/src/desk/tests/people/approving.rs::promise_30_nobody_approves_themselves_by_any_route",
            "tests/tests/approvals.rs::promise_30_nobody_approves_themselves_with_whichever_key",
        ],
    },
    Flaw {
        what: "a grant of 60 minutes that is used in minute 59 lasts until minute 119",
        found: "hoop",
        part: Ca,
        tests: &[
            "ca/src/desk/tests/bastions.rs::promise_33_a_late_session_has_only_the_time_that_is_left",
            "tests/tests/endings.rs::promise_33_a_session_ends_at_its_deadline",
        ],
    },
    Flaw {
        what: "what is revoked is not bound to what was asked to be revoked",
        found: "step-ca",
        part: Ca,
        tests: &[
            "tests/tests/flaws.rs::a_revocation_is_of_the_grant_that_it_names_and_by_who_may",
            "ca/src/desk/tests/people/revoking.rs::who_may_approve_may_revoke_and_nobody_else",
        ],
    },
    Flaw {
        what: "names are compared without case",
        found: "step-ca",
        part: Ca,
        tests: &[
            "tests/tests/flaws.rs::names_are_compared_byte_for_byte",
            "bastion/src/visitor/tests/exact.rs::promise_25_the_principal_is_exact",
        ],
    },
    Flaw {
        what: "a renewal skips the policy",
        found: "step-ca",
        part: Ca,
        tests: &["ca/src/desk/tests/people.rs::promise_29_a_policy_that_changed_decides_anew"],
    },
    Flaw {
        what: "a revocation does not revoke",
        found: "step-ca",
        part: Ca,
        tests: &[
            "tests/tests/certificates.rs::promise_25_a_revoked_certificate_opens_nothing",
            "tests/tests/endings.rs::promise_32_a_revocation_reaches_running_sessions_within_a_second",
            "tests/tests/krl.rs::a_certificate_opens_nothing_from_the_moment_the_list_is_replaced",
        ],
    },
    Flaw {
        what: "principals are unrestricted unless somebody restricts them",
        found: "Vault, OpenBao",
        part: Ca,
        tests: &[
            "config/tests/refusals.rs::promise_44_what_is_missing_is_refused",
            "ca/src/desk/tests/people/asking.rs::what_no_role_gives_is_refused_with_its_reason",
            "ca/src/lint/tests.rs::promise_24_no_principal_reaches_further_than_its_name",
        ],
    },
    Flaw {
        what: "a comma in a template's value becomes one more principal",
        found: "Vault, OpenBao",
        part: Ca,
        tests: &[
            "ca/src/lint/tests.rs::promise_24_no_principal_reaches_further_than_its_name",
            "tests/tests/issued.rs::promise_24_nobody_can_drop_a_restriction_of_the_role",
        ],
    },
    Flaw {
        what: "the request's options replace the role's",
        found: "Vault, OpenBao",
        part: Ca,
        tests: &[
            "tests/tests/issued.rs::promise_24_nobody_can_drop_a_restriction_of_the_role",
            "ca/src/policy/tests.rs::an_ask_is_only_ever_narrowed",
        ],
    },
    Flaw {
        what: "a restriction is loaded and never enforced",
        found: "rustica",
        part: Ca,
        tests: &[
            "config/tests/refusals.rs::promise_44_unknown_keys_are_refused",
            "config/tests/refusals/roles.rs::promise_44_rules_that_cannot_be_enforced_are_refused",
            "ca/src/desk/tests/people/asking.rs::promise_25_a_role_of_some_networks_is_asked_and_used_from_there_only",
            "bastion/src/visitor/tests/exact.rs::promise_25_source_and_command_are_honoured",
        ],
    },
    Flaw {
        what: "the audit entry is sent after the signature",
        found: "rustica",
        part: Ca,
        tests: &[
            "ca/src/desk/tests/faults.rs::promise_21_whatever_fails_nothing_is_signed_that_the_log_does_not_hold",
            "tests/tests/injected.rs::promise_21_killed_at_every_call_the_ca_never_signs_what_the_log_does_not_hold",
        ],
    },
    Flaw {
        what: "every serial is 0",
        found: "rustica",
        part: Ca,
        tests: &[
            "tests/tests/issued.rs::promise_24_every_serial_is_used_once",
            "record/src/log/tests.rs::a_serial_out_of_order_is_named",
            "record/src/krl/tests.rs::what_would_revoke_nothing_or_too_much_is_refused",
        ],
    },
    Flaw {
        what: "M of N is got around after a library changed under it",
        found: "ssh-cert-authority",
        part: Ca,
        tests: &[
            "ca/tests/front/people.rs::two_approvals_are_two_persons",
            "tests/tests/approvals.rs::promise_30_persons_are_counted_not_signatures",
            "tests/tests/approvals.rs::promise_28_twenty_approvals_of_one_request_count_once",
        ],
    },
    Flaw {
        what: "force-command is lost after a second factor",
        found: "Go x/crypto, CVE-2026-39828",
        part: Ca,
        tests: &[
            "bastion/src/visitor/tests/exact.rs::promise_25_source_and_command_are_honoured",
            "tests/tests/bastion.rs::a_forced_command_is_what_runs",
        ],
    },
    Flaw {
        what: "the permissions are those of another key than the one that proved itself",
        found: "Go x/crypto, CVE-2024-45337, CVE-2026-46595",
        part: Ca,
        tests: &[
            "bastion/src/doorman/tests.rs::promise_27_an_offer_is_not_a_login",
            "bastion/src/doorman/tests.rs::promise_27_a_proof_with_another_key_is_nothing",
            "ca/tests/front/people/keys.rs::promise_27_a_key_that_is_offered_and_not_proven_is_nothing",
            "ca/tests/front/people/keys.rs::an_agent_with_many_keys_gets_in",
        ],
    },
    Flaw {
        what: "source-address is skipped",
        found: "Go x/crypto, CVE-2026-39831",
        part: Ca,
        tests: &[
            "bastion/src/visitor/tests/exact.rs::promise_25_source_and_command_are_honoured",
            "tests/tests/issued.rs::promise_25_a_certificate_of_some_networks_says_so_and_opens_from_there",
        ],
    },
    Flaw {
        what: "whether a token was touched is not checked",
        found: "Go x/crypto, CVE-2026-42508",
        part: Ca,
        tests: &[
            "record/src/sshsig/tests.rs::a_token_must_have_been_touched",
            "tests/tests/tokens.rs::promise_31_a_token_that_nobody_touched_approves_nothing",
        ],
    },
    Flaw {
        what: "what a revoked CA signed is accepted",
        found: "Go x/crypto",
        part: Ca,
        tests: &[
            "record/src/krl/tests.rs::a_certificate_is_revoked_by_what_names_it_and_by_nothing_else",
            "ca/src/regress.rs::promise_24_openssh_s_cert_userkey_passes_with_this_ca",
        ],
    },
    Flaw {
        what: "the recorder takes others' sessions",
        found: "Teleport",
        part: Ca,
        tests: &["ca/src/desk/tests/bastions.rs::a_session_begins_and_ends_once"],
    },
];
