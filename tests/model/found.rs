//! What random sequences found, by name.

use super::{
    engine::{self, Step},
    ops::{At, Op},
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
