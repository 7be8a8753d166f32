//! What became of each file in a burst of changes, in words.

use crate::domain::{
    Value,
    event::Change,
    path::WsPath,
    text::{scalar_text, shortened, shown},
};
use std::collections::HashMap;

/// Everything a burst did, by file, in the order of first appearance.
#[derive(Default)]
pub(super) struct Summary {
    files: Vec<File>,
    by_path: HashMap<WsPath, usize>,
}

/// What a burst did to one ticket (its comments included), or to one other file.
struct File {
    path: WsPath,
    moved_from: Option<WsPath>,
    created: Option<String>,
    removed: Option<String>,
    /// Name, first value, last value.
    fields: Vec<(String, Value, Value)>,
    body: bool,
    comments: [usize; 3],
    /// Of a file that is no ticket: the first and the last of `added`, `edited`, `removed`.
    spec: Option<(String, String)>,
    notes: Vec<String>,
}

impl Summary {
    pub fn of<'a>(changes: impl Iterator<Item = &'a Change>) -> Self {
        let mut summary = Self::default();
        changes.for_each(|change| summary.add(change));
        summary
    }

    /// One clause per file.
    pub fn clauses(&self) -> Vec<String> {
        let mut count: HashMap<&str, usize> = HashMap::new();
        for file in self.files.iter().filter(|file| file.spec.is_none()) {
            *count.entry(file.path.stem()).or_default() += 1;
        }
        let is_unique = |file: &File| count.get(file.path.stem()).is_none_or(|&count| count < 2);
        self.files.iter().map(|file| file.clause(is_unique(file))).collect()
    }

    fn add(&mut self, change: &Change) {
        match change {
            Change::TicketCreated { path, title } => self.created(path, title),
            Change::TicketRemoved { path, title } => self.file(path).removed = Some(title.clone()),
            Change::TicketMoved { path, from } => self.moved(from, path),
            Change::FieldChanged { path, field, from, to } => self.file(path).field(field, from, to),
            Change::BodyChanged { path } => self.file(path).body = true,
            Change::SpecChanged { path, what } => self.file(path).spec(what),
            Change::CommentAdded { ticket, .. } => self.file(ticket).comments[0] += 1,
            Change::CommentChanged { ticket, .. } => self.file(ticket).comments[1] += 1,
            Change::CommentRemoved { ticket, .. } => self.file(ticket).comments[2] += 1,
            Change::ProblemFound { path, message, .. } => self.note(path, message.clone()),
            Change::ProblemCleared { path, code } => self.note(path, format!("{} mended", code.replace('-', " "))),
            Change::Pulled { remote, path, what, .. } => {
                self.note(
                    path,
                    format!("{} from {remote}", if what.is_empty() { "pulled".into() } else { what.join(", ") }),
                );
            }
            Change::Conflict { remote, path, field, .. } => {
                self.note(path, format!("{field} in conflict with {remote}"))
            }
            Change::Committed { .. } | Change::Pushed { .. } | Change::ConflictEnded { .. } => {}
        }
    }

    fn file(&mut self, path: &WsPath) -> &mut File {
        let index = *self.by_path.entry(path.clone()).or_insert_with(|| {
            self.files.push(File::at(path));
            self.files.len() - 1
        });
        &mut self.files[index]
    }

    fn created(&mut self, path: &WsPath, title: &str) {
        let file = self.file(path);
        // A ticket that went and came back in one burst was edited.
        if file.removed.take().is_none() {
            file.created = Some(title.to_owned());
        }
    }

    fn moved(&mut self, from: &WsPath, to: &WsPath) {
        self.file(from);
        let index = self.by_path.remove(from).expect("the line above made it");
        let file = &mut self.files[index];
        let origin = file.moved_from.take().unwrap_or_else(|| from.clone());
        file.path = to.clone();
        file.moved_from = (origin != *to && file.created.is_none()).then_some(origin);
        self.by_path.insert(to.clone(), index);
    }

    fn note(&mut self, path: &WsPath, note: String) {
        self.file(path).notes.push(note);
    }
}

impl File {
    fn at(path: &WsPath) -> Self {
        let (moved_from, created, removed, spec) = Default::default();
        let (fields, notes) = Default::default();
        Self { path: path.clone(), moved_from, created, removed, fields, body: false, comments: [0; 3], spec, notes }
    }

