//! eFiche as data: its own folder on real and invented input.

mod audit;
mod home;
mod padchest;
mod synthetic;
