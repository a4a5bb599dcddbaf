//! A row as JSON text, for the row audit.

use std::fmt::{Display, Write};

use crate::base::{Cell, TableColumn};

/// Adds the cells to `json` as one object, in the order given.
pub(super) fn row_json<'a>(
    json: &mut String,
    cells: impl Iterator<Item = (&'a TableColumn, &'a Cell)>,
) {
    json.push('{');
    for (place, (column, cell)) in cells.enumerate() {
        if place > 0 {
            json.push(',');
        }
        push_text(json, &column.name);
        json.push(':');
        match cell {
            Cell::Text(text) => push_text(json, text),
            Cell::Null => json.push_str("null"),
            Cell::Integer(number) => push_shown(json, number),
            Cell::Boolean(value) => push_shown(json, value),
            Cell::Date(date) => {
                json.push('"');
                push_shown(json, date);
                json.push('"');
            }
            cell => json.push_str(&cell.to_json().to_string()),
        }
    }
    json.push('}');
}

fn push_shown(json: &mut String, value: impl Display) {
    // a string takes all that is written to it
    let _ = write!(json, "{value}");
}

/// Adds `text` with quotes. Most texts need no escape; to see that takes a fraction of looking for each.
pub(super) fn push_text(json: &mut String, text: &str) {
    let escape = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().fold(false, |found, byte| found | escape(byte)) {
        // a text can always be written as JSON
        json.push_str(&serde_json::to_string(text).unwrap_or_default());
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde_json::Value;

    use super::*;
    use crate::base::CellType;

    #[test]
    fn it_is_the_json_of_any_other_writer() {
        let texts = [
            "",
            "plain",
            "quo\"te",
            "back\\slash",
            "line\nend",
            "\u{1}",
            "ñ €",
            "\u{7f}",
        ];
        for text in texts {
            let mut json = String::new();
            push_text(&mut json, text);
            assert_eq!(json, serde_json::to_string(text).expect("json"));
        }
        let column = |name: &str| TableColumn {
            name: name.to_owned(),
            cell_type: CellType::Text,
            nullable: true,
            has_default: false,
        };
        let columns = ["a", "b", "c", "d", "e", "f"].map(column);
        let cells = [
            Cell::Float(0.5),
            Cell::Text("x".into()),
            Cell::Boolean(true),
            Cell::Integer(i64::MIN),
            Cell::Date(NaiveDate::from_ymd_opt(2016, 1, 2).expect("date")),
            Cell::Null,
        ];
        let mut json = String::new();
        row_json(&mut json, columns.iter().zip(&cells));
        let object: serde_json::Map<String, Value> = columns
            .iter()
            .zip(&cells)
            .map(|(column, cell)| (column.name.clone(), cell.to_json()))
            .collect();
        assert_eq!(json, Value::from(object).to_string());
    }
}
