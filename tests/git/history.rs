//! What was committed can be read back, and packed.

use crate::support::*;
use std::collections::BTreeSet;

#[test]
fn blob_ids_are_gits() {
    let (bench, repo) = Bench::fresh();
    for content in ["", "a\n", "no newline", "ü\0\r\n"] {
        bench.put("x", content);
        let id = bench.git(&["hash-object", "--no-filters", "x"]);
        assert_eq!(repo.blob_id(content.as_bytes()), id);
    }
    repo.commit(&[bench.change("x")], "x").unwrap();
    let id = repo.blob_id("ü\0\r\n".as_bytes());
    assert_eq!(repo.blob(&id).unwrap(), "ü\0\r\n".as_bytes());
    assert_eq!(repo.head_tree().unwrap()[&path("x")], id);
    assert_eq!(repo.read_at("HEAD", &path("x")).unwrap().unwrap(), "ü\0\r\n".as_bytes());
}

#[test]
fn history_is_what_git_log_says() {
    let (bench, repo) = Bench::fresh();
    assert!(repo.log(None, 10).unwrap().is_empty());
    repo.commit(&[bench.put("a/x", "1")], "x1").unwrap();
    repo.commit(&[bench.put("b", "1")], "b1").unwrap();
    bench.git(&["checkout", "-qb", "side"]);
    repo.commit(&[bench.put("a/x", "2")], "x2 on the side").unwrap();
    bench.git(&["checkout", "-q", "main"]);
    repo.commit(&[bench.put("b", "2")], "b2").unwrap();
    bench.git(&["merge", "-q", "--no-edit", "side"]);
    repo.commit(&[bench.remove("a/x"), bench.put("c", "1")], "x gone").unwrap();
    repo.commit(&[bench.put("a/x", "4")], "x back").unwrap();
    for name in ["a/x", "a", "b", "c", "nowhere", "a/x/y"] {
        let expected = bench.git(&["log", "--format=%H", "--", name]);
        let expected: BTreeSet<_> = expected.lines().map(str::to_owned).collect();
        let found: BTreeSet<_> = repo.log(Some(&path(name)), 100).unwrap().into_iter().map(|info| info.id).collect();
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(repo.log(None, 100).unwrap().len().to_string(), bench.git(&["rev-list", "--count", "HEAD"]));
    let latest = &repo.log(Some(&path("a")), 1).unwrap()[0];
    assert_eq!((latest.message.as_str(), latest.author.as_str()), ("x back\n", "Ada Lovelace <ada@example.com>"));
    assert_eq!(latest.at.as_second().to_string(), bench.git(&["log", "-1", "--format=%ct"]));
    assert_eq!(repo.read_at("HEAD~2", &path("a/x")).unwrap().unwrap(), b"2");
    assert_eq!(repo.read_at("HEAD~1", &path("a/x")).unwrap(), None);
    assert_eq!(repo.read_at("HEAD", &path("a")).unwrap(), None);
    assert_eq!(repo.read_at("no-such-branch", &path("a")).unwrap(), None);
    assert_eq!(repo.tree_at("no-such-branch").unwrap(), None);
    assert_eq!(repo.tree_at("side").unwrap().unwrap().len(), 2);
}

#[test]
fn what_a_commit_changed_can_be_read_back() {
    let (bench, repo) = Bench::fresh();
    let first = repo.commit(&[bench.put("a/x", "1"), bench.put("b", "1")], "first").unwrap().unwrap();
    let changes = [bench.remove("a/x"), bench.put("b", "2"), bench.put("c/d/e", "3")];
    let second = repo.commit(&changes, "second").unwrap().unwrap();
    let seen = |commit: &str| {
        let text = |id: Option<String>| id.map(|id| String::from_utf8(repo.blob(&id).unwrap()).unwrap());
        let line = |change: trackfs::git::BlobChange| {
            let side = |id| text(id).unwrap_or_else(|| "-".to_owned());
            format!("{} {}→{}", change.path, side(change.old), side(change.new))
        };
        repo.changes(commit).unwrap().into_iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(seen(&first), ["a/x -→1", "b -→1"]);
    assert_eq!(seen(&second), ["a/x 1→-", "b 1→2", "c/d/e -→3"]);
    assert!(repo.changes("0123456789012345678901234567890123456789").is_err());
}

#[test]
fn maintenance_is_asked_for_only_when_much_is_loose() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a", "a")], "a").unwrap();
    assert!(repo.tidy().unwrap().is_none());
    let mut found = 0;
    for number in 0..20_000 {
        let content = format!("{number}\n");
        if repo.blob_id(content.as_bytes()).starts_with("17") {
            repo.commit(&[bench.put("many", &content)], "more").unwrap();
            found += 1;
        }
        if found == 30 {
            break;
        }
    }
    bench.git(&["config", "gc.auto", "100"]);
    assert!(repo.tidy().unwrap().unwrap().wait().unwrap());
    assert!(bench.git(&["count-objects", "-v"]).contains("packs: 1"));
    assert_eq!(repo.log(None, 100).unwrap().len(), 31);
    bench.assert_clean();
}
