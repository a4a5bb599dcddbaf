//! Chance as a function of (seed, table, day, block): the same on any machine, clock and number of threads.

use chrono::NaiveDate;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::base::sha256;

/// One stream of random numbers. Uses whole numbers and the four IEEE operations only, whose results do not differ
/// between machines as those of `exp` and `ln` do.
pub struct Chance(ChaCha8Rng);

/// A probability as the share of all 64-bit numbers that are below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// The probability `rate`; `None` unless it is between 0 and 1.
    pub fn new(rate: f64) -> Option<Self> {
        let two_to_the_64 = 18_446_744_073_709_551_616.0;
        // the cast saturates, so that 1 becomes the largest number
        (0.0..=1.0)
            .contains(&rate)
            .then_some(Self((rate * two_to_the_64) as u64))
    }
}

impl Chance {
    /// The stream of one block of rows. `day` is `None` for a table that is the same on every day.
    pub fn new(seed: u64, table: &str, day: Option<NaiveDate>, block: u64) -> Self {
        let day = day.map(|day| day.to_string()).unwrap_or_default();
        let key = sha256(format!("{seed}\n{table}\n{day}"));
        let mut stream = ChaCha8Rng::from_seed(key.0);
        stream.set_stream(block);
        Self(stream)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number from 0 to `bound - 1`; 0 for bound 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A whole number from `min` to `max`, both included.
    pub fn between(&mut self, min: i64, max: i64) -> i64 {
        let span = max.wrapping_sub(min) as u64;
        min.wrapping_add(self.below(span.saturating_add(1)) as i64)
    }

    /// Whether something of this probability happens.
    pub fn happens(&mut self, rate: Rate) -> bool {
        self.bits() < rate.0
    }

    /// A number from the standard normal distribution, as the sum of twelve uniform ones; never beyond ±6.
    pub fn normal(&mut self) -> f64 {
        let sum: u64 = (0..6)
            .map(|_| self.bits())
            .map(|bits| (bits >> 32) + (bits & 0xffff_ffff))
            .sum();
        sum as f64 / 4_294_967_296.0 - 6.0
    }
}

/// e to the power of `x`, from multiplications and divisions alone.
pub fn exp(x: f64) -> f64 {
    const LN_2: f64 = std::f64::consts::LN_2;
    let twos = (x / LN_2).round().clamp(-1_000.0, 1_000.0);
    let rest = x - twos * LN_2;
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..20 {
        term = term * rest / f64::from(n);
        sum += term;
    }
    let (factor, times) = if twos < 0.0 {
        (0.5, -twos)
    } else {
        (2.0, twos)
    };
    for _ in 0..times as u32 {
        sum *= factor;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(block: u64) -> Chance {
        Chance::new(7, "table", NaiveDate::from_ymd_opt(2026, 1, 2), block)
    }

    /// Pins the very numbers: if this fails, every generated file has changed.
    #[test]
    fn the_same_numbers_forever() {
        let mut chance = stream(3);
        assert_eq!([chance.bits(), chance.bits()], [PINNED.0, PINNED.1]);
    }

    const PINNED: (u64, u64) = (4_277_365_056_217_387_943, 5_076_862_635_486_153_787);

    #[test]
    fn streams_differ_by_seed_table_day_and_block() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 2);
        let mut firsts = vec![
            stream(0).bits(),
            stream(1).bits(),
            Chance::new(8, "table", day, 0).bits(),
            Chance::new(7, "other", day, 0).bits(),
            Chance::new(7, "table", None, 0).bits(),
        ];
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 5);
    }

    #[test]
    fn draws_stay_in_their_range_and_keep_their_shares() {
        let mut chance = stream(0);
        let rate = Rate::new(0.25).expect("a rate");
        let mut hits = 0;
        for _ in 0..10_000 {
            assert!((-3..=4).contains(&chance.between(-3, 4)));
            hits += u32::from(chance.happens(rate));
        }
        assert!((2_300..2_700).contains(&hits), "{hits}");
        let always = Rate::new(1.0).expect("a rate");
        assert!((0..1_000).all(|_| chance.happens(always)));
        let never = Rate::new(0.0).expect("a rate");
        assert!(!(0..1_000).any(|_| chance.happens(never)));
        assert_eq!(Rate::new(1.5), None);
    }

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut chance = stream(1);
        let drawn: Vec<f64> = (0..20_000).map(|_| chance.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn exp_is_the_exponential_function() {
        for x in [-20.0, -1.0, -0.3, 0.0, 0.5, 1.0, 3.7, 25.0_f64] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "{x}");
        }
    }
}
