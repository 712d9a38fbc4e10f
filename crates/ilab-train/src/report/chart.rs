//! Curves and bars as SVG, written by hand: a plotting library draws its text and colours for one background, and these
//! take both from the style of the page, in the light as in the dark.

use std::fmt::Write;

use serde::Serialize;

use super::axis::{Axis, grouped, shown};

/// The size of the drawing; the page scales it.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// More points than the drawing has room for say nothing.
const MAX_POINTS: usize = 500;
/// Bars of a histogram, about.
const N_BARS: usize = 16;

/// A drawing and what its script reads.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What the numbers are.
    pub(super) unit: &'static str,
    pub(super) svg: String,
    pub(super) series: Vec<Series>,
}

/// Where the axis of the values begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Differences are seen for what they are.
    Zero,
    /// Small differences are seen.
    Lowest,
}

/// A curve.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Series {
    pub(super) name: &'static str,
    /// The class of its style.
    pub(super) class: &'static str,
    /// Step and value.
    #[serde(skip)]
    pub(super) points: Vec<(f64, f64)>,
    /// The place of a point, and its step and value as they are read out.
    pub(super) read_out: Vec<(f64, String, String)>,
}

impl Series {
    /// A curve without what is not a number, thinned out to what can be seen.
    pub(super) fn new(
        name: &'static str,
        class: &'static str,
        points: impl IntoIterator<Item = (u64, f64)>,
    ) -> Self {
        let points: Vec<(f64, f64)> = points
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(step, value)| (step as f64, value))
            .collect();
        Self {
            name,
            class,
            points: thinned(points),
            read_out: Vec::new(),
        }
    }
}

/// Of each stretch of points the lowest and the highest, so that no spike is lost.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MAX_POINTS {
        return points;
    }
    let length = points.len().div_ceil(MAX_POINTS / 2);
    let ends = |stretch: &[(f64, f64)]| {
        let by_value = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
        let low = stretch.iter().min_by(by_value).copied();
        let high = stretch.iter().max_by(by_value).copied();
        let mut ends: Vec<_> = low.into_iter().chain(high).collect();
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        ends.dedup();
        ends
    };
    points.chunks(length).flat_map(ends).collect()
}

/// The mean of the values around each: what is left of noise at a glance, and neither early nor late.
pub(super) fn smoothed(values: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let finite: Vec<(u64, f64)> = values
        .iter()
        .filter(|(_, value)| value.is_finite())
        .copied()
        .collect();
    let most_around = finite.len().div_ceil(40);
    let mean = |index: usize| {
        // The same number on both sides, so that the ends of a slope stay where they are.
        let n_around = most_around.min(index).min(finite.len() - 1 - index);
        let around = &finite[index - n_around..=index + n_around];
        around.iter().map(|(_, value)| value).sum::<f64>() / around.len() as f64
    };
    finite
        .iter()
        .enumerate()
        .map(|(index, (step, _))| (*step, mean(index)))
        .collect()
}

/// Curves over the steps; `None` where there is not a single point.
pub(super) fn curves(
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    base: Base,
    mut series: Vec<Series>,
) -> Option<Chart> {
    series.retain(|series| !series.points.is_empty());
    let all = || series.iter().flat_map(|series| &series.points);
    let steps = all().map(|(step, _)| *step);
    let (first, last) = (steps.clone().reduce(f64::min)?, steps.reduce(f64::max)?);
    let values = all().map(|(_, value)| *value);
    let (low, high) = (values.clone().reduce(f64::min)?, values.reduce(f64::max)?);
    let low = match base {
        Base::Zero => low.min(0.0),
        Base::Lowest => low,
    };
    let (x, y) = (Axis::of_steps(first, last), Axis::spanning(low, high, 4));
    let mut svg = frame(title, &x, &y, "step");
    for series in &mut series {
        draw(&mut svg, series, &x, &y);
    }
    let _ = write!(
        svg,
        r#"<line class="cursor" y1="{TOP}" y2="{:.1}" x1="0" x2="0"/></svg>"#,
        HEIGHT - BOTTOM
    );
    Some(Chart {
        id,
        title,
        unit,
        svg,
        series,
    })
}

fn draw(svg: &mut String, series: &mut Series, x: &Axis, y: &Axis) {
    let places: Vec<(f64, f64)> = series
        .points
        .iter()
        .map(|(step, value)| (across(x.place(*step)), down(y.place(*value))))
        .collect();
    let class = series.class;
    let line: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = write!(
        svg,
        r#"<polyline class="curve {class}" points="{}"/>"#,
        line.join(" ")
    );
    // Single points have no line, and few are easier to see.
    if places.len() <= 25 {
        for (x, y) in &places {
            let _ = write!(
                svg,
                r#"<circle class="dot {class}" cx="{x:.1}" cy="{y:.1}" r="2.5"/>"#
            );
        }
    }
    let read_out = series.points.iter().zip(&places);
    series.read_out = read_out
        .map(|((step, value), (x, _))| ((x * 10.0).round() / 10.0, grouped(*step), shown(*value)))
        .collect();
}

