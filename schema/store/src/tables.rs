//! Tables that operators made with any tool, as letters fill them: adopted, versioned, and held against what a letter brings.

pub(crate) mod adoption;
pub mod catalogue;
pub(crate) mod check;
pub mod definition;
pub mod examine;
pub mod load;
pub mod loaded;
pub mod rights;

pub use adoption::{
    Adopted, Adoption, Change, CheckShown, ColumnShown, Drift, Mistake, MistakeProblem, Outcome, Problem, ProblemCode,
    RightShown, Rights, Shown, TableFile, TablesFile, Trigger, Warning, abandon, adopt, check, find, list, show,
};
