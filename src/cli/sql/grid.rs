//! Rows as a table for people, as JSON lines, or as comma-separated values.

use crate::{
    cli::output::{Output, width},
    domain::{
        cell::Cell,
        text::{one_line, shortened},
    },
};
use std::io;

/// Rows that are looked at before the widths of the columns are settled; later ones make do with them.
const LOOKED_AT: usize = 500;
/// Characters of a column that is shortened.
const NARROWEST: usize = 8;

pub struct Grid<'g, 'o> {
    out: &'g mut Output<'o>,
    csv: bool,
    names: Vec<String>,
    /// Not printed yet.
    waiting: Vec<Vec<Cell>>,
    columns: Option<Vec<Column>>,
}

struct Column {
    width: usize,
    is_number: bool,
}

impl<'g, 'o> Grid<'g, 'o> {
    pub fn new(out: &'g mut Output<'o>, csv: bool) -> Self {
        Self { out, csv, names: Vec::new(), waiting: Vec::new(), columns: None }
    }

    pub fn row(&mut self, names: &[String], cells: &[Cell]) -> io::Result<()> {
        let is_first = self.names.is_empty();
        if is_first {
            self.names = names.to_vec();
        }
        if self.out.is_json() {
            let pairs = names.iter().cloned().zip(cells.iter().map(json));
            return self.out.json(&serde_json::Value::Object(pairs.collect()));
        }
        if self.csv {
            let head = is_first.then(|| names.to_vec());
            let cells = cells.iter().map(|cell| text(cell, "")).collect();
            return head.into_iter().chain([cells]).try_for_each(|record| self.record(&record));
        }
        if self.columns.is_some() {
            return self.line(cells);
        }
        self.waiting.push(cells.to_vec());
        if self.waiting.len() == LOOKED_AT { self.settle() } else { Ok(()) }
    }

    /// Prints what was held back.
    pub fn end(mut self) -> io::Result<()> {
        if self.waiting.is_empty() { Ok(()) } else { self.settle() }
    }

    fn record(&mut self, record: &[String]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(record).map_err(io::Error::other)?;
        let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.out.exactly(&String::from_utf8_lossy(&bytes))
    }

    fn settle(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let columns = (0..self.names.len()).map(|index| {
            let widest = waiting.iter().map(|row| shown(&row[index]).chars().count()).max().unwrap_or(0);
            let is_number = |row: &Vec<Cell>| matches!(row[index], Cell::Integer(_) | Cell::Real(_) | Cell::Null);
            Column { width: widest.max(self.names[index].chars().count()), is_number: waiting.iter().all(is_number) }
        });
        let mut columns: Vec<_> = columns.collect();
        if let Some(width) = width() {
            shrink(&mut columns, width);
        }
        self.columns = Some(columns);
        let head: Vec<_> = self.names.iter().map(|name| Cell::Text(name.clone())).collect();
        self.line(&head)?;
        waiting.iter().try_for_each(|row| self.line(row))
    }

    fn line(&mut self, cells: &[Cell]) -> io::Result<()> {
        let columns = self.columns.as_deref().unwrap_or_default();
        let cells = cells.iter().zip(columns).map(|(cell, Column { width, is_number })| {
            let text = shortened(&shown(cell), *width);
            if *is_number { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        self.out.line(line.trim_end())
    }
}

/// Takes from the widest until all fit.
fn shrink(columns: &mut [Column], width: usize) {
    let room = width.saturating_sub(columns.len().saturating_sub(1) * 2);
    while columns.iter().map(|column| column.width).sum::<usize>() > room {
        match columns.iter_mut().max_by_key(|column| column.width) {
            Some(widest) if widest.width > NARROWEST => widest.width -= 1,
            _ => break,
        }
    }
}

fn shown(cell: &Cell) -> String {
    one_line(&text(cell, "NULL"))
}

fn text(cell: &Cell, null: &str) -> String {
    match cell {
        Cell::Null => null.to_owned(),
        Cell::Integer(integer) => integer.to_string(),
        Cell::Real(real) => real.to_string(),
        Cell::Text(text) => text.clone(),
    }
}

fn json(cell: &Cell) -> serde_json::Value {
    match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Integer(integer) => (*integer).into(),
        Cell::Real(real) => (*real).into(),
        Cell::Text(text) => text.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(csv: bool, json: bool) -> String {
        let mut bytes = Vec::new();
        let mut out = Output::new(&mut bytes, json);
        let mut grid = Grid::new(&mut out, csv);
        let names = ["name".to_owned(), "n".to_owned()];
        for (name, n) in [(Cell::Text("a, \"b\"\n\u{1b}c".to_owned()), Cell::Integer(7)), (Cell::Null, Cell::Real(0.5))]
        {
            grid.row(&names, &[name, n]).unwrap();
        }
        grid.end().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn rows_are_a_table_json_or_csv() {
        assert_eq!(printed(false, false), "name        n\na, \"b\" c    7\nNULL      0.5\n");
        assert_eq!(printed(true, false), "name,n\n\"a, \"\"b\"\"\n\u{1b}c\",7\n,0.5\n");
        let json = "{\"name\":\"a, \\\"b\\\"\\n\\u001bc\",\"n\":7}\n{\"name\":null,\"n\":0.5}\n";
        assert_eq!(printed(false, true), json);
    }
}
