//! `calls WHAT …`: system calls in a loop, timed without a program's start or a script's overhead. For benches/mount.sh,
//! which compiles it by itself; prints the microseconds that the whole loop took.
//!
//!   tickets DIR N     makes N tickets in folders of a thousand (not timed)
//!   read DIR          opens, reads and closes every file below DIR
//!   save DIR N        N saves as editors do them: a new file, fsync, renamed over a ticket
//!   write FILE N      N writes of 4 KiB, one after the other

use std::{
    env, fs,
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Instant,
};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |text: &str| text.parse::<usize>().map_err(io::Error::other);
    let micros = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tickets", dir, n] => return tickets(Path::new(dir), number(n)?),
        ["read", dir] => read(Path::new(dir))?,
        ["save", dir, n] => save(Path::new(dir), number(n)?)?,
        ["write", file, n] => write(Path::new(file), number(n)?)?,
        _ => return Err(io::Error::other("usage: calls tickets|read|save|write …")),
    };
    println!("{micros}");
    Ok(())
}

/// A ticket of about a kilobyte.
fn ticket(n: usize) -> String {
    let status = ["backlog", "todo", "in-progress", "done"][n % 4];
    let body = "The text of a ticket has a few lines like this one, and says what is to be done.\n".repeat(10);
    format!("---\ntitle: Ticket {n}\nstatus: {status}\nlabels: [a, b]\n---\n{body}")
}

fn tickets(dir: &Path, n: usize) -> io::Result<()> {
    for n in 0..n {
        let folder = dir.join(format!("{:03}", n / 1000));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("ticket-{n:06}.md")), ticket(n))?;
    }
    Ok(())
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => files(&entry.path(), found)?,
            false => found.push(entry.path()),
        }
    }
    Ok(())
}

fn read(dir: &Path) -> io::Result<u128> {
    let mut found = Vec::new();
    files(dir, &mut found)?;
    let mut buffer = vec![0; 1 << 16];
    let start = Instant::now();
    for path in &found {
        let mut file = File::open(path)?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(start.elapsed().as_micros())
}

fn save(dir: &Path, n: usize) -> io::Result<u128> {
    let mut found = Vec::new();
    files(dir, &mut found)?;
    found.sort();
    let start = Instant::now();
    for (n, path) in found.iter().take(n).enumerate() {
        let temporary = path.with_extension("tmp");
        // Editors and `>` open it to write alone.
        let mut file = File::options().write(true).create_new(true).open(&temporary)?;
        // The time makes every round's text another one.
        let text = format!("{}saved {start:?}\n", ticket(n));
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)?;
    }
    Ok(start.elapsed().as_micros())
}

fn write(path: &Path, n: usize) -> io::Result<u128> {
    let file = File::create(path)?;
    let block = [b'x'; 4096];
    let start = Instant::now();
    for n in 0..n {
        file.write_all_at(&block, n as u64 * 4096)?;
    }
    Ok(start.elapsed().as_micros())
}
