//! How long the samples of a data set are, as bars.

use ilab_train::dataset::Statistics;

/// Cells of the longest bar.
const WIDTH: usize = 40;

/// Draws the numbers and a bar for each range of lengths.
pub(super) fn draw(statistics: &Statistics) -> String {
    let quantiles = statistics.quantiles.iter();
    let quantiles: Vec<String> = quantiles
        .map(|(percent, length)| match percent {
            0 => format!("shortest {length}"),
            100 => format!("longest {length}"),
            _ => format!("{percent} % up to {length}"),
        })
        .collect();
    let mut lines = vec![
        format!(
            "{} samples, {} tokens, {:.1} % of them learned",
            statistics.n_samples,
            statistics.n_tokens,
            100.0 * statistics.learned_share()
        ),
        format!(
            "tokens of a sample: mean {:.1}; {}",
            statistics.mean_length,
            quantiles.join(", ")
        ),
    ];
    let bars = &statistics.histogram;
    let most = bars.iter().map(|bar| bar.n_samples).max().unwrap_or(1);
    let digits = bars.last().map_or(1, |bar| bar.to.to_string().len());
    for bar in bars {
        // A few samples are seen beside many.
        let n_cells = (bar.n_samples * WIDTH).div_ceil(most.max(1));
        let line = format!(
            "{:>digits$} to {:>digits$}  {} {}",
            bar.from,
            bar.to,
            "█".repeat(n_cells),
            bar.n_samples
        );
        lines.push(line);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use ilab_train::dataset::Bar;

    use super::*;

    #[test]
    fn every_range_has_a_bar() {
        let bar = |from, to, n_samples| Bar {
            from,
            to,
            n_samples,
        };
        let statistics = Statistics {
            n_samples: 304,
            n_tokens: 10_000,
            n_learned: 2_500,
            mean_length: 32.89,
            quantiles: vec![(0, 9), (50, 31), (100, 120)],
            histogram: vec![bar(9, 49, 300), bar(50, 89, 0), bar(90, 120, 4)],
        };
        insta::assert_snapshot!(draw(&statistics), @r"
        304 samples, 10000 tokens, 25.0 % of them learned
        tokens of a sample: mean 32.9; shortest 9, 50 % up to 31, longest 120
          9 to  49  ████████████████████████████████████████ 300
         50 to  89   0
         90 to 120  █ 4
        ");
    }
}
