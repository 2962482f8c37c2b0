//! Why a command failed, and the exit status that says so.

use std::process::ExitCode;

use dmaflow_pipelines::PipelineError;
use dmaflow_pipelines::description::Diagnostics;
use serde_json::{Value, json};

pub(crate) use dmaflow_core::with_causes;

/// Why a command failed.
pub(crate) enum Failure {
    /// The command line or the description is wrong.
    Description(Box<Diagnostics>),
    /// The environment is wrong.
    Usage(String),
    /// The pipeline could not be made, or did not go on.
    Pipeline(String),
    /// Something is wrong with this machine, and the result has said what.
    Found,
    /// Whoever reads our output has stopped reading.
    Reader,
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Description(Box::new(diagnostics))
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        Self::Pipeline(with_causes(&error))
    }
}

impl Failure {
    /// For people.
    pub(crate) fn render(&self, colours: bool) -> String {
        match self {
            Self::Description(diagnostics) => diagnostics.render(colours),
            Self::Usage(message) | Self::Pipeline(message) => {
                let (red, plain) = if colours {
                    ("\x1b[1m\x1b[91m", "\x1b[0m")
                } else {
                    ("", "")
                };
                format!("{red}error{plain}: {message}")
            }
            Self::Found | Self::Reader => String::new(),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Description(diagnostics) => {
                let list = diagnostics.iter().map(|diagnostic| {
                    json!({
                        "message": diagnostic.message,
                        "file": diagnostic.file,
                        "line": diagnostic.line_column.map(|(line, _)| line),
                        "column": diagnostic.line_column.map(|(_, column)| column),
                        "label": diagnostic.label,
                        "help": diagnostic.help,
                    })
                });
                json!({ "diagnostics": list.collect::<Vec<_>>() })
            }
            Self::Usage(message) | Self::Pipeline(message) => json!({ "error": message }),
            Self::Found | Self::Reader => Value::Null,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Pipeline(_) | Self::Found => ExitCode::from(1),
            Self::Description(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Reader => ExitCode::SUCCESS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::heap::RegistryError;
    use dmaflow_pipelines::error::Refusal;

    #[test]
    fn a_cause_is_told_once() {
        let reason = RegistryError::Refused {
            name: "system".to_owned(),
            reason: "permission denied".to_owned(),
        };
        let error = PipelineError::Refused(vec![Refusal {
            format: None,
            heap: Some("system".to_owned()),
            reason: reason.into(),
        }]);
        let text = with_causes(&error);
        assert_eq!(text.matches("permission denied").count(), 1, "{text}");
    }
}
