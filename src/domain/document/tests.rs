use super::*;
use serde_json::json;
use std::{fs, path::Path};

fn edited(before: &str, key: &str, value: Value) -> String {
    let mut document = Document::parse(before.as_bytes());
    document.set(key, &value).unwrap_or_else(|error| panic!("{key}: {error}\n{before}"));
    String::from_utf8(document.bytes().to_vec()).unwrap()
}

fn in_block(lines: &str) -> String {
    format!("---\n{lines}\n---\nbody\n")
}

#[track_caller]
fn check(before: &str, key: &str, value: Value, after: &str) {
    assert_eq!(edited(&in_block(before), key, value), in_block(after));
}

#[test]
fn numbers_and_booleans_are_typed_only_when_they_print_back_as_written() {
    let document = Document::parse(b"---\na: 1.10\nb: 017\nc: 0x1F\nd: 99999999999999999999\ne: 1e3\nf: True\ng: 2026-12-01\nh: 3\ni: 1.5\nj: true\nk: -0\nl: no\nm:\nn: !!str 5\n---\n");
    assert!(document.faults().is_empty());
    let expected = json!({"a": "1.10", "b": "017", "c": "0x1F", "d": "99999999999999999999", "e": "1e3", "f": "True",
        "g": "2026-12-01", "h": 3, "i": 1.5, "j": true, "k": "-0", "l": "no", "m": null, "n": "5"});
    assert_eq!(Value::Object(document.fields().clone()), expected);
}

#[test]
fn a_comment_on_the_line_stays() {
    check("status: todo   # where it is\na: 1", "status", json!("done"), "status: done   # where it is\na: 1");
    check("status:   # none yet", "status", json!("done"), "status: done   # none yet");
    check("a: |  # why\n  one\n  two\n\nb: 1", "a", json!("x\ny\n"), "a: |  # why\n  x\n  y\n\nb: 1");
    check("a:  # why\n  - one\nb: 1", "a", json!(2), "a: 2  # why\nb: 1");
    check("a: x # why", "a", json!("x\ny"), "a: |- # why\n  x\n  y");
    check("a: # wow! &c\n  x", "a", json!("z"), "a: # wow! &c\n  z");
    check("a: # why\n  x", "a", json!("x\ny"), "a: |- # why\n  x\n  y");
    check("a: &b !!str 5 # why", "a", json!(6), "a: 6 # why");
}

#[test]
fn quoting_stays_where_the_value_allows_it() {
    check("a: 'x'", "a", json!("it's"), "a: 'it''s'");
    check("a: 'x'", "a", json!("b\u{7}"), "a: \"b\\u0007\"");
    check("a: \"x\"", "a", json!("y"), "a: \"y\"");
    check("a: \"x\"", "a", json!("y\nz"), "a: \"y\\nz\"");
    check("a: x", "a", json!("no"), "a: \"no\"");
    check("a: x", "a", json!("1.10"), "a: \"1.10\"");
    check("a: x", "a", json!("2026-12-01"), "a: 2026-12-01");
    check("a: x", "a", json!("Login: fails #1"), "a: \"Login: fails #1\"");
}

#[test]
fn a_flow_list_stays_a_flow_list() {
    check("l: [ 'a', b ]  # c", "l", json!(["a", "b", "c"]), "l: [ 'a', b, c ]  # c");
    check("l: [ 'a', b ]", "l", json!(["b"]), "l: [ b ]");
    check("l: [ 'a', b ]", "l", json!(["a"]), "l: [ 'a' ]");
    check("l: [\n  a, # first\n  b,\n]", "l", json!(["a", "c"]), "l: [\n  a, # first\n  c,\n]");
    check("l: []", "l", json!(["a, b"]), "l: [\"a, b\"]");
    check("l: [a]", "l", json!([]), "l: []");
}

