//! Builds anew when the console's files change. The folder is made where it is missing, because
//! Cargo would otherwise build this crate anew each time.

use std::path::Path;

fn main() {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../console");
    let files = console.join("dist");
    if console.is_dir() && std::fs::create_dir_all(&files).is_ok() {
        println!("cargo::rerun-if-changed={}", files.display());
    } else {
        println!("cargo::rerun-if-changed=build.rs");
    }
}
