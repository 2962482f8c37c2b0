//! What the solver says where there is no plan, and which converters it puts in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dmaflow_core::caps::{Cap, MemoryNeeds, Property, Set, Steps};
use dmaflow_core::format::Format;
use dmaflow_core::heap::Contiguity;
use dmaflow_pipelines::solver::{
    Alternative, Answer, Ask, Believe, ConverterCaps, Explanation, HeapFacts, Inserted, Plan, Port,
    PortId, Problem, Question, Refusal, Scale, Unsolvable, solve, solve_explained,
    solve_with_converters, solve_with_converters_explained,
};

fn format(name: &str) -> Format {
    name.parse().unwrap()
}

fn cap(formats: &str) -> Cap {
    Cap {
        formats: Set::Of(formats.split_whitespace().map(format).collect()),
        width: Steps::between(16, 1920),
        height: Steps::between(16, 1080),
        memory: MemoryNeeds::DEVICE,
        ..Cap::any()
    }
}

fn sized(formats: &str, width: u32, height: u32) -> Cap {
    Cap {
        width: Steps::only(width),
        height: Steps::only(height),
        ..cap(formats)
    }
}

/// A camera, a tee of filters and some screens, and a heap.
fn problem(camera: Cap, screens: &[Cap]) -> (Problem, PortId, Vec<PortId>) {
    let mut problem = Problem::new();
    let camera = problem.source("camera", Port::new(camera));
    let mut ports = Vec::new();
    for (index, screen) in screens.iter().enumerate() {
        let name = match index {
            0 => "screen".to_owned(),
            index => format!("screen{}", index + 1),
        };
        let screen = problem.sink(name, Port::new(screen.clone()));
        problem.link(camera, screen).unwrap();
        ports.push(screen);
    }
    problem.heap(HeapFacts::new("system", Contiguity::Scattered));
    (problem, camera, ports)
}

fn converter(name: &str, cpu: bool, from: &str, to: &str) -> ConverterCaps {
    ConverterCaps {
        name: name.to_owned(),
        cpu,
        alternatives: vec![Alternative {
            input: cap(from),
            output: cap(to),
            scale: Scale::NONE,
        }],
        holds: (1, 1),
    }
}

fn converted(
    problem: &Problem,
    converters: &[ConverterCaps],
    cpu: bool,
) -> Result<Plan, Unsolvable> {
    solve_with_converters(problem, converters, cpu, &mut Believe)
}

#[test]
fn formats_that_nobody_shares_are_told_with_what_would_join_them() {
    let (problem, camera, screens) = problem(cap("YUYV UYVY"), &[cap("XRGB8888")]);
    let unsolvable = solve(&problem, &mut Believe).unwrap_err();
    assert_eq!(
        unsolvable.to_string(),
        "`camera` offers YUYV UYVY; `screen` takes XRGB8888: no format in common; \
         a converter from YUYV or UYVY to XRGB8888 would join them (none is here)"
    );
    assert_eq!(unsolvable.ports, [camera, screens[0]]);
    assert_eq!(unsolvable.links.len(), 1);
    assert!(unsolvable.properties.contains(Property::Format));
    let only_cpu = [converter("videoconvert", true, "YUYV", "XRGB8888")];
    let unsolvable = converted(&problem, &only_cpu, false).unwrap_err();
    assert!(
        unsolvable
            .reason
            .ends_with("(no device here does it; a CPU conversion would: zero-copy = \"allow\")"),
        "{unsolvable}"
    );
}

#[test]
fn only_those_are_named_that_cannot_agree() {
    // Of three screens the second alone has no format of the camera's.
    let screens = [cap("YUYV"), cap("XRGB8888"), cap("YUYV NV12")];
    let (problem, camera, screens) = problem(cap("YUYV"), &screens);
    let unsolvable = solve(&problem, &mut Believe).unwrap_err();
    assert_eq!(unsolvable.ports.len(), 2, "{unsolvable}");
    assert!(unsolvable.ports.contains(&screens[1]), "{unsolvable}");
    assert!(
        unsolvable
            .ports
            .iter()
            .all(|port| [camera, screens[0], screens[1], screens[2]].contains(port))
    );
    // Each two of three agree, and all three do not.
    let (problem, ..) = self::problem(
        cap("YUYV NV12"),
        &[cap("YUYV XRGB8888"), cap("NV12 XRGB8888")],
    );
    let unsolvable = solve(&problem, &mut Believe).unwrap_err();
    assert_eq!(unsolvable.ports.len(), 3, "{unsolvable}");
}