/// How often values of each size occur.
pub(super) fn histogram(title: &str, values: &[usize]) -> Option<String> {
    let (shortest, longest) = (*values.iter().min()?, *values.iter().max()?);
    let x = Axis::spanning(shortest as f64, longest as f64 + 1.0, N_BARS);
    let width = (x.marks[1] - x.marks[0]).max(1.0);
    let n_bars = ((x.high - x.low) / width).ceil() as usize;
    let mut counts = vec![0usize; n_bars.max(1)];
    for value in values {
        let bar = ((*value as f64 - x.low) / width) as usize;
        let last = counts.len() - 1;
        counts[bar.min(last)] += 1;
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    let y = Axis::spanning(0.0, most as f64, 4);
    let x_marks = Axis {
        marks: x
            .marks
            .iter()
            .step_by(x.marks.len().div_ceil(8))
            .copied()
            .collect(),
        ..x.clone()
    };
    let mut svg = frame(title, &x_marks, &y, "tokens of a sample");
    for (index, count) in counts.iter().enumerate() {
        let from = x.low + index as f64 * width;
        let (left, right) = (across(x.place(from)), across(x.place(from + width)));
        let (top, bottom) = (down(y.place(*count as f64)), down(0.0));
        let (first, last) = (grouped(from.max(0.0)), grouped(from + width - 1.0));
        let samples = if *count == 1 { "sample" } else { "samples" };
        let _ = write!(
            svg,
            r#"<rect class="bar" x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"><title>{first} to {last} tokens: {} {samples}</title></rect>"#,
            left + 0.5,
            (right - left - 1.0).max(0.5),
            bottom - top,
            grouped(*count as f64)
        );
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// The axes with their marks; the texts are all ours.
fn frame(title: &str, x: &Axis, y: &Axis, x_name: &str) -> String {
    let mut svg =
        format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">"#);
    let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
    for mark in &y.marks {
        let height = down(y.place(*mark));
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{left}" x2="{right}" y1="{height:.1}" y2="{height:.1}"/><text class="y" x="{:.1}" y="{:.1}">{}</text>"#,
            left - 6.0,
            height + 4.0,
            shown(*mark)
        );
    }
    for mark in &x.marks {
        let place = across(x.place(*mark));
        let _ = write!(
            svg,
            r#"<line class="mark" x1="{place:.1}" x2="{place:.1}" y1="{bottom}" y2="{:.1}"/><text class="x" x="{place:.1}" y="{:.1}">{}</text>"#,
            bottom + 4.0,
            bottom + 18.0,
            grouped(*mark)
        );
    }
    let _ = write!(
        svg,
        r#"<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/><text class="x name" x="{:.1}" y="{:.1}">{x_name}</text>"#,
        (left + right) / 2.0,
        HEIGHT - 6.0
    );
    svg
}

fn across(place: f64) -> f64 {
    LEFT + place * (WIDTH - RIGHT - LEFT)
}

fn down(place: f64) -> f64 {
    HEIGHT - BOTTOM - place * (HEIGHT - BOTTOM - TOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_without_a_number_is_none() {
        assert!(
            curves(
                "a",
                "A",
                "",
                Base::Zero,
                vec![Series::new("a", "a", [(1, f64::NAN)])]
            )
            .is_none()
        );
        assert!(histogram("A", &[]).is_none());
    }

    #[test]
    fn a_long_curve_keeps_its_spikes() {
        let points = (0..10_000).map(|step| (step, if step == 7_777 { 9.0 } else { 1.0 }));
        let series = Series::new("a", "a", points);
        assert!(series.points.len() <= MAX_POINTS);
        assert!(series.points.contains(&(7_777.0, 9.0)));
    }

    #[test]
    fn the_smooth_curve_loses_noise_and_keeps_slopes() {
        let slope: Vec<(u64, f64)> = (0..200)
            .map(|step| (step, 3.0 - step as f64 / 100.0))
            .collect();
        let noisy: Vec<(u64, f64)> = slope
            .iter()
            .map(|(step, value)| (*step, value + if step % 2 == 0 { 0.5 } else { -0.5 }))
            .collect();
        for ((_, expected), (_, got)) in slope.iter().zip(smoothed(&slope)) {
            assert!((expected - got).abs() < 1e-9);
        }
        for ((_, expected), (_, got)) in slope.iter().zip(smoothed(&noisy)).skip(10).take(180) {
            assert!((expected - got).abs() < 0.06, "{expected} {got}");
        }
    }

    #[test]
    fn points_lie_inside_the_frame() {
        let chart = curves(
            "a",
            "A",
            "nats",
            Base::Zero,
            vec![Series::new("one", "a", [(1, 4.0), (3, 0.1)])],
        );
        let chart = chart.unwrap();
        assert!(
            chart.svg.contains(r#"points="58.0,12.0 466.0,181.7""#),
            "{}",
            chart.svg
        );
        assert_eq!(
            chart.series[0].read_out[1],
            (466.0, "3".to_owned(), "0.1".to_owned())
        );
    }

    #[test]
    fn every_value_is_in_a_bar() {
        for values in [
            vec![5],
            vec![1, 2, 3],
            vec![0, 1_000_000],
            (0..300).collect(),
        ] {
            let svg = histogram("A", &values).unwrap();
            let counts = svg.split("tokens: ").skip(1);
            let counts =
                counts.map(|rest| rest.split(' ').next().unwrap().parse::<usize>().unwrap());
            assert_eq!(counts.sum::<usize>(), values.len(), "{svg}");
        }
    }
}
