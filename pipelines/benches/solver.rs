//! How long the solver takes over twenty stages: where there is a plan, where there is none, and
//! where there is none however much is combined.

use divan::Bencher;
use dmaflow_core::caps::{Cap, Caps, MemoryNeeds, Set, Steps, Strides};
use dmaflow_core::format::Format;
use dmaflow_core::heap::Contiguity;
use dmaflow_pipelines::solver::{
    Alternative, Believe, HeapFacts, Port, PortId, Problem, Scale, solve,
};

fn formats(from: usize, count: usize) -> Set<Format> {
    let with_planes = Format::all().filter(|format| !format.planes().is_empty());
    Set::Of(with_planes.skip(from).take(count).collect())
}

fn cap(formats: Set<Format>) -> Cap {
    Cap {
        formats,
        width: Steps {
            min: 64,
            max: 4096,
            step: 16,
        },
        height: Steps {
            min: 64,
            max: 2304,
            step: 2,
        },
        strides: Strides::padded(64, u32::MAX),
        memory: MemoryNeeds::DEVICE,
        ..Cap::any()
    }
}

/// Four cameras, each through a filter and a converter to two screens: twenty stages.
fn cameras(camera: &Caps, screen: &Caps) -> Problem {
    let mut problem = Problem::new();
    let link = |problem: &mut Problem, from: PortId, to: PortId| {
        problem.link(from, to).expect("an output and an input");
    };
    for index in 0..4 {
        let camera = problem.source(
            format!("camera{index}"),
            Port::new(camera.clone()).holding(3),
        );
        let (into, out) = problem.filter(format!("filter{index}"));
        link(&mut problem, camera, into);
        let ways = (0..8).map(|way| Alternative {
            input: cap(formats(way, 4)),
            output: cap(formats(20 + way, 4)),
            scale: Scale { down: 8, up: 8 },
        });
        let (into, converted) =
            problem.transform(format!("converter{index}"), ways.collect(), (1, 1));
        link(&mut problem, out, into);
        for side in 0..2 {
            let screen = problem.sink(
                format!("screen{index}{side}"),
                Port::new(screen.clone()).holding(2),
            );
            link(&mut problem, converted, screen);
        }
    }
    problem.heap(HeapFacts::new("system", Contiguity::Scattered));
    problem.heap(HeapFacts {
        room: Some(512 << 20),
        ..HeapFacts::new("default_cma_region", Contiguity::Contiguous)
    });
    problem
}

/// Many caps that overlap, so that little is struck out early.
fn many(from: usize, align: u32) -> Caps {
    (0..16)
        .map(|index| Cap {
            strides: Strides::padded(align << (index % 3), u32::MAX),
            ..cap(formats(from + index % 4, 24))
        })
        .collect()
}

#[divan::bench]
fn twenty_stages(bencher: Bencher<'_, '_>) {
    let problem = cameras(&cap(formats(0, 12)).into(), &cap(formats(22, 8)).into());
    bencher.bench_local(|| solve(&problem, &mut Believe).expect("a plan"));
}

#[divan::bench]
fn twenty_stages_that_cannot_agree(bencher: Bencher<'_, '_>) {
    let problem = cameras(&cap(formats(0, 12)).into(), &cap(formats(40, 4)).into());
    bencher.bench_local(|| solve(&problem, &mut Believe).expect_err("no plan"));
}

#[divan::bench]
fn twenty_stages_of_many_formats_that_cannot_agree(bencher: Bencher<'_, '_>) {
    // Strides that no row of the sink's widths has: found out last.
    let odd: Caps = many(20, 64)
        .0
        .into_iter()
        .map(|cap| Cap {
            width: Steps {
                min: 80,
                max: 4048,
                step: 32,
            },
            strides: Strides::own(1),
            ..cap
        })
        .collect();
    let problem = cameras(&many(0, 64), &odd);
    bencher.bench_local(|| solve(&problem, &mut Believe).expect_err("no plan"));
}

fn main() {
    divan::main();
}
