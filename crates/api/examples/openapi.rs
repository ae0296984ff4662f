//! Prints the OpenAPI document: `cargo run -p novacron-api --example openapi > openapi.json`.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "{}", novacron_api::openapi())
}
