//! Tables as the original draws them.

use unicode_width::UnicodeWidthStr as _;

/// A grid of a header and rows, its lines one below the other; every cell is as wide as the widest of its column.
pub(crate) fn grid<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = header.map(str::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let rule: String = widths
        .iter()
        .map(|width| format!("+{}", "-".repeat(width + 2)))
        .collect();
    let rule = format!("{rule}+\n");
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| {
            let padding = " ".repeat(width - cell.width());
            format!("| {cell}{padding} ")
        });
        format!("{}|\n", padded.collect::<String>())
    };
    let mut grid = format!("{rule}{}{rule}", line(header));
    for row in rows {
        grid.push_str(&line(row.each_ref().map(String::as_str)));
    }
    grid.push_str(rule.trim_end());
    grid
}

/// A size as the original writes it, with so many decimals: `3.00 KB` is 3,072 bytes.
pub(crate) fn size(n_bytes: u64, n_decimals: usize) -> String {
    const UNITS: [&str; 4] = ["B", "KB", "MB", "GB"];
    let mut size = n_bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.n_decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_padded_to_what_is_seen() {
        let rows = [
            ["a".to_owned(), "größer".to_owned()],
            ["日本".to_owned(), String::new()],
        ];
        insta::assert_snapshot!(grid(["x", "yy"], &rows), @r"
        +------+--------+
        | x    | yy     |
        +------+--------+
        | a    | größer |
        | 日本 |        |
        +------+--------+
        ");
        insta::assert_snapshot!(grid(["x", "yy"], &[]), @r"
        +---+----+
        | x | yy |
        +---+----+
        +---+----+
        ");
    }

    #[test]
    fn sizes_are_in_units_of_1024() {
        let sizes = [0, 1_023, 3_072, 5 << 20, 7 << 40].map(|n_bytes| size(n_bytes, 2));
        assert_eq!(
            sizes,
            ["0.00 B", "1023.00 B", "3.00 KB", "5.00 MB", "7168.00 GB"]
        );
    }
}
