//! Records: what `process` writes, on both databases.

mod declared;
mod process;
