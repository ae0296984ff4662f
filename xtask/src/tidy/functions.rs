//! Functions: their length. A function is read from its `fn` line to the closing brace at the
//! same indentation, which formatted code guarantees.

use super::percentile;
use super::sources::Source;

const P95_MAX: usize = 40;
const FUNCTION_MAX: usize = 70;

/// Tables and dispatchers that read best in one piece: (file, function).
const TABLES: [(&str, &str); 0] = [];

pub fn breaches(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    for source in sources.iter().filter(|source| !source.test) {
        let lines: Vec<&str> = source.product_lines().collect();
        for (name, size) in functions(&lines) {
            sizes.push(size);
            let path = source.path.to_string_lossy();
            let table = TABLES.iter().any(|(file, each)| *file == path && *each == name);
            if size > FUNCTION_MAX && !table {
                found.push(format!("{path}: fn {name}: {size} lines; {FUNCTION_MAX} at most"));
            }
        }
    }
    let size = percentile(sizes, 95);
    if size > P95_MAX {
        found.push(format!("functions: {size} lines at 95 %; {P95_MAX} are the limit"));
    }
    found
}

/// Name and length in lines of each function with a body.
fn functions<'a>(lines: &[&'a str]) -> Vec<(&'a str, usize)> {
    let starts = lines.iter().enumerate().filter_map(|(at, line)| Some((at, fn_name(line)?)));
    starts.filter_map(|(at, name)| Some((name, body(&lines[at..])?))).collect()
}

fn fn_name(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let rest = if let Some(rest) = code.strip_prefix("fn ") {
        rest
    } else {
        let (words, rest) = code.split_once(" fn ")?;
        let modifier = |word: &str| {
            matches!(word, "async" | "const" | "unsafe" | "extern")
                || word.starts_with("pub")
                || word.starts_with("crate)")
                || word.starts_with("super)")
                || word.starts_with('"')
        };
        words.split(' ').all(modifier).then_some(rest)?
    };
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(&rest[..end])
}

/// Lines up to the closing brace; `None` for a declaration without a body.
fn body(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let indent = first.len() - first.trim_start().len();
    let close = format!("{}}}", " ".repeat(indent));
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with(&close) {
            return Some(at + 1);
        }
        let one_line = at == 0 && line.ends_with('}');
        if one_line {
            return Some(1);
        }
        if line.ends_with(';') && !lines[..=at].iter().any(|each| each.ends_with('{')) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        let text = "pub async fn long(\n    a: u8,\n) -> u8 {\n    if a {\n    }\n    a\n}\nfn none();\nfn one() {}\n";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(functions(&lines), [("long", 7), ("one", 1)]);
    }
}
