//! A host of the filesystem that has tickets for the views, and nothing else.

use parking_lot::{RwLock, RwLockReadGuard};
use std::{io, sync::Arc};
use trackfs::{
    domain::{catalog::Catalog, op::Op, path::WsPath, problem::Problem},
    fs::{CatalogRef, Host, StatusContent, StatusFile},
};

#[derive(Default)]
pub struct Shelf(pub RwLock<Catalog>);

impl Host for Shelf {
    fn record(&self, _: Op) {}

    fn durable(&self) -> io::Result<()> {
        Ok(())
    }

    fn check(&self, _: &WsPath, _: &[u8]) -> Option<Problem> {
        None
    }

    fn problem(&self, _: &WsPath) -> Option<String> {
        None
    }

    fn catalog(&self) -> CatalogRef<'_> {
        RwLockReadGuard::map(self.0.read(), |catalog| catalog)
    }

    fn status_file(&self, _: StatusFile) -> StatusContent {
        StatusContent::Bytes(Arc::from(*b""))
    }
}