#[test]
fn sizes_strides_and_memory_are_reasons() {
    let (sizes, ..) = problem(sized("YUYV", 640, 480), &[sized("YUYV", 800, 480)]);
    let unsolvable = solve(&sizes, &mut Believe).unwrap_err();
    assert_eq!(
        unsolvable.to_string(),
        "`camera` offers 640 wide; `screen` takes 800 wide: no width in common"
    );
    let contiguous = Cap {
        memory: MemoryNeeds {
            contiguous: true,
            ..MemoryNeeds::DEVICE
        },
        ..cap("YUYV")
    };
    let (memory, ..) = problem(cap("YUYV"), &[contiguous]);
    let unsolvable = solve(&memory, &mut Believe).unwrap_err();
    assert_eq!(
        unsolvable.to_string(),
        "`screen` takes memory: importable, in one physical piece: no heap will do; there are \
         `system` (scattered: its buffers are not in one physical piece)"
    );
    let (mut room, ..) = problem(cap("YUYV"), &[sized("YUYV", 640, 480)]);
    room = Problem::clone(&room);
    let mut small = Problem::new();
    let camera = small.source("camera", Port::new(sized("YUYV", 640, 480)));
    let screen = small.sink("screen", Port::new(cap("YUYV")));
    small.link(camera, screen).unwrap();
    small.heap(HeapFacts {
        room: Some(100 << 10),
        ..HeapFacts::new("cma", Contiguity::Contiguous)
    });
    assert!(solve(&room, &mut Believe).is_ok());
    let unsolvable = solve(&small, &mut Believe).unwrap_err();
    assert!(
        unsolvable.properties.contains(Property::Length),
        "{unsolvable}"
    );
    assert!(unsolvable.reason.contains("`cma`"), "{unsolvable}");
}

#[test]
fn heaps_that_nobody_asked_for_are_no_reason() {
    let asked = |heap: &str, memory: MemoryNeeds| {
        let camera = Cap {
            memory,
            ..cap("YUYV")
        };
        let mut problem = Problem::new();
        let heaps = Set::Of(vec![heap.to_owned()]);
        let port = Port {
            heaps,
            ..Port::new(camera)
        };
        let camera = problem.source("camera", port);
        let screen = problem.sink("screen", Port::new(cap("YUYV")));
        problem.link(camera, screen).unwrap();
        problem.heap(HeapFacts::new("system", Contiguity::Scattered));
        problem.heap(HeapFacts {
            importable: false,
            ..HeapFacts::new("memfd", Contiguity::Scattered)
        });
        problem.heap(HeapFacts {
            vmap: false,
            ..HeapFacts::new("huge", Contiguity::Unknown)
        });
        solve(&problem, &mut Believe).map_err(|unsolvable| unsolvable.to_string())
    };
    assert!(asked("system", MemoryNeeds::DEVICE).is_ok());
    assert_eq!(
        asked("memfd", MemoryNeeds::DEVICE).unwrap_err(),
        "`camera` offers memory: importable: no heap that may be taken will do: `memfd` \
         (scattered: devices cannot import it)"
    );
    assert!(asked("huge", MemoryNeeds::DEVICE).is_ok());
    let mapped = MemoryNeeds {
        vmap: true,
        ..MemoryNeeds::DEVICE
    };
    assert_eq!(
        asked("huge", mapped).unwrap_err(),
        "`camera` offers memory: importable, mapped by its driver: no heap that may be taken will \
         do: `huge` (unknown: before Linux 6.16 a driver that maps huge pages for the CPU is \
         refused, or sees the wrong ones)"
    );
    assert!(asked("system", mapped).is_ok());
}

