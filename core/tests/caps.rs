//! Laws of what ports have in common: what is in both sets is in the intersection, whatever the
//! order in which they are intersected.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dmaflow_core::caps::{Cap, Caps, MemoryNeeds, Set, Split, Steps, Strides};
use dmaflow_core::format::{Colour, Encoding, Format};
use dmaflow_core::layout::{Layout, Modifier};
use dmaflow_core::time::Rate;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn set<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Set<T>> {
    let count = values.len();
    prop_oneof![
        1 => Just(Set::Any),
        3 => subsequence(values, 0..=count).prop_shuffle().prop_map(Set::Of),
    ]
}

fn letters() -> impl Strategy<Value = Set<char>> {
    set(vec!['a', 'b', 'c', 'd', 'e'])
}

fn steps() -> impl Strategy<Value = Steps> {
    (0..60_u32, 0..120_u32, 0..20_u32).prop_map(|(min, more, step)| Steps {
        min,
        max: min + more - more.min(3),
        step,
    })
}

fn strides() -> impl Strategy<Value = Strides> {
    let align = select(vec![1_u32, 2, 3, 4, 6, 16, 64]);
    let each = select(vec![1_u32, 1, 2, 4]);
    let padding = select(vec![1_u32, 4, 64, u32::MAX]);
    (align, each, 1..2000_u32, padding).prop_map(|(align, each, max, padding)| Strides {
        align,
        each,
        max: if max > 1000 { u32::MAX } else { max },
        padding,
    })
}

