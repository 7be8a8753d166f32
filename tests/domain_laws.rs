//! Laws of the domain, checked over generated documents, edits and changes.

use proptest::{prelude::*, sample::select};
use serde_json::json;
use trackfs::domain::{
    Fields, Value,
    diff::diff,
    document::Document,
    event::Change,
    layout::{Facts, Kind, classify, is_scratch},
    links::references,
    message::commit_message,
    op::Actor,
    path::WsPath,
    schema::Schema,
    snapshot::{self, Snapshot},
};

/// Words and marks that some YAML reader takes for something other than text.
const TREACHEROUS: [&str; 28] = [
    "no",
    "on",
    "Null",
    "~",
    "<<",
    "---",
    "...",
    "TRUE",
    ".inf",
    "=",
    "y",
    "0o7",
    "1_000",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{7f}",
    "\r",
    " x",
    "x ",
    "x:",
    "#x",
    "x #y",
    "a\n---\nb",
    "a\n\n",
    "\n",
    "2026-12-01",
    "12:30",
];

/// Strings that writers of YAML get wrong.
fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c#:,\\[\\]{}&*!|>'\"%@`~ \\-?=\n\t\\\\]{0,12}",
        "[-+.0-9eExo_:]{0,8}",
        select(&TREACHEROUS[..]).prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => nasty().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let map = prop::collection::vec((nasty(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            map.prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// One field as people write it, `K` standing for its name; none refers to another.
const WRITTEN: [&str; 24] = [
    "K: x\n",
    "K: y # c\n",
    "# above\n\nK: 'q'\n",
    "K: \"q # r\"   # s\n",
    "K: |\n  one\n\n  two\n\n",
    "K: |2- # why\n    one\n  two\n",
    "K: >-\n  folded\n  text\n",
    "K: [x, 'y', {z: 1}]  # list\n",
    "K: {k: v, l: w}\n",
    "K:\n  - x # 1\n  # 2\n  - 'y'\n\n",
    "K:\n  k: v\n  l: w # 3\n",
    "K:\n- x\n-   y\n",
    "K:\n  - - a\n    - b\n  - k: v\n    l: w\n",
    "K: [\n  p, # q\n  r,\n]\n",
    "K:\n",
    "K: # nothing\n",
    "K: x\n  more\n  text\n",
    "K: 'p\n\n  q'\n",
    "K: !!str 5\n",
    "K: &K v\n",
    "\"K\": 1\n",
    "'K' : 2\n",
    "K: |+\n  x\n\n",
    "K:\n  far below # c\n",
];

/// A document of fields `a`, `b`, `c`, each with its own bytes: what is before, in and after each is known.
#[derive(Clone, Debug)]
struct Written {
    fields: Vec<(String, String)>,
    crlf: bool,
}

impl Written {
    fn text(&self) -> String {
        let fields: String = self.fields.iter().map(|(_, text)| text.as_str()).collect();
        self.ends(&format!("---\n{fields}---\nbody: x\n"))
    }

    /// The bytes before and after a field.
    fn around(&self, key: &str) -> (String, String) {
        let index = self.fields.iter().position(|(name, _)| name == key).unwrap_or(self.fields.len());
        let join = |fields: &[(String, String)]| fields.iter().map(|(_, text)| text.as_str()).collect::<String>();
        let after = join(self.fields.get(index + 1..).unwrap_or_default());
        (self.ends(&format!("---\n{}", join(&self.fields[..index]))), self.ends(&format!("{after}---\nbody: x\n")))
    }

    fn ends(&self, text: &str) -> String {
        if self.crlf { text.replace('\n', "\r\n") } else { text.to_owned() }
    }
}

fn written() -> impl Strategy<Value = Written> {
    (prop::collection::vec(select(&WRITTEN[..]), 0..4), any::<bool>()).prop_map(|(texts, crlf)| {
        let named = texts.iter().zip(["a", "b", "c"]);
        Written { fields: named.map(|(text, name)| (name.to_owned(), text.replace('K', name))).collect(), crlf }
    })
}

fn text_of(document: &Document) -> String {
    String::from_utf8(document.bytes().to_vec()).expect("edits keep a document UTF-8")
}

/// A legal document with some bytes thrown in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(select(&b"-:[]{}&*!|>'\"%@#?,. \n\r\t\0\xff<=>abx0"[..]), 0..6);
    (written(), prop::collection::vec((any::<prop::sample::Index>(), noise, 0..4usize), 0..4)).prop_map(
        |(written, edits)| {
            let mut bytes = written.text().into_bytes();
            for (at, noise, gone) in edits {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..(at + gone).min(bytes.len()), noise);
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn parsing_keeps_every_byte(bytes in prop_oneof![any::<Vec<u8>>(), mutated()]) {
        let document = Document::parse(&bytes);
        prop_assert_eq!(document.bytes(), &bytes[..]);
        prop_assert!(document.bytes().ends_with(document.body()));
    }

    #[test]
    fn a_field_that_is_set_reads_back_and_no_other_byte_changes(written in written(), key in select(&["a", "b", "c", "z"][..]), value in value()) {
        let before = Document::parse(written.text().as_bytes());
        prop_assert!(before.faults().is_empty(), "{:?}", before.faults());
        let mut after = before.clone();
        prop_assert_eq!(after.set(key, &value), Ok(()), "{}", written.text());
        prop_assert_eq!(after.get(key), Some(&value));
        let (start, end) = written.around(key);
        let text = text_of(&after);
        prop_assert!(text.starts_with(&start) && text.ends_with(&end) && text.len() >= start.len() + end.len(), "{}", text);
        for (other, old) in before.fields().iter().filter(|(other, _)| *other != key) {
            prop_assert_eq!(after.get(other), Some(old));
        }
    }

    #[test]
    fn setting_twice_is_setting_once_and_removing_undoes_an_addition(written in written(), key in select(&["a", "b", "c", "z"][..]), value in value()) {
        let before = Document::parse(written.text().as_bytes());
        let mut after = before.clone();
        after.set(key, &value).unwrap();
        let once = text_of(&after);
        after.set(key, &value).unwrap();
        prop_assert_eq!(&once, &text_of(&after));
        if before.get(key).is_none() {
            after.remove(key).unwrap();
            prop_assert_eq!(text_of(&after), text_of(&before));
        }
    }

    #[test]
    fn a_removed_field_is_gone_and_no_other_byte_changes(written in written(), key in select(&["a", "b", "c"][..])) {
        let mut document = Document::parse(written.text().as_bytes());
        let others: Fields = document.fields().iter().filter(|(name, _)| *name != key).map(|(k, v)| (k.clone(), v.clone())).collect();
        prop_assert_eq!(document.remove(key), Ok(()));
        prop_assert_eq!(document.fields(), &others);
        let (start, end) = written.around(key);
        let text = text_of(&document);
        prop_assert!(text.starts_with(&start) && text.ends_with(&end), "{}", text);
    }

    #[test]
    fn an_entry_of_a_map_that_is_set_and_removed_leaves_the_others(entries in prop::collection::vec(("[a-e]", nasty()), 0..4), block: bool, key in "[a-f]", value in nasty()) {
        let map: Fields = entries.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
        let lines: String = map.iter().map(|(key, value)| format!("  {key}: {value} # {key}\n")).collect();
        let written = if block && !map.is_empty() { format!("sync:\n{lines}") } else { format!("sync: {}\n", Value::Object(map.clone())) };
        let mut document = Document::parse(format!("---\n{written}x: 1\n---\n").as_bytes());
        // JSON escapes some characters in a way that YAML does not know.
        prop_assume!(document.get("sync") == Some(&Value::Object(map.clone())));
        document.set_in("sync", &key, Some(&json!(value))).unwrap();
        let mut wanted = map.clone();
        wanted.insert(key.clone(), json!(value));
        prop_assert_eq!(document.get("sync"), Some(&Value::Object(wanted.clone())));
        document.set_in("sync", &key, None).unwrap();
        wanted.shift_remove(&key);
        let left = (!wanted.is_empty()).then_some(Value::Object(wanted));
        prop_assert_eq!(document.get("sync"), left.as_ref());
        prop_assert_eq!(document.get("x"), Some(&json!(1)));
    }

    #[test]
    fn an_edit_of_a_damaged_document_is_right_or_refused(bytes in mutated(), key in "[abz]", value in value(), remove: bool) {
        let before = Document::parse(&bytes);
        let mut after = before.clone();
        let outcome = if remove { after.remove(&key) } else { after.set(&key, &value) };
        if outcome.is_err() {
            prop_assert_eq!(after.bytes(), &bytes[..]);
        } else {
            prop_assert_eq!(after.get(&key), (!remove).then_some(&value));
            prop_assert!(after.body().ends_with(before.body().strip_prefix(b"\xef\xbb\xbf").unwrap_or(before.body())));
        }
    }

    #[test]
    fn a_new_document_reads_back(entries in prop::collection::vec((nasty(), value()), 0..4), body in any::<String>()) {
        let fields: Fields = entries.into_iter().filter(|(key, _)| key.len() < 200).collect();
        let document = Document::new(&fields, &body);
        prop_assert_eq!(document.fields(), &fields, "{}", text_of(&document));
        prop_assert_eq!(document.body(), body.as_bytes());
    }

    #[test]
    fn comparing_a_state_with_itself_yields_nothing(bytes in mutated()) {
        let path = ticket();
        let one = snapshot_of(&bytes, None);
        prop_assert!(diff(&path, Some(&one), Some(&one)).is_empty());
        let again = snapshot_of(&bytes, Some(&one));
        prop_assert!(diff(&path, Some(&one), Some(&again)).is_empty());
        prop_assert_eq!(again, one);
    }

    #[test]
    fn events_told_one_after_the_other_are_the_fields_of_the_last_valid_state(saves in prop::collection::vec(mutated(), 1..6)) {
        let path = ticket();
        let (mut last, mut told): (Option<Snapshot>, Option<Fields>) = (None, None);
        for bytes in saves {
            let now = snapshot_of(&bytes, last.as_ref());
            match &mut told {
                None => told = Some(now.fields.clone()),
                Some(told) => diff(&path, last.as_ref(), Some(&now)).iter().for_each(|change| follow(told, change)),
            }
            last = Some(now);
        }
        let known = |fields: &Fields| -> Fields { fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect() };
        prop_assert_eq!(told.as_ref().map(known), last.map(|last| known(&last.fields)));
    }

    #[test]
    fn a_commit_message_is_a_short_subject_and_ends_in_its_trailers(changes in prop::collection::vec((nasty(), change()), 0..12)) {
        let changes: Vec<(Actor, Change)> = changes.into_iter().map(|(name, change)| (Actor::named(name), change)).collect();
        let message = commit_message(&changes);
        prop_assert!(message.lines().next().is_some_and(|subject| (1..=72).contains(&subject.chars().count())), "{}", message);
        prop_assert!(message.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", message);
        let (head, trailers) = message.trim_end().rsplit_once("\n\n").expect("a blank line before the trailers");
        prop_assert!(trailers.lines().all(|line| line.starts_with("Trackfs-")), "{}", message);
        prop_assert!(head.lines().all(|line| !line.starts_with("Trackfs-")), "{}", message);
        let count = format!("Trackfs-Events: {}", changes.len());
        prop_assert_eq!(trailers.lines().last(), Some(count.as_str()));
    }

    #[test]
    fn whatever_lies_in_a_scratch_folder_is_scratch(names in prop::collection::vec("[a-z.#~0-9]{1,6}", 1..5)) {
        let Ok(path) = WsPath::new(names.join("/")) else { return Ok(()) };
        let kind = classify(&path, Facts::default());
        prop_assert_eq!(kind == Kind::Scratch, names.iter().any(|name| name == ".git" || is_scratch(name)));
    }

    #[test]
    fn references_are_names_that_stand_in_the_text(text in "([a-c#+\\[\\]`~| \n(]|\\[\\[a|#b|```\n){0,40}") {
        let found = references(&text);
        for name in found.tags.iter().chain(&found.links) {
            prop_assert!(!name.is_empty() && !name.contains('\n') && text.contains(name.as_str()), "{:?}", name);
        }
    }
}

fn ticket() -> WsPath {
    WsPath::new("tickets/t.md").expect("a legal path")
}

fn snapshot_of(bytes: &[u8], previous: Option<&Snapshot>) -> Snapshot {
    snapshot::read(&ticket(), Kind::Ticket, bytes, false, &Schema::default(), previous)
}

fn follow(fields: &mut Fields, change: &Change) {
    if let Change::FieldChanged { field, from, to, .. } = change {
        assert_eq!(fields.get(field).unwrap_or(&Value::Null), from, "an event continues from the one before");
        fields.insert(field.clone(), to.clone());
    }
}

fn change() -> impl Strategy<Value = Change> {
    let path = select(&["tickets/a.md", "tickets/b.md", "tickets/x/a.md", "specs/s.md"][..])
        .prop_map(|path| WsPath::new(path).expect("a legal path"));
    (path.clone(), path, nasty(), value(), value(), 0..7u8).prop_map(|(path, other, text, from, to, which)| match which
    {
        0 => Change::TicketCreated { path, title: text },
        1 => Change::TicketRemoved { path, title: text },
        2 => Change::TicketMoved { path, from: other },
        3 => Change::FieldChanged { path, field: text, from, to },
        4 => Change::ProblemFound { path, line: 1, code: text.clone(), message: text },
        5 => Change::Pulled { remote: text.clone(), path, key: text.clone(), what: vec![text] },
        _ => Change::SpecChanged { path, what: "edited".to_owned() },
    })
}

/// A body is looked through once, so the largest file takes no longer than reading it.
#[test]
fn a_large_body_is_parsed_and_edited_in_little_time() {
    let body = "Some prose with a [[link]] and `code`.\n".repeat(128 * 1024);
    let mut document = Document::parse(format!("---\ntitle: x\nstatus: todo\n---\n{body}").as_bytes());
    let start = std::time::Instant::now();
    for status in ["done", "todo", "canceled"] {
        document.set("status", &json!(status)).unwrap();
    }
    assert_eq!(document.body().len(), body.len());
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
