//! The hospital as data: its own folder on made-up files, and someone else's hospital in a copy of it.

mod answers;
mod foreign;
mod home;
mod medallion;
mod world;