#[test]
fn a_block_list_stays_a_block_list_and_keeps_untouched_items() {
    let before = "l:\n  - 'a' # first\n  # about b\n  - b\nz: 1";
    check(before, "l", json!(["a", "b", "c"]), "l:\n  - 'a' # first\n  # about b\n  - b\n  - c\nz: 1");
    check(before, "l", json!(["b"]), "l:\n  # about b\n  - b\nz: 1");
    check(before, "l", json!(["x", "b"]), "l:\n  - x\n  # about b\n  - b\nz: 1");
    check("l:\n- a\n- b", "l", json!(["z", "a", "b"]), "l:\n- z\n- a\n- b");
    check("l:\n  - a\nz: 1", "l", json!([]), "l: []\nz: 1");
    let before = "l:\n  - |\n    text\n\n  # about b\n  - b";
    check(before, "l", json!(["b"]), "l:\n\n  # about b\n  - b");
    check(before, "l", json!(["text\n", "a", "b"]), "l:\n  - |\n    text\n  - a\n\n  # about b\n  - b");
}

#[test]
fn one_entry_of_a_map_is_set_and_removed() {
    let mut document = Document::parse(b"---\ntitle: x\n---\n");
    let text = |document: &Document| String::from_utf8(document.bytes().to_vec()).unwrap();
    document.set_in("sync", "linear", Some(&json!("ENG-42"))).unwrap();
    assert_eq!(text(&document), "---\ntitle: x\nsync: {linear: ENG-42}\n---\n");
    document.set_in("sync", "github", Some(&json!("145"))).unwrap();
    assert_eq!(text(&document), "---\ntitle: x\nsync: {linear: ENG-42, github: \"145\"}\n---\n");
    document.set_in("sync", "linear", None).unwrap();
    assert_eq!(text(&document), "---\ntitle: x\nsync: {github: \"145\"}\n---\n");
    document.set_in("sync", "github", None).unwrap();
    assert_eq!(text(&document), "---\ntitle: x\n---\n");

    let mut document = Document::parse(b"---\nsync:\n    linear: ENG-42 # l\n    github: 145\n---\n");
    document.set_in("sync", "github", Some(&json!(7))).unwrap();
    document.set_in("sync", "x", Some(&json!("z"))).unwrap();
    document.set_in("sync", "linear", None).unwrap();
    assert_eq!(text(&document), "---\nsync:\n    github: 7\n    x: z\n---\n");
}

#[test]
fn a_removed_block_scalar_does_not_leave_its_blank_lines_to_the_one_above() {
    let mut document = Document::parse(b"---\nb: |+\n  x\n\nc: |\n  y\n\nd: 1\n---\n");
    document.remove("c").unwrap();
    assert_eq!(document.bytes(), b"---\nb: |+\n  x\n\nd: 1\n---\n");
}

#[test]
fn the_line_ends_of_the_file_are_kept() {
    assert_eq!(
        edited("---\r\na: 1\r\n---\r\nx\r\n", "b", json!("p\nq\n")),
        "---\r\na: 1\r\nb: |\r\n  p\r\n  q\r\n---\r\nx\r\n"
    );
    assert_eq!(edited("\u{feff}x\r\n", "b", json!(1)), "\u{feff}---\r\nb: 1\r\n---\r\nx\r\n");
    assert_eq!(edited("", "b", json!(1)), "---\nb: 1\n---\n");
}

#[test]
fn a_lone_carriage_return_ends_a_line() {
    let before = "---\ra: 1 # one\rb: |\r  x\r\rl:\r  - p\r  - q\r---\rbody\r";
    let document = Document::parse(before.as_bytes());
    assert_eq!(Value::Object(document.fields().clone()), json!({"a": 1, "b": "x\n", "l": ["p", "q"]}));
    assert_eq!((document.body(), document.faults()), (&b"body\r"[..], &[][..]));
    assert_eq!(document.position("l"), Some(Position { line: 6, column: 1 }));
    assert_eq!(edited(before, "a", json!(2)), before.replace("a: 1", "a: 2"));
    assert_eq!(edited(before, "b", json!("y\nz\n")), before.replace("  x\r", "  y\r  z\r"));
    assert_eq!(edited(before, "l", json!(["q"])), before.replace("  - p\r", ""));
    assert_eq!(edited(before, "c", json!(3)), before.replace("---\rbody", "c: 3\r---\rbody"));
    let mut document = document;
    document.remove("b").unwrap();
    assert_eq!(document.bytes(), before.replace("b: |\r  x\r", "").as_bytes());
    let mixed = "---\ra: 1\rb: 2\n---\r\nbody";
    assert_eq!(edited(mixed, "a", json!(3)), mixed.replace("a: 1", "a: 3"));
}

