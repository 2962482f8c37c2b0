//! Boards that are not there: every fixture is sound, and what is known of the boards follows
//! from it.

use std::path::Path;

use dmaflow_core::caps::{Cap, Caps, Set};
use dmaflow_core::format::{Family, Format};
use dmaflow_core::heap::Contiguity;
use dmaflow_core::layout::Modifier;
use dmaflow_core::stage::DeviceKey;
use dmaflow_pipelines::description::Description;
use dmaflow_pipelines::fixture::{
    DeviceFunction, Fixture, FixtureDevice, FixtureDisplay, FixtureError, Misfit,
};
use dmaflow_pipelines::solver::{Believe, Plan, Port, Problem, Scale, Unsolvable, solve};

fn fixture(name: &str) -> Fixture {
    let path = Path::new("boards/fixtures")
        .join(name)
        .with_extension("toml");
    let loaded = Fixture::load(&path).expect("a fixture");
    let named = Fixture::named(name).expect("a board");
    assert_eq!(loaded.board, named.board);
    loaded
}

fn all() -> Vec<(&'static str, Fixture)> {
    Fixture::names().map(|name| (name, fixture(name))).collect()
}

fn formats(cap: &Cap) -> &[Format] {
    match &cap.formats {
        Set::Of(formats) => formats,
        Set::Any => &[],
    }
}

#[test]
fn every_file_is_known_by_its_name() {
    let files = std::fs::read_dir("boards/fixtures").unwrap();
    let mut files: Vec<String> = files
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut names: Vec<_> = Fixture::names().collect();
    names.sort_unstable();
    assert_eq!(files, names);
}

#[test]
fn every_fixture_says_where_its_facts_are_from() {
    for (name, fixture) in all() {
        assert_eq!(fixture.kernel, "7.3", "{name}");
        assert!(fixture.sources.len() >= 8, "{name}");
        let path = format!("boards/fixtures/{name}.toml");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.starts_with(&format!("# {}:", fixture.board)), "{name}");
        assert!(text.contains("not run on the board"), "{name}");
    }
}

fn assert_sound(caps: &Caps, whose: &str) {
    assert!(!caps.0.is_empty(), "{whose}");
    for cap in &caps.0 {
        assert!(!formats(cap).is_empty(), "{whose}: {cap:?}");
        assert!(
            !cap.width.is_empty() && !cap.height.is_empty(),
            "{whose}: {cap:?}"
        );
        assert!(
            cap.width.max >= 144 && cap.height.max >= 120,
            "{whose}: {cap:?}"
        );
        assert!(cap.memory.import != cap.memory.cpu, "{whose}: {cap:?}");
        for format in formats(cap) {
            if format.family() == Family::Compressed {
                continue;
            }
            // Some stride is there for the widest and the narrowest picture.
            for width in [cap.width.min, cap.width.max] {
                let row = format.planes()[0].row_bytes(width).expect("it is a row");
                let found = (row..row + 1024).any(|stride| {
                    cap.strides
                        .contains(stride, *format, width, cap.whole_pixels)
                });
                assert!(found, "{whose}: no stride for {width} {format}: {cap:?}");
            }
        }
    }
}

