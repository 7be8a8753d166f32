//! How the time for one file grows with its size: twice as much takes about twice as long, never four times.
//!
//! `cargo test --test growth -- --ignored --nocapture` prints the table: time of this thread on a processor, so that a busy
//! machine counts little.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use trackfs::domain::{document::Document, layout::Kind, path::WsPath, save::merge_save, schema::Schema, snapshot};

/// Texts of about `n` units, by name.
type Shape = (&'static str, fn(usize) -> String);

fn block(lines: &str) -> String {
    format!("---\ntitle: x\n{lines}\n---\nBody\n")
}

fn words(n: usize, word: impl Fn(usize) -> String) -> String {
    (0..n).map(word).collect::<Vec<_>>().join(", ")
}

/// What is done with a text.
type Work = fn(&str);

/// What stands in a frontmatter block; `n` of 1,000 keeps within its bounds.
const BLOCKS: [Shape; 15] = [
    ("keys", |n| block(&(0..2 * n).map(|n| format!("k{n}: v\n")).collect::<String>())),
    ("misspelt keys", |n| block(&(0..2 * n).map(|n| format!("statu{n}: v\n")).collect::<String>())),
    ("labels", |n| block(&format!("labels: [{}]", words(4 * n, |n| format!("l{n}"))))),
    ("labels, one a line", |n| block(&format!("labels:\n{}", "- l\n".repeat(4 * n)))),
    ("blockers", |n| block(&format!("blocked_by: [{}]", words(4 * n, |n| format!("t-{n}"))))),
    ("comments", |n| block(&"# c\n".repeat(20 * n))),
    ("blank lines", |n| block(&format!("a: b{}", "\n".repeat(60 * n)))),
    ("folded text", |n| block(&format!("a: >\n{}", " x\n\n".repeat(20 * n)))),
    ("literal text", |n| block(&format!("a: |\n{}", " x\n".repeat(20 * n)))),
    ("plain text of many lines", |n| block(&format!("a: b\n{}", "  c\n".repeat(20 * n)))),
    ("quoted escapes", |n| block(&format!("a: \"{}\"", "\\n".repeat(40 * n)))),
    ("anchors", |n| block(&(0..2 * n).map(|n| format!("k{n}: &a{n} v\n")).collect::<String>())),
    ("nested maps", |n| block(&(0..n / 2).map(|n| format!("k{n}: {{a: {{b: {{c: d}}}}}}\n")).collect::<String>())),
    ("unclosed quote", |n| block(&format!("a: \"{}", "x\n ".repeat(20 * n)))),
    ("unclosed list", |n| block(&format!("a: [{}", "x, ".repeat(4 * n)))),
];

/// What stands in a body; `n` of 1,000 is a quarter of a megabyte or more.
const BODIES: [Shape; 11] = [
    ("one line", |n| format!("---\ntitle: x\n---\n{}", "a".repeat(1000 * n))),
    ("words", |n| format!("---\n---\n{}", "a ".repeat(500 * n))),
    ("lines", |n| format!("---\ntitle: x\n---\n{}", "a\n".repeat(500 * n))),
    ("blank lines above the title", |n| format!("---\nstatus: todo\n---\n{}x", "\n".repeat(500 * n))),
    ("tags", |n| format!("---\ntitle: x\n---\n{}", (0..9 * n).map(|n| format!("#t{n} ")).collect::<String>())),
    ("backticks", |n| format!("---\ntitle: x\n---\n{}", "` `` ``` ".repeat(50 * n))),
    ("brackets", |n| format!("---\ntitle: x\n---\n{}", "[[".repeat(250 * n))),
    ("open links", |n| format!("---\ntitle: x\n---\n{}", "[[a ".repeat(100 * n))),
    ("half merge markers", |n| "<<<<<<<\n=======\n".repeat(30 * n)),
    ("no end of the block", |n| format!("---\n{}", "title: x\n".repeat(100 * n))),
    ("nothing but CR", |n| "---\rtitle: x\r".repeat(50 * n)),
];

fn now() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn time(mut work: impl FnMut()) -> Duration {
    let once = || {
        let since = now();
        work();
        now() - since
    };
    std::iter::repeat_with(once).take(3).min().unwrap()
}

fn settle(text: &str) {
    let path = WsPath::new("tickets/a.md").unwrap();
    let schema = Schema::default();
    let first = snapshot::read(&path, Kind::Ticket, text.as_bytes(), false, &schema, None);
    let again = snapshot::read(&path, Kind::Ticket, text.as_bytes(), false, &schema, Some(&first));
    trackfs::domain::diff::diff(&path, Some(&first), Some(&again));
}

fn edit(text: &str) {
    let mut document = Document::parse(text.as_bytes());
    let _ = document.set("status", &"done".into());
    let _ = document.remove("title");
}

/// Two editors, each with more at the end of a list.
fn merge(text: &str) {
    let longer = |more: &str| text.replacen("title: x", &format!("title: x\n{more}: y"), 1);
    let _ = merge_save(text, &longer("a1"), &longer("a2"), trackfs::git::merge_text);
}

#[test]
#[ignore = "measures, for a minute"]
fn twice_as_much_takes_about_twice_as_long() {
    let works: [(&str, Work); 3] = [("settle", settle), ("edit", edit), ("merge", merge)];
    let mut bad = Vec::new();
    for (name, shape) in BLOCKS.iter().chain(&BODIES) {
        let (one, two) = (shape(500), shape(1000));
        for (work, run) in works {
            let (short, long) = (time(|| run(&one)), time(|| run(&two)));
            let ratio = long.as_secs_f64() / short.as_secs_f64();
            println!("{name:<28} {work:<7} {short:>12.1?} {long:>12.1?}  x{ratio:.1}");
            // Less than a millisecond is the clock's own noise.
            if ratio > 3.2 && long > Duration::from_millis(2) {
                bad.push(format!("{name}, {work}: x{ratio:.1}"));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
