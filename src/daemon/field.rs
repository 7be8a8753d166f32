//! Changes one field of a ticket's file, for whoever moved its link to another folder of a view.

use super::Engine;
use crate::{
    domain::{Value, document::Document, op::Actor, path::WsPath, snapshot::ContentHash},
    workspace::root::ReplaceError,
};
use std::io;

/// Sets `field` from one value to another (empty: none), in its own lines. Of many who try the same at once, one succeeds:
/// the others find that it is not `from` any more. Answers what the file was before. Errors have an errno, see
/// [`crate::fs::Host::set_field`].
pub fn set(
    engine: &Engine,
    actor: &Actor,
    path: &WsPath,
    field: &str,
    from: &str,
    to: &str,
) -> io::Result<ContentHash> {
    let edited = engine.edit(actor, path, |old| changed(engine, path, old, field, from, to).map_err(ReplaceError::Io));
    match edited {
        Ok(old) => Ok(ContentHash::of(&old)),
        Err(ReplaceError::Io(error)) => Err(error),
        Err(ReplaceError::Busy | ReplaceError::Changed) => Err(errno(libc::EBUSY)),
    }
}

fn changed(engine: &Engine, path: &WsPath, old: &[u8], field: &str, from: &str, to: &str) -> io::Result<Vec<u8>> {
    let mut document = Document::parse(old);
    let is = document.get(field).map_or(Some(""), Value::as_str);
    if is != Some(from) {
        return Err(errno(libc::ENOENT));
    }
    let schema = engine.settler.schema();
    if field == "status" && !from.is_empty() && !schema.transition_allowed(from, to) {
        return Err(errno(libc::EINVAL));
    }
    let edited = if to.is_empty() { document.remove(field) } else { document.set(field, &Value::from(to)) };
    edited.map_err(|_| errno(libc::EINVAL))?;
    match engine.settler.check(path, document.bytes()) {
        Some(_) => Err(errno(libc::EINVAL)),
        None => Ok(document.bytes().to_vec()),
    }
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