#[test]
fn every_fixture_is_sound() {
    for (name, fixture) in all() {
        let heaps: Vec<_> = fixture.heaps().collect();
        assert!(
            heaps.iter().any(|heap| heap.info.answers_to("system")),
            "{name}"
        );
        for heap in heaps {
            let contiguous = heap.info.contiguity == Contiguity::Contiguous;
            assert_eq!(contiguous, heap.info.total.is_some(), "{name}: {heap:?}");
        }
        assert!(fixture.cameras().count() > 0, "{name}");
        let devices = [
            fixture.cameras().collect::<Vec<_>>(),
            fixture.decoders().collect(),
            fixture.encoders().collect(),
            fixture.converters().collect(),
        ];
        let mut nodes: Vec<_> = devices
            .iter()
            .flatten()
            .map(|device| &device.node)
            .collect();
        let count = nodes.len();
        nodes.sort();
        nodes.dedup();
        assert_eq!(nodes.len(), count, "{name}: two devices have one node");
        for device in devices.iter().flatten() {
            let whose = format!("{name}: {}", device.key);
            assert_sound(&device.output, &whose);
            match device.function {
                DeviceFunction::Capture => assert!(device.input.0.is_empty(), "{whose}"),
                _ => assert_sound(&device.input, &whose),
            }
            assert!(device.answers_to(&device.key.driver) && !device.answers_to("nobody"));
        }
        for display in fixture.displays() {
            assert!(!display.modes.is_empty(), "{name}");
            for plane in &display.planes {
                assert_sound(&plane.caps, &format!("{name}: {}", plane.name));
            }
        }
        assert_eq!(fixture.displays().count(), 1, "{name}");
        for graph in fixture.graphs() {
            assert!(graph.links.len() + 1 >= graph.entities.len(), "{name}");
            let svg = graph.drawing().to_svg();
            for entity in &graph.entities {
                assert!(svg.contains(&entity.name), "{name}: {}", entity.name);
            }
        }
        assert!(
            fixture.decoders().count() > 0 || name == "am62x-sk",
            "{name}"
        );
    }
}

/// What a board shows of a device, as the solver sees it.
fn shown(
    fixture: &Fixture,
    output: &Caps,
    queued: usize,
    display: &FixtureDisplay,
) -> Result<Plan, Unsolvable> {
    let mut problem = Problem::new();
    let source = problem.source("source", Port::new(output.clone()).holding(queued));
    let sink = problem.sink("display", Port::new(display.caps()).holding(2));
    problem.link(source, sink).expect("an output and an input");
    for heap in fixture.heaps() {
        problem.heap(heap.facts());
    }
    solve(&problem, &mut Believe)
}

fn camera<'f>(fixture: &'f Fixture, driver: &str) -> &'f FixtureDevice {
    fixture
        .cameras()
        .find(|camera| camera.answers_to(driver))
        .expect("the board has it")
}

/// The format, stride and heap with which a camera's frames are shown.
fn agreed(name: &str, driver: &str) -> Option<(String, String)> {
    let fixture = fixture(name);
    let display = fixture.displays().next().expect("the board has it");
    let plan = {
        let camera = camera(&fixture, driver);
        shown(&fixture, &camera.output, camera.queued, display).ok()?
    };
    let pool = &plan.pools[0];
    let heap = fixture
        .heaps()
        .nth(pool.heap.index())
        .expect("the board has it");
    Some((pool.placement.to_string(), heap.info.name.clone()))
}

#[test]
fn cameras_are_shown_without_a_copy() {
    let cases = [
        (
            "am62x-sk",
            "j721e-csi2rx",
            "1920×1080 UYVY at 30/s, stride 3840, 4147200 bytes",
            "default_cma_region",
        ),
        (
            "am62a-sk",
            "j721e-csi2rx",
            "1920×1080 UYVY at 30/s, stride 3840, 4147200 bytes",
            "default_cma_region",
        ),
    ];
    for (name, driver, placement, heap) in cases {
        let found = agreed(name, driver);
        assert_eq!(
            found,
            Some((placement.to_owned(), heap.to_owned())),
            "{name}"
        );
    }
    // A camera that the CPU fills, and a display that needs one piece.
    let (placement, heap) = agreed("j721s2", "uvcvideo").unwrap();
    assert!(placement.contains("YUYV"), "{placement}");
    assert_eq!(heap, "default_cma_region");
    // Behind IOMMUs scattered memory will do, and the CMA is left alone.
    for (name, driver) in [
        ("rk3399", "rkisp1"),
        ("rk3568", "rockchip-cif"),
        ("rk3588", "uvcvideo"),
    ] {
        assert_eq!(agreed(name, driver).unwrap().1, "system", "{name}");
    }
    // The HDMI input has none, nor room in 32 MiB for what it could send at most.
    let hdmi = fixture("rk3588");
    let input = camera(&hdmi, "snps_hdmirx");
    let display = hdmi.displays().next().unwrap();
    let sent = input.output_at(1920, 1080);
    let plan = shown(&hdmi, &sent, input.queued, display).unwrap();
    let heap = hdmi.heaps().nth(plan.pools[0].heap.index()).unwrap();
    assert_eq!(heap.info.name, "default_cma_region");
    assert_eq!(
        plan.pools[0].placement.to_string(),
        "1920×1080 RGB888 at 60/s, stride 5760, 6220800 bytes"
    );
}

