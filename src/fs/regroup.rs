//! Changing tickets by way of their links in `views/`: `mv`, `ln -s`, `cp -P`, `rm`, `mkdir`.
//!
//! What is asked for is worked out from the catalog as it is now; the host then changes the one field in the ticket's file,
//! if that still says what the catalog said. So of many who try the same at once, one succeeds.

use super::{
    Errno, Fs, Result,
    refused::Refused,
    types::{Attr, Caller},
    views::{Folder, Group, QUERY, Shown, View, Virtual, is_own_name},
};
use crate::domain::{
    catalog::{Card, Word},
    path::WsPath,
    query::Query,
};
use std::{ffi::OsStr, path::Path, sync::Arc};

/// One value of one field of a ticket, and what takes its place. Empty: none.
struct Edit {
    ticket: WsPath,
    field: Word,
    from: String,
    to: String,
}

impl Fs {
    /// A link that moves to a folder of a value gives its ticket that value.
    pub(super) fn regroup(
        &self,
        caller: &Caller,
        from: (&Virtual, &OsStr),
        to: (&Virtual, &OsStr),
        flags: u32,
    ) -> Result<()> {
        let (from, to) = ((path_of(from.0)?, text(from.1)?), (path_of(to.0)?, text(to.1)?));
        if let Some(real) = self.stand_ins.get(from.0, from.1) {
            return self.replace_by_stand_in(caller, from, &real, to);
        }
        let said = format!("mv '{}/{}' '{}/{}'", from.0, from.1, to.0, to.1);
        if flags & libc::RENAME_EXCHANGE != 0 {
            return self.answer(caller, said, Err(Refused::new(Errno::INVAL, "links are not exchanged")));
        }
        let plan = self.shown(|shown| shown.moved(from, to));
        self.carry_out(caller, said, plan)
    }

    /// A link that is made in a folder of a value gives its ticket that value; answers the link.
    pub(super) fn add_to_group(&self, caller: &Caller, folder: &Virtual, name: &OsStr, target: &Path) -> Result<Attr> {
        let (folder, name) = (path_of(folder)?, text(name)?);
        let target = target.to_str().unwrap_or_default();
        let plan = self.shown(|shown| shown.added(folder, name, target));
        self.carry_out(caller, format!("ln -s '{target}' '{folder}/{name}'"), plan)?;
        let link = self.shown(|shown| shown.folder(folder).and_then(|found| shown.entry(folder, &found, name)));
        // Somebody else may have taken it out again.
        self.enter_virtual(Arc::new(link.ok_or(Errno::NOENT)?))
    }

    /// Taking a link out of the folder of a value takes the value from its ticket.
    pub(super) fn remove_from_group(&self, caller: &Caller, folder: &Virtual, name: &OsStr) -> Result<()> {
        let (folder, name) = (path_of(folder)?, text(name)?);
        if let Some(real) = self.stand_ins.get(folder, name) {
            return self.remove_stand_in(caller, (folder, name), &real);
        }
        let plan = self.shown(|shown| shown.removed(folder, name));
        self.carry_out(caller, format!("rm '{folder}/{name}'"), plan)
    }

    /// Makes a folder for a value that no ticket has yet, or one of a query.
    pub(super) fn make_group(&self, caller: &Caller, folder: &Virtual, name: &OsStr) -> Result<Attr> {
        let (folder, name) = (path_of(folder)?, text(name)?);
        let made = self.shown(|shown| shown.make(folder, name));
        self.answer(caller, format!("mkdir '{folder}/{name}'"), made)?;
        self.enter_virtual(Arc::new(Virtual::Folder(format!("{folder}/{name}"))))
    }

    /// Takes away a folder that was made.
    pub(super) fn unmake_group(&self, caller: &Caller, folder: &Virtual, name: &OsStr) -> Result<()> {
        let (folder, name) = (path_of(folder)?, text(name)?);
        let unmade = self.shown(|shown| shown.unmake(folder, name));
        self.answer(caller, format!("rmdir '{folder}/{name}'"), unmade)
    }

