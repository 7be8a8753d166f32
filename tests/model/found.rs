//! What random sequences found, by name.

use super::{
    engine::{self, Step},
    ops::{At, Foreign, Op},
    tree::Onto,
};

/// `tickets` is the fourth folder by name, after the root, `inbox` and `specs`.
const TICKET: At = At { folder: 3, name: 3 };

#[test]
fn the_views_show_every_ticket_after_a_start_without_an_index() {
    engine::play(&[
        Step::Op(Op::Save { editor: 4, at: TICKET, text: 1 }),
        Step::Settle,
        Step::Restart { index_lost: true },
    ]);
}

#[test]
fn a_file_whose_name_a_folder_has_taken_is_gone_from_the_commit() {
    let note = At { folder: 1, name: 2 };
    engine::play(&[
        Step::Op(Op::Save { editor: 4, at: note, text: 0 }),
        Step::Commit,
        Step::Op(Op::Rename { from: note, to: At { folder: 0, name: 0 }, onto: Onto::Anything }),
        Step::Op(Op::Mkdir(note)),
        Step::Commit,
    ]);
}

#[test]
fn a_file_that_was_emptied_by_a_name_it_has_no_more_is_known_by_the_other() {
    let (one, other) = (At { folder: 0, name: 0 }, At { folder: 0, name: 6 });
    engine::play(&[
        Step::Op(Op::Create(one, 1)),
        Step::Op(Op::Link { file: 0, to: other }),
        Step::Op(Op::Open(0, 3)),
        Step::Op(Op::Save { editor: 6, at: other, text: 0 }),
    ]);
}

#[test]
fn a_file_made_executable_after_a_start_without_an_index_is_so_in_the_commit() {
    engine::play(&[
        Step::Restart { index_lost: true },
        Step::Op(Op::Chmod { entry: 0, mode: 2 }),
        Step::Op(Op::Create(At { folder: 0, name: 0 }, 1)),
    ]);
}

#[test]
fn files_of_a_folder_whose_name_a_link_has_taken_are_gone() {
    let (folder, link) = (At { folder: 2, name: 3 }, At { folder: 0, name: 4 });
    engine::play(&[
        Step::Op(Op::Mkdir(folder)),
        Step::Op(Op::Symlink(link, 0)),
        Step::Op(Op::Create(At { folder: 3, name: 0 }, 1)),
        Step::Op(Op::Mkdir(At { folder: 0, name: 0 })),
        Step::Settle,
        Step::Op(Op::Rename { from: At { folder: 3, name: 3 }, to: link, onto: Onto::Exchange }),
    ]);
}

#[test]
fn a_ticket_where_a_link_was_is_new_after_a_start_without_an_index() {
    engine::play(&[
        Step::Op(Op::Foreign(Foreign::Symlink(TICKET))),
        Step::Settle,
        Step::Restart { index_lost: true },
        Step::Op(Op::Save { editor: 6, at: TICKET, text: 0 }),
    ]);
}

#[test]
fn a_ticket_is_told_without_values_when_it_changes_after_a_start_without_an_index() {
    engine::play(&[
        Step::Op(Op::Save { editor: 0, at: TICKET, text: 1 }),
        Step::Commit,
        Step::Restart { index_lost: true },
        Step::Op(Op::Save { editor: 0, at: TICKET, text: 0 }),
    ]);
}
