//! The operators' tables that letters write to. The module adopts these tables, keeps versions of their definitions, and examines letters
//! by the definitions.

pub(crate) mod adoption;
pub mod catalogue;
pub(crate) mod check;
pub mod definition;
pub mod examine;
pub mod load;
pub mod loaded;
pub mod named_record;
pub mod records;
pub mod rights;

pub use adoption::{
    Adopted, Adoption, Change, CheckShown, ColumnShown, Drift, Mistake, MistakeProblem, Outcome, Problem, ProblemCode,
    RightShown, Rights, Shown, TableFile, TablesFile, Trigger, Warning, abandon, adopt, check, find, list, show,
};
