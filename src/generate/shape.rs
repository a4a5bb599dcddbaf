//! How a table's rows are shared out among the rows above, where their number is exact.

use super::chance::Chance;
use super::plan::Count;
use super::values::draw_count;

/// How many rows each row of the parent has in a block, one after the other.
#[derive(Debug)]
pub struct Shape {
    counts: Vec<u64>,
    next: usize,
}

impl Shape {
    /// Shares `total` rows out among `parents` as `fan_out` would; as far as it allows, they add up to `total`.
    pub fn new(fan_out: &Count, parents: u64, total: u64, chance: &mut Chance) -> Self {
        let (least, most) = fan_out.bounds();
        let total = total.clamp(least.saturating_mul(parents), most.saturating_mul(parents));
        let mut counts: Vec<u64> = (0..parents).map(|_| draw_count(fan_out, chance)).collect();
        let mut sum: u64 = counts.iter().sum();
        // chance comes near; one row after the other is put to a row that has some, or taken from one that has several
        for gentle in [true, false] {
            for _ in 0..parents.saturating_mul(64) {
                if sum == total {
                    break;
                }
                let count = &mut counts[chance.below(parents) as usize];
                if sum < total && *count < most && (!gentle || *count > 0) {
                    *count += 1;
                    sum += 1;
                } else if sum > total && *count > least && (!gentle || *count > 1) {
                    *count -= 1;
                    sum -= 1;
                }
            }
        }
        Self { counts, next: 0 }
    }

    /// All rows.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many the next row of the parent has, and goes on to the one after.
    pub fn take(&mut self) -> u64 {
        let count = self.counts.get(self.next).copied();
        self.next += 1;
        count.unwrap_or(0)
    }

    /// How many the one after the next has.
    pub fn after_next(&self) -> Option<u64> {
        self.counts.get(self.next + 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::words::Shares;

    #[test]
    fn rows_add_up_and_keep_the_likeness_of_the_fan_out() {
        let fan_out = Count::Shares(vec![0, 1, 2, 9], Shares::new([2, 5, 2, 1]).expect("shares"));
        for total in [0, 1, 799, 1_000, 1_111, 4_500] {
            let mut chance = Chance::new(1, "t", None, 0);
            let mut shape = Shape::new(&fan_out, 500, total, &mut chance);
            assert_eq!(shape.total(), total);
            let counts: Vec<u64> = (0..500).map(|_| shape.take()).collect();
            assert_eq!(counts.iter().sum::<u64>(), total);
            assert_eq!(shape.take(), 0);
            if total == 1_000 {
                let none = counts.iter().filter(|&&count| count == 0).count();
                assert!((70..130).contains(&none), "{none}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_not_forced() {
        let fan_out = Count::Range(1, 2);
        let mut chance = Chance::new(1, "t", None, 0);
        assert_eq!(Shape::new(&fan_out, 10, 3, &mut chance).total(), 10);
        assert_eq!(Shape::new(&fan_out, 10, 99, &mut chance).total(), 20);
        assert_eq!(Shape::new(&fan_out, 0, 5, &mut chance).total(), 0);
    }
}