/// Raw sensors and displays have nothing in common.
#[test]
fn bayer_is_not_shown() {
    let fixture = fixture("j721s2");
    let camera = camera(&fixture, "j721e-csi2rx");
    let display = fixture.displays().next().unwrap();
    assert!(camera.output.intersect(&display.caps()).is_empty());
    let why = shown(&fixture, &camera.output, camera.queued, display);
    assert!(!why.expect_err("nobody makes pictures of it").gave_up);
}

#[test]
fn decoded_pictures_are_shown() {
    for (name, board) in all() {
        let display = board.displays().next().unwrap();
        for decoder in board.decoders() {
            let (width, height) = (1280, 720);
            let output = decoder.output_at(width, height);
            let plan = shown(&board, &output, 4, display);
            let plan = plan.unwrap_or_else(|why| panic!("{name}: {}: {why}", decoder.key));
            let needs_one_piece = matches!(name, "am62a-sk" | "j721s2");
            let heap = board.heaps().nth(plan.pools[0].heap.index()).unwrap();
            assert_eq!(
                heap.info.contiguity == Contiguity::Contiguous,
                needs_one_piece,
                "{name}"
            );
        }
    }
}

#[test]
fn what_lies_behind_a_picture_grows_with_it() {
    let board = fixture("rk3399");
    let decoder = board
        .decoders()
        .find(|decoder| decoder.answers_to("rkvdec"))
        .unwrap();
    let behind = |width, height| decoder.output_at(width, height).0[0].behind;
    assert_eq!(behind(1920, 1080), 128 * 120 * 68);
    assert!(behind(3840, 2160) > behind(1920, 1080));
    assert!(
        decoder.output_at(8192, 4320).0.is_empty(),
        "larger than it decodes"
    );
}

#[test]
fn every_description_of_a_board_has_a_plan_there() {
    let mut boards = Vec::new();
    for entry in std::fs::read_dir("boards").expect("descriptions of boards") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let description = Description::load(&path, &[]);
        let description = description.unwrap_or_else(|wrong| panic!("{wrong}"));
        let board = Fixture::names().find(|board| name.starts_with(board));
        let board = board.expect("a file is called like its board");
        let plan = fixture(board).plan(&description);
        let plan = plan.unwrap_or_else(|misfit| panic!("{name}: {misfit}"));
        assert!(plan.inserted.is_empty(), "{name}: {:?}", plan.inserted);
        boards.push(board);
    }
    for (board, fixture) in all() {
        // From a camera, and from a decoder where there is one.
        let wanted = 1 + usize::from(fixture.decoders().next().is_some());
        let described = boards.iter().filter(|known| **known == board).count();
        assert!(described >= wanted, "{described} are described for {board}");
    }
}

fn planned(board: &str, text: &str) -> Result<Plan, Misfit> {
    let description = Description::parse(text, "test.toml", &[]).expect("a description");
    fixture(board).plan(&description)
}

