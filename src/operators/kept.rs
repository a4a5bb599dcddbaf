//! What was worked out from the files of a DAG, kept for who asks next: the check asks for every task, and then every task of a run.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The last answers to a question, each with everything that it follows from: a change of a file is another question.
pub(super) struct Kept<Q, A>(Mutex<VecDeque<(Q, A)>>);

/// A process works on few versions at a time, and one of them takes up to some megabytes.
const AT_MOST: usize = 8;

impl<Q: PartialEq, A: Clone> Kept<Q, A> {
    /// Nothing was asked yet.
    pub const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// The answer to `question`: the one that is kept, or what `work` comes to. Two who ask at once may both work.
    ///
    /// # Errors
    /// Those of `work`, which are not kept.
    pub fn answer<E>(&self, question: Q, work: impl FnOnce(&Q) -> Result<A, E>) -> Result<A, E> {
        if let Some(answer) = self.find(&question) {
            return Ok(answer);
        }
        let answer = work(&question)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= AT_MOST {
            kept.pop_front();
        }
        kept.push_back((question, answer.clone()));
        Ok(answer)
    }

    /// The kept answer, which is now the last to be forgotten.
    fn find(&self, question: &Q) -> Option<A> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().rposition(|(known, _)| known == question)?;
        let found = kept.remove(at)?;
        let answer = found.1.clone();
        kept.push_back(found);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_is_answered_once_and_the_oldest_is_forgotten() {
        let kept = Kept::<usize, usize>::new();
        let mut worked = Vec::new();
        let mut ask = |question: usize| {
            let answer = kept.answer(question, |asked| {
                worked.push(*asked);
                match *asked {
                    99 => Err("no answer"),
                    asked => Ok(asked * 2),
                }
            });
            assert_eq!(answer.ok(), (question != 99).then_some(question * 2));
        };
        ask(0);
        ask(0);
        ask(99);
        ask(99);
        for question in 1..AT_MOST {
            ask(question);
            ask(0);
        }
        ask(AT_MOST); // forgets 1, for 0 was asked since
        ask(0);
        ask(1);
        let mut expected = vec![0, 99, 99];
        expected.extend(1..=AT_MOST);
        expected.push(1);
        assert_eq!(worked, expected);
    }
}
