//! The centre's program: `xmserver run` configures, builds, runs and drains the centre. All other commands are for operators.
//!
//! # Words
//!
//! Those of letters and mail are explained at the top of crate `actors`. Here, too:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | operator, user | a person who works with the centre, and who signs in to commands by an account of the machine | [`operator`] |
//! | desk | what an operator's command works with: a connection to the database, the signed-in operator | `command::desk` |
//! | act, approval | a change that needs a second person; it waits as an approval until another person confirms it | `command::approval` |
//! | plan | rights and quotas that many agencies share | `command::plan` |
//! | flag | the mark of an accepted row that a check found wrong; an operator has to explain it | `command::flag` |
//! | attempt | one settling of a letter; a letter that was refused or held may get another one | `command::held`, [`reopen`] |
//! | said, words | `said!` gives a sentence for people from the catalogues, in their language; for programs there is JSON | [`speech`] |
//! | sentence | the English text of an error or a finding, which is translated only where a person reads it | [`words_of_errors`] |
//! | finding | one line of `xmserver check`: ok, warn or fail, and what to do | [`check`] |
//! | data folder | the folder of one process: the centre's keys, the identity of the process, the private PostgreSQL | [`folder`] |
//! | identity | a UUID by which the database knows the process, the same after each restart; a *twin* runs under the same | [`replica`] |
//! | private PostgreSQL | the one that the program runs in its data folder, where no database is configured | [`database`] |
//! | reader, login that reads | a second login to the database, which can only read; it reads records for agencies | `check::reading` |
//! | gauges, group | metrics that are read from the database; the gauges of a group are read together and kept for a while | [`gauges`] |
//! | ready, accepting | whether letters can be taken now; whether a balancer should send pushed mail here | [`ready`] |
//! | housekeeping | work that one replica does for all of them | [`housekeeping`] |
//! | office for a trial | an office that the program makes, so that somebody can try the centre | `command::sample` |
//! | town, oracle, night | the demo's agencies; the comparison of what they sent with the database; the page about the run | `demo` |

pub mod acts;
pub mod ask;
pub mod authority;
pub mod certificate;
pub mod check;
pub mod clock;
pub mod command;
pub mod configuration;
pub mod database;
#[cfg(feature = "demo")]
pub mod demo;
pub mod disk;
pub mod failure;
pub mod folder;
pub mod gauges;
pub mod housekeeping;
pub mod http;
pub mod init;
pub mod issuer;
pub mod keys;
pub mod logging;
pub mod notices;
pub mod operator;
#[cfg(feature = "demo")]
pub mod operators;
pub mod reach;
pub mod ready;
pub mod reopen;
pub mod replica;
pub mod run;
pub mod session_file;
pub mod sheet;
mod show;
pub mod speech;
pub mod summary;
pub mod usage;
pub mod words_of_errors;
pub mod words_of_problems;
