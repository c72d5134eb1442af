//! Tests of operators' commands: the real program against a real PostgreSQL. All modules form one test program, because each further
//! program would link everything again and start a PostgreSQL of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

mod agencies;
mod bulk;
mod centre;
mod cli;
mod day;
mod election;
mod guide;
mod keys;
mod kits;
mod languages;
mod operators;
mod people;
mod selections;
mod speaker;
mod trial;
