//! The `galen` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    galen::cli::main()
}