#[test]
fn what_no_search_can_mend_is_told_at_once() {
    let (mut problem, camera, _) = problem(cap("YUYV"), &[cap("YUYV")]);
    let few = Port {
        buffers: Some(1),
        ..Port::new(cap("YUYV")).holding(2)
    };
    let other = problem.source("other", few);
    let sink = problem.sink("sink", Port::new(cap("YUYV")).holding(1));
    problem.link(other, sink).unwrap();
    let unsolvable = solve(&problem, &mut Believe).unwrap_err();
    assert_eq!(
        unsolvable.to_string(),
        "1 buffers are too few for `other`: its stage and all that use its frames keep 4; ask for \
         4 or more, or leave the number out"
    );
    assert!(problem.link(sink, camera).is_err());
    let mut endless = Problem::new();
    let source = endless.source("source", Port::new(Cap::any()));
    let sink = endless.sink("sink", Port::new(Cap::any()));
    endless.link(source, sink).unwrap();
    let unsolvable = solve(&endless, &mut Believe).unwrap_err();
    assert!(
        unsolvable.reason.contains("nobody says what width"),
        "{unsolvable}"
    );
}

/// Refuses heaps and formats by port.
struct Refuses(Vec<(PortId, Option<Format>)>);

impl Ask for Refuses {
    fn ask(&mut self, question: &Question<'_>) -> Answer {
        for (port, refused) in &self.0 {
            match question {
                Question::Format {
                    port: asked,
                    placement,
                    ..
                } if asked == port && *refused == Some(placement.terms.format) => {
                    return Answer::No(Refusal::of_the_format("EINVAL of S_FMT"));
                }
                Question::Attach { port: asked, .. } if asked == port && refused.is_none() => {
                    return Answer::No(Refusal::of_the_heap("EFAULT: scattered memory"));
                }
                _ => {}
            }
        }
        Answer::Yes
    }
}

#[test]
fn refusals_that_stand_in_the_way_are_told_and_no_others() {
    let (problem, camera, screens) = problem(cap("XRGB8888 YUYV"), &[cap("YUYV XRGB8888")]);
    let mut ask = Refuses(vec![(camera, Some(Format::XRGB8888)), (screens[0], None)]);
    let mut log = Explanation::wanted();
    let unsolvable = solve_explained(&problem, &mut ask, &mut log).unwrap_err();
    // That the camera refused a format is not why: the screen refuses the only heap for good.
    assert_eq!(
        unsolvable.refusals,
        ["`screen`, asked for heap `system`: EFAULT: scattered memory"]
    );
    assert_eq!(unsolvable.to_string(), unsolvable.refusals[0]);
    assert_eq!(unsolvable.ports, screens);
    let log = log.to_string();
    assert!(
        log.contains("EINVAL of S_FMT") && log.contains("EFAULT"),
        "{log}"
    );
    let mut silent = Explanation::default();
    let mut ask = Refuses(vec![(camera, Some(Format::XRGB8888))]);
    let plan = solve_explained(&problem, &mut ask, &mut silent).unwrap();
    assert_eq!(plan.domains[0].terms.format, Format::YUYV);
    assert!(silent.entries().is_empty());
}

/// Remembers which converters it was told of.
#[derive(Default)]
struct Told(Vec<Inserted>);

impl Ask for Told {
    fn ask(&mut self, _question: &Question<'_>) -> Answer {
        Answer::Yes
    }

    fn with_converters(&mut self, inserted: &[Inserted]) -> bool {
        self.0 = inserted.to_vec();
        true
    }
}

#[test]
fn one_converter_goes_into_the_link_that_needs_it() {
    let screens = [cap("YUYV"), cap("XRGB8888")];
    let (problem, ..) = problem(cap("YUYV"), &screens);
    let converters = [
        converter("cpu", true, "YUYV", "XRGB8888"),
        converter("wrong", false, "NV12", "XRGB8888"),
        converter("rga", false, "YUYV", "XRGB8888"),
    ];
    let mut told = Told::default();
    let mut log = Explanation::wanted();
    let plan =
        solve_with_converters_explained(&problem, &converters, true, &mut told, &mut log).unwrap();
    assert_eq!(plan.inserted.len(), 1);
    assert_eq!(plan.inserted, told.0);
    let inserted = &plan.inserted[0];
    assert_eq!(converters[inserted.converter].name, "rga");
    assert_eq!(inserted.link.index(), 1);
    assert!(
        inserted.reason.contains("no format in common"),
        "{}",
        inserted.reason
    );
    assert_eq!(plan.domains.len(), 2);
    assert_eq!(plan.pools.len(), 2);
    assert!(log.to_string().contains("`rga`"), "{log}");
    // The CPU alone.
    let plan = converted(&problem, &converters[..2], true).unwrap();
    assert_eq!(converters[plan.inserted[0].converter].name, "cpu");
    assert!(converted(&problem, &converters[..2], false).is_err());
}

