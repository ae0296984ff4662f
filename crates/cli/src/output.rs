//! Printing results: JSON, YAML or words on stdout. What is said beside them goes to stderr.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::globals::Format;

/// Prints a line of text.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Prints bytes as they are.
pub fn bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Says something beside the result.
pub fn note(text: impl AsRef<str>) {
    // A closed stderr is nobody's failure.
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
}

/// Prints a value as JSON or YAML; as text, in the words of `table`.
pub fn value(format: Format, value: &Value, table: impl FnOnce() -> String) -> Result<()> {
    line(render(format, value, table)?.trim_end())
}

fn render(format: Format, value: &Value, table: impl FnOnce() -> String) -> Result<String> {
    match format {
        Format::Table => Ok(table()),
        Format::Json => serde_json::to_string_pretty(value)
            .map_err(|error| Failure::failed(format!("this cannot be shown as JSON: {error}"))),
        Format::Yaml => yaml(value),
    }
}

/// One of a stream of values: a line of JSON, a document of YAML, or the words of `table`.
pub fn streamed(format: Format, value: &Value, table: impl FnOnce() -> String) -> Result<()> {
    match format {
        Format::Table => line(table()),
        Format::Json => line(value.to_string()),
        Format::Yaml => line(format!("---\n{}", yaml(value)?.trim_end())),
    }
}

pub fn yaml(value: &Value) -> Result<String> {
    serde_norway::to_string(value)
        .map_err(|error| Failure::failed(format!("this cannot be shown as YAML: {error}")))
}
