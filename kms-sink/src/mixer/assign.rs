//! Which input gets which plane.

/// Finds one of each input's options such that no plane is used twice and a test takes them all;
/// the options come in order of preference, and the first inputs' wishes count most.
///
/// The test is given the options of the first inputs, then of one more, and so on: what is
/// refused so far is not continued. `tests` is how often it may be asked at most.
pub(super) fn assign<O: Copy>(
    options: &[Vec<O>],
    plane: impl Fn(&O) -> usize,
    tests: &mut usize,
    mut test: impl FnMut(&[O]) -> bool,
) -> Option<Vec<O>> {
    let mut chosen = Vec::with_capacity(options.len());
    extend(options, &plane, tests, &mut test, &mut chosen).then_some(chosen)
}

fn extend<O: Copy>(
    options: &[Vec<O>],
    plane: &impl Fn(&O) -> usize,
    tests: &mut usize,
    test: &mut impl FnMut(&[O]) -> bool,
    chosen: &mut Vec<O>,
) -> bool {
    let Some(own) = options.get(chosen.len()) else {
        return true;
    };
    for option in own {
        if chosen.iter().any(|other| plane(other) == plane(option)) {
            continue;
        }
        let Some(left) = tests.checked_sub(1) else {
            return false;
        };
        *tests = left;
        chosen.push(*option);
        if test(chosen) && extend(options, plane, tests, test, chosen) {
            return true;
        }
        chosen.pop();
    }
    false
}

/// Whether each input can have a plane of its own among those it may have.
pub(super) fn suffice(planes: &[Vec<usize>]) -> bool {
    /// Finds a plane for an input, if need be by giving another input another one.
    fn place(
        planes: &[Vec<usize>],
        input: usize,
        owners: &mut Vec<(usize, usize)>,
        seen: &mut Vec<usize>,
    ) -> bool {
        for &plane in &planes[input] {
            if seen.contains(&plane) {
                continue;
            }
            seen.push(plane);
            let owned = owners.iter().position(|(owned, _owner)| *owned == plane);
            match owned {
                None => owners.push((plane, input)),
                Some(at) if place(planes, owners[at].1, owners, seen) => owners[at].1 = input,
                Some(_) => continue,
            }
            return true;
        }
        false
    }
    let mut owners = Vec::new();
    (0..planes.len()).all(|input| place(planes, input, &mut owners, &mut Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(options: &[Vec<usize>], test: impl FnMut(&[usize]) -> bool) -> Option<Vec<usize>> {
        assign(options, |plane| *plane, &mut 1000, test)
    }

    #[test]
    fn wishes_count_as_far_as_the_test_allows() {
        let options = [vec![1, 2, 3], vec![1, 2], vec![1, 2, 3]];
        assert_eq!(assigned(&options, |_| true), Some(vec![1, 2, 3]));
        let not_first = |chosen: &[usize]| chosen[0] != 1;
        assert_eq!(assigned(&options, not_first), Some(vec![2, 1, 3]));
        assert_eq!(assigned(&options, |chosen| chosen.len() < 3), None);
    }

    #[test]
    fn the_search_ends_when_it_was_told_to() {
        let options = vec![(0..12).collect::<Vec<usize>>(); 12];
        let mut asked = 0;
        let mut tests = 500;
        let found = assign(
            &options,
            |plane| *plane,
            &mut tests,
            |chosen| {
                asked += 1;
                chosen.len() < 12
            },
        );
        assert_eq!((found, asked, tests), (None, 500, 0));
    }

    #[test]
    fn planes_suffice_exactly_where_an_assignment_exists() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            usize::from(state.to_be_bytes()[0])
        };
        let mut sufficed = 0;
        for _case in 0..500 {
            let inputs = 2 + random() % 4;
            let planes: Vec<Vec<usize>> = (0..inputs)
                .map(|_| {
                    let mask = random();
                    (0..5)
                        .filter(|plane| mask >> plane & 1 == 1)
                        .take(2)
                        .collect()
                })
                .collect();
            let found = assigned(&planes, |_| true).is_some();
            assert_eq!(suffice(&planes), found, "{planes:?}");
            sufficed += usize::from(found);
        }
        assert!((100..400).contains(&sufficed), "{sufficed}");
    }
}