#[test]
fn a_board_s_converter_joins_what_has_nothing_in_common() {
    // The image signal processor makes it, the display does not take it.
    let between = |links: &str, convert: &str| {
        planned(
            "rk3399",
            &format!(
                "links = [\"{links}\"]\n\
                 [stage.camera]\nkind = \"v4l2-src\"\nformat = \"YUV420\"\nwidth = 640\nheight = 480\n\
                 {convert}[stage.screen]\nkind = \"kms-sink\"\n"
            ),
        )
    };
    let convert =
        "[stage.convert]\nkind = \"v4l2-convert\"\ndevice = \"rga2\"\nwidth = 720\nheight = 540\n";
    let plan = between("camera -> convert -> screen", convert).unwrap();
    let pools: Vec<String> = plan
        .pools
        .iter()
        .map(|pool| pool.placement.to_string())
        .collect();
    assert_eq!(pools.len(), 2);
    assert!(pools[0].starts_with("640×480 YUV420"), "{pools:?}");
    assert!(pools[1].starts_with("720×540 "), "{pools:?}");
    // 24 times as wide.
    let convert = convert.replace("720", "15360");
    let misfit = between("camera -> convert -> screen", &convert).unwrap_err();
    assert!(
        misfit.to_string().contains("rga2 does not do 15360"),
        "{misfit}"
    );
}

/// The stream's formats are what a file holds, also where the device takes slices of them.
#[test]
fn a_decoder_is_found_by_what_it_decodes() {
    let film = |board: &str, codec: &str, decoder: &str| {
        planned(
            board,
            &format!(
                "links = [\"film -> decoder -> screen\"]\n\
                 [stage.film]\nkind = \"file-src\"\npath = \"film\"\ncodec = \"{codec}\"\n\
                 width = 1920\nheight = 1080\n\
                 [stage.decoder]\nkind = \"v4l2-decode\"\n{decoder}\
                 [stage.screen]\nkind = \"kms-sink\"\n"
            ),
        )
    };
    let plan = film("rk3399", "VP8", "").unwrap();
    let pools: Vec<String> = (plan.pools.iter())
        .map(|pool| pool.placement.to_string())
        .collect();
    assert!(pools[0].contains("VP8"), "{pools:?}");
    assert!(pools[1].starts_with("1920×1080 NV12"), "{pools:?}");
    let misfit = film("rk3399", "VP8", "device = \"rkvdec\"\n").unwrap_err();
    let text = misfit.to_string();
    assert!(
        text.contains("rkvdec does not do 1920 × 1080 VP8; it does HEVC"),
        "{text}"
    );
    let misfit = film("am62x-sk", "H264", "").unwrap_err();
    assert!(
        misfit.to_string().contains("the board has no decoder"),
        "{misfit}"
    );
}

#[test]
fn pictures_side_by_side_need_planes() {
    let display = |inputs: usize| {
        let cameras: Vec<String> = (0..inputs).map(|index| format!("c{index}")).collect();
        let links: Vec<String> = cameras
            .iter()
            .map(|name| format!("\"{name} -> screen\""))
            .collect();
        let stages = cameras.iter().map(|name| {
            format!("[stage.{name}]\nkind = \"test-src\"\nwidth = 320\nheight = 240\n")
        });
        let stages: String = stages.collect();
        let links = links.join(", ");
        planned(
            "am62x-sk",
            &format!("links = [{links}]\n{stages}[stage.screen]\nkind = \"kms-sink\"\n"),
        )
    };
    assert_eq!(display(2).unwrap().pools.len(), 2);
    let misfit = display(3).unwrap_err();
    assert!(matches!(misfit, Misfit::TooFewPlanes { .. }), "{misfit}");
    assert!(misfit.to_string().contains("3 pictures"), "{misfit}");
}

/// RK356x's Esmart planes take YVYU and not YUYV; a converter mends what a camera does not have.
#[test]
fn a_converter_stands_between_what_has_nothing_in_common() {
    let board = fixture("rk3568");
    let display = board.displays().next().unwrap();
    let yuyv = Cap {
        formats: Set::only(Format::YUYV),
        modifiers: Set::only(Modifier::LINEAR),
        ..Cap::any()
    };
    assert!(Caps(vec![yuyv]).intersect(&display.caps()).is_empty());
    let rga = board.converters().next().unwrap();
    assert_eq!(rga.scale, Scale { down: 16, up: 16 });
    let alternatives = rga.alternatives();
    assert_eq!(alternatives.len(), rga.input.0.len() * rga.output.0.len());
    assert_eq!(rga.converter().alternatives, alternatives);
    assert_eq!(
        rga.key,
        DeviceKey {
            driver: "rockchip-rga".to_owned(),
            bus: "platform:rga".to_owned(),
            name: "rga2".to_owned(),
        }
    );
}

