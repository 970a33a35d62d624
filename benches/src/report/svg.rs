//! Bars beside a line at 1, readable on a light and on a dark page.

use std::fmt::Write as _;

use crate::harness::{Line, Table};

const WIDTH: f64 = 720.0;
/// Where bars begin and end.
const LEFT: f64 = 230.0;
const RIGHT: f64 = WIDTH - 60.0;
const ROW: f64 = 18.0;
const HEADING: f64 = 26.0;

const STYLE: &str = "\
text { font: 12px sans-serif; fill: #24292f } .ours { fill: #0969da } .other { fill: #8c959f } .line { stroke: #cf222e }
.spread { stroke: #24292f; stroke-opacity: .6 } .name { text-anchor: end } .heading { font-weight: bold }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #4493f8 } .other { fill: #6e7681 }
.line { stroke: #f85149 } .spread { stroke: #e6edf3 } }";

/// A panel for each number of tasks.
pub(super) fn bars(table: &Table) -> String {
    let mut tasks: Vec<usize> = table.lines.iter().map(|line| line.tasks).collect();
    tasks.dedup();
    let most = table.lines.iter().map(|line| line.ratio.high).fold(1.0, f64::max);
    let at = |ratio: f64| LEFT + (RIGHT - LEFT) * ratio / most;
    let (mut body, mut y) = (String::new(), 0.0);
    for tasks in tasks {
        y += HEADING;
        let title = format!("{} with {tasks}: {}, beside {}", table.case, table.metric.title(), table.base);
        push(&mut body, &format!("<text class=\"heading\" x=\"8\" y=\"{:.1}\">{}</text>", y - 8.0, escape(&title)));
        let top = y;
        for line in table.lines.iter().filter(|line| line.tasks == tasks) {
            bar(&mut body, line, y, at);
            y += ROW;
        }
        let one = at(1.0);
        push(&mut body, &format!("<path class=\"line\" d=\"M{one:.1} {top:.1}V{y:.1}\"/>"));
    }
    let height = y + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\">\n<style>{STYLE}</style>\n{body}</svg>\n"
    )
}

fn bar(body: &mut String, line: &Line, y: f64, at: impl Fn(f64) -> f64) {
    let class = if line.contestant.starts_with("catamaran") { "ours" } else { "other" };
    let (middle, end) = (y + ROW / 2.0, at(line.ratio.median));
    let name = escape(&line.contestant);
    push(body, &format!("<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>", LEFT - 8.0, middle + 4.0));
    let (top, width, height) = (y + 3.0, end - LEFT, ROW - 6.0);
    push(
        body,
        &format!("<rect class=\"{class}\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"),
    );
    let (low, high) = (at(line.ratio.low), at(line.ratio.high));
    push(body, &format!("<path class=\"spread\" d=\"M{low:.1} {middle:.1}H{high:.1}\"/>"));
    let told = format!("{:.2}", line.ratio.median);
    push(body, &format!("<text x=\"{:.1}\" y=\"{:.1}\">{told}</text>", high.max(end) + 6.0, middle + 4.0));
}

fn push(body: &mut String, element: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(body, "{element}");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Metric, Spread};

    #[test]
    fn a_bar_ends_at_its_ratio_and_names_are_escaped() {
        let ratio = Spread { median: 2.0, low: 1.5, high: 4.0 };
        let line = Line { contestant: "a < b".to_owned(), tasks: 8, ratio, count: None };
        let table = Table { case: "c".into(), metric: Metric::Time, base: "d".into(), lines: vec![line] };
        let svg = bars(&table);
        assert!(svg.contains("width=\"215.0\"") && svg.contains("a &lt; b</text>"), "{svg}");
        assert!(svg.contains("prefers-color-scheme: dark"));
    }
}
