//! Rule tables, applied to chunks.

mod apply;
mod mistakes;
mod original;
mod pipeline;
mod random;
mod tables;
