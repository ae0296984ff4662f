//! IO errors as users should read them: a full disk is told apart from everything else.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use novacron_model::{Code, Error};

/// `doing` completes "cannot …": `write`, `read`.
pub fn at(path: &Path, doing: &'static str) -> impl FnOnce(IoError) -> Error {
    let path = path.to_owned();
    move |error| from_io(&path, doing, &error)
}

pub fn from_io(path: &Path, doing: &str, error: &IoError) -> Error {
    let shown = path.display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full(path),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::unavailable(format!("cannot {doing} {shown}: {error}"))
                .hint("the user that runs novacron needs to own the pool's directory")
        }
        _ => Error::internal(format!("cannot {doing} {shown}: {error}")),
    }
}

pub fn full(path: &Path) -> Error {
    let message = format!("the disk of the pool is full (at {})", path.display());
    Error::new(Code::StorageFull, message).hint("remove volumes or images, or enlarge the disk")
}

/// For a file whose path tells the user nothing.
pub fn unreadable(error: &IoError) -> Error {
    Error::internal(format!("the image cannot be read: {error}"))
}

/// Whether a program's words say that the disk is full.
pub fn tells_full(words: &str) -> bool {
    words.contains("No space left on device") || words.contains("Disk quota exceeded")
}
