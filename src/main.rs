//! The `trackfs` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    trackfs::cli::main()
}
