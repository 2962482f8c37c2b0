//! Rows of cells, each column as wide as its widest cell.

/// A line of a listing.
pub(crate) enum Row {
    /// Cells in columns.
    Cells(Vec<String>),
    /// A name, and what is to be said of it across the columns.
    Remark(String, String),
}

/// Writes rows indented by two, with two blanks between columns.
pub(crate) fn aligned(rows: &[Row]) -> String {
    let width = |text: &str| text.chars().count();
    let cell = |row: &Row, column: usize| match row {
        Row::Cells(cells) => cells.get(column).map_or(0, |cell| width(cell)),
        Row::Remark(name, _) if column == 0 => width(name),
        Row::Remark(..) => 0,
    };
    let widest = |column: usize| rows.iter().map(|row| cell(row, column)).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let cells = match row {
            Row::Cells(cells) => cells.iter().collect(),
            Row::Remark(name, remark) => vec![name, remark],
        };
        let mut line = String::new();
        for (column, cell) in cells.into_iter().enumerate() {
            line.push_str("  ");
            line.push_str(cell);
            let padding = widest(column).saturating_sub(width(cell));
            line.push_str(&" ".repeat(padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The first `most` words, and how many there are.
pub(crate) fn some<T: ToString>(
    words: impl IntoIterator<Item = T>,
    most: usize,
    noun: &str,
) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    let shown = words[..words.len().min(most)].join(" ");
    match words.len() {
        0 => format!("no {noun}s"),
        all if all <= most => shown,
        all => format!("{shown} … {all} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_remarks_do_not_widen_them() {
        let cells = |cells: [&str; 3]| Row::Cells(cells.map(str::to_owned).to_vec());
        let rows = [
            cells(["a", "1", "×"]),
            Row::Remark("long name".to_owned(), "a remark that goes on".to_owned()),
            cells(["bc", "22", ""]),
        ];
        let expected = "  a          1   ×\n  long name  a remark that goes on\n  bc         22\n";
        assert_eq!(aligned(&rows), expected);
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(some(["a"; 0], 2, "mode"), "no modes");
        assert_eq!(some(["a", "b"], 2, "mode"), "a b");
        assert_eq!(some(["a"; 9], 2, "mode"), "a a … 9 modes");
    }
}
