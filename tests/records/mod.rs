//! Records: what `process` writes, on both databases.

mod process;
