mod build;
mod house;
mod op;
mod run;
