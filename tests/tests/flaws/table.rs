//! The table.

/// One flaw.
pub(super) struct Flaw {
    /// What was wrong.
    pub(super) what: &'static str,
    /// Whose it was, with its public number where it has one.
    pub(super) found: &'static str,
    /// Whose work it is here.
    pub(super) part: Part,
    /// The tests that show that it is not here, each `FILE::NAME`.
    pub(super) tests: &'static [&'static str],
}

#[derive(PartialEq, Eq)]
pub(super) enum Part {
    /// The certificate authority: every row has its tests.
    Ca,
    /// The bastion or the recordings: every row has its tests.
    Relay,
    /// The bastion or the recordings, and this is not tested yet.
    Later(&'static str),
}

use Part::{Ca, Later, Relay};

pub(super) const FLAWS: &[Flaw] = &[
    Flaw {
        what: "a CA key that is itself a certificate is accepted",
        found: "Teleport, CVE-2025-49825",
        part: Ca,
        tests: &[
            "ca/src/keys/tests.rs::promise_26_what_is_no_plain_private_key_is_refused",
            "ca/src/desk/tests/bastions.rs::promise_26_no_certificate_and_no_ca_key_is_taken_for_a_key",
            "bastion/src/visitor/tests.rs::promise_26_a_certified_key_is_no_authority",
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
            "ca/src/desk/tests/people.rs::one_no_outweighs_every_yes",
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
            "ca/src/desk/tests/people.rs::promise_30_nobody_approves_themselves_by_any_route",
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
            "ca/src/desk/tests/people.rs::who_may_approve_may_revoke_and_nobody_else",
        ],
    },
    Flaw {
        what: "names are compared without case",
        found: "step-ca",
        part: Ca,
        tests: &[
            "tests/tests/flaws.rs::names_are_compared_byte_for_byte",
            "bastion/src/visitor/tests.rs::promise_25_the_principal_is_exact",
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
            "ca/src/desk/tests/people.rs::what_no_role_gives_is_refused_with_its_reason",
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
            "config/tests/refusals.rs::promise_44_rules_that_cannot_be_enforced_are_refused",
            "ca/src/desk/tests/people.rs::promise_25_a_role_of_some_networks_is_asked_and_used_from_there_only",
            "bastion/src/visitor/tests.rs::promise_25_source_and_command_are_honoured",
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
            "bastion/src/visitor/tests.rs::promise_25_source_and_command_are_honoured",
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
            "ca/tests/front/people.rs::promise_27_a_key_that_is_offered_and_not_proven_is_nothing",
            "ca/tests/front/people.rs::an_agent_with_many_keys_gets_in",
        ],
    },
    Flaw {
        what: "source-address is skipped",
        found: "Go x/crypto, CVE-2026-39831",
        part: Ca,
        tests: &[
            "bastion/src/visitor/tests.rs::promise_25_source_and_command_are_honoured",
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
        what: "direct-tcpip skips the role; sftp passes in a moderated session; joining skips the second factor; a peer acts before the moderator is there",
        found: "Teleport",
        part: Relay,
        tests: &[
            "config/tests/refusals.rs::promise_44_an_observer_who_cannot_be_there_is_refused",
            "tests/tests/forwards.rs::promise_10_a_place_that_the_role_does_not_give_is_refused_by_name_and_a_refusal_of_the_target_is_one",
            "tests/tests/observer.rs::nothing_reaches_the_target_before_somebody_else_watches",
            "tests/tests/observer.rs::no_byte_passes_while_nobody_watches_and_all_of_them_do_afterwards",
            "tests/tests/readings.rs::a_certificate_for_one_thing_opens_nothing_else",
            "tests/tests/refusals.rs::promise_10_every_other_channel_is_refused_by_name",
            "tests/tests/refusals.rs::the_outer_connection_opens_nothing_but_its_own_targets",
        ],
    },
    Flaw {
        what: "a session id that is used again overwrites a recording",
        found: "Teleport",
        part: Relay,
        tests: &[
            "record/src/recording/tests/crash.rs::promise_08_a_session_identifier_is_used_once",
            "ca/src/desk/tests/bastions.rs::a_session_begins_and_ends_once",
        ],
    },
    Flaw {
        what: "the recorder takes others' sessions",
        found: "Teleport",
        part: Ca,
        tests: &["ca/src/desk/tests/bastions.rs::a_session_begins_and_ends_once"],
    },
    Flaw {
        what: "an abandoned or corrupt recording is never listed, or blocks others",
        found: "Teleport",
        part: Relay,
        tests: &[
            "record/src/recording/tests/crash.rs::promise_01_recovery_itself_may_die_and_is_done_again",
            "src/evidence/tests.rs::promise_09_whatever_is_taken_away_is_missed",
        ],
    },
    Flaw {
        what: "recording stops at a size and the session goes on; a restart drops the last of it",
        found: "hoop",
        part: Relay,
        tests: &[
            "record/src/recording/tests/disk.rs::promise_02_one_failure_at_any_operation_loses_no_forwarded_byte",
            "tests/tests/crash.rs::promise_1_kill_9_of_the_bastion_in_the_middle_of_a_flood",
        ],
    },
    Flaw {
        what: "a recorder's error is logged and the session goes on; a command is sent before the recorder is open; commands are exempt by their text",
        found: "warpgate, Tailscale",
        part: Relay,
        tests: &[
            "record/src/recording/tests/disk.rs::promise_02_one_failure_at_any_operation_loses_no_forwarded_byte",
            "record/src/recording/tests/disk.rs::promise_03_a_full_disk_refuses_a_new_session",
            "tests/tests/disk.rs::promise_2_whichever_call_of_a_session_fails_nothing_is_forwarded_unrecorded_and_others_go_on",
            "tests/tests/faulted.rs::promise_03_on_a_full_disk_no_target_hears_of_a_new_session_and_a_running_one_has_its_end",
        ],
    },
    Flaw {
        what: "a key that was only offered counts as a login; identity is taken from the wrong stage",
        found: "warpgate",
        part: Relay,
        tests: &[
            "bastion/src/doorman/tests.rs::promise_27_an_offer_is_not_a_login",
            "bastion/src/doorman/tests.rs::promise_27_a_proof_with_another_key_is_nothing",
        ],
    },
    Flaw {
        what: "a host that is known by one type of key is unknown by another, and trusted anew",
        found: "warpgate",
        part: Relay,
        tests: &[
            "bastion/tests/target.rs::a_pinned_key_of_any_kind_is_found_and_no_other_is_believed",
        ],
    },
    Flaw {
        what: "recording is avoided by forwarding to the target's own sshd",
        found: "warpgate",
        part: Relay,
        tests: &[
            "tests/tests/refusals.rs::promise_10_every_other_channel_is_refused_by_name",
            "tests/tests/forwards.rs::promise_10_a_place_that_the_role_does_not_give_is_refused_by_name_and_a_refusal_of_the_target_is_one",
            "tests/tests/refusals.rs::the_outer_connection_opens_nothing_but_its_own_targets",
        ],
    },
    Flaw {
        what: "an upload to a slow target grows memory; one dead channel stops all; the first bytes of a channel are lost",
        found: "warpgate",
        part: Relay,
        tests: &[
            "bastion/src/flow/tests/duplex.rs::promise_14_one_that_stands_still_costs_little",
            "bastion/src/flow/tests/duplex.rs::promise_15_nothing_is_lost_and_nobody_locks_up",
            "tests/tests/flow.rs::promise_13_a_target_that_stands_still_and_goes_on_gets_every_byte",
            "tests/tests/flow.rs::promise_15_a_channel_that_stands_still_stops_no_other_of_its_connection",
            "tests/tests/forwards/flow.rs::promise_15_forwarded_connections_go_both_ways_at_once_and_one_that_stands_still_stops_no_other",
            "tests/tests/forwards/flow.rs::the_first_bytes_of_a_connection_arrive_whoever_speaks_first",
            "tests/tests/forwards/lingering.rs::a_place_where_nothing_answers_is_refused_by_name_after_thirty_seconds_and_stops_no_other",
        ],
    },
    Flaw {
        what: "new keys after an hour disconnect",
        found: "warpgate",
        part: Relay,
        tests: &[
            "tests/tests/flow.rs::keys_are_exchanged_again_in_the_middle_of_a_transfer_on_both_legs",
        ],
    },
    Flaw {
        what: "a live recording is shown without authorization",
        found: "warpgate",
        part: Relay,
        tests: &[
            "tests/tests/readings.rs::a_role_reads_its_own_sessions_and_no_others",
            "tests/tests/readings.rs::a_certificate_for_one_thing_opens_nothing_else",
            "tests/tests/watch.rs::looking_on_ends_with_its_grant",
        ],
    },
    Flaw {
        what: "an identity header is taken from outside; a link runs a script",
        found: "warpgate",
        part: Later("there is no web console yet"),
        tests: &[],
    },
    Flaw {
        what: "scp and sftp skip the second factor; recordings are silently unsigned",
        found: "the-bastion, CVE-2023-45140, CVE-2025-59339",
        part: Relay,
        tests: &[
            "tests/tests/refusals.rs::promise_10_every_other_channel_is_refused_by_name",
            "tests/tests/files.rs::a_role_that_does_not_name_sftp_gives_none",
            "src/evidence/tests.rs::promise_09_whatever_is_taken_away_is_missed",
        ],
    },
    Flaw {
        what: "recordings are downloaded without a login; an address that the caller names avoids a limit",
        found: "JumpServer",
        part: Relay,
        tests: &[
            "tests/tests/readings.rs::a_role_reads_its_own_sessions_and_no_others",
            "tests/tests/readings.rs::a_certificate_for_one_thing_opens_nothing_else",
            "config/src/half_open.rs::addresses_of_one_network_are_one_source",
            "bastion/src/sources.rs::one_source_has_so_many_connections_and_takes_none_from_others",
        ],
    },
    Flaw {
        what: "a login that is half done goes on as somebody else; one key is asked about and another signs",
        found: "russh",
        part: Relay,
        tests: &["bastion/src/doorman/tests.rs::promise_27_a_proof_with_another_key_is_nothing"],
    },
    Flaw {
        what: "huge lengths, lists and prompts, junk before the banner, packets that unpack to gigabytes",
        found: "russh, 2023 to 2026",
        part: Relay,
        tests: &[
            "ca/tests/front/door.rs::promise_18_mutated_streams_before_the_login_do_no_harm",
            "ca/tests/front/door.rs::promise_20_nothing_is_compressed",
            "tests/tests/mutated.rs::promise_18_mutated_streams_at_the_bastion_do_no_harm_and_cost_little",
            "tests/tests/doors.rs::promise_20_nothing_is_compressed_at_the_doors_nor_on_the_way_to_a_target",
            "tests/tests/flaws/nonsense.rs::a_target_that_talks_nonsense_is_named_and_costs_little",
            "bastion/src/prelude.rs::one_terminal_with_a_name_that_is_safe_to_pass_on",
        ],
    },
    Flaw {
        what: "a request on a channel that was never opened; window adjustments beyond 32 bits; agent frames of any length",
        found: "russh, 2023 to 2026",
        part: Relay,
        tests: &[
            "tests/tests/strict.rs::promise_19_a_message_out_of_its_state_ends_a_connection_before_it_has_keys",
            "tests/tests/strict.rs::promise_19_a_message_out_of_its_state_is_not_answered_and_changes_nothing_once_there_are_keys",
            "ca/tests/front/people.rs::promise_30_an_agent_with_other_keys_approves_nothing",
            "bastion/src/agent.rs::one_past_the_longest_message_and_an_empty_one_are_garbled",
            "tests/tests/forwards/lingering.rs::what_the_person_s_client_opens_too_late_is_closed_and_held_by_nobody",
        ],
    },
];
