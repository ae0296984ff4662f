//! The verbs that every noun has: list, show, set, edit, delete.

pub mod chosen;
pub mod delete;
pub mod edit;
pub mod list;
pub mod logs;
pub mod set;
pub mod several;

pub use chosen::Chosen;
pub use delete::DeleteArgs;
pub use list::ListArgs;
pub use logs::LogArgs;