/// One converter cannot be opened, and nothing may be asked while it is to be there.
#[derive(Default)]
struct OneIsBroken(bool);

impl Ask for OneIsBroken {
    fn ask(&mut self, _question: &Question<'_>) -> Answer {
        assert!(!self.0);
        Answer::Yes
    }

    fn with_converters(&mut self, inserted: &[Inserted]) -> bool {
        self.0 = inserted.iter().any(|inserted| inserted.converter == 0);
        !self.0
    }
}

#[test]
fn a_converter_that_cannot_be_opened_is_in_the_way_of_no_other() {
    let (problem, ..) = problem(cap("YUYV"), &[cap("XRGB8888")]);
    let converters = [
        converter("broken", false, "YUYV", "XRGB8888"),
        converter("rga", false, "YUYV", "XRGB8888"),
    ];
    let mut ask = OneIsBroken::default();
    let mut log = Explanation::wanted();
    let plan = solve_with_converters_explained(&problem, &converters, false, &mut ask, &mut log);
    assert_eq!(plan.unwrap().inserted[0].converter, 1);
    assert!(log.to_string().contains("it cannot be put in"), "{log}");
}

#[test]
fn two_converters_where_one_is_not_enough() {
    let (chain, ..) = problem(cap("NV12"), &[cap("XRGB8888")]);
    let converters = [
        converter("a", false, "NV12", "YUYV"),
        converter("b", false, "YUYV", "XRGB8888"),
    ];
    let plan = converted(&chain, &converters, false).unwrap();
    assert_eq!(plan.inserted.len(), 2);
    assert_eq!(plan.domains.len(), 3);
    let formats: Vec<_> = plan
        .domains
        .iter()
        .map(|domain| domain.terms.format.name())
        .collect();
    assert_eq!(formats, ["NV12", "YUYV", "XRGB8888"]);
}

#[test]
fn the_cpu_converts_only_where_no_devices_do() {
    let converters = [
        converter("cpu", true, "NV12 YUYV", "XRGB8888 NV12"),
        converter("a", false, "NV12", "YUYV"),
        converter("b", false, "YUYV", "XRGB8888"),
    ];
    let used = |camera: &str, screens: &[Cap], converters: &[ConverterCaps]| {
        let (problem, ..) = problem(cap(camera), screens);
        let plan = converted(&problem, converters, true).unwrap();
        let names = plan.inserted.iter();
        let mut names: Vec<_> = names
            .map(|inserted| converters[inserted.converter].name.clone())
            .collect();
        names.sort_unstable();
        names
    };
    let rgb = [cap("XRGB8888")];
    assert_eq!(used("NV12", &[cap("NV12")], &converters), [""; 0]);
    assert_eq!(used("YUYV", &rgb, &converters), ["b"]);
    // Two devices go before one CPU.
    assert_eq!(used("NV12", &rgb, &converters), ["a", "b"]);
    assert_eq!(used("NV12", &rgb, &converters[..2]), ["cpu"]);
    // As little as can be is done by the CPU: of two links a device does one.
    let both = [cap("YUYV"), cap("XRGB8888")];
    assert_eq!(used("NV12", &both, &converters[..2]), ["a", "cpu"]);
    // Where it is not allowed, the reason tells how to allow it.
    let (problem, ..) = problem(cap("NV12"), &rgb);
    let refused = converted(&problem, &converters[..2], false).unwrap_err();
    assert!(
        refused.reason.contains("zero-copy = \"allow\""),
        "{refused}"
    );
    let neither = converted(&problem, &converters[1..2], true).unwrap_err();
    assert!(!neither.reason.contains("zero-copy"), "{neither}");
}

/// Refuses to allocate a heap's buffers for one pool, as users of that pool refused them before.
struct RefusesOnePool(PortId);

impl Ask for RefusesOnePool {
    fn ask(&mut self, question: &Question<'_>) -> Answer {
        match question {
            Question::Allocate { producer, heap, .. }
                if *producer == self.0 && heap.index() == 0 =>
            {
                Answer::No(Refusal::of_the_heap("scattered memory"))
            }
            _ => Answer::Yes,
        }
    }
}

