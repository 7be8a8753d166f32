//! Bars on standard error, for whoever looks on while remotes are read.

use crate::{
    daemon::{
        self, Location,
        control::{Request, Response},
        report::ListingReport,
    },
    domain::text::printable,
};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, IsTerminal},
};

/// As [`daemon::ask`], with a bar for each remote that is being read meanwhile. Where nobody looks on there are none.
pub fn ask(at: &Location, request: &Request) -> anyhow::Result<Response> {
    if !io::stderr().is_terminal() {
        return daemon::ask(at, request);
    }
    let mut bars = Bars::default();
    let response = daemon::ask_and_watch(at, request, &mut |listings| bars.show(listings));
    bars.clear();
    response
}

#[derive(Default)]
struct Bars {
    all: MultiProgress,
    /// By remote.
    shown: BTreeMap<String, ProgressBar>,
}

impl Bars {
    fn show(&mut self, listings: &[ListingReport]) {
        for ListingReport { remote, listed, of } in listings {
            let bar = self.shown.entry(remote.clone()).or_insert_with(|| begin(&self.all, remote, *of));
            if let Some(of) = of {
                bar.set_length((*of).max(*listed) as u64);
            }
            bar.set_position(*listed as u64);
        }
        self.shown.retain(|remote, bar| {
            let goes_on = listings.iter().any(|listing| listing.remote == *remote);
            if !goes_on {
                bar.finish_and_clear();
            }
            goes_on
        });
    }

    fn clear(&self) {
        self.shown.values().for_each(ProgressBar::finish_and_clear);
    }
}

/// A bar beside those that are there; where it is not known how much there is, a spinner.
fn begin(all: &MultiProgress, remote: &str, of: Option<usize>) -> ProgressBar {
    let (bar, style) = match of {
        Some(of) => (ProgressBar::new(of as u64), "{prefix} {bar:30} {pos} of about {len}, {rate}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{prefix} {spinner} {pos}, {rate}, {elapsed}"),
    };
    let rate = |state: &ProgressState, to: &mut dyn fmt::Write| {
        let _ = write!(to, "{:.0}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(style).expect("a template that tests have read").with_key("rate", rate);
    all.add(bar.with_style(style).with_prefix(printable(remote).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use parking_lot::Mutex;
    use std::sync::Arc;

    /// A terminal that keeps what is drawn.
    #[derive(Clone, Debug, Default)]
    struct Drawn(Arc<Mutex<String>>);

    impl TermLike for Drawn {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_remote_has_a_bar_with_its_rate_and_what_is_left() {
        let (mut bars, drawn) = (Bars::default(), Drawn::default());
        bars.all.set_draw_target(ProgressDrawTarget::term_like(Box::new(drawn.clone())));
        let at = |remote: &str, listed, of| ListingReport { remote: remote.to_owned(), listed, of };
        bars.show(&[at("hub", 100, Some(4000)), at("line", 50, None)]);
        bars.show(&[at("hub", 4100, Some(4000))]);
        assert_eq!(bars.shown["hub"].length(), Some(4100), "more than was thought");
        assert!(!bars.shown.contains_key("line"));
        let drawn = drawn.0.lock().clone();
        assert!(drawn.contains("hub ") && drawn.contains("100 of about 4000, ") && drawn.contains("left"), "{drawn:?}");
        assert!(drawn.contains("line ") && drawn.contains(" 50, "), "{drawn:?}");
    }
}
