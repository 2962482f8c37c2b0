//! What controls take, and what they are set to.

use std::fmt;

use super::{ControlValue, key};

/// What a control takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// A number from `min` to `max`, in steps.
    Integer {
        /// The lowest.
        min: i64,
        /// The highest.
        max: i64,
        /// From one to the next.
        step: u64,
        /// Whether it has 64 bits.
        long: bool,
    },
    /// On or off.
    Boolean,
    /// One of these entries, by number.
    Menu(Vec<(u32, String)>),
    /// Something that happens when it is pressed.
    Button,
    /// Text of at most so many bytes.
    Text {
        /// The most bytes.
        max: usize,
    },
    /// An array or a structure, `enum v4l2_ctrl_type`.
    Other(u32),
}

impl fmt::Display for ControlKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { min, max, step, .. } => {
                write!(f, "a number from {min} to {max}")?;
                if *step > 1 {
                    write!(f, " in steps of {step}")?;
                }
                Ok(())
            }
            Self::Boolean => f.pad("true or false"),
            Self::Menu(entries) => {
                f.write_str("one of")?;
                for (index, (_number, name)) in entries.iter().enumerate() {
                    write!(f, "{} `{name}`", if index == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Self::Button => f.pad("true, which presses it"),
            Self::Text { max } => write!(f, "text of at most {max} bytes"),
            Self::Other(number) => write!(f, "data of V4L2 control type {number:#x}"),
        }
    }
}

/// A value in the kernel's form, as wide as the control.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Encoded {
    Short(i32),
    Long(i64),
    Text(Vec<u8>),
}

/// The kernel's form of a value, where the control takes it.
pub(super) fn encode(kind: &ControlKind, value: &ControlValue) -> Option<Encoded> {
    match (kind, value) {
        (
            ControlKind::Integer {
                min,
                max,
                step,
                long,
            },
            ControlValue::Integer(value),
        ) => {
            let steps = value.abs_diff(*min);
            if !(min..=max).contains(&value) || (*step > 1 && !steps.is_multiple_of(*step)) {
                return None;
            }
            if *long {
                return Some(Encoded::Long(*value));
            }
            // Bitmasks use all 32 bits without a sign.
            let short =
                i32::try_from(*value).or_else(|_large| u32::try_from(*value).map(u32::cast_signed));
            short.ok().map(Encoded::Short)
        }
        (ControlKind::Boolean, ControlValue::Boolean(on)) => Some(Encoded::Short(i32::from(*on))),
        (ControlKind::Boolean, ControlValue::Integer(on @ (0 | 1))) => {
            i32::try_from(*on).ok().map(Encoded::Short)
        }
        (ControlKind::Button, ControlValue::Boolean(true) | ControlValue::Integer(1)) => {
            Some(Encoded::Short(1))
        }
        (ControlKind::Menu(entries), ControlValue::Text(wanted)) => entries
            .iter()
            .find(|(_number, name)| name.trim() == wanted.trim())
            .or_else(|| {
                entries
                    .iter()
                    .find(|(_number, name)| key(name) == key(wanted))
            })
            .and_then(|(number, _name)| i32::try_from(*number).ok())
            .map(Encoded::Short),
        (ControlKind::Menu(entries), ControlValue::Integer(wanted)) => entries
            .iter()
            .find(|(number, _name)| i64::from(*number) == *wanted)
            .and_then(|(number, _name)| i32::try_from(*number).ok())
            .map(Encoded::Short),
        (ControlKind::Text { max }, ControlValue::Text(text)) => {
            let fits = text.len() <= *max && !text.contains('\0');
            fits.then(|| Encoded::Text([text.as_bytes(), &[0]].concat()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number() -> ControlKind {
        ControlKind::Integer {
            min: -64,
            max: 64,
            step: 1,
            long: false,
        }
    }

    #[test]
    fn values_are_checked_before_the_kernel_sees_them() {
        let short = |value| Some(Encoded::Short(value));
        let integer = |value| encode(&number(), &ControlValue::Integer(value));
        assert_eq!(integer(-64), short(-64));
        assert_eq!(integer(65), None);
        assert_eq!(encode(&number(), &ControlValue::Boolean(true)), None);
        let boolean = |value| encode(&ControlKind::Boolean, &value);
        assert_eq!(boolean(ControlValue::Boolean(true)), short(1));
        assert_eq!(boolean(ControlValue::Integer(2)), None);
        let button = |on| encode(&ControlKind::Button, &ControlValue::Boolean(on));
        assert_eq!(button(true), short(1));
        assert_eq!(button(false), None);
    }

    #[test]
    fn steps_and_widths() {
        let even = ControlKind::Integer {
            min: 1,
            max: i64::MAX,
            step: 2,
            long: true,
        };
        assert_eq!(encode(&even, &ControlValue::Integer(4)), None);
        let wide = 1 << 40 | 1;
        assert_eq!(
            encode(&even, &ControlValue::Integer(wide)),
            Some(Encoded::Long(wide))
        );
        let any = ControlKind::Integer {
            min: i64::MIN,
            max: i64::MAX,
            step: 1,
            long: true,
        };
        let most = encode(&any, &ControlValue::Integer(i64::MAX));
        assert_eq!(most, Some(Encoded::Long(i64::MAX)));
        let mask = ControlKind::Integer {
            min: 0,
            max: i64::from(u32::MAX),
            step: 0,
            long: false,
        };
        let all = encode(&mask, &ControlValue::Integer(i64::from(u32::MAX)));
        assert_eq!(all, Some(Encoded::Short(-1)));
    }

    #[test]
    fn menus_take_names_and_numbers() {
        let menu = ControlKind::Menu(vec![(0, "Disabled".to_owned()), (2, "60 Hz".to_owned())]);
        let text = |text: &str| encode(&menu, &ControlValue::Text(text.to_owned()));
        assert_eq!(text("60 Hz"), Some(Encoded::Short(2)));
        assert_eq!(text("60_hz"), Some(Encoded::Short(2)));
        assert_eq!(text("50 Hz"), None);
        assert_eq!(encode(&menu, &ControlValue::Integer(1)), None);
        assert_eq!(menu.to_string(), "one of `Disabled`, `60 Hz`");
    }

    #[test]
    fn text_ends_with_a_nul() {
        let kind = ControlKind::Text { max: 3 };
        let encoded = |text: &str| encode(&kind, &ControlValue::Text(text.to_owned()));
        assert_eq!(encoded("abc"), Some(Encoded::Text(b"abc\0".to_vec())));
        assert_eq!(encoded("abcd"), None);
        assert_eq!(encoded("a\0"), None);
    }
}