#[test]
fn what_one_pools_users_refuse_is_not_denied_to_another() {
    let mut problem = Problem::new();
    let ports: Vec<_> = ["camera", "test"]
        .into_iter()
        .map(|name| {
            let source = problem.source(name, Port::new(cap("XRGB8888")));
            let screen = problem.sink(format!("{name}-screen"), Port::new(cap("XRGB8888")));
            problem.link(source, screen).unwrap();
            source
        })
        .collect();
    for (name, contiguity) in [
        ("system", Contiguity::Scattered),
        ("cma", Contiguity::Contiguous),
    ] {
        problem.heap(HeapFacts::new(name, contiguity));
    }
    let plan = solve(&problem, &mut RefusesOnePool(ports[0])).unwrap();
    let heaps: Vec<_> = plan.pools.iter().map(|pool| pool.heap.index()).collect();
    assert_eq!(heaps, [1, 0]);
}

#[test]
fn what_a_pools_users_refuse_is_not_denied_to_a_converter_before_them() {
    let mut problem = Problem::new();
    let camera = problem.source("camera", Port::new(cap("XRGB8888")));
    let screen = problem.sink("screen", Port::new(cap("XRGB8888")));
    problem.link(camera, screen).unwrap();
    for (name, contiguity) in [
        ("system", Contiguity::Scattered),
        ("cma", Contiguity::Contiguous),
    ] {
        problem.heap(HeapFacts::new(name, contiguity));
    }
    let converter = ConverterCaps {
        name: "converter".to_owned(),
        cpu: false,
        alternatives: vec![Alternative {
            input: cap("XRGB8888"),
            output: cap("XRGB8888"),
            scale: Scale::NONE,
        }],
        holds: (1, 1),
    };
    let mut devices = RefusesDirect {
        camera,
        converters: 0,
    };
    let plan = solve_with_converters(&problem, &[converter], false, &mut devices).unwrap();
    assert_eq!(plan.inserted.len(), 1);
    let heaps: Vec<_> = plan.pools.iter().map(|pool| pool.heap.index()).collect();
    assert_eq!(heaps, [0, 0]);
}

/// What a camera's pool is refused for a screen, it is not for a converter.
struct RefusesDirect {
    camera: PortId,
    converters: usize,
}

impl Ask for RefusesDirect {
    fn ask(&mut self, question: &Question<'_>) -> Answer {
        match question {
            Question::Allocate { producer, .. } if *producer == self.camera => {
                match self.converters {
                    0 => Answer::No(Refusal::of_the_heap("EFAULT")),
                    _ => Answer::Yes,
                }
            }
            _ => Answer::Yes,
        }
    }

    fn with_converters(&mut self, inserted: &[Inserted]) -> bool {
        self.converters = inserted.len();
        true
    }
}

/// A source of one width and any height, and a sink of any size.
fn any_height(width: Steps) -> Problem {
    let mut problem = Problem::new();
    let source = problem.source(
        "source",
        Port::new(Cap {
            width,
            height: Steps::between(1, 4096),
            ..cap("XRGB8888")
        }),
    );
    let sink = problem.sink("sink", Port::new(Cap::any()));
    problem.link(source, sink).unwrap();
    problem.heap(HeapFacts {
        room: Some(1 << 20),
        ..HeapFacts::new("carved", Contiguity::Contiguous)
    });
    problem
}

/// Refuses everything, each for itself, and counts.
#[derive(Default)]
struct RefusesEach(usize);

impl Ask for RefusesEach {
    fn ask(&mut self, _question: &Question<'_>) -> Answer {
        self.0 += 1;
        Answer::No(Refusal::of_this("not this"))
    }
}

#[test]
fn nobody_is_asked_about_what_has_no_room() {
    let plan = solve(&any_height(Steps::only(4096)), &mut Believe).unwrap();
    // One buffer, on its way.
    assert_eq!(plan.domains[0].terms.height, 64);
    let mut few = RefusesEach::default();
    let unsolvable = solve(&any_height(Steps::only(4096)), &mut few).unwrap_err();
    assert_eq!((few.0, unsolvable.gave_up), (64, false), "{unsolvable}");
}

#[test]
fn a_search_that_may_ask_no_more_proves_nothing() {
    let mut many = RefusesEach::default();
    let unsolvable = solve(&any_height(Steps::between(32, 64)), &mut many).unwrap_err();
    assert!(unsolvable.gave_up, "{unsolvable}");
    assert_eq!(many.0, 4096);
}
