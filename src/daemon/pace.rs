//! How often a remote is asked: soon again while something moves, seldom while all is quiet.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(5);
/// The first pause, which then doubles, before a file is tried again that could not take what was pulled.
const SOON: Duration = Duration::from_millis(500);

/// The pauses between the pulls of one remote.
pub struct Pace {
    longest: Duration,
    pause: Duration,
    patience: Duration,
}

/// How a cycle went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something crossed.
    Moved,
    Quiet,
    /// A file could not take what was pulled, because it was being written.
    PutOff,
}

impl Pace {
    /// `longest` is what the configuration allows.
    pub fn new(longest: Duration) -> Self {
        Self { longest, pause: SHORTEST.min(longest), patience: SOON }
    }

    /// The pause after a cycle: short when something moved, else twice the last.
    pub fn after(&mut self, outcome: Outcome) -> Duration {
        if outcome == Outcome::PutOff {
            let pause = self.patience.min(self.longest);
            self.patience = self.patience.saturating_mul(2);
            return pause;
        }
        let next = if outcome == Outcome::Moved { SHORTEST } else { self.pause * 2 };
        (self.pause, self.patience) = (next.min(self.longest), SOON);
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome::*, *};

    fn pauses(longest: u64, outcomes: &[Outcome]) -> Vec<u128> {
        let mut pace = Pace::new(Duration::from_secs(longest));
        outcomes.iter().map(|outcome| pace.after(*outcome).as_millis()).collect()
    }

    #[test]
    fn pauses_grow_while_it_is_quiet_and_are_short_again_when_something_moves() {
        assert_eq!(pauses(60, &[Quiet; 6]), [10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
        assert_eq!(pauses(60, &[Quiet, Quiet, Moved, Quiet]), [10_000, 20_000, 5_000, 10_000]);
    }

    #[test]
    fn what_was_put_off_is_tried_soon() {
        assert_eq!(pauses(3, &[PutOff, PutOff, PutOff, PutOff, Quiet, PutOff]), [500, 1000, 2000, 3000, 3000, 500]);
    }

    #[test]
    fn no_pause_is_longer_than_the_configuration_allows() {
        assert_eq!(pauses(1, &[Moved, Quiet]), [1000; 2]);
    }
}
