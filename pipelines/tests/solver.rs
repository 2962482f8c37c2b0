//! The solver against random graphs: a plan wherever trying everything finds one, and the best.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "solver/brute.rs"]
mod brute;
#[path = "solver/random.rs"]
mod random;

use dmaflow_pipelines::solver::{Plan, solve};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use brute::Brute;
use random::{Case, Device};

/// What solver and brute force say of a case.
fn compare(case: &Case) -> Result<bool, TestCaseError> {
    let problem = case.problem();
    let brute = Brute::new(&problem, case);
    let best = brute.best();
    let mut device = Device::new(&problem, case);
    let plan = solve(&problem, &mut device);
    prop_assert_eq!(device.asked_twice, 0, "something was asked twice");
    match (&best, &plan) {
        (None, Err(unsolvable)) => prop_assert!(!unsolvable.gave_up, "{unsolvable}"),
        (Some(best), Ok(plan)) => {
            let found = brute.key_of(plan);
            prop_assert_eq!(Some(best), found.as_ref(), "{:#?}", parts(plan));
        }
        (Some(best), Err(unsolvable)) => {
            return Err(TestCaseError::fail(format!(
                "there is a plan, {best:?}, and the solver says: {unsolvable}"
            )));
        }
        (None, Ok(plan)) => {
            return Err(TestCaseError::fail(format!(
                "there is no plan, and the solver found {:#?}",
                parts(plan)
            )));
        }
    }
    Ok(plan.is_ok())
}

fn parts(plan: &Plan) -> impl std::fmt::Debug + '_ {
    (&plan.domains, &plan.pools, &plan.ways)
}

#[test]
#[cfg_attr(miri, ignore = "hours of trying everything, and no pointers")]
fn a_plan_whenever_trying_everything_finds_one() {
    // More of them where somebody has time: `PROPTEST_CASES=100000`.
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok()).unwrap_or(1000);
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    });
    let (mut solved, mut unsolvable) = (0, 0);
    let counts = std::cell::RefCell::new((&mut solved, &mut unsolvable));
    let ran = runner.run(&random::case(), |case| {
        let mut counts = counts.borrow_mut();
        match compare(&case)? {
            true => *counts.0 += 1,
            false => *counts.1 += 1,
        }
        Ok(())
    });
    if let Err(failure) = ran {
        panic!("{failure}");
    }
    println!("{solved} random graphs have a plan, {unsolvable} have none");
    // A generator that only makes one kind of them would test little.
    assert!(
        solved >= cases / 6 && unsolvable >= cases / 6,
        "{solved} {unsolvable}"
    );
}
