//! How long to wait before trying again. Pure: the caller brings the randomness and the clock.

use crate::domain::Timestamp;
use serde::{Serialize, Serializer};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(2);
pub const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The longest wait where nothing could be sent.
pub const RECONNECT: Duration = Duration::from_secs(30);

/// The wait after this many failed attempts: doubling, bounded, and spread by `seed` over its upper half, so that many
/// waiting entries do not come back together.
pub fn delay(attempts: u32, seed: u64) -> Duration {
    let whole =
        FIRST.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1).min(16)).unwrap_or(u32::MAX)).min(LONGEST);
    let half = whole / 2;
    half + half.mul_f64(spread(seed.wrapping_add(u64::from(attempts))))
}

/// A wait that began at some time. A clock that is set back to before that ends it: nobody waits longer than was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    began: Timestamp,
    until: Timestamp,
}

impl Wait {
    /// As far as the end of time when `wait` cannot be added to `now`.
    pub fn new(now: Timestamp, wait: Duration) -> Self {
        Self { began: now, until: now.checked_add(wait).unwrap_or(Timestamp::MAX) }
    }

    /// Its end, unless it is over.
    pub fn until(self, now: Timestamp) -> Option<Timestamp> {
        (self.began <= now && now < self.until).then_some(self.until)
    }

    /// What is left of it, unless it is over.
    pub fn left(self, now: Timestamp) -> Option<Duration> {
        Some(self.until(now)?.duration_since(now).unsigned_abs())
    }
}

impl Serialize for Wait {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.until.serialize(serializer)
    }
}

/// 0 ≤ x < 1, evenly for consecutive seeds (SplitMix64's finalizer).
fn spread(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_in_time_and_when_the_clock_is_set_back_before_it() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let wait = Wait::new(at(100), Duration::from_secs(30));
        assert_eq!(
            [100, 129, 130, 99, 0].map(|second| wait.until(at(second)).is_some()),
            [true, true, false, false, false]
        );
        assert_eq!(wait.left(at(110)), Some(Duration::from_secs(20)));
        assert_eq!(Wait::new(at(0), Duration::MAX).until(at(1)), Some(Timestamp::MAX));
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread() {
        for attempts in 1_u32..200 {
            let whole = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST);
            for seed in 0..50 {
                let wait = delay(attempts, seed);
                assert!(wait >= whole / 2 && wait <= whole, "{attempts} {seed} {wait:?}");
            }
        }
        assert!((0..20).map(|seed| delay(3, seed)).collect::<std::collections::BTreeSet<_>>().len() > 15);
    }
}
