//! What led nowhere before, so that it is not searched through again.
//!
//! Where a choice has no value left, those to blame are earlier choices with the values that they
//! had. Whatever else is chosen differently, these values together leave the choice nothing: a
//! *nogood*. Two sides of a converter that hang together by its way alone are so searched once a
//! way, and not once for everything that the other side may be.

use super::choices::Culprits;
use super::values::Value;

/// Of one choice so many are kept; later ones replace the first.
const MOST: usize = 64;
/// Those with more values hold too seldom.
const MOST_VALUES: usize = 8;

/// Values of earlier choices that leave a choice nothing.
#[derive(Debug)]
struct Nogood {
    blamed: Culprits,
    values: Vec<(usize, Value)>,
}

/// The nogoods of each choice.
#[derive(Debug, Default)]
pub(super) struct Nogoods {
    by_choice: Vec<Vec<Nogood>>,
    /// How many were noted.
    noted: usize,
}

impl Nogoods {
    pub(super) fn new(choices: usize) -> Self {
        Self {
            by_choice: (0..choices).map(|_| Vec::new()).collect(),
            noted: 0,
        }
    }

    /// Notes that a choice has no value left, who is to blame, and which values these have. Where
    /// it is one alone, tells its value, which leads nowhere.
    pub(super) fn note(
        &mut self,
        at: usize,
        blamed: &Culprits,
        value: impl Fn(usize) -> Option<Value>,
    ) -> Option<(usize, Value)> {
        let earlier = blamed.before(at).take(MOST_VALUES + 1);
        let values = earlier.map(|choice| Some((choice, value(choice)?)));
        let values = values.collect::<Option<Vec<_>>>()?;
        if values.len() > MOST_VALUES {
            return None;
        }
        let alone = match values[..] {
            [alone] => Some(alone),
            _ => None,
        };
        let nogood = Nogood {
            blamed: blamed.clone(),
            values,
        };
        let known = &mut self.by_choice[at];
        if known.len() < MOST {
            known.push(nogood);
        } else {
            known[self.noted % MOST] = nogood;
        }
        self.noted += 1;
        alone
    }

    /// Who is to blame where a choice is known to have no value, as things are.
    pub(super) fn find(
        &self,
        at: usize,
        value: impl Fn(usize) -> Option<Value>,
    ) -> Option<&Culprits> {
        let holds = |nogood: &&Nogood| {
            let mut values = nogood.values.iter();
            values.all(|&(choice, had)| value(choice) == Some(had))
        };
        let found = self.by_choice[at].iter().find(holds);
        found.map(|nogood| &nogood.blamed)
    }
}
