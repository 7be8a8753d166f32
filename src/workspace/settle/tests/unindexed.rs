//! Starts at which the index is gone or damaged.

use super::*;

/// What becomes of the index while nothing runs.
const LOSSES: [fn(&std::path::Path); 2] = [without_index, |state| {
    fs::write(state.join("index.db"), "no database").unwrap();
}];

fn without_index(state: &std::path::Path) {
    fs::remove_file(state.join("index.db")).unwrap();
}

#[test]
fn a_deleted_or_damaged_index_is_rebuilt_without_telling_anything_twice() {
    for damage in LOSSES {
        let place = Place::new();
        for name in ["kept", "edited", "gone"] {
            place.save(&format!("tickets/{name}.md"), &ticket(name));
        }
        place.settle();
        let before = place.log();
        fs::write(place.real("tickets/edited.md"), ticket("edited again")).unwrap();
        fs::remove_file(place.real("tickets/gone.md")).unwrap();
        let place = place.restart(damage);
        let changes = place.settle();
        assert_eq!(
            changes,
            [Change::BodyChanged { path: path("tickets/edited.md") }, removed("tickets/gone.md", "gone")]
        );
        assert_eq!(place.log().len(), before.len() + 2);
        assert_eq!(place.store.snapshot(&path("tickets/kept.md")).unwrap().unwrap().title, "kept");
        assert_eq!(place.store.snapshot(&path("tickets/edited.md")).unwrap().unwrap().title, "edited again");
    }
}

#[test]
fn what_was_no_ticket_and_is_one_after_a_start_without_an_index_is_told_as_new() {
    let place = Place::new();
    let (link, note) = ("tickets/a.md", "tickets/b.md");
    fs::create_dir(place.real("tickets")).unwrap();
    std::os::unix::fs::symlink("elsewhere", place.real(link)).unwrap();
    place.op(link, OpKind::Symlink);
    place.save(note, &ticket("B"));
    place.settle();
    let place = place.restart(without_index);
    fs::remove_file(place.real(link)).unwrap();
    place.save(link, &ticket("A"));
    fs::remove_file(place.real(note)).unwrap();
    std::os::unix::fs::symlink("elsewhere", place.real(note)).unwrap();
    place.op(note, OpKind::Symlink);
    let spec = |at, what: &str| Change::SpecChanged { path: path(at), what: what.into() };
    let expected = [spec(link, "removed"), created(link, "A"), removed(note, "b"), spec(note, "added")];
    assert_eq!(place.settle(), expected);
}

#[test]
fn a_ticket_by_its_past_is_one_after_a_start_without_an_index() {
    let place = Place::new();
    let below = "tickets/a/part.md";
    place.save("tickets/a.md", &ticket("A"));
    place.save(below, &ticket("Part"));
    place.settle();
    place.save(below, "no frontmatter any more");
    place.settle();
    let told = place.log().len();
    let place = place.restart(without_index);
    assert_eq!(place.settle(), []);
    assert_eq!(place.store.snapshot(&path(below)).unwrap().unwrap().kind, Kind::Ticket);
    place.unlink(below);
    assert!(matches!(&place.settle()[..], [Change::TicketRemoved { .. }, ..]));
    assert!(place.log().len() > told);
}

/// Journals from before kinds were kept.
#[test]
fn a_file_of_which_the_kind_was_not_kept_is_told_as_edited_after_a_start_without_an_index() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    let place = place.restart(|state| {
        without_index(state);
        let journal = rusqlite::Connection::open(state.join("journal.db")).unwrap();
        assert_eq!(journal.execute("UPDATE settled SET kind = NULL", []).unwrap(), 1);
    });
    place.save("tickets/a.md", &ticket("B"));
    assert_eq!(place.settle(), [Change::BodyChanged { path: path("tickets/a.md") }]);
    place.unlink("tickets/a.md");
    assert_eq!(place.settle(), [removed("tickets/a.md", "B")]);
}