    fn field(&mut self, name: &str, from: &Value, to: &Value) {
        match self.fields.iter_mut().find(|(field, ..)| field == name) {
            Some((.., last)) => *last = to.clone(),
            None => self.fields.push((name.to_owned(), from.clone(), to.clone())),
        }
    }

    fn spec(&mut self, what: &str) {
        let (_, last) = self.spec.get_or_insert_with(|| (what.to_owned(), String::new()));
        what.clone_into(last);
    }

    fn clause(&self, is_unique: bool) -> String {
        let clause = match (&self.spec, &self.created, &self.removed) {
            (Some((first, last)), ..) => self.spec_clause(first, last),
            (_, Some(title), None) => format!("new ticket {}: {}", self.name(is_unique), self.title_since(title)),
            (_, None, Some(title)) => format!("{} removed: {title}", self.name(is_unique)),
            _ => format!("{}: {}", self.name(is_unique), self.what_changed().join(", ")),
        };
        crate::domain::text::one_line(&clause)
    }

    /// The title by the end of the burst, of a ticket that began it with this one.
    fn title_since(&self, first: &str) -> String {
        let title = self.fields.iter().find(|(name, ..)| name == "title").and_then(|(.., last)| scalar_text(last));
        title.unwrap_or_else(|| first.to_owned())
    }

    fn name(&self, is_unique: bool) -> &str {
        let path = self.path.as_str();
        let inside = path.strip_prefix("tickets/").unwrap_or(path);
        if is_unique { self.path.stem() } else { inside.strip_suffix(".md").unwrap_or(inside) }
    }

    fn spec_clause(&self, first: &str, last: &str) -> String {
        let path = self.path.as_str();
        let name = path.strip_prefix("specs/").map_or_else(|| path.to_owned(), |name| format!("spec {name}"));
        let what = match (first, last) {
            ("added", "edited") => "added",
            ("removed", "added") => "edited",
            (_, last) => last,
        };
        format!("{name} {what}")
    }

    fn what_changed(&self) -> Vec<String> {
        let mut parts: Vec<String> = self.moved_from.iter().map(|from| moved(from, &self.path)).collect();
        let changed = self.fields.iter().filter(|(_, from, to)| from != to);
        parts.extend(changed.map(|(name, from, to)| field_changed(name, from, to)));
        parts.extend(self.body.then(|| "body edited".to_owned()));
        for (what, &count) in ["added", "edited", "removed"].iter().zip(&self.comments) {
            match count {
                0 => {}
                1 => parts.push(format!("comment {what}")),
                _ => parts.push(format!("{count} comments {what}")),
            }
        }
        if parts.is_empty() {
            parts.clone_from(&self.notes);
        }
        if parts.is_empty() {
            parts.push("edited".to_owned());
        }
        parts
    }
}

fn moved(from: &WsPath, to: &WsPath) -> String {
    match to.parent() {
        parent if parent == from.parent() => format!("renamed from {}", from.stem()),
        Some(folder) if from.file_name() == to.file_name() => format!("moved to {folder}"),
        _ => format!("moved from {from}"),
    }
}

fn field_changed(name: &str, from: &Value, to: &Value) -> String {
    match (name, from, to) {
        (_, Value::Array(_) | Value::Null, Value::Array(_)) | (_, Value::Array(_), Value::Null) => {
            format!("{name} {}", members_changed(from, to))
        }
        ("sync", _, Value::Object(map)) => format!("linked to {}", shown(&map.values().cloned().collect())),
        (_, _, Value::Null) => format!("{name} cleared"),
        (_, Value::Null, to) => format!("{name} {}", short(to)),
        (_, from, to) => format!("{name} {} → {}", short(from), short(to)),
    }
}

/// `+auth −bug`.
fn members_changed(from: &Value, to: &Value) -> String {
    let members = |value: &Value| -> Vec<Value> { value.as_array().cloned().unwrap_or_default() };
    let (from, to) = (members(from), members(to));
    let come = to.iter().filter(|item| !from.contains(item)).map(|item| format!("+{}", short(item)));
    let gone = from.iter().filter(|item| !to.contains(item)).map(|item| format!("−{}", short(item)));
    let changes: Vec<String> = come.chain(gone).collect();
    if changes.is_empty() { "in another order".to_owned() } else { changes.join(" ") }
}

fn short(value: &Value) -> String {
    scalar_text(value).map_or_else(|| shown(value), |text| shortened(&text, 40))
}
