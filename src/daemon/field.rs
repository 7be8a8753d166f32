//! Changes a ticket's file for whoever moved its link to another folder of a view, or a file over the link.

use super::Engine;
use crate::{
    domain::{Value, document::Document, op::Actor, path::WsPath, schema::FieldKind, text::scalar_text},
    fs::{Errno, Refused},
    workspace::root::ReplaceError,
};
use std::io;

/// A change of one value: of a list, of a member. Empty: none.
pub struct Change<'c> {
    pub field: &'c str,
    pub from: &'c str,
    pub to: &'c str,
}

/// Why a file is not changed.
enum Failed {
    Refused(Refused),
    Replace(ReplaceError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Replace(ReplaceError::Io(error))
    }
}

impl From<ReplaceError> for Failed {
    fn from(error: ReplaceError) -> Self {
        Self::Replace(error)
    }
}

/// Sets a value in its own lines. Of many who try the same at once, one succeeds: the others find that it is not `from` any
/// more. See [`crate::fs::Host::set_field`].
pub fn set(engine: &Engine, actor: &Actor, path: &WsPath, change: &Change<'_>) -> Result<(), Refused> {
    edit(engine, actor, path, |old| changed(engine, path, old, change))
}

/// Makes this the whole text, if it is valid.
pub fn set_text(engine: &Engine, actor: &Actor, path: &WsPath, text: &[u8]) -> Result<(), Refused> {
    edit(engine, actor, path, |_| valid(engine, path, text))
}

fn edit(
    engine: &Engine,
    actor: &Actor,
    path: &WsPath,
    change: impl Fn(&[u8]) -> Result<Vec<u8>, Refused>,
) -> Result<(), Refused> {
    let edited = engine.edit(actor, path, |old| change(old).map_err(Failed::Refused));
    match edited {
        Ok((old, new)) => {
            engine.show_edited(path, &old, &new);
            Ok(())
        }
        Err(Failed::Refused(refused)) => Err(refused),
        Err(Failed::Replace(ReplaceError::Io(error))) => Err(Refused::new(error.into(), "the file cannot be written")),
        Err(Failed::Replace(ReplaceError::Busy | ReplaceError::Changed)) => {
            Err(Refused::new(Errno(libc::EBUSY), "a process is writing the file"))
        }
    }
}

fn changed(engine: &Engine, path: &WsPath, old: &[u8], change: &Change<'_>) -> Result<Vec<u8>, Refused> {
    let Change { field, from, to } = *change;
    let schema = engine.settler.schema();
    let mut document = Document::parse(old);
    let is_list = matches!(schema.field(field).map(|field| &field.kind), Some(FieldKind::Set | FieldKind::Links));
    let value = match document.get(field) {
        Some(Value::Array(members)) => replaced(members, from, to)?,
        None | Some(Value::Null) if is_list => replaced(&[], from, to)?,
        value if value.map_or(Some(String::new()), scalar_or_none).as_deref() == Some(from) => scalar(to),
        _ => return Err(Refused::new(Errno::NOENT, format!("`{field}` is not `{from}` any more"))),
    };
    if field == "status" && !from.is_empty() && !schema.transition_allowed(from, to) {
        let next = schema.status(from).map_or(String::new(), |status| status.next.join(", "));
        let why = format!("`status` cannot go from `{from}` to `{to}`; what may follow `{from}`: {next}");
        return Err(Refused::new(Errno::INVAL, why));
    }
    let edited = match value {
        Some(value) => document.set(field, &value),
        None => document.remove(field),
    };
    edited.map_err(|error| Refused::new(Errno::INVAL, error.to_string()))?;
    valid(engine, path, document.bytes())
}

fn valid(engine: &Engine, path: &WsPath, text: &[u8]) -> Result<Vec<u8>, Refused> {
    match engine.settler.check(path, text) {
        Some(problem) => Err(Refused::new(Errno::INVAL, problem.to_string())),
        None => Ok(text.to_vec()),
    }
}

/// What a scalar says; a value that is not there and one that is empty are the same.
fn scalar_or_none(value: &Value) -> Option<String> {
    if value.is_null() { Some(String::new()) } else { scalar_text(value) }
}

fn scalar(to: &str) -> Option<Value> {
    (!to.is_empty()).then(|| Value::from(to))
}

/// The list with one member in place of another. `None`: nothing is left of it.
fn replaced(members: &[Value], from: &str, to: &str) -> Result<Option<Value>, Refused> {
    let is = |member: &Value, text: &str| scalar_text(member).as_deref() == Some(text);
    if !from.is_empty() && !members.iter().any(|member| is(member, from)) {
        return Err(Refused::new(Errno::NOENT, format!("`{from}` is not there any more")));
    }
    if members.iter().any(|member| is(member, to)) {
        return Err(Refused::new(Errno::EXIST, format!("`{to}` is there already")));
    }
    let kept = members.iter().filter(|member| from.is_empty() || !is(member, from)).cloned();
    let members: Vec<Value> = kept.chain(scalar(to)).collect();
    Ok((!members.is_empty()).then(|| Value::Array(members)))
}
