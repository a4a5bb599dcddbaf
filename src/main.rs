//! The `galen` binary.

use std::process::ExitCode;

/// Batches allocate on one thread what another frees, for which the system's allocator takes locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    galen::cli::main()
}
