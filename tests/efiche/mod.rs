//! eFiche as data: its own folder on real and invented input.

mod audit;
mod home;
mod nih;
mod padchest;
mod questions;
mod synthetic;
mod warehouse;
