//! Passing on the frames of one input of several.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Router, StageError, Switch};

/// Passes the frames of one input on and lets those of the others go. Which one it is may be
/// changed at any time.
#[derive(Debug)]
pub struct Selector {
    inputs: usize,
    selected: Selected,
}

/// Which input a [`Selector`] passes on. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Selected(Arc<AtomicUsize>);

impl Selected {
    /// The input, counted from 0.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Changes over to another input, from its next frame on.
    pub fn set(&self, input: usize) {
        self.0.store(input, Ordering::Relaxed);
    }
}

impl Switch for Selected {
    fn selected(&self) -> usize {
        self.get()
    }

    fn select(&self, input: usize) {
        self.set(input);
    }
}

impl Selector {
    /// Begins with one of its inputs.
    #[must_use]
    pub fn new(inputs: usize, selected: usize) -> Self {
        Self {
            inputs,
            selected: Selected(Arc::new(AtomicUsize::new(selected))),
        }
    }

    /// Where another input may be chosen.
    #[must_use]
    pub fn selected(&self) -> Selected {
        self.selected.clone()
    }
}

impl Router for Selector {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        1
    }

    fn switch(&self) -> Option<Arc<dyn Switch>> {
        Some(Arc::new(self.selected()))
    }

    fn route(
        &mut self,
        input: usize,
        frame: Frame,
        send: &mut dyn FnMut(usize, Frame),
    ) -> Result<(), StageError> {
        if input == self.selected.get() {
            send(0, frame);
        }
        Ok(())
    }
}
