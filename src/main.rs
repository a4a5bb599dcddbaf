//! The `galen` binary.

fn main() {}