#[test]
fn a_long_text_is_quoted_where_a_block_would_take_over_the_comment_below() {
    let mut document = Document::parse(b"---\na: 1\n      # why\n---\n");
    document.set("a", &Value::from("p\nq")).unwrap();
    assert_eq!(String::from_utf8_lossy(document.bytes()), "---\na: \"p\\nq\"\n      # why\n---\n");
    document.set("a", &Value::from(1)).unwrap();
    assert_eq!(String::from_utf8_lossy(document.bytes()), "---\na: 1\n      # why\n---\n");
}

#[test]
fn blank_lines_below_a_key_without_a_value_stay_when_it_is_removed() {
    for (text, expected) in [
        ("---\n? a+\n  y\n\n---\n", "---\n\n---\n"),
        ("---\n? a\n# why\n\nb: 1\n---\n", "---\n# why\n\nb: 1\n---\n"),
        ("---\n? a\n:\n\nb: 1\n---\n", "---\n\nb: 1\n---\n"),
        ("---\na:\n\nb: 1\n---\n", "---\n\nb: 1\n---\n"),
    ] {
        let mut document = Document::parse(text.as_bytes());
        let key = document.fields().keys().next().unwrap().clone();
        document.remove(&key).unwrap();
        assert_eq!(String::from_utf8_lossy(document.bytes()), expected);
    }
}

#[test]
fn blank_lines_below_a_block_scalar_stay_unless_it_keeps_them() {
    check("c++: |\n  x\n\nb: 1", "c++", json!("y\nz\n"), "c++: |\n  y\n  z\n\nb: 1");
    check("a: | # a + b\n  x\n\nb: 1", "a", json!("y\nz\n"), "a: | # a + b\n  y\n  z\n\nb: 1");
    let windows = "---\r\na: |+\r\n  x\r\n\r\nb: 1\r\n---\r\n";
    assert_eq!(edited(windows, "a", json!("y")), "---\r\na: \"y\"\r\nb: 1\r\n---\r\n");
}

#[test]
fn a_field_below_one_with_a_question_mark_is_edited_like_any_other() {
    check("? a\n: 1\nb: 2", "b", json!("x\ny\n"), "? a\n: 1\nb: |\n  x\n  y");
    check("? a\n: 1", "b", json!(2), "? a\n: 1\nb: 2");
}

#[test]
fn an_edit_that_would_touch_another_field_is_refused() {
    for lines in ["a: &x [1]\nb: *x", "{a: 1, b: 2}", "? a\n: 1\nb: 2", "- a", "a: 1\na: 2", "a: ["] {
        let before = in_block(lines);
        let mut document = Document::parse(before.as_bytes());
        assert!(document.set("a", &json!("new")).is_err(), "{lines}");
        assert_eq!(document.bytes(), before.as_bytes());
    }
}

#[test]
fn faults_say_where() {
    let fault = |text: &str| {
        let document = Document::parse(text.as_bytes());
        document.faults().iter().map(|f| (f.kind, f.position.line, f.position.column)).collect::<Vec<_>>()
    };
    assert_eq!(fault(""), [(FaultKind::Empty, 1, 1)]);
    assert_eq!(fault(" \n"), [(FaultKind::Empty, 1, 1)]);
    assert_eq!(fault("hello\n"), [(FaultKind::NoFrontmatter, 1, 1)]);
    assert_eq!(fault("---\na: 1\n"), [(FaultKind::Unclosed, 1, 1)]);
    assert_eq!(fault("---\na: 1\n...\nx\0"), [(FaultKind::NulBytes, 4, 2)]);
    assert_eq!(fault("---\na: 1\nb: [\n---\n"), [(FaultKind::Yaml, 3, 4)]);
    assert_eq!(fault("---\na: 1\nb: 2\na: 3\n---\n"), [(FaultKind::Yaml, 4, 1)]);
    assert_eq!(fault("---\n- a\n---\n"), [(FaultKind::Yaml, 2, 1)]);
    assert_eq!(fault("---\n<<<<<<< a\nx: 1\n=======\nx: 2\n>>>>>>> b\n---\n"), [(FaultKind::MergeMarkers, 2, 1)]);
    assert_eq!(fault("---\na: 1\n---\nHeading\n=======\n"), []);
    assert_eq!(Document::parse(b"---\na: 1\n---\n\xff").faults()[0].kind, FaultKind::NotUtf8);
}

