//! The suite that admits a provider: the same laws for the simulator in both flavours, GitHub and Linear.
//!
//! Each law gets a [`Fixture`] of its own: a repository or a stretch of time that no other law writes in, reached through
//! a proxy that can lose an answer. Where a stand-in is known to differ from production, the law says so beside the exclusion.

#[path = "providers/documented.rs"]
mod documented;
#[path = "support/emulators.rs"]
mod emulators;
#[path = "providers/fixture.rs"]
mod fixture;
#[path = "providers/github_only.rs"]
mod github_only;
#[path = "providers/laws.rs"]
mod laws;
#[path = "providers/linear_only.rs"]
mod linear_only;
#[path = "support/proxy.rs"]
mod proxy;

/// Runs every law against every provider, each as a test of its own.
macro_rules! conformance {
    ($($law:ident),+ $(,)?) => {
        mod simulator_like_linear { $(#[test] fn $law() { super::laws::$law(&super::fixture::simulated_linear()); })+ }
        mod simulator_like_github { $(#[test] fn $law() { super::laws::$law(&super::fixture::simulated_github()); })+ }
        mod github { $(#[test] fn $law() { super::fixture::github().iter().for_each(|remote| super::laws::$law(remote)); })+ }
        mod linear { $(#[test] fn $law() { super::fixture::linear().iter().for_each(|remote| super::laws::$law(remote)); })+ }
    };
}

conformance! {
    a_created_issue_has_what_was_sent,
    a_created_issue_has_defaults_for_what_was_not_sent,
    an_issue_can_be_created_closed,
    each_field_changes_alone,
    each_field_that_may_be_empty_can_be_cleared,
    every_state_can_be_reached_and_left,
    an_unknown_state_is_refused,
    what_is_not_there_is_refused_and_what_is_there_named,
    what_is_there_is_known_whatever_its_case,
    a_parent_can_be_replaced_and_must_be_there,
    relations_change_by_members_and_must_be_there,
    a_relation_is_seen_from_both_of_its_ends,
    a_new_label_is_made_and_a_known_one_reused,
    a_new_label_is_refused_where_none_may_be_made,
    labels_change_by_members_and_keep_what_others_added,
    comments_come_with_their_issue_in_order,
    an_own_comment_can_be_edited_and_deleted,
    somebody_elses_comment_is_neither_edited_nor_deleted,
    a_comment_without_words_is_refused_before_sending,
    a_listing_has_what_changed_at_or_after_its_time,
    a_listing_of_many_pages_misses_nothing,
    a_listing_misses_nothing_that_is_pushed_about_while_it_runs,
    a_listing_carries_the_comments,
    archiving_twice_is_no_error,
    an_unknown_id_is_absent,
    an_over_long_title_is_refused_before_sending,
    an_over_long_body_is_refused_before_sending,
    an_empty_title_is_refused_before_sending,
    a_lost_answer_is_ambiguous_and_what_was_made_is_found,
    a_lost_issue_that_was_edited_is_found_unless_it_may_be_one_of_several,
    a_lost_request_is_ambiguous_and_nothing_is_found,
    a_repeated_intent_makes_one_issue_where_creates_are_idempotent,
    a_lost_comment_is_found,
    a_refused_token_is_unauthorized,
    no_connection_is_offline,
    a_rate_limit_says_how_long_to_wait,
    a_failing_server_is_passing,
    text_of_any_script_survives,
    line_ends_come_back_as_lf,
    an_edit_by_somebody_else_is_seen,
    an_update_touches_no_other_field,
}

/// GitHub's stand-in keeps no record of renamings: `github_only` has this law with the answers that are documented.
#[test]
fn a_lost_issue_that_was_renamed_is_found() {
    laws::a_lost_issue_that_was_renamed_is_found(&fixture::simulated_linear());
    laws::a_lost_issue_that_was_renamed_is_found(&fixture::simulated_github());
    fixture::linear().iter().for_each(laws::a_lost_issue_that_was_renamed_is_found);
}