#[test]
fn planes_that_take_afbc_alone_are_not_offered_linear_frames() {
    let board = fixture("rk3568");
    let display = board.displays().next().unwrap();
    let cluster = display
        .planes
        .iter()
        .find(|plane| plane.name == "Cluster0-win0")
        .unwrap();
    let linear = |cap: &Cap| cap.modifiers.contains(&Modifier::LINEAR);
    assert!(!cluster.caps.0.iter().any(linear));
    let lite = fixture("am62x-sk");
    let planes = &lite.displays().next().unwrap().planes;
    assert_eq!(planes[1].scale, Scale::NONE);
    assert_eq!(planes[0].scale.up, 16);
}

#[test]
fn an_unknown_board_is_told_of_the_known_ones() {
    let error = Fixture::named("am62-sk").unwrap_err().to_string();
    assert!(error.contains("did you mean `am62"), "{error}");
    assert!(error.contains("rk3588"), "{error}");
    assert!(
        !Fixture::named("beagle")
            .unwrap_err()
            .to_string()
            .contains("mean")
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    const HEAD: &str = "board = \"b\"\nkernel = \"7.3\"\nsources = []\n";
    let camera = "[[device]]\ndriver = \"d\"\ncard = \"c\"\nbus = \"b\"\nnode = \"/dev/video0\"\n\
                  function = \"capture\"\n";
    let graph = "[[graph]]\ndriver = \"d\"\nmodel = \"m\"\n[[graph.entity]]\nname = \"e\"\n\
                 function = 1\npads = [\"sink\"]\n[[graph.link]]\n";
    let cases = [
        ("board = 1\n".to_owned(), 1, 9, "string"),
        (format!("{HEAD}heat = 1\n"), 4, 1, "unknown field `heat`"),
        (
            format!("{HEAD}{camera}[[device.output]]\nformats = [\"NV13\"]\n"),
            11,
            11,
            "`NV13`",
        ),
        (
            format!("{HEAD}{camera}[[device.output]]\nformats = [\"NV12\"]\nwidth = [9, 8]\n"),
            12,
            9,
            "from 9 to 8",
        ),
        (
            format!("{HEAD}{camera}[[device.output]]\nformats = []\nstrides = {{ own = 0 }}\n"),
            12,
            11,
            "multiple of 0",
        ),
        (format!("{HEAD}{camera}"), 4, 1, "needs `output`"),
        (
            format!("{HEAD}{camera}graph = \"g\"\n[[device.output]]\nformats = [\"NV12\"]\n"),
            4,
            1,
            "model `g`",
        ),
        (
            format!("{HEAD}{graph}from = [\"e\", 0]\nto = [\"e\", 0]\n"),
            12,
            8,
            "pictures enter at pad 0",
        ),
        (
            format!("{HEAD}{graph}from = [\"f\", 0]\nto = [\"e\", 0]\n"),
            12,
            8,
            "no entity is called `f`",
        ),
    ];
    for (text, line, column, says) in cases {
        let error = Fixture::parse(&text, "b.toml").unwrap_err();
        let told = error.to_string();
        assert!(
            told.starts_with(&format!("b.toml:{line}:{column}: ")),
            "{told}\n{text}"
        );
        assert!(told.contains(says), "{told}\n{text}");
    }
    let missing = Fixture::load("boards/fixtures/nowhere.toml").unwrap_err();
    assert!(matches!(missing, FixtureError::Read { .. }), "{missing}");
}
