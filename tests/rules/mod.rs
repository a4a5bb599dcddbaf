//! Rule tables, applied to chunks.

mod apply;
mod mistakes;
mod original;
mod random;
mod tables;
