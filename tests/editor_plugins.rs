//! The vim plugin, in vim; and the words that editors complete.

mod support;

use support::{Workspace, have};

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write(
        "tickets/login.md",
        "---\ntitle: Login fails\nstatus: todo\nlabels: [bug, auth]\n---\nSee [[tokens]] there.\n",
    );
    workspace.write("tickets/tokens.md", "---\ntitle: Rotate tokens\nstatus: tdoo\nlabels: [auth]\n---\n");
    workspace.ok(&["commit"]);
    workspace
}

#[test]
fn words_are_offered_with_what_they_mean() {
    let workspace = workspace();
    let fields = workspace.ok(&["complete", "fields"]);
    assert!(fields.contains("priority\turgent, high, medium, low\n") && !fields.contains("sync"), "{fields}");
    assert_eq!(workspace.ok(&["complete", "values", "labels"]), "auth\t2 tickets\nbug\t1 ticket\n");
    assert!(workspace.ok(&["complete", "values", "status"]).starts_with("backlog\ntodo\n"));
    assert_eq!(workspace.ok(&["complete", "tickets", "TOK"]), "tokens\tRotate tokens\n");
    assert_eq!(workspace.ok(&["complete", "tickets"]), "login\tLogin fails\ntokens\tRotate tokens\n");
    assert_eq!(workspace.json(&["complete", "tickets", "log"])["word"], "login");
}

/// What vim says after these commands in the file of `login`.
fn vim(workspace: &Workspace, commands: &str) -> String {
    let said = workspace.outside("said");
    let script = format!("{commands}\ncall writefile(map(g:said, 'string(v:val)'), '{}')\nqall!\n", said.display());
    std::fs::write(workspace.outside("script.vim"), script).unwrap();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_trackfs")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/editors/vim/plugin/trackfs.vim");
    let source = workspace.outside("script.vim").display().to_string();
    let mut vim = workspace.command("vim");
    let load = format!("source {plugin}");
    vim.args(["-N", "-u", "NONE", "-i", "NONE", "-n", "-es", "--cmd", &load, "tickets/login.md", "-c"]);
    let output = vim.arg(format!("let g:said = [] | source {source}")).env("PATH", path).output().unwrap();
    std::fs::read_to_string(said).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn vim_completes_jumps_and_lists_problems() {
    if !have(&["vim"]) {
        return;
    }
    let workspace = workspace();
    let complete = |line: &str, base: &str| {
        vim(
            &workspace,
            &format!(
                "call append(3, '{line}') | call cursor(4, {}) | let g:said = map(TrackfsComplete(0, '{base}'), 'v:val.word')",
                line.len() + 1
            ),
        )
    };
    assert_eq!(complete("prio", "prio"), "'priority:'\n");
    assert_eq!(complete("status: in-", "in-"), "'in-progress'\n'in-review'\n");
    assert_eq!(complete("labels: [au", "au"), "'auth'\n");
    assert_eq!(complete("parent: tok", "tok"), "'tokens'\n");
    let link = "call append('$', 'And [[lo') | call cursor('$', 9) | let g:said = [TrackfsComplete(1, ''), TrackfsComplete(0, 'lo')[0].menu]";
    assert_eq!(vim(&workspace, link), "6\n'Login fails'\n");
    let jump = "call cursor(6, 7) | normal gf\nlet g:said = [expand('%:t')]";
    assert_eq!(vim(&workspace, jump), "'tokens.md'\n");
    let problems = "TrackfsProblems\nlet g:said = map(getqflist(), 'fnamemodify(bufname(v:val.bufnr), \":t\") . \":\" . v:val.lnum')";
    assert_eq!(vim(&workspace, problems), "'tokens.md:3'\n");
    let search = "TrackfsSearch rotate\nlet g:said = map(getqflist(), 'fnamemodify(bufname(v:val.bufnr), \":t\")')";
    assert_eq!(vim(&workspace, search), "'tokens.md'\n");
    // A change from elsewhere is shown without a question.
    let reload = "call system(\"sed -i s/todo/done/ tickets/login.md; touch -d '+1 minute' tickets/login.md\") | doautocmd CursorHold\nlet g:said = [getline(3)]";
    assert_eq!(vim(&workspace, reload), "'status: done'\n");
}

#[test]
fn the_tasks_find_a_problem_as_it_is_printed() {
    let workspace = workspace();
    let tasks: serde_json::Value = serde_json::from_str(include_str!("../docs/editors/vscode/tasks.json")).unwrap();
    let pattern = tasks["tasks"][0]["problemMatcher"]["pattern"]["regexp"].as_str().unwrap().to_owned();
    let output = workspace.trackfs(&["schema", "check"]);
    let line = String::from_utf8(output.stdout).unwrap();
    let mut grep = workspace.command("grep");
    let matched =
        grep.args(["-cP", &pattern]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn();
    let mut matched = matched.unwrap();
    std::io::Write::write_all(&mut matched.stdin.take().unwrap(), line.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(matched.wait_with_output().unwrap().stdout).unwrap(), "1\n", "{line}");
}
