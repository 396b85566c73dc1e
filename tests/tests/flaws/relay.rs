//! The rows of bastions and of recordings.

use super::Flaw;
use super::Part::{Later, Relay};

pub(super) const ROWS: &[Flaw] = &[
    Flaw {
        what: "direct-tcpip skips the role; sftp passes in a moderated session; joining skips the second factor; a peer acts before the moderator is there",
        found: "Teleport",
        part: Relay,
        tests: &[
            "config/tests/refusals/watching.rs::promise_44_an_observer_who_cannot_be_there_is_refused",
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
            "record/src/recording/tests/crash/writers.rs::promise_08_a_session_identifier_is_used_once",
            "ca/src/desk/tests/bastions.rs::a_session_begins_and_ends_once",
        ],
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
            "ca/tests/front/door/mutated.rs::promise_18_mutated_streams_before_the_login_do_no_harm",
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
