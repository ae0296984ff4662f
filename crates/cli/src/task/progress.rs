//! Showing how far something is: a bar on a terminal, a line per step elsewhere. On stderr.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

pub struct Progress {
    bar: Option<ProgressBar>,
    title: String,
    said: String,
}

impl Progress {
    pub fn new(title: impl Into<String>) -> Self {
        Self::on(title.into(), io::stderr().is_terminal())
    }

    fn on(title: String, terminal: bool) -> Self {
        let bar = terminal.then(|| {
            let bar = ProgressBar::new_spinner().with_message(title.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, title, said: String::new() }
    }

    pub fn rename(&mut self, title: impl Into<String>) {
        self.title = title.into();
        if let Some(bar) = &self.bar {
            bar.set_message(self.title.clone());
        }
    }

    /// `total` is zero when nobody knows how much there is.
    pub fn at(&mut self, step: &str, done: u64, total: u64) {
        match &self.bar {
            Some(bar) => draw(bar, &format!("{}: {step}", self.title), done, total),
            None => {
                if let Some(line) = self.next_line(step, done, total) {
                    output::note(line);
                }
            }
        }
    }

    /// Without a terminal every step is said once, and every tenth of it.
    fn next_line(&mut self, step: &str, done: u64, total: u64) -> Option<String> {
        let tenths = (u128::from(done) * 10).checked_div(u128::from(total));
        let line = match tenths {
            Some(tenths) => format!("{}: {step} {} %", self.title, tenths.min(10) * 10),
            None => format!("{}: {step}", self.title),
        };
        if line == self.said {
            return None;
        }
        self.said.clone_from(&line);
        Some(line)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, message: &str, done: u64, total: u64) {
    bar.set_message(message.to_owned());
    if total == 0 {
        return;
    }
    if bar.length() != Some(total) {
        let template =
            "{msg}  {bar:24}  {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_length(total);
    }
    bar.set_position(done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_each_tenth_is_said_once() {
        let mut progress = Progress::on("import image \"debian\"".into(), false);
        assert!(progress.next_line("waiting", 0, 0).is_some());
        assert!(progress.next_line("waiting", 0, 0).is_none());
        let said: Vec<String> =
            (0..=1000).filter_map(|done| progress.next_line("downloading", done, 1000)).collect();
        assert_eq!(said.len(), 11);
        assert_eq!(said[5], "import image \"debian\": downloading 50 %");
    }
}