#[test]
fn hostile_frontmatter_is_refused_in_bounded_time() {
    let start = std::time::Instant::now();
    let laughs: String = (1..40).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}, *a{0}, *a{0}]\n", i - 1)).collect();
    for lines in [
        format!("a0: &a0 [x, x]\n{laughs}"),
        format!("a: {}", "[".repeat(100_000)),
        format!("a: {}", "{a: ".repeat(50_000)),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        format!("a: [{}]", "x, ".repeat(80_000)),
        format!("a: {}", "&x ".repeat(80_000)),
        format!("a: {}", "x\n".repeat(120_000)),
        "a".repeat(300_000),
        format!("s: &s \"{}\"\nl: [{}]", "x".repeat(100_000), "*s, ".repeat(99)),
    ] {
        let document = Document::parse(in_block(&lines).as_bytes());
        assert_eq!(document.faults().len(), 1, "{}", &lines[..20]);
        assert!(document.fields().is_empty());
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// Applies what `*.edits.json` lists to `*.before.md`, and expects `*.after.md`.
#[test]
fn edits_of_the_fixtures_touch_only_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/documents");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".edits.json") else { continue };
        let read = |ending: &str| fs::read(folder.join(format!("{name}{ending}"))).unwrap();
        let edits: Vec<Vec<Value>> = serde_json::from_slice(&read(".edits.json")).unwrap();
        let mut document = Document::parse(&read(".before.md"));
        edits.iter().for_each(|edit| apply(&mut document, edit));
        let expected = String::from_utf8(read(".after.md")).unwrap();
        assert_eq!(String::from_utf8_lossy(document.bytes()), expected, "{name}");
        count += 1;
    }
    assert!(count >= 4, "only {count} fixtures in {}", folder.display());
}

fn apply(document: &mut Document, edit: &[Value]) {
    let text = |index: usize| edit[index].as_str().unwrap();
    match text(0) {
        "set" => document.set(text(1), &edit[2]),
        "remove" => document.remove(text(1)),
        "set_in" => document.set_in(text(1), text(2), Some(&edit[3])),
        other => panic!("unknown edit {other}"),
    }
    .unwrap();
}

#[test]
fn a_body_is_replaced_and_the_block_kept() {
    let replaced = |before: &str, body: &str| {
        let mut document = Document::parse(before.as_bytes());
        document.set_body(body.as_bytes());
        String::from_utf8(document.bytes().to_vec()).unwrap()
    };
    assert_eq!(replaced("---\na:  1 # c\n---\nold", "new\n"), "---\na:  1 # c\n---\nnew\n");
    assert_eq!(replaced("---\na: 1\n---", "new"), "---\na: 1\n---\nnew");
    assert_eq!(replaced("---\na: 1\n---", ""), "---\na: 1\n---");
    assert_eq!(replaced("only text", "other"), "other");
    assert_eq!(replaced("\u{feff}only text", "other"), "\u{feff}other");
    assert_eq!(replaced("---\ra: 1\r---\rold", "new"), "---\ra: 1\r---\rnew");
    // A line feed just after a carriage return would belong to the line above.
    assert_eq!(replaced("---\ra: 1\r---\rold", "\nnew"), "---\ra: 1\r---\r\n\nnew");
    assert_eq!(replaced("---\ra: 1\r---", "\nnew"), "---\ra: 1\r---\r\n\nnew");
}
