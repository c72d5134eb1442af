//! What the scenarios are built on: real servers, and the engine as a process, started for one test.
//!
//! # Words
//!
//! | word | meaning | where |
//! |---|---|---|
//! | scenario | a test with the program as processes, real mail servers and a real PostgreSQL | crate |
//! | engine | a running `xmserver`, with its data folder | [`crate::engine::Engine`] |
//! | replica | one of several engines that share a database, so that one can fail | [`crate::engine::Engine::twin`] |
//! | relay | the mail server that takes the centre's answers to the offices: Postfix | [`servers`] |
//! | site | one centre with mailboxes and a relay for itself alone | [`site::Site`] |
//! | town, resident | the offices of a test; one of them, with its key, its letters and their receipts | [`town::Resident`] |
//! | stranger | a sender with no key that the centre knows | `tests/strangers.rs` |
//! | pushed | a mail server or an office brings a letter to the centre, which does not fetch it | [`sender`], [`poster`] |
//! | lease | for a while, only one engine polls a mailbox, or sends an answer | `nemesis::strike` |
//! | settled | a letter has its verdict, and the transaction with it is committed | crate `store` |
//! | held | people must decide about a letter before its records count | `tests/election.rs` |
//! | drained | told to end, an engine first finishes the letters that it has in hand | [`crate::engine::Engine::stop`] |
//! | oracle | the judge of the simulation: compares the database with what the offices sent | crate `simulation` |
//! | order | a line to the standard input of `xmserver-nemesis`, such as to die at a named place | [`crate::engine::Engine::tell`] |
//! | nemesis | the test that makes one fault after another happen to a centre under traffic | [`nemesis`] |
//! | cycle, burst, strike | nemesis sends a burst of letters in each cycle; a strike is the fault in its midst | `nemesis::strike` |
//! | rebuilt, escalation | an actor is made anew after a panic; after too many, the engine ends itself | `nemesis::world` |
//! | planted bug | a bug built into `xmserver-nemesis` on purpose, to show that nemesis finds it | `tests/nemesis.rs` |

pub mod database;
pub mod engine;
pub mod forgetful;
pub mod https_world;
pub mod instruments;
pub mod lab;
pub mod nemesis;
pub mod office;
pub mod poster;
pub mod program;
pub mod proxy;
pub mod raw_http;
pub mod sender;
pub mod servers;
pub mod site;
pub mod size;
pub mod town;
pub mod transfer;
