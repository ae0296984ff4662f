//! Tables and fact sheets from API objects: a column is a title and a way to read a cell.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Row, Table};
use novacron_model::{Bytes, Time};
use serde_json::Value;

/// No table is wider.
pub const WIDTH: u16 = 100;

/// One fact of a noun, shown in its list or only in its fact sheet.
pub struct Column {
    title: &'static str,
    cell: fn(&Value, Time) -> String,
    listed: bool,
    right: bool,
}

impl Column {
    /// Shown in lists and fact sheets.
    pub const fn new(title: &'static str, cell: fn(&Value, Time) -> String) -> Self {
        Self { title, cell, listed: true, right: false }
    }

    /// Shown only where one object is looked at.
    pub const fn detail(title: &'static str, cell: fn(&Value, Time) -> String) -> Self {
        Self { title, cell, listed: false, right: false }
    }

    /// Numbers and sizes stand right-aligned in lists.
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// A table of `objects`, at most [`WIDTH`] wide; cells that do not fit are cut with `…`.
pub fn list(columns: &[Column], objects: &[Value], now: Time) -> String {
    let columns: Vec<&Column> = columns.iter().filter(|column| column.listed).collect();
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(columns.iter().map(|column| column.title.to_uppercase()));
    for object in objects {
        let cells = columns.iter().map(|column| one_line(&(column.cell)(object, now)));
        let mut row = Row::from(cells.collect::<Vec<_>>());
        row.max_height(1);
        table.add_row(row);
    }
    for (column, shown) in columns.iter().zip(table.column_iter_mut()) {
        shown.set_padding((0, 2));
        if column.right {
            shown.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Everything about one object, a fact a line; facts that are not known are left out.
pub fn sheet(columns: &[Column], object: &Value, now: Time) -> String {
    let facts: Vec<(&str, String)> = columns
        .iter()
        .map(|column| (column.title, (column.cell)(object, now)))
        .filter(|(_, fact)| !fact.is_empty() && fact != NONE)
        .collect();
    let width = facts.iter().map(|(title, _)| title.len()).max().unwrap_or(0) + 1;
    let lines: Vec<String> = facts
        .iter()
        .map(|(title, fact)| {
            let fact: Vec<String> = fact.lines().map(one_line).collect();
            let fact = fact.join(&format!("\n{:width$}  ", ""));
            format!("{:width$}  {fact}", format!("{title}:"))
        })
        .collect();
    lines.join("\n")
}

/// Stands where there is nothing to show.
pub const NONE: &str = "-";

/// Text, number or truth at a JSON pointer.
pub fn text(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(truth)) => if *truth { "yes" } else { "no" }.to_owned(),
        _ => NONE.to_owned(),
    }
}

/// A number of bytes, for people.
pub fn size(object: &Value, pointer: &str) -> String {
    let bytes = object.pointer(pointer).and_then(Value::as_u64);
    bytes.map_or_else(|| NONE.to_owned(), |bytes| Bytes(bytes).to_string())
}

/// How long ago the moment at `pointer` was.
pub fn age(object: &Value, pointer: &str, now: Time) -> String {
    let time = object.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse().ok());
    time.map_or_else(|| NONE.to_owned(), |time| duration(now.since(time)))
}

/// Milliseconds in the one unit that says enough.
pub fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A moment of the API, to the second.
pub fn seconds(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

/// Texts of an array, joined.
pub fn joined(object: &Value, pointer: &str) -> String {
    let items = object.pointer(pointer).and_then(Value::as_array);
    let texts: Vec<&str> = items.into_iter().flatten().filter_map(Value::as_str).collect();
    if texts.is_empty() { NONE.to_owned() } else { texts.join(", ") }
}

/// `a=1, b=2`.
pub fn labels(object: &Value) -> String {
    let labels = object.pointer("/meta/labels").and_then(Value::as_object);
    let pairs: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if pairs.is_empty() { NONE.to_owned() } else { pairs.join(", ") }
}

/// What a guest or a user wrote must not move the cursor or break a row.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::new("Name", |object, _| text(object, "/meta/name")),
        Column::new("Size", |object, _| size(object, "/size")).right(),
        Column::new("Age", |object, now| age(object, "/created", now)).right(),
        Column::new("Note", |object, _| text(object, "/note")),
        Column::detail("Labels", |object, _| labels(object)),
    ];

    fn objects() -> Vec<Value> {
        vec![
            json!({"meta": {"name": "a", "labels": {"x": "1"}}, "size": 1 << 30, "note": "short"}),
            json!({"meta": {"name": "a-longer-name"}, "created": "1970-01-01T00:00:01Z",
                "note": "a sentence\nthat goes on and on and on and on, over and over, far beyond
                    what a hundred columns can take"}),
        ]
    }

    #[test]
    fn a_table_fits_a_hundred_columns_and_one_line_each() {
        let table = list(COLUMNS, &objects(), Time(3_600_000));
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH.into()));
        expect![[r"
            NAME            SIZE  AGE  NOTE
            a              1 GiB    -  short
            a-longer-name      -  59m  a sentence that goes on and on and on and on, over and over, far beyon…"]]
        .assert_eq(&table);
    }

    #[test]
    fn a_sheet_leaves_out_what_is_not_known() {
        expect![[r"
            Name:    a
            Size:    1 GiB
            Note:    short
            Labels:  x=1"]]
        .assert_eq(&sheet(COLUMNS, &objects()[0], Time(0)));
    }

    #[test]
    fn ages_are_said_in_one_unit() {
        let said: Vec<String> =
            [0, 119_999, 120_000, 7_200_000, 172_800_000].into_iter().map(duration).collect();
        assert_eq!(said, ["0s", "119s", "2m", "2h", "2d"]);
    }
}