fn memory() -> impl Strategy<Value = MemoryNeeds> {
    let bits = select(vec![None, Some(32_u32), Some(36)]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (flags, bits).prop_map(
        |((import, cpu, vmap, contiguous), address_bits)| MemoryNeeds {
            import,
            cpu,
            vmap,
            contiguous,
            address_bits,
        },
    )
}

fn cap() -> impl Strategy<Value = Cap> {
    let known = Colour {
        encoding: Some(Encoding::Bt709),
        range: None,
    };
    let sets = (
        set(vec![Format::XRGB8888, Format::YUYV, Format::NV12]),
        set(vec![Modifier::LINEAR, Modifier(7)]),
        set(vec![Split::Together, Split::Apart]),
        set(vec![Rate::new(30, 1).unwrap(), Rate::new(60, 1).unwrap()]),
        set(vec![Colour::default(), known]),
    );
    let rows = select(vec![1_u32, 2, 3, 16]);
    let numbers = (steps(), steps(), strides(), rows, 0..50_u32, any::<bool>());
    (sets, numbers, memory()).prop_map(
        |(
            (formats, modifiers, split, rates, colours),
            (width, height, strides, rows, behind, whole_pixels),
            memory,
        )| Cap {
            formats,
            modifiers,
            width,
            height,
            strides,
            whole_pixels,
            rows,
            split,
            rates,
            colours,
            memory,
            behind,
        },
    )
}

/// A picture with some padding, some rows and bytes more than it needs.
fn layout() -> impl Strategy<Value = Layout> {
    let formats = select(vec![Format::XRGB8888, Format::YUYV, Format::NV12]);
    let modifiers = select(vec![Modifier::LINEAR, Modifier::LINEAR, Modifier(7)]);
    let known = Colour {
        encoding: Some(Encoding::Bt709),
        range: None,
    };
    let colours = select(vec![Colour::default(), known]);
    let sizes = (1..80_u32, 1..80_u32, 0..40_u32, 0..200_u32);
    (formats, sizes, modifiers, colours, any::<bool>()).prop_map(
        |(format, (width, height, pad, more), modifier, colour, apart)| {
            let least = Layout::packed(format, width.next_multiple_of(2), height).unwrap();
            let stride = least.planes()[0].stride + 2 * pad;
            let layout = if apart {
                Layout::with_buffers(format, width, height, &vec![stride; format.planes().len()])
            } else {
                Layout::with_stride(format, width, height, stride)
            };
            let layout = layout.unwrap();
            let lens: Vec<u32> = layout.buffer_lens().iter().map(|len| len + more).collect();
            let size = (width, height);
            Layout::with_planes(format, modifier, size, layout.planes(), &lens)
                .unwrap()
                .with_colour(colour)
        },
    )
}

fn same<T: PartialEq + Clone>(a: &Set<T>, b: &Set<T>) -> bool {
    match (a, b) {
        (Set::Any, Set::Any) => true,
        (Set::Of(a), Set::Of(b)) => {
            a.iter().all(|value| b.contains(value)) && b.iter().all(|value| a.contains(value))
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    })]

    #[test]
    #[cfg_attr(miri, ignore = "no pointers")]
    fn sets(a in letters(), b in letters(), c in letters()) {
        let both = a.intersect(&b);
        for letter in 'a'..='f' {
            prop_assert_eq!(both.contains(&letter), a.contains(&letter) && b.contains(&letter));
        }
        prop_assert_eq!(&a.intersect(&a), &a);
        prop_assert!(same(&both, &b.intersect(&a)));
        prop_assert_eq!(both.intersect(&c), a.intersect(&b.intersect(&c)));
        // The first one's order.
        if let (Set::Of(first), Set::Of(common)) = (&a, &both) {
            let places: Vec<_> = common.iter().map(|l| first.iter().position(|f| f == l)).collect();
            prop_assert!(places.is_sorted());
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "no pointers")]
    fn steps_are_met_where_both_step(a in steps(), b in steps(), c in steps()) {
        let both = a.intersect(&b);
        for number in 0..200 {
            let common = both.is_some_and(|both| both.contains(number));
            prop_assert_eq!(common, a.contains(number) && b.contains(number), "{}", number);
        }
        prop_assert_eq!(both, b.intersect(&a));
        prop_assert_eq!(a.intersect(&a), a.normal());
        let left = both.and_then(|both| both.intersect(&c));
        let right = b.intersect(&c).and_then(|common| a.intersect(&common));
        prop_assert_eq!(left, right);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no pointers")]
    fn strides_of_both(
        a in strides(),
        b in strides(),
        c in strides(),
        width in 1..100_u32,
        whole in any::<bool>(),
    ) {
        for format in [Format::XRGB8888, Format::NV12, "YU12".parse().unwrap(), "RGB888".parse().unwrap()] {
            let both = a.intersect(&b);
            let mut shortest = None;
            for stride in 1..1200 {
                let in_both = a.contains(stride, format, width, whole)
                    && b.contains(stride, format, width, whole);
                let common = both.is_some_and(|both| both.contains(stride, format, width, whole));
                let in_one = a.contains(stride, format, width, whole)
                    || b.contains(stride, format, width, whole);
                prop_assert!(!in_one || a.either(&b).contains(stride, format, width, whole));
                prop_assert_eq!(common, in_both, "{} of {}", stride, format);
                if common && shortest.is_none() {
                    shortest = Some(stride);
                    // Every plane can be laid out with it.
                    prop_assert!(Layout::with_stride(format, width, 2, stride).is_ok(), "{}", stride);
                }
            }
            let found = both.and_then(|both| both.shortest(format, width, whole));
            if shortest.is_some() || found.is_some_and(|found| found < 1200) {
                prop_assert_eq!(found, shortest);
            }
        }
        prop_assert_eq!(a.intersect(&a).is_some(), a.align <= a.max);
        prop_assert_eq!(a.intersect(&b), b.intersect(&a));
        let left = a.intersect(&b).and_then(|both| both.intersect(&c));
        let right = b.intersect(&c).and_then(|common| a.intersect(&common));
        prop_assert_eq!(left, right);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no pointers")]
    fn frames_pass_both_that_pass_each(a in cap(), b in cap(), layout in layout()) {
        let each = a.misfits(&layout).is_empty() && b.misfits(&layout).is_empty();
        let both = a.intersect(&b);
        let passes = both.as_ref().is_some_and(|both| both.misfits(&layout).is_empty());
        // What wants more rows of one and more bytes of the other wants both in one buffer.
        prop_assert!(!passes || each);
        let simple = a.rows == b.rows || a.behind == 0 && b.behind == 0 && a.rows * b.rows <= 16;
        let nested = a.rows.is_multiple_of(b.rows) || b.rows.is_multiple_of(a.rows);
        if simple && nested && a.whole_pixels == b.whole_pixels {
            prop_assert!(!each || passes, "{:?}", both);
        }
        prop_assert_eq!(both.is_some(), b.intersect(&a).is_some());
        if let Some(again) = a.intersect(&a) {
            prop_assert_eq!(again.intersect(&a), Some(again.clone()));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "no pointers")]
    fn several_caps(a in proptest::collection::vec(cap(), 0..3), b in proptest::collection::vec(cap(), 0..3), c in cap()) {
        let (a, b, c) = (Caps(a), Caps(b), Caps::from(c));
        let both = a.intersect(&b);
        prop_assert_eq!(both.is_empty(), b.intersect(&a).is_empty());
        let left = both.intersect(&c);
        let right = a.intersect(&b.intersect(&c));
        prop_assert_eq!(left.is_empty(), right.is_empty());
        prop_assert_eq!(left, right);
    }
}

#[test]
fn caps_are_told_to_people() {
    let cap = Cap {
        formats: Set::Of(vec![Format::YUYV, Format::NV12]),
        width: Steps {
            min: 64,
            max: 1920,
            step: 16,
        },
        height: Steps::only(480),
        strides: Strides::own(32),
        memory: MemoryNeeds {
            contiguous: true,
            ..MemoryNeeds::DEVICE
        },
        ..Cap::any()
    };
    assert_eq!(
        cap.to_string(),
        "YUYV NV12, 64 to 1920 by 16 × 480, strides: rows rounded up to 32 bytes by the device \
         itself, memory: importable, in one physical piece"
    );
    assert_eq!(Cap::any().to_string(), "any format");
    assert_eq!(Caps::default().to_string(), "nothing");
    assert_eq!(
        Caps(vec![Cap::any(), Cap::any()]).to_string(),
        "any format; or any format"
    );
}
