//! What must hold for every input, as functions of bytes.
//!
//! libFuzzer looks for inputs that break these laws (`fuzz_targets/`), and `tests/fuzz_corpus.rs` of the main package
//! holds every input that was ever of interest to them. A law is broken when its function panics; none of them judges
//! time, which libFuzzer limits (`-timeout`).

pub mod document;
pub mod edit;
mod lines;
pub mod recovery;
pub mod schema;
pub mod views;

/// Panics when the law is broken.
pub type Law = fn(&[u8]);

/// Every law by the name of its target and of its folder in `corpus/`.
pub const LAWS: [(&str, Law); 5] = [
    ("document", document::hold),
    ("edit", edit::hold),
    ("recovery", recovery::hold),
    ("schema", schema::hold),
    ("views", views::hold),
];

/// Bytes that never occur in UTF-8 divide an input into its parts, so that a part can be any text.
const DIVIDER: u8 = 0xff;