    fn carry_out(&self, caller: &Caller, said: String, plan: Result<Option<Edit>, Refused>) -> Result<()> {
        // The catalog is free again: the host is about to change it.
        let done = plan.and_then(|edit| match edit {
            None => Ok(()),
            Some(Edit { ticket, field, from, to }) => {
                self.host.set_field(&self.actors.of(caller), &ticket, &field, &from, &to)
            }
        });
        self.answer(caller, said, done)
    }

    /// What is refused is told, since an errno says little.
    pub(super) fn answer<T>(&self, caller: &Caller, said: String, done: Result<T, Refused>) -> Result<T> {
        done.map_err(|refused| {
            let errno = refused.errno;
            self.refusals.put(&self.actors.of(caller), said, refused);
            errno
        })
    }
}

pub(super) fn path_of(folder: &Virtual) -> Result<&str> {
    match folder {
        Virtual::Folder(path) => Ok(path),
        Virtual::Link { .. } | Virtual::File(_) => Err(Errno::NOTDIR),
        Virtual::Past(_) => Err(Errno::ROFS),
    }
}

pub(super) fn text(name: &OsStr) -> Result<&str> {
    name.to_str().ok_or(Errno::INVAL)
}

type Planned = Result<Option<Edit>, Refused>;

impl Shown<'_> {
    fn moved(&self, from: (&str, &str), to: (&str, &str)) -> Planned {
        let (source, target) = self.folder(from.0).zip(self.folder(to.0)).ok_or_else(gone)?;
        let no_ticket = Refused::new(Errno::PERM, "only the links of tickets can be moved");
        let card = self.linked(from, &source, no_ticket)?;
        let group = changeable(&target, to.0)?;
        if to.1 != from.1 && to.1 != card.shown() {
            return Err(Refused::new(Errno::PERM, "a link has the name of its ticket and takes no other"));
        }
        if from.0 == to.0 {
            return Ok(None);
        }
        let edit = self.put(&card, group, to.0, &source)?;
        let after = card.with(&edit.field, &edit.from, &edit.to);
        match &source {
            // Whoever moves it out of `views/` as it was listed means that it is no longer there.
            Folder::List(list, _) if !list.query.holds(self.catalog, &after, &self.moment) => Ok(Some(edit)),
            _ => {
                let why = format!("it would stay in {} as well: `ln -s` or `cp -P` adds it to a folder", from.0);
                Err(Refused::new(Errno::PERM, why))
            }
        }
    }

    fn added(&self, folder: &str, name: &str, target: &str) -> Planned {
        let found = self.folder(folder).ok_or_else(gone)?;
        let group = changeable(&found, folder)?;
        let card = self.target(target);
        let card = card.ok_or_else(|| Refused::new(Errno::INVAL, "the target is no ticket of this workspace"))?;
        if name != card.shown() && Some(name) != target.rsplit('/').next() {
            return Err(Refused::new(Errno::PERM, format!("in views this ticket is called {}", card.shown())));
        }
        self.put(&card, group, folder, &Folder::Views).map(Some)
    }

    fn removed(&self, folder: &str, name: &str) -> Planned {
        let found = self.folder(folder).ok_or_else(gone)?;
        let no_ticket = Refused::new(Errno::ROFS, "it is there for as long as there is a reason for it");
        let card = self.linked((folder, name), &found, no_ticket)?;
        let group = changeable(&found, folder)?;
        match group.view.field.clone().filter(|_| group.view.many) {
            Some(field) => {
                Ok(Some(Edit { ticket: card.path.clone(), field, from: group.value.clone(), to: String::new() }))
            }
            None => {
                let why = "only a label can be taken away so: `mv` to another folder sets another value, `none` is the one without";
                Err(Refused::new(Errno::PERM, why))
            }
        }
    }

    /// The ticket whose link this is; refused so where it is no link of one.
    fn linked(&self, (path, name): (&str, &str), folder: &Folder, no_ticket: Refused) -> Result<Arc<Card>, Refused> {
        self.ticket(path, folder, name).ok_or_else(|| match self.entry(path, folder, name) {
            Some(_) => no_ticket,
            None => gone(),
        })
    }

    /// What gives a ticket the value of a group, in place of the one that it has or that it is moved from.
    fn put(&self, card: &Card, group: &Group, folder: &str, source: &Folder) -> Result<Edit, Refused> {
        let Some(field) = group.view.field.clone() else { return Err(not_by_moving(folder)) };
        if group.view.query(&group.value).holds(self.catalog, card, &self.moment) {
            return Err(Refused::new(Errno::EXIST, "it is there already"));
        }
        let from = match source {
            Folder::List(_, Some(of)) if of.view == group.view => of.value.as_str(),
            _ if group.view.many => "",
            _ => card.value(&field),
        };
        Ok(Edit { ticket: card.path.clone(), field, from: from.to_owned(), to: group.value.clone() })
    }

    /// The ticket that a link leads to, wherever the link is made: the longest end of its target that is a ticket's path, or
    /// that of a link in `views/`.
    fn target(&self, target: &str) -> Option<Arc<Card>> {
        let ends = std::iter::once(0).chain(target.match_indices('/').map(|(at, _)| at + 1)).map(|at| &target[at..]);
        ends.filter_map(|end| WsPath::new(end).ok()).find_map(|path| {
            let linked = || {
                let folder = path.parent()?;
                self.ticket(folder.as_str(), &self.folder(folder.as_str())?, path.file_name())
            };
            self.catalog.get(&path).cloned().or_else(linked)
        })
    }

    fn make(&self, folder: &str, name: &str) -> Result<(), Refused> {
        let found = self.folder(folder).ok_or_else(gone)?;
        if self.entry(folder, &found, name).is_some() {
            return Err(Refused::new(Errno::EXIST, "it is there already"));
        }
        match found {
            Folder::Views => self.make_query(name),
            Folder::Groups(View { field: None, .. }) => Err(not_by_moving(folder)),
            Folder::Groups(view) => {
                if let Some(allowed) = view.allowed(self.catalog) {
                    let why = format!("the schema has no {} `{name}`; one of {}", view.name, allowed.join(", "));
                    return Err(Refused::new(Errno::INVAL, why));
                }
                if !is_own_name(name) || name.trim() != name {
                    return Err(Refused::new(Errno::INVAL, "this cannot be a value"));
                }
                self.made.groups.lock().insert((view.name.clone(), name.to_owned()));
                Ok(())
            }
            _ => Err(Refused::new(Errno::PERM, "here no folder can be made")),
        }
    }

    fn make_query(&self, name: &str) -> Result<(), Refused> {
        let Some(text) = name.strip_prefix(QUERY) else {
            let why = format!("a folder of views is `{QUERY}` and a query, or a file .trackfs/views/NAME.yaml");
            return Err(Refused::new(Errno::PERM, why));
        };
        Query::parse(text, self.catalog.schema()).map_err(|error| Refused::new(Errno::INVAL, error.to_string()))?;
        self.made.queries.lock().insert(name.to_owned());
        Ok(())
    }

    fn unmake(&self, folder: &str, name: &str) -> Result<(), Refused> {
        let found = self.folder(folder).ok_or_else(gone)?;
        let is_there = self.entry(folder, &found, name).ok_or_else(gone)?;
        let unmade = match (found, is_there) {
            (_, Virtual::Link { .. } | Virtual::File(_) | Virtual::Past(_)) => {
                return Err(Refused::new(Errno::NOTDIR, "it is no folder"));
            }
            (Folder::Views, _) => self.made.queries.lock().remove(name),
            (Folder::Groups(view), _) if view.has_tickets(name, self) => {
                return Err(Refused::new(Errno(libc::ENOTEMPTY), "tickets have this value"));
            }
            (Folder::Groups(view), _) => self.made.groups.lock().remove(&(view.name.clone(), name.to_owned())),
            _ => false,
        };
        if unmade { Ok(()) } else { Err(Refused::new(Errno::PERM, "only a folder that was made can be removed")) }
    }
}

/// The group that a folder is, if a link in it stands for a value.
fn changeable<'f>(folder: &'f Folder, path: &str) -> Result<&'f Group, Refused> {
    match folder {
        Folder::List(_, Some(group)) => Ok(group),
        _ => Err(not_by_moving(path)),
    }
}

fn not_by_moving(path: &str) -> Refused {
    let why = format!(
        "{path} does not stand for a value: status, assignee, priority, label, project, milestone and type have folders that do"
    );
    Refused::new(Errno::PERM, why)
}

fn gone() -> Refused {
    Refused::new(Errno::NOENT, "it is not there (any more)")
}
