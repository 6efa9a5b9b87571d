//! Small aligned tables for people.

use serde_json::Value;

/// A table to be printed: one heading a column, rows of as many cells.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(headings: &[&'static str]) -> Table {
        Table { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; a missing cell is empty, one too many is left out.
    pub(crate) fn push(&mut self, mut row: Vec<String>) {
        row.resize(self.headings.len(), String::new());
        self.rows.push(row);
    }

    /// The lines, columns aligned, each ending in a line feed. Without rows: `nothing`, on a line.
    pub(crate) fn render(&self, nothing: &str) -> String {
        if self.rows.is_empty() {
            return format!("{nothing}\n");
        }
        let headings: Vec<String> = self.headings.iter().map(|it| it.to_uppercase()).collect();
        let lines = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| {
            lines().filter_map(|it| it.get(column)).map(|it| it.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..headings.len()).map(width).collect();
        let mut text = String::new();
        for line in lines() {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// The cell for a JSON value: text without quotes, nothing for null, control characters made harmless.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// The text without characters that could move the cursor or colour the terminal: devices chose these bytes.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let mut table = Table::new(&["name", "class"]);
        table.push(vec!["pümp".into(), "device".into()]);
        table.push(vec!["gw".into()]);
        assert_eq!(table.render("none"), "NAME  CLASS\npümp  device\ngw\n");
        assert_eq!(Table::new(&["name"]).render("no types yet"), "no types yet\n");
    }

    #[test]
    fn a_cell_cannot_drive_the_terminal() {
        assert_eq!(cell(&Value::from("\u{1b}[2Jx\n")), "\u{fffd}[2Jx\u{fffd}");
        assert_eq!(cell(&Value::Null), "");
        assert_eq!(cell(&Value::from(3)), "3");
    }
}
